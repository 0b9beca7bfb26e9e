"""Ranking clips by votes: Bradley-Terry strengths by choix, with standard errors, and a term for the clip that is heard first.

Runs on: booth process (a thread beside the event loop), and whoever breeds generations.

The log-odds that the clip heard first is chosen are its strength, minus the strength of the other, plus the advantage of being
heard first. choix (iLSR) finds the strengths without the advantage; a few Newton steps on the same likelihood bring it in, and
the Hessian there gives the standard errors. Votes of one visitor, and of one address, are weighed down where they are many: all
the votes of one together weigh no more than so many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import choix
import numpy as np

from engine.store.store import Vote

RIDGE = 0.05  # weight of the belief that strengths are near 0: a clip without a vote stays there
STEPS = 12
CLOSE = 1e-6
VISITOR_VOTES = 8.0  # all the votes of one visitor together weigh no more than so many
CROWD_VOTES = 24.0  # ... and those of one address no more than so many, where phones come from several
MANY, MANY_WEIGH = 8, 1.0  # an address of more visitors than this, among many addresses, is one that makes them up: one vote
ADDRESSES = 12  # so many are many


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a clip stands: `strength` in log-odds, with its standard error; `place` counts from 1."""

    clip: int
    place: int
    strength: float
    error: float
    heard: int
    won: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """All clips, best first; `first` is the advantage, in log-odds, of being heard first, with its standard error."""

    standings: tuple[Standing, ...]
    first: float
    first_error: float
    votes: int
    weight: float  # what these votes weigh together

    def of(self, clip: int) -> Standing | None:
        """Return where one clip stands."""
        return next((s for s in self.standings if s.clip == clip), None)


def weights(votes: Sequence[Vote]) -> np.ndarray:
    """Return what each vote weighs, (n,) in 0..1: one visitor, or one address, cannot outweigh the others by asking often."""
    by_visitor = Counter(vote.visitor for vote in votes)
    own: np.ndarray = np.array([min(1.0, VISITOR_VOTES / by_visitor[vote.visitor]) for vote in votes])
    visitors: dict[int, set[str]] = {}
    of_crowd: dict[int, float] = {}
    for vote, weight in zip(votes, own.tolist(), strict=True):
        visitors.setdefault(vote.crowd, set()).add(vote.visitor)
        of_crowd[vote.crowd] = of_crowd.get(vote.crowd, 0.0) + weight
    if len(of_crowd) < ADDRESSES:  # a venue whose router hides phones behind one address, or a few
        return own
    most = {crowd: MANY_WEIGH if len(who) > MANY else CROWD_VOTES for crowd, who in visitors.items()}
    shares = np.array([min(1.0, most[vote.crowd] / of_crowd[vote.crowd]) for vote in votes])
    return np.asarray(own * shares)


def rank(clips: Sequence[int], votes: Sequence[Vote]) -> Ranking:
    """Return the ranking of these clips by the votes among them; other votes are left out."""
    place = {clip: at for at, clip in enumerate(clips)}
    among = [vote for vote in votes if vote.first in place and vote.second in place and vote.first != vote.second]
    weight = weights(among)
    first = np.array([place[vote.first] for vote in among], int)
    second = np.array([place[vote.second] for vote in among], int)
    chose = np.array([vote.choice == 0 for vote in among], float)
    strengths, advantage, errors = fit(len(clips), first, second, chose, weight)
    heard = np.bincount(np.concatenate((first, second)), minlength=len(clips)) if among else np.zeros(len(clips), int)
    winners = np.where(chose > 0, first, second) if among else first
    won = np.bincount(winners, minlength=len(clips)) if among else np.zeros(len(clips), int)
    order = sorted(range(len(clips)), key=lambda at: (-strengths[at], clips[at]))
    standings = tuple(
        Standing(clips[at], number + 1, float(strengths[at]), float(errors[at]), int(heard[at]), int(won[at]))
        for number, at in enumerate(order)
    )
    return Ranking(standings, advantage, float(errors[-1]), len(among), float(weight.sum()))


def fit(
    count: int, first: np.ndarray, second: np.ndarray, chose: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return strengths (count,) with mean 0, the advantage of the first, and standard errors (count + 1,), its own last.

    `first`, `second`: numbers of the clips of each vote (n,); `chose`: 1 where the first won; `weight` (n,).
    """
    theta = np.zeros(count + 1)
    if count < 2:
        return theta[:count], 0.0, np.ones(count + 1) / np.sqrt(RIDGE)
    if len(first):
        theta[:count] = _start(count, first, second, chose)
    rows = np.arange(len(first))
    design = np.zeros((len(first), count + 1))
    design[rows, first] += 1
    design[rows, second] -= 1
    design[:, count] = 1
    hessian = np.eye(count + 1)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (weight * (chose - p)) - RIDGE * theta
        hessian = (design.T * (weight * p * (1 - p))) @ design + RIDGE * np.eye(count + 1)
        move = np.linalg.solve(hessian, gradient)
        theta += np.clip(move, -1.5, 1.5)
        if np.abs(move).max() < CLOSE:
            break
    # Strengths count from their mean: errors are of the difference to it.
    centre = np.eye(count + 1)
    centre[:count, :count] -= 1 / count
    covariance = centre @ np.linalg.inv(hessian) @ centre.T
    strengths = theta[:count] - theta[:count].mean()
    return strengths, float(theta[count]), np.sqrt(np.maximum(np.diag(covariance), 0))


def _start(count: int, first: np.ndarray, second: np.ndarray, chose: np.ndarray) -> np.ndarray:
    """Return choix's strengths, as if sides did not matter."""
    won = np.where(chose > 0, first, second)
    lost = np.where(chose > 0, second, first)
    pairs = list(zip(won.tolist(), lost.tolist(), strict=True))
    try:
        return np.asarray(choix.ilsr_pairwise(count, pairs, alpha=RIDGE, max_iter=50, tol=1e-3))
    except RuntimeError:  # it did not settle: Newton's steps find the same place from anywhere
        return np.zeros(count)
