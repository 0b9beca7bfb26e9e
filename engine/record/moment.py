"""Steps of a recorded session, as pictures want them: which of them, and what the layers have to show.

Runs on: main process (`algoritmo picture`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.core.contract import PLAY, Activation, Card
from engine.core.errors import SessionError
from engine.core.metre import Metre, of_record
from engine.record.feed_file import STEP, FeedReader

SHOWN_BARS = 4  # of notes above a snapshot
MOST_STEPS = 4096  # in one picture
SIGNAL_ORDER = "hcifgo"


@dataclass(frozen=True)
class Moment:
    """What is drawn: steps of a session, in order."""

    card: Card
    steps: np.ndarray
    raw: bool = False  # neurons in the order in which the network stores them, whatever the card says

    @property
    def numbers(self) -> list[int]:
        """Numbers of the steps."""
        return [int(n) for n in self.steps["step"]]

    def metre(self, place: int = -1) -> Metre:
        """Metre of one of the steps."""
        return of_record(self.steps[place])

    def bar_of(self, place: int = -1) -> tuple[int, int]:
        """Bar of one of the steps, and how many steps into it, both from 0."""
        position = round(float(self.steps[place]["beat"]) * self.card.steps_per_beat)
        return divmod(position, self.metre(place).steps(self.card.steps_per_beat))

    def arranged(self, activation: Activation, values: np.ndarray) -> np.ndarray:
        """Return values (..., neurons) with those side by side that behave alike, where the card has such an order."""
        order = () if self.raw else self.card.order.get(activation.layer, ())
        return values[..., list(order)] if len(order) == values.shape[-1] else values

    def layers(self) -> dict[int, list[Activation]]:
        """The signals of each layer, activation and cell first."""
        order = {s: n for n, s in enumerate(SIGNAL_ORDER)}
        found: dict[int, list[Activation]] = {}
        for a in sorted(self.card.activations, key=lambda a: (a.layer, order.get(a.signal, len(order)))):
            found.setdefault(a.layer, []).append(a)
        return found


def _steps(reader: FeedReader, first: int | None, last: int | None) -> np.ndarray:
    """Return the steps numbered first..last, (n,)."""
    found = []
    for block in reader.blocks():
        if block.steps == 0 or (last is not None and block.first_step > last):
            continue
        if first is not None and block.first_step + block.steps + 64 < first:
            continue  # skipped steps make a block reach further than it has steps, but not by bars
        for entry in reader.read(block) or []:
            if entry.kind == STEP and entry.step is not None:
                number = int(entry.step["step"])
                if (first is None or number >= first) and (last is None or number <= last):
                    found.append(entry.step)
    return np.array(found, reader.dtype)


def between(reader: FeedReader, first: int | None, last: int | None) -> Moment:
    steps = _steps(reader, first, last)
    if not len(steps):
        raise SessionError(f"there are no such steps; {_range(reader)}")
    if len(steps) > MOST_STEPS:
        raise SessionError(f"{len(steps)} steps are too many for one picture; choose up to {MOST_STEPS} with --from and --to")
    return Moment(reader.card, steps)


def before(reader: FeedReader, step: int | None) -> Moment:
    """Return a step and the bars that led to it."""
    if step is None:
        step = _fullest(reader)
    steps = _steps(reader, step - SHOWN_BARS * reader.card.steps_per_bar + 1, step)
    if not len(steps) or int(steps[-1]["step"]) != step:
        raise SessionError(f"there is no step {step}; {_range(reader)}")
    return Moment(reader.card, steps)


def _fullest(reader: FeedReader) -> int:
    best, most = None, -1
    for entry in reader:
        if entry.kind == STEP and entry.step is not None:
            count = int(entry.step["notes"][:, PLAY].sum())
            if count > most:
                best, most = int(entry.step["step"]), count
    if best is None:
        raise SessionError("the session has no steps: nothing was played in it")
    return best


def _range(reader: FeedReader) -> str:
    numbers = [int(e.step["step"]) for e in reader if e.step is not None]
    return f"the session has steps {numbers[0]} to {numbers[-1]}" if numbers else "the session has none"
