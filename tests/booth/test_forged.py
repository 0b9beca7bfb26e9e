"""Whoever shouts is not heard more: votes that are forged move no clip far.

`python -m tests.booth.test_forged` has the figures.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, deque

import numpy as np
import pytest

from engine.booth.pairs import Pairs
from engine.booth.voting import APART
from engine.store.ranking import rank, weights
from engine.store.store import Vote
from tests.store.made_up import AGREEMENT, audience

CLIPS = 64
AUDIENCE = 512  # votes of a generation
FORGED, IDENTITIES = 500, 20


def places(votes: list[Vote]) -> dict[int, int]:
    """Places by clip."""
    return {standing.clip: standing.place for standing in rank(range(CLIPS), votes).standings}


def forged(honest: list[Vote], taste: np.ndarray, target: int, kind: str, seed: int, crowd: int | None = None) -> list[Vote]:
    """Votes of ballots as the booth assigns them after the honest ones, always for one clip where it is among the two.

    Between two others the forgers choose by `lot`, by side (always the `first`), or by the taste of the audience (`careful`).
    `crowd`: their one address; None: each has his own. Of a `target` that is none of the clips, `careful` are honest.
    """
    chance = random.Random(seed)
    asked = Pairs(chance)
    asked.open(range(CLIPS), [], Counter(clip for vote in honest for clip in (vote.first, vote.second)))
    out: list[Vote] = []
    cast = [0] * IDENTITIES
    lately = [deque[int](maxlen=APART) for _ in cast]
    for number in range(FORGED):
        if number % 64 == 0:
            now = rank(range(CLIPS), [*honest, *out])
            asked.ranked({standing.clip: standing.strength for standing in now.standings})
        who = number % IDENTITIES
        pair = asked.take(lately[who], cast[who] >= now.usual)
        assert pair is not None
        lately[who].extend(pair[:2])
        cast[who] += 1
        if target in pair[:2]:
            choice = int(pair.second == target)
        elif kind == "careful":
            odds = np.log(AGREEMENT / (1 - AGREEMENT)) * (taste[pair.first] - taste[pair.second])
            choice = int(chance.random() > 1 / (1 + np.exp(-odds)))
        else:
            choice = 0 if kind == "first" else chance.randrange(2)
        out.append(Vote(pair.first, pair.second, choice, f"forger{who}", 10_000 + who if crowd is None else crowd, False))
    return out


def moved(kind: str, seeds: range, crowd: int | None = None, honest: bool = False) -> list[tuple[int, int]]:
    """Of several audiences: how far any clip moves at most, and how far up the one that is voted for does.

    `honest`: nobody votes for it, so that it is seen what as many votes do that mean no harm.
    """
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        taste = rng.normal(size=CLIPS)
        others = audience(taste, AUDIENCE, rng)
        before = places(others)
        target = next(clip for clip, place in before.items() if place == 34)
        after = places([*others, *forged(others, taste, -1 if honest else target, kind, seed, crowd)])
        out.append((max(abs(before[clip] - after[clip]) for clip in before), before[target] - after[target]))
    return out


@pytest.mark.parametrize(("kind", "crowd"), [("lot", None), ("first", None), ("lot", 77_777)])
def test_500_votes_of_20_identities_move_no_clip_by_more_than_three_places(kind: str, crowd: int | None) -> None:
    assert max(furthest for furthest, _ in moved(kind, range(5), crowd)) <= 3


def test_forgers_who_listen_count_no_more_than_20_visitors() -> None:
    rng = np.random.default_rng(1)
    taste = rng.normal(size=CLIPS)
    honest = audience(taste, AUDIENCE, rng)
    votes = forged(honest, taste, 5, "careful", 1)
    assert weights([*honest, *votes])[AUDIENCE:].sum() == pytest.approx(160)


def agreed(votes: list[Vote], taste: np.ndarray) -> float:
    """How far the places go with a taste: Spearman's rank correlation."""
    found = places(votes)
    return float(np.corrcoef([-found[clip] for clip in range(CLIPS)], taste.argsort().argsort())[0, 1])


def test_that_forgers_are_not_heard_costs_honest_visitors_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    audiences = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        taste = rng.normal(size=CLIPS)
        audiences.append((audience(taste, AUDIENCE, rng), taste))
    judged = np.mean([agreed(*one) for one in audiences])
    monkeypatch.setattr("engine.store.ranking.LISTENS", 100.0)  # all are believed
    assert judged > np.mean([agreed(*one) for one in audiences]) - 0.01


def test_a_minority_of_another_taste_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for listens in (2.2, 100.0):
        monkeypatch.setattr("engine.store.ranking.LISTENS", listens)
        likes = []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            most, few = rng.normal(size=(2, CLIPS))
            others = [
                vote._replace(visitor=f"other {vote.visitor}", crowd=5000 + vote.crowd) for vote in audience(few, 152, rng)
            ]
            likes.append(agreed([*audience(most, 360, rng), *others], few))
        found.append(np.mean(likes))
    assert found[0] > found[1] - 0.02


def main() -> None:
    """The figures."""
    kinds = (
        ("lot", None, False),
        ("first", None, False),
        ("lot", 77_777, False),
        ("careful", None, False),
        ("careful", None, True),
    )
    for kind, crowd, honest in kinds:
        found = moved(kind, range(40), crowd, honest)
        furthest, up = [f for f, _ in found], [u for _, u in found]
        of = f"{kind}, {'one address' if crowd else '20 addresses'}{', without a favourite' if honest else ''}"
        said = f"{of}: any clip at most {sorted(Counter(furthest).items())} (places, audiences)"
        sys.stdout.write(f"{said}; the favourite up {np.mean(up):.1f} on average, {max(up)} at most\n")


if __name__ == "__main__":
    main()
