"""What a jam leaves: its folder, and the figures in report.json.

Runs on: main process.
"""

from __future__ import annotations

import contextlib
import json
import platform
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from engine import __version__
from engine.control.status import Snapshot, Spread
from engine.core.config import Config
from engine.core.errors import SessionError


def figures(jam: Snapshot, rate_hz: float) -> dict[str, Any]:
    """Return what the processes count, as report.json has it; `rate_hz` holds until there is a clock."""
    out: dict[str, Any] = {}
    if (network := jam.network) is not None:
        out |= {"steps": network.steps, "late_steps": network.late_steps, "step_ms": _rounded(network.step_ms)}
        # Most steps are chosen and sent before their input deadline; the others show what choosing takes.
        recomputed_ms = _rounded(network.recomputed_ms)
        out["chosen_again"] = {"steps": network.recomputed, "kept": network.kept, "step_ms": recomputed_ms}
        out["lead_ms"] = round(network.lookahead_ms, 3)
        out["provider"] = network.provider
    if (sound := jam.sound) is not None:
        rate_hz = sound.rate_hz
        out["xruns"], out["xruns_own"] = sound.xruns, sound.xruns_own
        loads = {"mean": sound.dsp_mean, "max": sound.dsp_max, "own_max": sound.dsp_own_max}
        out["dsp_load"] = {key: round(load, 4) for key, load in loads.items()}
        out["midi_ignored"] = sound.midi_ignored
        out["notes_late"] = sound.notes_late
    if (feed := jam.feed) is not None:
        out["feed"] = {"sent": feed.sent, "dropped": feed.dropped, "step_us": round(feed.step_us, 1)}
        out["recorded_s"] = round(feed.recorded_frames / rate_hz, 3)
    return out


def _rounded(spread: Spread) -> dict[str, float]:
    return {key: round(value, 4) for key, value in spread._asdict().items()}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a JSON file in one go; whoever reads it never sees half of it. Raises OSError."""
    new = path.with_suffix(path.suffix + ".new")
    new.write_text(json.dumps(data, indent=2) + "\n")
    new.replace(path)


def versions() -> dict[str, str]:
    """Versions of everything that makes a sound or a decision."""
    names = ("numpy", "onnxruntime", "onnxruntime-gpu", "pyo", "sounddevice", "python-rtmidi", "python-osc")
    out = {"algoritmo": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            out[name] = metadata.version(name)
    return out


def new_session(config: Config) -> Path:
    """Make the session's folder, named by the time of day. Raises SessionError."""
    base = config.session.dir / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(100):
        folder = base if number == 0 else base.with_name(f"{base.name}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise SessionError(
                f"session.dir: {folder} cannot be made ({error.strerror}); set session.dir to a folder you may write, "
                "or session.record to false"
            ) from error
        return folder
    raise SessionError(f"session.dir: {base} exists a hundred times over; set session.dir to another folder")
