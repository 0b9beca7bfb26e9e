"""Parallel continuations: many, imagined from one state, ranked by how likely and how close to what was asked.

Runs on: whoever asks; the batch dimension of the step graph carries them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.core.metre import Metre
from engine.jam.inputs import tell_metre
from engine.network.noise import noise
from engine.network.runner import Runner

SCALE = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], bool)  # the pitch classes of C major


@dataclass(frozen=True, slots=True)
class Asked:
    """What continuations are held against; None leaves a side out of the ranking."""

    onsets_per_beat: float | None = None
    key: int | None = None  # pitch class of the major key (a minor key: its relative major)


@dataclass(frozen=True, slots=True)
class Continuations:
    """B imagined continuations, best first.

    `notes` float32 (B, steps, S, C); `log_prob` (B,) nats of the whole continuation; `onsets_per_beat` (B,);
    `in_key` (B,) share of onsets within the asked key, 1 where none was asked; `score` (B,) higher is better.
    """

    notes: np.ndarray
    log_prob: np.ndarray
    onsets_per_beat: np.ndarray
    in_key: np.ndarray
    score: np.ndarray


def imagine(
    runner: Runner,
    states: Mapping[str, np.ndarray],
    heard: np.ndarray,
    position: int,
    steps: int,
    seed: int = 1,
    controls: Mapping[str, float] | None = None,
    asked: Asked | None = None,
    metre: Metre | None = None,
) -> Continuations:
    """Roll `runner.batch` continuations of `steps` timesteps from one state and rank them.

    `states` are those of a runner of batch 1, `heard` (S, C) is what sounded at `position` - 1. The same seed gives the same
    continuations, whatever the batch: number b draws from seed + b. The runner's own state is overwritten.
    """
    card = runner.card
    runner.neutral()
    for name, value in (controls or {}).items():
        runner.inputs[name].fill(value)
    if metre is not None:
        tell_metre(card, runner.inputs, metre)
    runner.restore({name: np.broadcast_to(value, runner.inputs[name].shape) for name, value in states.items()})
    runner.inputs["x"][...] = heard
    notes = np.empty((runner.batch, steps, card.slots, len(card.channels)), np.float32)
    log_prob = np.zeros(runner.batch)
    for step in range(steps):
        runner.inputs["position"].fill(position + step)
        for number in range(runner.batch):
            runner.inputs["u"][number] = noise(seed + number, position + step, card.noise)
        runner.step()
        notes[:, step] = runner.outputs["notes"]
        log_prob += runner.outputs["log_prob"]
        runner.inputs["x"][...] = runner.outputs["notes"]
    return _ranked(card, notes, log_prob, asked or Asked())


def _ranked(card: Card, notes: np.ndarray, log_prob: np.ndarray, asked: Asked) -> Continuations:
    onsets = onsets_of(notes)
    steps = notes.shape[1]
    density = onsets.sum((1, 2)) * card.steps_per_beat / steps
    classes = np.stack([pitch_classes(card, of_one) for of_one in onsets])
    in_key = np.ones(len(notes))
    score = _standing(log_prob)
    if asked.onsets_per_beat is not None:
        score = score - _standing(np.abs(np.log((density + 0.1) / (asked.onsets_per_beat + 0.1))))
    if asked.key is not None:
        in_key = (classes * np.roll(SCALE, asked.key)).sum(1) / np.maximum(classes.sum(1), 1)
        score = score + _standing(in_key)
    order = np.argsort(-score, kind="stable")
    return Continuations(notes[order], log_prob[order], density[order], in_key[order], score[order])


def _standing(figure: np.ndarray) -> np.ndarray:
    """Return how far each continuation stands from the mean of all, in standard deviations: so all sides weigh alike."""
    return np.asarray((figure - figure.mean()) / (figure.std() or 1.0))


def onsets_of(notes: np.ndarray) -> np.ndarray:
    """Return where notes begin: bool, without the channel axis."""
    return np.asarray((notes[..., PLAY] > 0.5) & (notes[..., HOLD] < 0.5))


def pitch_classes(card: Card, onsets: np.ndarray) -> np.ndarray:
    """Return how often each pitch class begins in (steps, S) onsets, drums left out; (12,)."""
    pitched = np.repeat([t.kind != "drums" for t in card.tracks], [len(t.pitches) for t in card.tracks])
    counts = onsets.sum(0) * pitched
    return np.bincount(card.slot_pitches() % 12, counts, 12)


def key_of(classes: np.ndarray) -> int:
    """Return the major key (its pitch class; of a minor key the relative major) that most of these notes lie in."""
    return int(np.argmax([(classes * np.roll(SCALE, key)).sum() for key in range(12)]))
