"""Metres as networks count them: beats in a bar, and timesteps in a beat. A timestep is a sixteenth note in all of them.

Runs without torch.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.core.metre import Metre, parse

STEPS_PER_QUARTER = 4


class Grid(NamedTuple):
    """Beats in a bar and sixteenths in a beat: 3/4 is (3, 4), 6/8 is (2, 6), 12/8 is (4, 6), 7/8 is (7, 2)."""

    beats: int
    steps: int

    @property
    def bar(self) -> int:
        """Sixteenths in a bar."""
        return self.beats * self.steps

    @property
    def name(self) -> str:
        """As it is written."""
        if self.steps % 3 == 0:
            return f"{self.bar // 2}/8"
        return f"{self.beats}/{4 * STEPS_PER_QUARTER // self.steps}"


def grid_of(metre: Metre) -> Grid:
    """How a metre is counted. Raises ValueError where its beats are no whole sixteenths."""
    if not metre.fits(STEPS_PER_QUARTER):
        raise ValueError(f"{metre.name} has beats that are no whole sixteenths")
    return Grid(metre.beats, metre.beat_steps(STEPS_PER_QUARTER))


def read_grid(text: str) -> Grid:
    """The same of a text such as "6/8". Raises ValueError."""
    return grid_of(parse(text))


FOUR = read_grid("4/4")
GRIDS = tuple(map(read_grid, ("4/4", "3/4", "2/4", "5/4", "6/8", "12/8", "9/8", "7/8")))  # that music is read in


def swung(grid: Grid) -> Grid:
    """The grid of the same beats in six steps each: quarters whose eighths swing, or that are cut in three."""
    return Grid(grid.beats, 6)
