"""The fast clock: the conditions of clips evolve by what the audience chose, the network stays as it is.

Runs on: a process of its own that the booth starts, of the lowest priority; never on the booth's event loop.

A child's primer is crossed of the beginnings of two winners, track by track, or comes from a visitor's drawing; its temperature
and its density are those of its parents, moved a little. A control arm is bred in the same way from parents taken at random, so
that what the audience's choice did can be told from what breeding does by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.booth.measures import distances, diversity, of_all, spread
from engine.booth.sampling import first_batch, is_enough, primed, sample
from engine.core.metre import parse
from engine.network.runner import Runner
from engine.store import schema
from engine.store.clip import Clip, Music, Note, music_of_roll
from engine.store.ranking import Ranking, rank
from engine.store.store import Drawing, Generation, Store

PRIMER_BARS = 2
WINNERS = 0.25  # share of the clips that have children
CONTROL = 0.25  # share of the children whose parents were taken at random
DRAWN = 0.15  # share of the other children that begin with a visitor's drawing
MOVED = {"temperature": 0.06, "density": 0.15}  # standard deviations of what children differ by from their parents
ATTEMPTS = 4  # for a child that is nearly empty
LEAST_DIVERSITY = 0.95  # of that of the first generation
NEWCOMERS = 0.5  # share of the children of winners whose places others may take for it
LEAST_KEY = 0.03  # so much of the share of notes in one key may a generation lose against the first


def beginning(music: Music, bars: int = PRIMER_BARS) -> Music:
    """Return the first bars of a music."""
    steps = min(bars * parse(music.metre).steps(music.steps_per_beat), music.steps)
    notes = [note._replace(steps=min(note.steps, steps - note.step)) for note in music.notes if note.step < steps]
    return replace(music, notes=tuple(notes), steps=steps)


def crossed(one: Music, other: Music, rng: np.random.Generator) -> Music:
    """Return a primer that has each track from one of two."""
    of_one = rng.random(len(one.tracks)) < 0.5
    names = {name: number for number, name in enumerate(one.tracks)}
    notes: list[Note] = [note for note in one.notes if of_one[note.track]]
    for note in other.notes:
        number = names.get(other.tracks[note.track])
        if number is not None and not of_one[number] and note.step + note.steps <= one.steps:
            notes.append(note._replace(track=number))
    return replace(one, notes=tuple(sorted(notes)))


def winners(ranking: Ranking, clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips that have children, best first; one that nobody would hear is none, whatever it won."""
    by_number = {clip.id: clip for clip in clips}
    ordered = [by_number[standing.clip] for standing in ranking.standings if standing.clip in by_number]
    heard = [clip for clip in ordered if is_enough(clip.music) and clip.arm != "control"]
    return heard[: max(round(WINNERS * len(ordered)), 2)]


def children(
    path: Path,
    parents: Sequence[Clip],
    arm: str,
    count: int,
    seed: int,
    drawings: Sequence[Drawing] = (),
    network: str = "",
) -> list[Clip]:
    """Return so many children of these clips, at least two of them; fewer where too many came out nearly empty.

    The earlier a parent stands, the more children it has. `network`: what the clips say that they are of, where that is not
    the file's path here. Raises NetworkError.
    """
    if len(parents) < 2 or count < 1:
        return []
    runner = Runner(path, "cpu", 1, batch=count)
    card = runner.card
    ranges = {control.name: (control.min, control.max) for control in card.controls} | {"temperature": (0.3, 1.6)}
    share = np.arange(len(parents), 0, -1.0)
    share /= share.sum()
    steps = parents[0].music.steps
    found: list[Clip] = []
    for attempt in range(ATTEMPTS):
        drafts: list[tuple[Clip, Any]] = []
        for number in range(count):
            own = seed + 10_000 * attempt + number
            rng = np.random.default_rng(own)
            one, other = rng.choice(len(parents), 2, replace=False, p=share if arm != "control" else None)
            first, second = parents[one], parents[other]
            said: dict[str, Any] = {
                name: round(float(np.clip(_of(first, name) + rng.normal(0, moved), *ranges[name])), 3)
                for name, moved in MOVED.items()
                if name in ranges
            }
            primer = crossed(beginning(first.music), beginning(second.music), rng)
            if drawings and arm != "control" and rng.random() < DRAWN:
                drawn = drawings[int(rng.integers(len(drawings)))]
                primer = _with(primer, beginning(drawn.music))
                said |= {"drawings": [drawn.id], "drawn_by": [drawn.name]}
            said["primer"] = primer.as_json()
            numbers = tuple(clip.id for clip in (first, second) if clip.id is not None)
            draft = Clip(primer, arm, own, network or str(path), said, numbers)
            controls = {name: value for name, value in said.items() if name in MOVED}
            drafts.append((draft, primed(card, primer, steps, own, controls)))
        rolls = sample(runner, [plan for _, plan in drafts], parse(parents[0].music.metre))
        for (draft, _), roll in zip(drafts, rolls, strict=True):
            music = music_of_roll(card, roll, parents[0].music.tempo_bpm, parse(parents[0].music.metre))
            if is_enough(music):
                found.append(replace(draft, music=music))
            if len(found) == count:
                return found
    return found


