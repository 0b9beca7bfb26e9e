"""Every move of a parameter in a take, with the frame at which the sound followed it.

Runs on: main process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core import tape
from engine.core.tape import records
from engine.record.tape_file import FILE, read_tapes


@dataclass(frozen=True, slots=True)
class Move:
    """A parameter became another: at a frame of the run; `text` is the word of a choice, else empty."""

    frame: int
    parameter: str
    value: float
    text: str


def moves(folder: Path, known: Sequence[str]) -> Iterator[Move]:
    """Yield the moves of the take in a folder, in their order; `known`: ids of the parameters that every run has, by their
    places. Raises SessionError.
    """
    names: dict[int, str] = {}
    word, frame = "", -1
    for record in records(read_tapes(folder / FILE).records["audio"]):
        if record.kind == tape.BLOCK:
            frame = int(record.value)
        elif record.kind == tape.NAME:
            names[record.place] = record.text
        elif record.kind == tape.WORD:
            word = record.text
        elif record.kind in (tape.CHANGE, tape.MOVED):
            name = known[record.place] if record.place < len(known) else names.get(record.place, "")
            if name:
                yield Move(max(frame, 0), name, record.value, word)
            word = ""
