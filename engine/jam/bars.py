"""The bars of a song as they are written, and in the order in which repeats and endings have them played.

Runs on: whoever reads a chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MOST_BARS = 1024
MOST_TIMES = 64


class Bar(NamedTuple):
    """A bar as it is written: its words, whether a repeat begins with it, how often what it ends is played, and of which
    times round it is the ending (none: of all)."""

    words: tuple[str, ...]
    begins: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()


def played(bars: Sequence[Bar], faults: list[str], where: str) -> list[Bar]:
    """The bars in the order in which they are played."""
    order: list[Bar] = []
    at, start, time = 0, 0, 1
    while at < len(bars):
        bar = bars[at]
        if bar.begins and at != start:
            start, time = at, 1
        following = bars[at + 1].endings if at + 1 < len(bars) else frozenset()
        if not bar.endings or time in bar.endings:
            if len(order) == MOST_BARS:
                faults.append(f"{where}with its repeats it is too long; repeat to {MOST_BARS} bars at most")
                return order
            order.append(bar)
            if bar.times > 1 and time < max(bar.times, *_endings_from(bars, at)):
                at, time = start, time + 1
                continue
        if (bar.times > 1 and not bar.endings) or (bar.endings and not following):
            start, time = at + 1, 1
        at += 1
    return order


def _endings_from(bars: Sequence[Bar], at: int) -> frozenset[int]:
    """The times that a bar and the endings behind it are for; 1 where they are for all."""
    found = frozenset({1})
    while at < len(bars) and bars[at].endings:
        found |= bars[at].endings
        at += 1
    return found