def varied(bred: Sequence[Clip], beside: Sequence[Clip], path: Path, seed: int, least: float) -> list[Clip]:
    """Return children and those beside them that are together at least so different from each other, where that can be had.

    Where what is liked makes the children too much alike, clips of the network by itself take the places of those that are
    most like the others. Raises NetworkError.
    """
    every = [*bred, *beside]
    most = round(NEWCOMERS * len(bred))
    if not most or diversity(every) >= least:
        return every
    like = bred[0].music
    several = first_batch(path, most, math.ceil(like.bars), seed, like.tempo_bpm, 1, like.metre, "new")
    every += [replace(one, network=bred[0].network) for one in several]
    apart, here = distances(every), list(range(len(bred) + len(beside)))
    for newcomer in range(len(here), len(every)):
        if spread(apart[np.ix_(here, here)]) >= least:
            break
        old = (at for at in here if at < len(bred))
        here.remove(min(old, key=lambda at: float(apart[at, here].sum())))
        here.append(newcomer)
    return [every[at] for at in here]


def _of(clip: Clip, name: str) -> float:
    value = clip.conditions.get(name)
    return float(value) if isinstance(value, int | float) else 1.0


def _with(primer: Music, drawn: Music) -> Music:
    """Return a primer with the tracks of a drawing in the place of its own."""
    taken = {note.track for note in drawn.notes}
    kept = [note for note in primer.notes if note.track not in taken]
    fits = [note for note in drawn.notes if note.step + note.steps <= primer.steps]
    return replace(primer, notes=tuple(sorted([*kept, *fits])))


def breed(where: str, path: Path, seed: int) -> int | None:
    """Breed the next generation from the votes on the open one, and open it; return its number, None where it cannot be.

    The network of the open one plays it, where that is still there; else the one at `path`.

    It is written whole, with its figures, and opened when it has passed: not fewer clips than half, about as much in one key
    and about as different from each other as those of the first generation. What is interrupted leaves nothing. Raises
    AlgoritmoError.
    """
    with Store(where) as store:
        now = store.current()
        if now is None or now.id is None:
            return None
        path = Path(now.network) if Path(now.network).is_file() else path
        clips = store.clips(now.id, hidden=False)
        numbers = [clip.id for clip in clips if clip.id is not None]
        ranking = rank(numbers, store.votes(now.id, across=False))
        best = winners(ranking, clips)
        drawings = store.drawings([schema.PUBLISHED], newest=24)
        of_control = round(CONTROL * len(clips))
        first = store.clips(store.generations()[0].id)
        least = LEAST_DIVERSITY * diversity(first)
        bred = children(path, best, "winners", len(clips) - of_control, seed, drawings, now.network)
        any_of = [clip for clip in clips if is_enough(clip.music)]
        control = children(path, any_of, "control", of_control, seed + 500_000, (), now.network)
        bred = varied(bred, control, path, seed + 700_000, least)
        figures = of_all(bred) | {"diversity": round(diversity(bred), 4)}
        in_key = figures.get("key", 0.0) >= of_all(first).get("key", 0.0) - LEAST_KEY
        passed = len(bred) >= len(clips) / 2 and in_key and figures["diversity"] >= least
        about = figures | {"votes": ranking.votes, "first": round(ranking.first, 3), "passed": float(passed)}
        conditions = {"winners": [clip.id for clip in best], "control": of_control}
        state = schema.BREEDING if passed else schema.DISCARDED
        generation = Generation("conditions", now.network, now.sha256, now.id, seed, conditions, about, state)
        number = store.add_generation(generation, bred if passed else ())
        if not passed:
            return None
        there = store.current()
        if there is None or there.id != now.id:  # another one was opened meanwhile, by the slow clock or by a person
            store.discard_generation(number)
            return None
        store.open_generation(number)
        return number
