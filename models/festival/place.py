"""Where a step stands: in its beat, in its bar, and among the bars of a phrase, in any metre.

The network was taught in 4/4 first, and its table of places has 8 bars of it. Every other metre reads the rows of this table
that its steps are like (its first beat reads a first beat), and adds what it has learned of its own; 4/4 adds nothing. Bars
are counted by eights in all of them, and so is what sounded one, two and four bars before; half as long a bar counts as half.

Shapes: T steps, B batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.music.grid import GRIDS, Grid

MOST_BEATS = MOST_STEPS = 16  # of a bar, of a beat, that are told apart
BAR, BARS = 16, 8  # steps in a bar of 4/4, and bars after which places repeat
POSITIONS = BAR * BARS
METRES = GRIDS
ALIKE = 3  # bars before that it hears again: one, two, four
PAST = 4 * 24  # steps of the past it needs, the last one included: four bars of 12/8
SHORTEST = 12  # steps of a bar that is counted as one; two shorter ones are
CODES = (MOST_BEATS + 1) * (MOST_STEPS + 1)


def _like(metre: Grid) -> list[int]:
    """The steps of a bar of 4/4 that the steps of its bar are like."""
    by_beats = {3: (0, 1, 3), 5: (0, 1, 3, 2, 3)}  # the others are weak, as the second and the fourth are; 5 is 3 and 2
    if metre.beats in by_beats:
        return [4 * beat + step * 4 // metre.steps for beat in by_beats[metre.beats] for step in range(metre.steps)]
    if metre.steps == 6:
        return [step * BAR // metre.bar for step in range(metre.bar)]
    return list(range(metre.bar))


LIKE = np.asarray([step for metre in METRES for step in _like(metre)], np.int64)  # by row
FIRST = np.cumsum([0, *(metre.bar for metre in METRES)])  # row of each metre
OWN = len(LIKE) - BAR  # rows of the others than 4/4


def lags(bar: int) -> tuple[int, ...]:
    """Steps before the chosen one that it hears again, of a metre with so many in a bar."""
    unit = bar if bar >= SHORTEST else 2 * bar
    found = [min(unit, PAST)]
    for times in (2, 4):
        found.append(times * unit if times * unit <= PAST else found[-1])
    return tuple(found)


def _facts(code: int) -> tuple[int, ...]:
    """What follows from a metre: steps of its bar, its first and last row, steps of the 4/4 that a bar is, and its lags."""
    told = Grid(*divmod(code, MOST_STEPS + 1))
    if not told.bar:
        told = METRES[0]
    # What was never learned is taken for what is most like it.
    nearest = min(METRES, key=lambda m: (m != told, abs(m.bar - told.bar), m.steps != told.steps))
    row = FIRST[METRES.index(nearest)]
    return told.bar, row, row + nearest.bar - 1, min(nearest.bar, BAR) if nearest.bar < SHORTEST else BAR, *lags(told.bar)


FACTS = np.asarray([_facts(code) for code in range(CODES)], np.int64)  # (CODES, 4 + ALIKE)


class Place(NamedTuple):
    """Where steps stand, each (T, B): the place among those of 4/4, the row of its metre, the step of 4/4 it is like."""

    position: Tensor
    row: Tensor
    step: Tensor


def facts_of(metre: Tensor) -> Tensor:
    """(B, 2) metres as conditions tell them to (B, 4 + ALIKE); zeros: 4/4."""
    whole = metre.long().clamp(0, MOST_STEPS)
    facts: Tensor = torch.from_numpy(FACTS).to(metre.device)[whole[:, 0] * (MOST_STEPS + 1) + whole[:, 1]]
    return facts


def place_of(position: Tensor, facts: Tensor) -> Place:
    """(T, B) positions in the metres of (B, 4 + ALIKE) facts."""
    bar, first, last, span = facts[:, :4].T
    row = torch.minimum(first + position % bar, last)
    like = torch.from_numpy(LIKE).to(position.device)[row]
    return Place((position // bar * span + like) % POSITIONS, row, like)
