"""What one process is told of the others, held still: as of the moment at which it looked last.

Runs on: audio process and network process. What others do between two looks is seen with the next, all of it at once; so what
a process does follows from what it took in at its looks, and can be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.core.link import Link, Ring, Writer
from engine.core.parameters import Live
from engine.core.values import Values

SPARE = 8  # of what is held in a ring one part in so many may be overwritten before it is read


class HeldRing(Ring):
    """A ring as it was when `hold` was called last."""

    def __init__(self, ring: Ring) -> None:
        self.__dict__.update(ring.__dict__)
        self.spare = ring.capacity // SPARE
        self._held = 0

    @property
    def count(self) -> int:
        """Records written until then."""
        return self._held

    def hold(self, count: int | None = None) -> bool:
        """Know of the first `count` records, by default of all there are; return whether that is news."""
        before, self._held = self._held, self._count[0] if count is None else count
        return self._held != before


class HeldLink(Link):
    """The channels of a run, some of them held; what is written goes to the others at once."""

    def __init__(self, link: Link, names: tuple[str, ...]) -> None:
        self.__dict__.update(link.__dict__)
        self.held = {name: HeldRing(link[name]) for name in names}
        self._rings = self._rings | self.held

    def hold_instead(self, name: str, ring: Ring) -> None:
        """Show another ring by this name."""
        self._rings[name] = self.held[name] = HeldRing(ring)


class HeldValues(Values):
    """The live parameters as they were when `take` was called last, and as they were set here since."""

    def __init__(self, values: Values) -> None:
        self._of = values
        self.fixed, self.definitions = values.fixed, values.definitions
        self.numbers = np.zeros_like(values.numbers)
        # Told what is set here.
        self.on_write: Callable[[int, float], object] = lambda _index, _number: None
        self._seen = b""  # what the table was
        self._taken = -1  # version that it was of
        self.version_held = 0

    @property
    def version(self) -> int:
        """Of the table as it is here: grows with every write."""
        return self.version_held

    def write(self, index: int, number: float) -> None:
        """Set one value, here and for everybody."""
        self._of.write(index, number)
        self.numbers[index] = number
        self._seen = b""
        self.version_held += 1
        self.on_write(index, number)

    def write_all(self, indices: Sequence[int], numbers: Sequence[float]) -> None:
        """Set several values in one go, here and for everybody."""
        self._of.write_all(indices, numbers)
        self.numbers[list(indices)] = numbers
        self._seen = b""
        self.version_held += 1
        for index, number in zip(indices, numbers, strict=True):
            self.on_write(index, number)

    def take(self) -> list[tuple[int, float]] | None:
        """Look at the table: return what others have set since, by place; None where nobody has set anything, nor was here."""
        version = self._of.version  # first: what is read may be newer than it says, never older
        now = self._of.bytes.tobytes()
        if now == self._seen and version == self._taken:
            return None
        self._seen, self._taken = now, version
        self.version_held = version
        numbers = np.frombuffer(now, np.float64)
        places = np.flatnonzero(numbers != self.numbers).tolist()
        self.numbers[:] = numbers
        return [(place, float(numbers[place])) for place in places]


class HeldLive(Live):
    """The parameters by their ids, with held values. Which there are, another `Live` of the same process learns."""

    def __init__(self, live: Live, values: HeldValues) -> None:
        self._of = live
        self.registry = live.registry
        self.values: Values = values

    def refresh(self) -> bool:
        """The other one does."""
        return False

    @property
    def generation(self) -> int:
        """Number of the set of parameters that `registry` has."""
        return self._of.generation


def cut(ring: Writer, count: int) -> None:
    """Take back what was written after the first `count` records; they are written again."""
    ring._count[0] = min(count, ring._count[0])
