"""Places of a take that somebody will look for: chords as they were heard, panics, scenes. `markers.jsonl`, a line each.

Runs on: feed process, recorder thread, or the caller of the offline render. Whoever reads the file may find a marker twice: a
recorder that was killed writes its last ones again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from engine.core import tape
from engine.core.messages import CHORD, PLAYS
from engine.jam.chords import of_code

FILE = "markers.jsonl"
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """A place: frame of the run, timestep (-1: of none), what kind of place it is, and what is written there."""

    frame: int
    step: int
    kind: str
    text: str


class Markers:
    """Finds them, and keeps the file. `write` raises OSError when the disk will not have it."""

    def __init__(self, path: Path, panic: int, resume: bool = False) -> None:
        """`panic`: place of that parameter."""
        self._panic, self._panics = panic, 0.0
        self._frame = -1  # of the block that the tape is at
        self._chord = ""
        self._found: list[Marker] = []
        self._names: dict[int, str] = {}  # of scenes that have not begun
        self._known = set(read_markers(path)) if resume else set()
        self._file = open(path, "ab" if resume else "wb", buffering=0)  # noqa: SIM115 (lives as long as the recording)

    def add(self, marker: Marker) -> None:
        """There is one."""
        self._found.append(marker)

    def hear(self, events: np.ndarray) -> None:
        """Take EVENT records of what sounded: where the chord becomes another."""
        for event in events[events["kind"] == CHORD]:
            chord = of_code(int(event["pitch"]), int(event["velocity"]))
            name = "-" if chord is None else chord.name
            if name != self._chord:
                self._chord = name
                self.add(Marker(int(event["frame"]), int(event["step"]), "chord", name))

    def follow(self, switches: np.ndarray, switched: np.ndarray) -> None:
        """Take SWITCH and SWITCHED records: where a scene begins to play."""
        for switch in switches:
            self._names[int(switch["number"])] = _name_of(bytes(switch["text"]))
        for told in switched[switched["state"] == PLAYS]:
            number = int(told["number"])
            marker = Marker(int(told["frame"]), -1, "scene", self._names.get(number, f"scene {number}"))
            self._names = {later: name for later, name in self._names.items() if later > number}
            if marker not in self._known:
                self.add(marker)

    def look(self, taken: np.ndarray) -> None:
        """Take what is new on the tape of the audio process: where panic was called."""
        if not len(taken):
            return
        is_block = taken["kind"] == tape.BLOCK
        pulled = np.flatnonzero((taken["kind"] == tape.CHANGE) & (taken["place"] == self._panic))
        for at in pulled.tolist():
            before = np.flatnonzero(is_block[:at])
            frame = int(taken["value"][before[-1]]) if len(before) else self._frame
            if frame >= 0 and float(taken["value"][at]) > self._panics:
                self.add(Marker(frame, -1, "panic", "panic"))
            self._panics = max(self._panics, float(taken["value"][at]))
        if is_block.any():
            self._frame = int(taken["value"][np.flatnonzero(is_block)[-1]])

    def write(self) -> list[Marker]:
        """Write down what was found since the last time, and return it."""
        found, self._found = self._found, []
        if found:
            text = "".join(json.dumps(asdict(marker), ensure_ascii=False) + "\n" for marker in found)
            self._file.write(text.encode())
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _name_of(text: bytes) -> str:
    try:
        return str(json.loads(text)["name"])
    except (ValueError, KeyError, TypeError):
        return "scene"


def read_markers(path: Path) -> list[Marker]:
    """Return the markers of a take in their order, each once; a line that is no marker is left out."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return []
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return sorted(set(_read(lines)))


def _read(lines: list[str]) -> Iterator[Marker]:
    for line in lines:
        try:
            told = json.loads(line)
            yield Marker(int(told["frame"]), int(told["step"]), str(told["kind"]), str(told["text"]))
        except (ValueError, KeyError, TypeError):
            continue
