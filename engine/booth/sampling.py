"""Sampling many clips at once, each under its own conditions, and filling in what somebody left free.

Runs on: a thread of the booth process, and whoever breeds generations. A plan says what of a clip is given, note by note or
track by track; all else the network chooses. The same plan with the same seed gives the same clip, whatever is sampled beside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.core.metre import Metre, parse
from engine.jam.inputs import tell_metre
from engine.network.noise import noise
from engine.network.runner import Runner
from engine.store.clip import Clip, Music, music_of_roll, roll_of_music

FIRST_TEMPERATURES = (0.8, 1.05)
FIRST_DENSITIES = (-0.5, 0.7)  # logarithms to base 2 of factors


@dataclass(frozen=True, slots=True)
class Plan:
    """What one clip is sampled under.

    `given` (steps, S, C) are notes, read where `mask` (steps, S) is 1; None: nothing is given. `controls`: by their names in
    the card, temperature among them. `lead_in`: so many timesteps at the beginning are heard by the network and are no part of
    the clip, such as a primer.
    """

    steps: int
    seed: int
    controls: Mapping[str, float] = field(default_factory=dict)
    given: np.ndarray | None = None
    mask: np.ndarray | None = None
    lead_in: int = 0

    def at(self, step: int) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Return where notes are given at a timestep, (S,), and which, (S, C); zeros where none are."""
        if self.given is None or self.mask is None or step >= len(self.given):
            return 0.0, 0.0
        return self.mask[step], self.given[step]


def sample(runner: Runner, plans: Sequence[Plan], metre: Metre | None = None) -> list[np.ndarray]:
    """Return the notes (steps - lead_in, S, C) of each plan; the runner's batch is the number of plans.

    The runner's own state is overwritten.
    """
    card, inputs = runner.card, runner.inputs
    if len(plans) != runner.batch:
        raise ValueError(f"{len(plans)} plans for a batch of {runner.batch}")
    runner.neutral()
    runner.reset()
    if metre is not None:
        tell_metre(card, inputs, metre)
    for row, plan in enumerate(plans):
        for name, value in plan.controls.items():
            if name in inputs:
                inputs[name][row] = value
    steps = max(plan.steps for plan in plans)
    out = np.zeros((len(plans), steps, card.slots, len(card.channels)), np.float32)
    for step in range(steps):
        inputs["position"].fill(step)
        for row, plan in enumerate(plans):
            inputs["u"][row] = noise(plan.seed, step, card.noise)
            inputs["clamp_mask"][row], inputs["clamp_value"][row] = plan.at(step)
        runner.step()
        out[:, step] = runner.outputs["notes"]
        inputs["x"][...] = runner.outputs["notes"]
    return [out[row, plan.lead_in : plan.steps] for row, plan in enumerate(plans)]


def primed(card: Card, primer: Music, bars_steps: int, seed: int, controls: Mapping[str, float]) -> Plan:
    """Return the plan of a clip of so many timesteps that goes on from a primer."""
    roll = roll_of_music(card, primer)
    mask = np.ones(roll.shape[:2], np.float32)
    return Plan(len(roll) + bars_steps, seed, controls, roll, mask, len(roll))


def filled(card: Card, given: Music, tracks_given: np.ndarray, seed: int, controls: Mapping[str, float]) -> Plan:
    """Return the plan that keeps what is given and leaves the rest to the network.

    `tracks_given` (steps, T) is 1 where a track's notes and rests are given.
    """
    roll = roll_of_music(card, given)
    mask = np.zeros(roll.shape[:2], np.float32)
    for number, slots in enumerate(card.track_slices().values()):
        mask[:, slots] = tracks_given[:, number : number + 1]
    return Plan(given.steps, seed, controls, roll, mask)


def first_clips(
    path: Path, count: int, bars: int, seed: int, tempo_bpm: float, threads: int = 1, metre: str = "4/4"
) -> list[Clip]:
    """Return the clips of a first generation: the network by itself, each warmer or cooler, busier or calmer than the next.

    Those that are nearly empty are left out and others sampled in their place. Raises NetworkError.
    """
    found: list[Clip] = []
    for attempt in range(8):
        found += first_batch(path, count, bars, seed + 1000 * attempt, tempo_bpm, threads, metre)
        if len(found) >= count:
            break
    return found[:count]


def first_batch(
    path: Path,
    count: int,
    bars: int,
    seed: int,
    tempo_bpm: float,
    threads: int = 1,
    metre: str = "4/4",
    arm: str = "first",
) -> list[Clip]:
    """Return those of so many clips of a network by itself that are not nearly empty. Raises NetworkError."""
    runner = Runner(path, "cpu", threads, batch=count)
    card = runner.card
    of = parse(metre)
    bar = of.steps(card.steps_per_beat)
    ranges = {control.name: (control.min, control.max) for control in card.controls}
    plans = []
    for number in range(count):
        rng = np.random.default_rng(seed + number)
        said: dict[str, Any] = {"temperature": round(float(rng.uniform(*FIRST_TEMPERATURES)), 3)}
        if "density" in ranges:
            said["density"] = round(float(np.clip(2 ** rng.uniform(*FIRST_DENSITIES), *ranges["density"])), 3)
        plans.append(Plan((2 + bars) * bar, seed + number, said, lead_in=2 * bar))
    found = [music_of_roll(card, roll, tempo_bpm, of) for roll in sample(runner, plans, of)]
    return [
        Clip(music, arm, plan.seed, str(path), plan.controls)
        for plan, music in zip(plans, found, strict=True)
        if is_enough(music)
    ]


def is_enough(music: Music) -> bool:
    """Whether there is enough in it to be voted on: nearly every beat something begins, and more than drums alone."""
    if not music.notes:
        return False
    beats = math.ceil(music.steps / music.steps_per_beat)
    begun = {note.step // music.steps_per_beat for note in music.notes}
    pitched = [note for note in music.notes if music.tracks[note.track] != "drums"]
    return len(begun) >= 0.75 * beats and len(pitched) >= 0.75 * beats and len({note.pitch for note in pitched}) > 2
