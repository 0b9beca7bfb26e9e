"""Whoever shouts is not heard more: votes that are forged move no clip far."""

from __future__ import annotations

import random

import numpy as np

from engine.booth.pairs import Pairs
from engine.store.ranking import rank, weights
from engine.store.store import Vote
from tests.store.made_up import audience

CLIPS = 64


def places(votes: list[Vote]) -> dict[int, int]:
    """Places by clip."""
    return {standing.clip: standing.place for standing in rank(range(CLIPS), votes).standings}


def forged(count: int, identities: int, target: int, rng: random.Random, crowd: int | None) -> list[Vote]:
    """Votes of ballots as the server assigns them, always for one clip where it is among the two; `crowd` None: from as many
    addresses as identities."""
    asked = Pairs(rng)
    asked.open(range(CLIPS), [], {})
    out = []
    for number in range(count):
        pair = asked.take()
        assert pair is not None
        choice = 0 if pair.first == target else 1 if pair.second == target else rng.randrange(2)
        who = number % identities
        out.append(Vote(pair.first, pair.second, choice, f"forger{who}", crowd if crowd is not None else 10_000 + who, False))
    return out


def moved(crowd: int | None, votes: int = 512) -> tuple[int, float]:
    """How far any clip moves at most, and how far the target does on average, of several audiences."""
    furthest, lifted = 0, []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        honest = audience(rng.normal(size=CLIPS), votes, rng)
        before = places(honest)
        target = next(clip for clip, place in before.items() if place == 34)
        after = places([*honest, *forged(500, 20, target, random.Random(seed), crowd)])
        furthest = max(furthest, *(abs(before[clip] - after[clip]) for clip in before))
        lifted.append(before[target] - after[target])
    return furthest, float(np.mean(lifted))


def test_500_votes_of_20_identities_on_one_machine_move_no_clip_by_more_than_three_places() -> None:
    assert moved(crowd=77_777)[0] <= 3


def test_from_20_addresses_they_count_for_less_than_a_third() -> None:
    rng = np.random.default_rng(1)
    honest = audience(rng.normal(size=CLIPS), 512, rng)
    votes = forged(500, 20, 5, random.Random(1), None)
    assert weights([*honest, *votes])[512:].sum() <= 160
