"""The ranking finds a hidden taste, knows how sure it is, and is not moved by who shouts."""

from __future__ import annotations

import numpy as np
import pytest

from engine.store.ranking import fit, rank, weights
from engine.store.store import Vote
from tests.store.made_up import audience


def tau(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's rank correlation."""
    a, b = np.triu_indices(len(one), 1)
    return float(np.mean(np.sign(one[a] - one[b]) * np.sign(other[a] - other[b])))


def strengths(count: int, votes: list[Vote]) -> np.ndarray:
    """Strengths by clip."""
    found = sorted(rank(range(count), votes).standings, key=lambda s: s.clip)
    return np.array([s.strength for s in found])


def test_a_hidden_taste_is_found_the_better_the_more_votes() -> None:
    found = {}
    for votes in (256, 1024, 4096):
        trials = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            taste = rng.normal(size=64)
            trials.append(tau(strengths(64, audience(taste, votes, rng)), taste))
        found[votes] = np.mean(trials)
    assert found[256] < found[1024] < found[4096]
    assert found[4096] > 0.75


def test_standard_errors_are_those_of_repeated_audiences() -> None:
    taste = np.random.default_rng(1).normal(size=16)
    runs, errors = [], []
    for seed in range(60):
        ranking = rank(range(16), audience(taste, 600, np.random.default_rng(seed), clickers=0))
        found = sorted(ranking.standings, key=lambda s: s.clip)
        runs.append([s.strength for s in found])
        errors.append([s.error for s in found])
    spread, told = np.std(runs, axis=0).mean(), np.mean(errors)
    assert told == pytest.approx(spread, rel=0.15)


def test_the_side_that_is_heard_first_is_told_and_does_no_harm() -> None:
    rng = np.random.default_rng(2)
    taste = rng.normal(size=32)
    votes = audience(taste, 4000, rng, clickers=0, first=1.0)
    ranking = rank(range(32), votes)
    assert ranking.first == pytest.approx(1.0, abs=4 * ranking.first_error)
    assert 0 < ranking.first_error < 0.1
    assert tau(strengths(32, votes), taste) > 0.75


def test_without_votes_nobody_stands_above_another_and_nothing_is_known() -> None:
    ranking = rank([5, 9, 2], [])
    assert [s.clip for s in ranking.standings] == [2, 5, 9]
    assert all(s.strength == 0 and s.error > 2 and s.heard == 0 for s in ranking.standings)
    assert rank([], []).standings == ()
    assert rank([3], []).standings[0].place == 1


def test_a_clip_that_always_wins_has_a_finite_strength() -> None:
    votes = [Vote(1, clip, 0, f"v{clip}", clip, False) for clip in range(2, 12)]
    best = rank(range(1, 12), votes).standings[0]
    assert best.clip == 1
    assert np.isfinite(best.strength)
    assert best.won == best.heard == 10


def test_the_likelihood_has_its_greatest_value_there() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 8, 400), rng.integers(0, 8, 400)
    keep = first != second
    first, second = first[keep], second[keep]
    chose, weight = (rng.random(len(first)) < 0.6).astype(float), rng.random(len(first))

    def value(theta: np.ndarray) -> float:
        odds = theta[first] - theta[second] + theta[8]
        likely = weight * np.where(chose > 0, -np.logaddexp(0, -odds), -np.logaddexp(0, odds))
        return float(likely.sum() - 0.5 * 0.05 * (theta**2).sum())

    found, advantage, _ = fit(8, first, second, chose, weight)
    best = np.append(found, advantage)
    for _ in range(200):
        assert value(best) >= value(best + rng.normal(0, 0.05, 9)) - 1e-9


def test_many_votes_of_one_visitor_or_address_weigh_no_more_than_a_few() -> None:
    honest = [Vote(1, 2, 0, f"v{k // 8}", k // 8, False) for k in range(512)]
    loud = [Vote(1, 2, 0, "loud", 999, False)] * 300
    assert weights(honest + loud)[512:].sum() == pytest.approx(8)
    many = [Vote(1, 2, 0, f"id{k % 20}", 999, False) for k in range(500)]
    assert weights(honest + many)[512:].sum() == pytest.approx(1)
    family = [Vote(1, 2, 0, f"id{k % 4}", 999, False) for k in range(100)]
    assert weights(honest + family)[512:].sum() == pytest.approx(24)
    assert weights(honest)[:].min() == 1
    behind_one_router = [vote._replace(crowd=7) for vote in honest]
    assert weights(behind_one_router).min() == 1
