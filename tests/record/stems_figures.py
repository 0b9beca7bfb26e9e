"""Records an hour of stems as fast as the disk goes, and one file beyond four gigabytes; `soxi` reads each of them.

    python tests/record/stems_figures.py --hours 1          # some eight gigabytes below the system's folder for such

The sound is noise, so that nothing of it is small by chance. What is written is what a recorder writes in a jam with the
festival's network: the whole, five tracks, the player, the metronome and the return of a send.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import soundfile

from engine.core.config import load
from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, OUTPUTS, RETURNS, stem_names
from engine.core.parameters import Live
from engine.feed.schema import Schema
from engine.jam.parameters import registry_of
from engine.record.session import Recorder
from engine.record.wave_file import RIFF_LIMIT, WaveFile
from tests.system.rig import need

RATE = 48000
AT_ONCE = 1024  # blocks between two looks of the recorder: what a jam has in 1.4 s
KINDS = 61  # different blocks of noise


def hour(folder: Path, hours: float) -> dict[str, Any]:
    """Record so much; return what it took."""
    card = read_card(load(None, []).network_path())
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry), stems=True))
    Live(registry, link.values).reset_to_defaults()
    told: list[str] = []
    recorder = Recorder(folder, link, Schema(card, registry), RATE, lambda _level, text: told.append(text))
    rng = np.random.default_rng(1)
    buses = OUTPUTS * len(stem_names(card))
    noise = [rng.normal(0, 0.1, (BLOCK, buses)).astype(np.float32) for _ in range(KINDS)]
    wave, stems, returns = link.writer("wave"), link.writer("stems"), link.writer("returns")
    blocks = round(hours * 3600 * RATE / BLOCK)
    writing_s = longest_s = 0.0
    for block in range(blocks):
        samples, frame = noise[block % KINDS], (block * BLOCK).to_bytes(8, "little")
        wave.push_bytes(frame, samples[:, :OUTPUTS].tobytes())
        stems.push_bytes(frame, samples.tobytes())
        returns.push_bytes(frame, samples[:, : OUTPUTS * len(RETURNS)].tobytes())
        if block % AT_ONCE == AT_ONCE - 1 or block == blocks - 1:
            begun = time.perf_counter()
            recorder.drain()
            took = time.perf_counter() - begun
            writing_s, longest_s = writing_s + took, max(longest_s, took)
    recorder.close()
    files = [folder / "session.wav", *sorted((folder / "stems").glob("*.wav"))]
    frames = {soundfile.info(str(path)).frames for path in files}
    return {
        "hours": hours,
        "files": len(files),
        "read_by_soxi": sum(map(is_read, files)),
        "all_as_long_as_the_whole": frames == {blocks * BLOCK},
        "gigabytes": round(sum(path.stat().st_size for path in files) / 1e9, 2),
        "writing_s": round(writing_s, 1),
        "times_real_time": round(hours * 3600 / writing_s, 1),
        "longest_write_ms": round(longest_s * 1e3, 1),
        "told": told,
    }


def beyond(path: Path) -> dict[str, Any]:
    """Write a file of more than four gigabytes: noise, silence, which is a hole in the file, and a second of sound at its end.

    The noise is for `soxi`, which looks for words at a place of 32 bits, and goes through silence step by step.
    """
    file = WaveFile(path, RATE)
    file.write(np.random.default_rng(2).normal(0, 0.1, (10 * RATE, OUTPUTS)).astype(np.float32))
    file.silence(RIFF_LIMIT // 6 + RATE)
    tone = np.sin(np.arange(RATE) * 0.05)[:, None].repeat(OUTPUTS, 1).astype(np.float32) * 0.5
    file.write(tone)
    file.flush()
    file.close()
    info = soundfile.info(str(path))
    last, _ = soundfile.read(str(path), start=info.frames - RATE, dtype="float32")
    with path.open("rb") as written:
        head = written.read(4)
    return {
        "gigabytes": round(path.stat().st_size / 1e9, 3),
        "is": head.decode(),
        "read_by_soxi": is_read(path),
        "its_end_is_what_was_written": bool(np.abs(last - tone).max() < 1e-6),
    }


def is_read(path: Path) -> bool:
    """Whether soxi reads a file."""
    return subprocess.run([need("soxi", "apt install sox"), str(path)], capture_output=True, check=False).returncode == 0


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = {"hour": hour(folder, asked.hours), "beyond": beyond(folder / "long.wav")}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
