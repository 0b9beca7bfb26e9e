"""Which beat begins the bar: the network is asked where the bar line makes what was played likeliest.

Runs on: network process, while the beat stands, or the caller of the offline render.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.core.contract import METRE
from engine.core.messages import PLAYER
from engine.core.metre import Metre
from engine.jam.roll import Roll
from engine.network.noise import noise
from engine.network.runner import Runner

MOST_BARS = 4  # of what was played last: so much the network is asked about


class Played(NamedTuple):
    """One of the player's notes; beats are those of the metre, counted from any of them."""

    begin: float
    end: float
    pitch: int
    velocity: float  # 0..1


class Downbeat:
    """The network as a judge of bar lines: everything clamped it is its own evaluator, one batch for all places of the line."""

    def __init__(self, path: Path, player_track: str, metre: Metre) -> None:
        """The network is run on the processor: a batch as small as this is soon done."""
        self.bar = round(metre.bar / metre.beat)
        self._runner = Runner(path, "cpu", 1, batch=self.bar)
        self._metre, self._track = metre, player_track
        self._number = [track.name for track in self._runner.card.tracks].index(player_track)

    def judge(self, notes: Iterable[Played]) -> np.ndarray:
        """Return (bar,) nats: how likely the notes are when beat 0, beat 1 ... begins a bar."""
        runner, card = self._runner, self._runner.card
        steps = self._metre.beat_steps(card.steps_per_beat)
        roll = Roll(card, self._track)
        notes = sorted(notes)
        for note in notes:
            roll.note_on(PLAYER, note.pitch, note.velocity, note.begin * steps)
            roll.note_off(PLAYER, note.pitch, note.end * steps)
        last = round(max(note.begin for note in notes) * steps)
        first = max(round(notes[0].begin * steps), last - MOST_BARS * self.bar * steps)
        runner.reset()
        runner.neutral()
        if card.hears_metre:
            runner.inputs[METRE][:] = self._metre.beats, steps
        heard = np.zeros(runner.inputs["x"].shape[1:], np.float32)
        total = np.zeros(self.bar)
        offsets = np.arange(self.bar)
        runner.inputs["clamp_mask"].fill(1)
        for step in range(first, last + 1):
            runner.inputs["x"][:] = heard
            heard[:] = 0
            roll.fill_player(step, heard)
            runner.inputs["clamp_value"][:] = heard
            runner.inputs["u"][:] = noise(1, step - first, runner.inputs["u"].shape[1], 0)
            # Where beat b begins a bar, this step is so far on from it.
            runner.inputs["position"][:] = (step - offsets * steps) % (self.bar * steps)
            runner.step()
            total += runner.outputs["log_prob_tracks"][:, self._number]
        return total
