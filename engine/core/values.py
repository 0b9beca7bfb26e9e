"""The live parameters as numbers, and what is known of those that come and go while it plays.

Runs on: every process. Both lie in the run's shared memory. The parameters that every run has come first and stay where they
are; behind them are SLOTS free places for those that are declared later (a patch's knobs). What a place means stands in
`Definitions`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

SLOTS = 1024  # parameters that can be declared while it plays: knobs of patches and plugins
ROOM = 512 * 1024  # bytes of all their definitions together
_HEADER = 64  # bytes before the first number: the count of writes, alone on its cache line
_HEAD = struct.Struct("<II")  # of a text: its size in bytes and its checksum
_BUFFER = _HEAD.size + ROOM


class Values:
    """The live parameters: one float64 each, read at the top of a block or a step.

    Any process may write any value; each write is one aligned eight-byte store, and the last one wins.
    """

    def __init__(self, memory: memoryview, fixed: int, declares: bool = True) -> None:
        """`fixed`: parameters that every run has; SLOTS more have room behind them. `declares`: may define those."""
        count = fixed + SLOTS
        self._version = memory[:8].cast("Q")
        self.fixed = fixed
        self.numbers = np.frombuffer(memory, np.float64, count, offset=_HEADER)
        self.bytes = memory[_HEADER : _HEADER + 8 * count]  # of the numbers
        defined = memory[_lines(_HEADER + 8 * count) :]
        self.definitions = Definitions(defined if declares else defined.toreadonly())

    @staticmethod
    def size(fixed: int) -> int:
        """Bytes the table takes, with what is known of the declared ones."""
        return _lines(_HEADER + 8 * (fixed + SLOTS)) + Definitions.SIZE

    @property
    def version(self) -> int:
        """Grows with every write; a reader that saw this number has nothing to do."""
        return self._version[0]

    def write(self, index: int, number: float) -> None:
        """Set one value."""
        self.numbers[index] = number
        self._version[0] += 1

    def write_all(self, indices: Sequence[int], numbers: Sequence[float]) -> None:
        """Set several values in one go."""
        self.numbers[list(indices)] = numbers
        self._version[0] += 1


class Definitions:
    """One text that a single writer replaces as a whole and anyone may read at any time; never half of one and half of another.

    Whoever is handed memory that is read-only can read alone.

    There are two buffers. The newest text lies in the buffer that the generation's last bit names; the writer fills the other
    one and only then counts the generation up. A reader that was overtaken while it copied sees another generation, and one
    whose processor saw the stores in another order a wrong checksum: both read again. A writer that dies half way has changed
    nothing. (Records of a fixed size would bound each text and the list of choices, which are as long as a patch's author and
    folder make them.)
    """

    SIZE = 64 + -(-2 * _BUFFER // 64) * 64

    def __init__(self, memory: memoryview) -> None:
        self._generation = memory[:8].cast("Q")
        self._buffers = [memory[64 + n * _BUFFER : 64 + (n + 1) * _BUFFER] for n in range(2)]

    @property
    def generation(self) -> int:
        """Grows with every text; 0 while there is none."""
        return self._generation[0]

    def write(self, text: bytes) -> None:
        """Publish a text of at most ROOM bytes. Raises TypeError where the memory is read-only."""
        assert len(text) <= ROOM  # whoever makes it says so in better words
        following = self._generation[0] + 1
        buffer = self._buffers[following % 2]
        buffer[_HEAD.size : _HEAD.size + len(text)] = text
        _HEAD.pack_into(buffer, 0, len(text), zlib.crc32(text))
        self._generation[0] = following  # only now can a reader see it

    def read(self) -> tuple[int, bytes]:
        """Return the newest text and its generation."""
        while True:
            generation = self._generation[0]
            if generation == 0:
                return 0, b""
            buffer = self._buffers[generation % 2]
            size, checksum = _HEAD.unpack_from(buffer)
            text = bytes(buffer[_HEAD.size : _HEAD.size + size])
            if self._generation[0] == generation and zlib.crc32(text) == checksum:
                return generation, text


def _lines(size: int) -> int:
    """Round up to whole cache lines."""
    return -(-size // 64) * 64
