"""Where the beat comes from: one file for each source.

Runs on: audio process, and the offline render.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """What a source answers for one moment."""

    tempo_bpm: float
    numerator: int
    denominator: int
    locked: bool = True  # False: it has lost what it follows, and guesses
    beat: float | None = None  # where its own beat is; None: it has none, and the transport counts on
    playing: bool | None = None  # whether it plays; None: it neither starts nor stops anything
    until: float = math.inf  # the transport's beat at which it will answer otherwise, where it knows
    at_once: bool = False  # a change of tempo is not to wait for the next timestep


class Source(Protocol):
    """Answers where the beat is. Called in the block loop: it waits for nothing, and leaves numpy alone."""

    def take_parameters(self, frame: int) -> None:
        """A live parameter was changed or a trigger pulled; `frame` is the block's first."""
        ...

    def read(self, frame: float, beat: float, /) -> Reading:
        """Return its answer for a frame, at which the transport has come to `beat`."""
        ...
