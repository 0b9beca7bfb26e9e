"""Lets a network alone play to takes whose chords it is told: what it does with a chart, whatever an engine makes of one.

The player's notes of a step are not known when it is chosen, and known at the next. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.contract import PLAY
from engine.jam.patience import encouragement
from engine.midi.ranges import fold
from engine.network.noise import noise
from models.evaluation.follow import END, PITCH, START, Band, Take
from models.evaluation.takes import notes_of
from models.graph.playing import BATCH, StepGraph, dictated
from models.music.representation import HELD, ONSET, from_channels
from models.music.sounding_chords import features

Array = np.ndarray
CONDITIONS = {"player", "chord", "next_chord"}


def hears_chords(graph: StepGraph) -> bool:
    """Whether a network can be told chords."""
    return {c.name for c in graph.card.conditions} >= CONDITIONS


def charted(graph: StepGraph, takes: Sequence[Take], seed: int) -> list[tuple[Take, Band]]:
    """Play to every take with its chords told; each with the notes of its band."""
    found: list[tuple[Take, Band]] = []
    for first in range(0, len(takes), BATCH):
        some = takes[first : first + BATCH]
        rolls = _play(graph, some, seed)
        for take, roll in zip(some, rolls, strict=True):
            pitches, slices = graph.card.slot_pitches(), graph.card.track_slices()
            band = {name: notes_of(roll[:, where], pitches[where], graph.card.steps_per_beat) for name, where in slices.items()}
            found.append((take, band))
    return found


def _play(graph: StepGraph, takes: Sequence[Take], seed: int) -> Array:
    """Rolls (takes, steps, slots)."""
    card = graph.card
    per_beat, steps = card.steps_per_beat, max(take.bars for take in takes) * card.steps_per_bar
    feed = graph.begin(len(takes))
    slots = np.arange(card.slots)
    own = np.stack([(slots >= where.start) & (slots < where.stop) for where in (card.track_slices()[t.track] for t in takes)])
    theirs = np.stack([dictated(_roll(take, graph, steps), card) for take in takes])
    chords = np.zeros((len(takes), steps + per_beat), np.int64)
    for row, take in zip(chords, takes, strict=True):
        told = take.classes.repeat(per_beat)[: len(row)]
        row[: len(told)] = told
    feed["player"] = own.astype(np.float32)
    if "kick" in feed:
        feed["kick"][:] = 1  # as the engine asks
    silent = np.zeros(len(takes), np.int64)
    rolls = np.zeros((len(takes), steps, card.slots), np.uint8)
    for step in range(steps):
        feed["u"] = np.tile(noise(seed, step, card.noise), (len(takes), 1))
        if "density" in feed:
            feed["density"] = np.asarray([encouragement(int(n), per_beat) for n in silent], np.float32)
        feed["chord"], feed["next_chord"] = features(chords[:, step]), features(chords[:, step + per_beat])
        notes = np.where(own[..., None], theirs[:, step], graph.step(feed)["notes"])
        feed["x"] = notes
        rolls[:, step] = from_channels(notes)
        silent = np.where(((notes[..., PLAY] > 0.5) & ~own).any(1), 0, silent + 1)
    return rolls


def _roll(take: Take, graph: StepGraph, steps: int) -> Array:
    """The player's notes on the network's grid, (steps, slots)."""
    card = graph.card
    where, per_beat = card.track_slices()[take.track], card.steps_per_beat
    pitches = tuple(card.slot_pitches()[where].tolist())
    roll = np.zeros((steps, card.slots), np.uint8)
    for note in take.player[take.player[:, START] < steps / per_beat - 1 / 2 / per_beat]:
        slot = where.start + pitches.index(fold(round(note[PITCH]), pitches))
        begin = int(note[START] * per_beat + 0.5)
        end = max(int(note[END] * per_beat + 0.5), begin + 1)
        roll[begin:end, slot] = np.where(roll[begin:end, slot] == ONSET, ONSET, HELD)
        roll[begin, slot] = ONSET
    return roll
