"""A timestep while it is being chosen: what the network is asked, what it chose, and how that is to sound.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.core.metre import Metre
from engine.jam.roll import Roll
from engine.network.runner import Runner


class Moment:
    """What every shaper reads and writes; one object for all timesteps, the arrays are the runner's own.

    `notes` (S, C) and `probability` (S, 2): what was chosen, and from what; `heard` (S, C): what sounded a step before, as the
    network is told it; `mask` (S,) and `value` (S, C): what is dictated to it; `clamped` (S,): 1 where the mode decided.
    `loudness` (S,), 0..1, and `late` (S,), in steps: how a note that begins is to sound.
    """

    __slots__ = (
        "bar",
        "card",
        "clamped",
        "heard",
        "inputs",
        "late",
        "loudness",
        "mask",
        "metre",
        "notes",
        "position",
        "probability",
        "roll",
        "runner",
        "step",
        "step_s",
        "value",
    )

    def __init__(self, runner: Runner, roll: Roll, clamped: np.ndarray) -> None:
        self.card: Card = runner.card
        self.runner, self.inputs = runner, runner.inputs
        self.notes, self.probability = runner.outputs["notes"][0], runner.outputs["probability"][0]
        self.heard = runner.inputs["x"][0]
        self.mask, self.value = runner.inputs["clamp_mask"][0], runner.inputs["clamp_value"][0]
        self.roll, self.clamped = roll, clamped
        self.loudness = np.zeros(self.card.slots, np.float32)
        self.late = np.zeros(self.card.slots, np.float32)
        self.step = self.position = 0  # timestep; the same counted from bar 1
        self.metre = Metre()
        self.bar = self.card.steps_per_bar  # timesteps in a bar of it
        self.step_s = 0.125  # how long one lasts

    @property
    def begins_bar(self) -> bool:
        """Whether a bar begins with it."""
        return self.position % self.bar == 0

    @property
    def begins(self) -> np.ndarray:
        """Slots in which the network begins a note."""
        return np.flatnonzero((self.notes[:, PLAY] > 0.5) & (self.notes[:, HOLD] < 0.5) & (self.clamped < 0.5))

    def begin_anew(self, loudness: float | None = None) -> None:
        """What was to go on where nothing sounds begins, as loud as this where that is not said yet."""
        held = (self.notes[:, PLAY] > 0.5) & (self.notes[:, HOLD] > 0.5) & (self.clamped < 0.5)
        if not held.any():
            return
        sounding = self.roll.network_sounding(self.step)
        for slot in np.flatnonzero(held).tolist():
            if slot not in sounding:
                self.notes[slot, HOLD] = 0
                if loudness is not None:
                    self.loudness[slot] = loudness

    def dictate(self, slots: np.ndarray | slice, rows: np.ndarray) -> None:
        """Tell the network what to play in some slots, where the mode leaves them free; what does not sound cannot go on."""
        free = self.clamped[slots] < 0.5
        self.mask[slots] = np.maximum(self.mask[slots], free)
        told = np.where(free[:, None], rows, self.value[slots])
        told[:, HOLD] *= (self.heard[slots, PLAY] > 0.5) | ~free
        self.value[slots] = told

    def replace(self, row: int, to: int) -> None:
        """Move a chosen note to another slot: what sounds there goes on, anything else is an attack."""
        moved = self.notes[row].copy()
        self.notes[row] = 0
        moved[HOLD] = float(moved[HOLD] > 0.5 and self.heard[to, PLAY] > 0.5)
        self.notes[to] = moved
