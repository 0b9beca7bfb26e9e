"""The stems of a recording: each track by itself, from the same frame on and as long as the sound of the whole.

Runs on: feed process, recorder thread, or the caller of the offline render.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.core.contract import Card
from engine.core.link import Link
from engine.core.messages import BLOCK, OUTPUTS, RETURNS, stem_names
from engine.record.wave_file import WaveFile

FOLDER = "stems"
LATE = "late.jsonl"  # there: how many frames later than its notes the sound is, and from which frame of the take on
AT_ONCE = 256  # blocks taken from the ring at a time


class StemFiles:
    """A sound file for each bus of the mixer, and for each send from where something comes back of it on.

    Every method but `close` raises OSError when the disk will not have it.
    """

    def __init__(self, folder: Path, card: Card, link: Link, rate_hz: float, resume: bool = False) -> None:
        """Begin the files below `folder`, or with `resume` go on with those; SessionError when they are none of ours."""
        self._folder = folder / FOLDER
        self._names = stem_names(card)
        self._blocks, self._returned = link["stems"].reader(0), link["returns"].reader(0)
        self._late = link["late"].reader(0)
        self._first = 0  # frame of the run that the files begin with
        self._files: list[WaveFile] = []
        self._returns: dict[int, WaveFile] = {}  # by the numbers of the sends
        self._folder.mkdir(exist_ok=True)
        if not resume:
            (self._folder / LATE).unlink(missing_ok=True)
        self._open("", rate_hz, resume)

    def _open(self, suffix: str, rate_hz: float, resume: bool = False) -> None:
        self._suffix, self._rate_hz = suffix, rate_hz
        for name in self._names:
            self._files.append(WaveFile(self._folder / f"{name}{suffix}.wav", round(rate_hz), resume))
        for number, name in enumerate(RETURNS):
            if resume and (self._folder / f"{name}{suffix}.wav").exists():
                self._returns[number] = self._open_return(number, resume)

    def _open_return(self, number: int, resume: bool = False) -> WaveFile:
        return WaveFile(self._folder / f"{RETURNS[number]}{self._suffix}.wav", round(self._rate_hz), resume)

    def drain(self) -> int:
        """Write what has come since the last time; what was overwritten is silence, so that all stay in time.

        Return how many frames that were.
        """
        lost = 0
        while len(blocks := self._blocks.read(AT_ONCE)):
            for at, samples in self._runs(blocks):
                for number, file in enumerate(self._files):
                    gap = file.write_at(at, samples[:, OUTPUTS * number : OUTPUTS * (number + 1)])
                lost += gap if gap >= BLOCK else 0  # less is the latency of the master, not a loss
        while len(blocks := self._returned.read(AT_ONCE)):
            for at, samples in self._runs(blocks):
                for number in range(len(RETURNS)):
                    part = samples[:, OUTPUTS * number : OUTPUTS * (number + 1)]
                    if number not in self._returns and part.any():
                        self._returns[number] = self._open_return(number)
                    if number in self._returns:
                        self._returns[number].write_at(at, part)
        for file in (*self._files, *self._returns.values()):
            file.flush()
        if len(told := self._late.read()):
            with (self._folder / LATE).open("a") as late:
                for frame, band, player in told.tolist():
                    late.write(json.dumps({"frame": frame, "band": band, "player": player}) + "\n")
        return lost

    def _runs(self, blocks: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield blocks that follow on one another: where in the files they begin, and float32 (frames, channels)."""
        for run in np.split(blocks, np.flatnonzero(np.diff(blocks["frame"]) != BLOCK) + 1):
            samples = run["samples"].reshape(len(run) * BLOCK, -1)
            if not np.isfinite(samples).all():  # a patch that broke: the whole was silenced there
                samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
            yield int(run[0]["frame"]) - self._first, samples

    def begin_anew(self, frame: int, rate_hz: float, length: int) -> None:
        """End the files at this length, and begin others at another rate with this frame of the run."""
        self.close(length)
        self._first = frame
        self._open(f"-{frame}", rate_hz)

    def close(self, length: int) -> None:
        """End every file at this length, in frames, as far as the disk has room."""
        files = [*self._files, *self._returns.values()]
        self._files, self._returns = [], {}
        for file in files:
            with contextlib.suppress(OSError):
                file.end_at(length)
            with contextlib.suppress(OSError):
                file.close()


def read_late(folder: Path, name: str) -> list[tuple[int, int]]:
    """Return how many frames later than its notes the sound of a stem is: (frame of the sound from which on, frames)."""
    found = {0: 0}
    try:
        lines = (folder / FOLDER / LATE).read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            found[int(told["frame"])] = int(told["player" if name == "player" else "band"])
    out: list[tuple[int, int]] = []
    for frame, late in sorted(found.items()):
        if not out or out[-1][1] != late:
            out.append((frame, late))
    return out
