"""The stems of a recording: each track by itself, from the same frame on and as long as the sound of the whole.

Runs on: feed process, recorder thread, or the caller of the offline render.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from engine.core.contract import Card
from engine.core.link import Ring
from engine.core.messages import BLOCK, OUTPUTS, stem_names
from engine.record.wave_file import WaveFile

FOLDER = "stems"
AT_ONCE = 256  # blocks taken from the ring at a time


class StemFiles:
    """A sound file for each bus of the mixer. Every method but `close` raises OSError when the disk will not have it."""

    def __init__(self, folder: Path, card: Card, ring: Ring, rate_hz: float, resume: bool = False) -> None:
        """Begin the files below `folder`, or with `resume` go on with those; SessionError when they are none of ours."""
        self._folder = folder / FOLDER
        self._names = stem_names(card)
        self._blocks = ring.reader(0)
        self._first = 0  # frame of the run that the files begin with
        self._files: list[WaveFile] = []
        self._folder.mkdir(exist_ok=True)
        self._open("", rate_hz, resume)

    def _open(self, suffix: str, rate_hz: float, resume: bool = False) -> None:
        for name in self._names:
            self._files.append(WaveFile(self._folder / f"{name}{suffix}.wav", round(rate_hz), resume))

    def drain(self) -> int:
        """Write what has come since the last time; what was overwritten is silence, so that all stay in time.

        Return how many frames that were.
        """
        lost = 0
        while len(blocks := self._blocks.read(AT_ONCE)):
            for run in np.split(blocks, np.flatnonzero(np.diff(blocks["frame"]) != BLOCK) + 1):
                samples = run["samples"].reshape(len(run) * BLOCK, -1)
                if not np.isfinite(samples).all():  # a patch that broke: the whole was silenced there
                    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
                at = int(run[0]["frame"]) - self._first
                for number, file in enumerate(self._files):
                    gap = file.write_at(at, samples[:, OUTPUTS * number : OUTPUTS * (number + 1)])
                lost += gap if gap >= BLOCK else 0  # less is the latency of the master, not a loss
        for file in self._files:
            file.flush()
        return lost

    def begin_anew(self, frame: int, rate_hz: float, length: int) -> None:
        """End the files at this length, and begin others at another rate with this frame of the run."""
        self.close(length)
        self._first = frame
        self._open(f"-{frame}", rate_hz)

    def close(self, length: int) -> None:
        """End every file at this length, in frames, as far as the disk has room."""
        files, self._files = self._files, []
        for file in files:
            with contextlib.suppress(OSError):
                file.end_at(length)
            with contextlib.suppress(OSError):
                file.close()
