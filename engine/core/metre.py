"""Metre: how many beats a bar has, how long each is, and which of them are strong.

Runs on: every process.

A beat is what is counted and tapped: a quarter in 3/4, an eighth in 7/8, three eighths in 6/8. A timestep stays a sixteenth
whatever the metre; lengths are in quarter notes, as everywhere in the engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

LARGEST_DENOMINATOR = 64
MOST_UNITS = 32  # of a bar whose groups can be told


@dataclass(frozen=True, slots=True)
class Metre:
    """A metre; `groups` are the units (notes of the denominator) from one strong beat to the next and fill the bar."""

    numerator: int = 4
    denominator: int = 4
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.numerator < 256 and 0 < self.denominator <= LARGEST_DENOMINATOR):
            raise ValueError(f"{self.numerator}/{self.denominator} is no metre")
        if not self.groups:
            object.__setattr__(self, "groups", _usual_groups(self.numerator, self.denominator))
        if sum(self.groups) != self.numerator or min(self.groups) < 1:
            raise ValueError(f"the groups {'+'.join(map(str, self.groups))} do not make {self.numerator}")

    @property
    def is_compound(self) -> bool:
        """Whether three of its units are a beat, as in 6/8, 9/8 and 12/8."""
        return _is_compound(self.numerator, self.denominator)

    @property
    def unit(self) -> float:
        """Quarters of one note of the denominator."""
        return 4 / self.denominator

    @property
    def bar(self) -> float:
        """Quarters of a bar."""
        return 4 * self.numerator / self.denominator

    @property
    def beats(self) -> int:
        """Beats in a bar."""
        return self.numerator // 3 if self.is_compound else self.numerator

    @property
    def beat(self) -> float:
        """Quarters of a beat."""
        return 3 * self.unit if self.is_compound else self.unit

    @property
    def tempo_beat(self) -> float:
        """Quarters of what the tempo counts: the beat of a compound metre, a quarter in every other."""
        return self.beat if self.is_compound else 1.0

    @property
    def strong(self) -> tuple[float, ...]:
        """Quarters from the bar line at which a strong beat lies; the first is 0."""
        return tuple(before * self.unit for before in accumulate((0, *self.groups[:-1])))

    @property
    def name(self) -> str:
        """As a person writes it, such as 3/4 or 7/8 (3+2+2)."""
        plain = f"{self.numerator}/{self.denominator}"
        return plain if self.groups == _usual_groups(self.numerator, self.denominator) else f"{plain} ({self._sum})"

    @property
    def _sum(self) -> str:
        return "+".join(map(str, self.groups))

    def steps(self, steps_per_beat: int) -> int:
        """Timesteps of a bar, of a network that has `steps_per_beat` to a quarter; the nearest number, where it is none."""
        return max(round(self.bar * steps_per_beat), 1)

    def beat_steps(self, steps_per_beat: int) -> int:
        """Timesteps of a beat; the nearest number, where it is none."""
        return max(round(self.beat * steps_per_beat), 1)

    def fits(self, steps_per_beat: int) -> bool:
        """Whether bars and beats are whole timesteps of such a network."""
        return (self.bar * steps_per_beat).is_integer() and (self.beat * steps_per_beat).is_integer()

    @property
    def code(self) -> int:
        """Its groups as a number, bit n for a group that begins with unit n; 0 for the usual ones, or for too many."""
        if self.numerator > MOST_UNITS or self.groups == _usual_groups(self.numerator, self.denominator):
            return 0
        return sum(1 << before for before in accumulate((0, *self.groups[:-1])))


@lru_cache(256)
def of_code(numerator: int, denominator: int, code: int = 0) -> Metre:
    """Return the metre whose groups have this code; a code that is none counts as 0."""
    if not code & 1 or code >> numerator:
        return Metre(numerator, denominator)
    begins = [n for n in range(numerator) if code >> n & 1]
    return Metre(numerator, denominator, tuple(b - a for a, b in zip(begins, [*begins[1:], numerator], strict=True)))


def of_record(record: np.void) -> Metre:
    """Return the metre of a record's fields numerator, denominator and groups; 4/4 where they tell none."""
    try:
        return of_code(int(record["numerator"]), int(record["denominator"]), int(record["groups"]))
    except ValueError:
        return Metre()


def parse(text: str) -> Metre:
    """Return the metre that a person writes: 6/8, 7/8 (3+2+2), 7/8 3+2+2, 3+2+2/8. Raises ValueError that says how."""
    found = re.fullmatch(r"\s*(\d+(?:\s*\+\s*\d+)*)\s*/\s*(\d+)\s*\(?\s*(\d+(?:\s*\+\s*\d+)*)?\s*\)?\s*", text)
    if found is None:
        raise ValueError("write it as 3/4, 6/8 or 7/8 (3+2+2)")
    above, below, groups = found.groups()
    units = tuple(int(word) for word in above.split("+"))
    denominator = int(below)
    if denominator not in (1, 2, 4, 8, 16, 32, 64):
        raise ValueError(f"there are no notes of 1/{denominator}; write it as 3/4, 6/8 or 7/8 (3+2+2)")
    if groups is None:
        return Metre(sum(units), denominator, units if len(units) > 1 else ())
    return Metre(sum(units), denominator, tuple(int(word) for word in groups.split("+")))


def _is_compound(numerator: int, denominator: int) -> bool:
    return numerator > 3 and numerator % 3 == 0 and denominator >= 8


def _usual_groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """Threes in a compound metre, twos and a last three in an odd one; in any other every beat stands for itself."""
    if _is_compound(numerator, denominator):
        return (3,) * (numerator // 3)
    if numerator < 5 or numerator % 2 == 0:
        return (1,) * numerator
    if numerator == 5:
        return (3, 2)
    return (*(2,) * ((numerator - 3) // 2), 3)


# What can be chosen while it plays; their order is that of the parameter's numbers: a new one is put behind.
CHOICES = (
    "4/4", "3/4", "2/4", "6/8", "12/8", "9/8", "5/4", "7/8", "5/8", "7/4", "3/8", "2/2", "6/4",
    "5/4 (2+3)", "7/8 (3+2+2)", "7/8 (2+3+2)", "7/4 (3+2+2)",
)  # fmt: skip


@lru_cache(64)
def of_choice(number: int) -> Metre:
    """Return the metre of a value of the parameter `metre`."""
    return parse(CHOICES[min(max(number, 0), len(CHOICES) - 1)])


def choice_of(text: str) -> int:
    """Return the number of the choice that `text` means. Raises ValueError that tells what there is."""
    why = ""
    try:
        name = parse(text).name
        if name in CHOICES:
            return CHOICES.index(name)
    except ValueError as error:
        why = f" ({error})"
    raise ValueError(f"there is no metre {text!r}{why}; there are: {', '.join(CHOICES)}")
