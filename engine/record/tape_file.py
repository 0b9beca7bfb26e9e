"""The tapes of a take on the disk: what each process took in from outside, good up to where the file was cut off.

Runs on: feed process, recorder thread; whoever plays the take once more. The file: blocks, each with its length and checksum,
of one tape each. A block also tells up to which frame of the run everything was on the tapes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.core.errors import SessionError
from engine.core.link import Link, Reader
from engine.core.messages import BLOCK, TAKEN
from engine.core.tape import TAPES, ring_of

FILE = "take.bin"
SOUND = TAPES[0]
MOST_RECORDS = 1 << 20  # of a block
_MAGIC = b"ALGT\1\0\0\0"
_BLOCK = struct.Struct("<4sIIIQQQ")  # magic, checksum of the rest; bytes; tape; records; number of the first; frame
_BLOCK_MAGIC = b"ALGB"


@dataclass(slots=True)
class Tapes:
    """What a file holds."""

    records: dict[str, np.ndarray] = field(default_factory=dict)  # TAKEN, by process
    frame: int = 0  # up to here the audio process's is whole
    lost: int = 0  # records that the recorder came too late for


class TapeFile:
    """A growing file of tapes. `drain` and the constructor raise OSError when the disk will not have it."""

    def __init__(self, path: Path, link: Link, resume: bool = False) -> None:
        """Begin it, or with `resume` go on behind the last good block of what a killed process left."""
        self._link = link
        begin = dict.fromkeys(TAPES, 0)
        end = 0
        if resume and path.exists():
            for block in _blocks(path):
                end = block.end
                begin[block.tape] = block.first + block.count
        self._readers: dict[str, Reader] = {tape: link[ring_of(tape)].reader(begin[tape]) for tape in TAPES}
        self._frame = 0  # that was written last
        self._end = end
        self._file = open(path, "r+b" if end else "wb", buffering=0)  # noqa: SIM115 (lives as long as the writer)
        if end:
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self._append(_MAGIC)

    def drain(self) -> np.ndarray:
        """Write what has come since the last time; return what is new on the audio process's tape."""
        taken: np.ndarray = np.zeros(0, TAKEN)
        for tape in reversed(TAPES):  # what the network was told of stands on the other one by now
            wave = self._link["wave"].latest() if tape == SOUND else None
            frame = 0 if wave is None else int(wave["frame"]) + BLOCK
            reader = self._readers[tape]
            taken = reader.read()
            if len(taken) or (tape == SOUND and frame != self._frame):
                self._write(tape, taken, reader.position - len(taken), frame)
        return taken

    def _write(self, tape: str, taken: np.ndarray, first: int, frame: int) -> None:
        self._frame = max(self._frame, frame)
        stored = zlib.compress(taken.tobytes(), 1)
        head = _BLOCK.pack(_BLOCK_MAGIC, 0, len(stored), TAPES.index(tape), len(taken), first, frame)
        checksum = zlib.crc32(stored, zlib.crc32(head[8:]))
        self._append(head[:4] + checksum.to_bytes(4, "little") + head[8:] + stored)

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]
        self._end += len(data)

    def close(self) -> None:
        """Cut off a block that failed half way, and let go of the file."""
        try:
            self._file.truncate(self._end)
        finally:
            self._file.close()


@dataclass(frozen=True, slots=True)
class _Block:
    tape: str
    count: int
    first: int
    frame: int
    stored: bytes
    end: int  # of it in the file


def _blocks(path: Path) -> Iterator[_Block]:
    """Yield the good blocks of a file. Raises SessionError where it is none of ours."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise SessionError(f"{path}: is not the tape of a take that this version reads")
            size_of_all = os.fstat(file.fileno()).st_size
            while len(head := file.read(_BLOCK.size)) == _BLOCK.size:
                magic, checksum, size, tape, count, first, frame = _BLOCK.unpack(head)
                if magic != _BLOCK_MAGIC or size > size_of_all or count > MOST_RECORDS:
                    return
                stored = file.read(size)
                if len(stored) < size or zlib.crc32(stored, zlib.crc32(head[8:])) != checksum or tape >= len(TAPES):
                    return
                yield _Block(TAPES[tape], count, first, frame, stored, file.tell())
    except OSError as error:
        raise SessionError(f"{path}: cannot be read ({error.strerror})") from error


def read_tapes(path: Path) -> Tapes:
    """Return the tapes of a take. Raises SessionError."""
    found = Tapes()
    parts: dict[str, list[np.ndarray]] = {tape: [] for tape in TAPES}
    ends = dict.fromkeys(TAPES, 0)
    for block in _blocks(path):
        found.lost += block.first - ends[block.tape]
        if found.lost:
            break  # nothing after a gap can be played as it was
        ends[block.tape] = block.first + block.count
        taken = zlib.decompressobj().decompress(block.stored, block.count * TAKEN.itemsize)
        parts[block.tape].append(np.frombuffer(taken, TAKEN))
        found.frame = max(found.frame, block.frame)
    found.records = {tape: np.concatenate(some) if some else np.zeros(0, TAKEN) for tape, some in parts.items()}
    return found
