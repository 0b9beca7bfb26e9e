"""The effects that pedalboard brings itself, as inserts: `board:Reverb`, where the extra `vst` is there.

Runs on: host process; what there is, whoever lists. Each answers with as many frames as it is given: those of pedalboard's that
do not are left out.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.errors import PluginError, nearest
from engine.host.plugin import PARAMETER, About, Editor, Event, Knob, Moment

FORMAT = "board"
REMEDY = "pedalboard's effects need pedalboard: pip install 'algoritmo[vst]'"
_MIX = {"mix": (0.0, 1.0, 0.5, "")}
_SWAYING = {"rate_hz": (0.01, 20.0, 1.0, "Hz"), "depth": (0.0, 1.0, 0.25, ""), "feedback": (-0.99, 0.99, 0.0, "")} | _MIX
_BAND = {
    "cutoff_frequency_hz": (20.0, 20000.0, 440.0, "Hz"),
    "gain_db": (-24.0, 24.0, 0.0, "dB"),
    "q": (0.1, 10.0, 0.7071, ""),
}
_TIMES = {"attack_ms": (0.1, 200.0, 1.0, "ms"), "release_ms": (1.0, 2000.0, 100.0, "ms")}
# By their names as pedalboard has them: of each knob the least, the most, what it begins with, and its unit.
EFFECTS: dict[str, dict[str, tuple[float, float, float, str]]] = {
    "Bitcrush": {"bit_depth": (1.0, 32.0, 8.0, "bit")},
    "Chorus": _SWAYING | {"centre_delay_ms": (1.0, 100.0, 7.0, "ms")},
    "Clipping": {"threshold_db": (-60.0, 0.0, -6.0, "dB")},
    "Compressor": {"threshold_db": (-60.0, 0.0, -18.0, "dB"), "ratio": (1.0, 20.0, 4.0, "")} | _TIMES,
    "Delay": {"delay_seconds": (0.001, 2.0, 0.5, "s"), "feedback": (0.0, 0.95, 0.3, "")} | _MIX,
    "Distortion": {"drive_db": (0.0, 60.0, 25.0, "dB")},
    "HighShelfFilter": _BAND,
    "HighpassFilter": {"cutoff_frequency_hz": (20.0, 20000.0, 50.0, "Hz")},
    "LadderFilter": {
        "cutoff_hz": (20.0, 20000.0, 2000.0, "Hz"),
        "resonance": (0.0, 1.0, 0.0, ""),
        "drive": (1.0, 10.0, 1.0, ""),
    },
    "Limiter": {"threshold_db": (-60.0, 0.0, -10.0, "dB"), "release_ms": (1.0, 2000.0, 100.0, "ms")},
    "LowShelfFilter": _BAND,
    "LowpassFilter": {"cutoff_frequency_hz": (20.0, 20000.0, 8000.0, "Hz")},
    "NoiseGate": {"threshold_db": (-100.0, 0.0, -60.0, "dB"), "ratio": (1.0, 20.0, 10.0, "")} | _TIMES,
    "PeakFilter": _BAND,
    "Phaser": _SWAYING | {"depth": (0.0, 1.0, 0.5, ""), "centre_frequency_hz": (100.0, 10000.0, 1300.0, "Hz")},
    "Reverb": {
        "room_size": (0.0, 1.0, 0.5, ""),
        "damping": (0.0, 1.0, 0.5, ""),
        "wet_level": (0.0, 1.0, 0.33, ""),
        "dry_level": (0.0, 1.0, 0.4, ""),
        "width": (0.0, 1.0, 1.0, ""),
        "freeze_mode": (0.0, 1.0, 0.0, ""),
    },
}


def is_there() -> bool:
    """Whether pedalboard is installed; it is not loaded for that."""
    return importlib.util.find_spec("pedalboard") is not None


def abouts() -> list[About]:
    """Return every effect there is here."""
    return [about(name) for name in EFFECTS] if is_there() else []


def about(name: str) -> About:
    """Return what is known of an effect. Raises PluginError."""
    found = next((known for known in EFFECTS if known.casefold() == name.casefold()), None)
    if found is None:
        like = nearest(name, list(EFFECTS))
        hint = f"did you mean {like!r}?" if like else f"there are {', '.join(EFFECTS)}"
        raise PluginError(f"{FORMAT}:{name}: pedalboard has no such effect; {hint}")
    if not is_there():
        raise PluginError(f"{FORMAT}:{found}: {REMEDY}")
    return About(FORMAT, found, found, f"{FORMAT}:{found}", "pedalboard", knobs=len(EFFECTS[found]))


def load(name: str) -> BoardEffect:
    """Load an effect. Raises PluginError."""
    return BoardEffect(about(name))


class BoardEffect:
    """One of them; see `Plugin`. Its state is what its knobs are turned to."""

    latency_frames = 0
    wants_restart = False
    is_dirty = False

    def __init__(self, told: About) -> None:
        import pedalboard

        self.about, self.changed = told, False
        self.knobs: Sequence[Knob] = [
            Knob(key, key.replace("_", " "), low, high, default, unit=unit)
            for key, (low, high, default, unit) in EFFECTS[told.id].items()
        ]
        self._effect: Any = getattr(pedalboard, told.id)()
        self._values = [knob.default for knob in self.knobs]
        self._rate_hz = 48000.0
        for index, value in enumerate(self._values):
            self._turn(index, value)

    def _turn(self, index: int, value: float) -> None:
        knob = self.knobs[index]
        self._values[index] = min(max(value, knob.minimum), knob.maximum)
        setattr(self._effect, knob.key, self._values[index])

    def activate(self, rate_hz: float, frames: int) -> None:
        """See Plugin."""
        self._rate_hz = rate_hz
        self._effect.process(np.zeros((2, frames), np.float32), rate_hz, frames, True)

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin. What is turned in a block is turned at its beginning."""
        del side, at
        for _, kind, *_, index, value in events:
            if kind == PARAMETER and index < len(self.knobs):
                self._turn(index, value)
        out[:] = self._effect.process(inputs, self._rate_hz, out.shape[1], False)

    def value(self, index: int) -> float:
        """See Plugin."""
        return self._values[index]

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        return f"{value:g} {self.knobs[index].unit}".strip()

    def state(self) -> bytes:
        """See Plugin."""
        return json.dumps({knob.key: value for knob, value in zip(self.knobs, self._values, strict=True)}).encode()

    def restore(self, state: bytes) -> None:
        """See Plugin."""
        try:
            kept = {key: float(value) for key, value in json.loads(state).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise PluginError(f"{self.about.name}: refuses the state ({error})") from error
        for index, knob in enumerate(self.knobs):
            self._turn(index, kept.get(knob.key, knob.default))

    def load_preset(self, name: str) -> None:
        """See Plugin."""
        raise PluginError(f"{self.about.name}: has no preset {name!r}")

    def open_editor(self, title: str) -> Editor:  # noqa: ARG002  (as the protocol has it)
        """See Plugin."""
        raise PluginError(f"{self.about.name}: has no window of its own; its knobs are on the page")

    def restart(self) -> None:
        """It never asks for that."""

    def idle(self) -> None:
        """It has nothing to be done."""

    def close(self) -> None:
        """See Plugin."""
        self._effect = None
