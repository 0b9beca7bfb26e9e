"""Where the beat comes from: one file for each source.

Runs on: audio process, and the offline render.
"""

from __future__ import annotations

import importlib
import math
from typing import NamedTuple, Protocol

from engine.core.metre import Metre, of_code
from engine.core.parameters import Live


class Reading(NamedTuple):
    """What a source answers for one moment."""

    tempo_bpm: float  # as it is counted: quarters a minute, dotted ones in 6/8 and the like (Metre.tempo_beat)
    numerator: int  # of the metre that is to be
    denominator: int
    locked: bool = True  # False: it has lost what it follows, and guesses
    beat: float | None = None  # where its own beat is; None: it has none, and the transport counts on
    playing: bool | None = None  # whether it plays; None: it neither starts nor stops anything
    until: float = math.inf  # the transport's beat at which it will answer otherwise, where it knows
    at_once: bool = False  # a change of tempo is not to wait for the next timestep
    groups: int = 0  # Metre.code
    metre_from: float | None = None  # the transport's beat at which the metre begins, on a bar line or not; None: a bar line

    @property
    def metre(self) -> Metre:
        """The metre that is to be."""
        return of_code(self.numerator, self.denominator, self.groups)


class Source(Protocol):
    """Answers where the beat is. Called in the block loop: it waits for nothing, and leaves numpy alone.

    A file of this folder holds one, and `make(live, rate_hz, beats_per_bar)` that builds it; `clock.source` names the file.
    """

    def take_parameters(self, frame: int) -> None:
        """A live parameter was changed or a trigger pulled; `frame` is the block's first."""
        ...

    def read(self, frame: float, beat: float, /) -> Reading:
        """Return its answer for a frame, at which the transport has come to `beat`."""
        ...


def named(name: str, live: Live, rate_hz: float, beats_per_bar: int) -> Source:
    """Return the source whose file has this name."""
    source: Source = importlib.import_module(f"{__name__}.{name}").make(live, rate_hz, beats_per_bar)
    return source
