"""Ranking clips by votes: Bradley-Terry strengths by choix, with standard errors, and a term for the clip that is heard first.

Runs on: booth process (a thread beside the event loop), and whoever breeds generations.

The log-odds that the clip heard first is chosen are its strength, minus the strength of the other, plus the advantage of being
heard first. choix (iLSR) finds the strengths without the advantage; a few Newton steps on the same likelihood bring it in, and
the Hessian there gives the standard errors.

Votes are weighed, in two ways. All the votes of one visitor together weigh no more than what visitors usually cast, and those
of one address no more than so many: asking often gains nothing. And each visitor's weigh as much as it is likely that he
listens: a mixture of visitors who choose by what the others' votes say of the clips and of those who choose by lot, as in
Crowd-BT (Chen et al., Pairwise Ranking Aggregation in a Crowdsourced Setting, WSDM 2013), fitted by a few steps of EM. What a
visitor's own votes did to the strengths is taken out before he is judged by them. What is believed beforehand stays as it is,
however many seem to choose by lot: or whoever comes to spoil a ranking would have everybody else weigh less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.store.store import Vote

RIDGE = 0.05  # weight of the belief that strengths are near 0: a clip without a vote stays there
STEPS = 12
CLOSE = 1e-6
VISITOR_VOTES = 8.0  # all the votes of one visitor together weigh no more than so many, or than what half of them cast
CROWD_VOTES = 24.0  # ... and those of one address no more than so many, where phones come from several
MANY, MANY_WEIGH = 8, 1.0  # an address of more visitors than this, among many addresses, is one that makes them up: one vote
ADDRESSES = 12  # so many are many
LISTENS = 2.2  # log-odds, beforehand, that a visitor listens: nine of ten do
DOUBTED = 0.3  # by so much less, for each vote of his that is more than usual: who votes on and on has to show that he does
JUDGED = 48  # the newest votes of a visitor that he is judged by
ROUNDS = 5  # of EM
SETTLED = 0.01
AT_ONCE = 64  # visitors that are judged in one go
_HALVES = np.array([math.lgamma(n + 0.5) for n in range(JUDGED + 1)])
_WHOLES = np.array([math.lgamma(n + 1.0) for n in range(JUDGED + 1)])


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
    usual: float = VISITOR_VOTES  # votes of one visitor that count in full

    def of(self, clip: int) -> Standing | None:
        """Return where one clip stands."""
        return next((s for s in self.standings if s.clip == clip), None)


def usual(votes_of_each: Sequence[int]) -> float:
    """Return how many votes of one visitor count in full, of how many each of them cast: no more than half of them cast."""
    return max(VISITOR_VOTES, float(np.median(votes_of_each))) if len(votes_of_each) else VISITOR_VOTES


def weights(votes: Sequence[Vote]) -> np.ndarray:
    """Return what each vote weighs, (n,) in 0..1: one visitor, or one address, cannot outweigh the others by asking often."""
    by_visitor = Counter(vote.visitor for vote in votes)
    most_of_one = usual(list(by_visitor.values()))
    own: np.ndarray = np.array([min(1.0, most_of_one / by_visitor[vote.visitor]) for vote in votes])
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
    first = np.array([place[vote.first] for vote in among], int)
    second = np.array([place[vote.second] for vote in among], int)
    chose = np.array([vote.choice == 0 for vote in among], float)
    numbers: dict[str, int] = {}
    who = np.array([numbers.setdefault(vote.visitor, len(numbers)) for vote in among], int)
    said = Said(len(clips), first, second, chose, who, weights(among))
    theta, hessian, weight = _listened_to(said)
    strengths, advantage, errors = _told(theta, hessian)
    heard = np.bincount(np.concatenate((first, second)), minlength=len(clips))
    won = np.bincount(np.where(chose > 0, first, second), minlength=len(clips))
    order = sorted(range(len(clips)), key=lambda at: (-strengths[at], clips[at]))
    standings = tuple(
        Standing(clips[at], number + 1, float(strengths[at]), float(errors[at]), int(heard[at]), int(won[at]))
        for number, at in enumerate(order)
    )
    of_each = usual(list(Counter(vote.visitor for vote in among).values()))
    return Ranking(standings, advantage, float(errors[-1]), len(among), float(weight.sum()), of_each)


@dataclass(frozen=True, slots=True)
class Said:
    """Votes as arrays (n,): numbers of the clips, `chose` 1 where the first won, number of the visitor, weight by the caps."""

    count: int  # clips
    first: np.ndarray
    second: np.ndarray
    chose: np.ndarray
    who: np.ndarray
    weight: np.ndarray


def fit(
    count: int, first: np.ndarray, second: np.ndarray, chose: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return strengths (count,) with mean 0, the advantage of the first, and standard errors (count + 1,), its own last.

    `first`, `second`: numbers of the clips of each vote (n,); `chose`: 1 where the first won; `weight` (n,).
    """
    said = Said(count, first, second, chose, np.zeros(len(first), int), weight)
    return _told(*_fitted(said, weight, _start(said, weight)))


def _told(theta: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return strengths, advantage and standard errors of where the likelihood is greatest."""
    count = len(theta) - 1
    centre = np.eye(count + 1)  # strengths count from their mean: errors are of the difference to it
    centre[:count, :count] -= 1 / max(count, 1)
    covariance = centre @ np.linalg.inv(hessian) @ centre.T
    errors = np.sqrt(np.maximum(np.diag(covariance), 0)) if count > 1 else np.full(count + 1, RIDGE**-0.5)
    return theta[:count] - theta[:count].mean() if count else theta[:0], float(theta[count]), errors


def _start(said: Said, weight: np.ndarray) -> np.ndarray:
    """Return choix's strengths, as if sides did not matter, and no advantage, (count + 1,)."""
    theta = np.zeros(said.count + 1)
    if said.count < 2 or not len(said.first):
        return theta
    import choix  # brings SciPy, which takes a second: a booth that begins anew under load has phones that wait

    won = np.where(said.chose > 0, said.first, said.second)
    lost = np.where(said.chose > 0, said.second, said.first)
    wins = _summed(won * said.count + lost, weight, said.count**2).reshape(said.count, said.count)
    try:
        theta[:-1] = choix.ilsr_pairwise_dense(wins, alpha=RIDGE, max_iter=50, tol=1e-3)
    except RuntimeError:  # it did not settle: Newton's steps find the same place from anywhere
        theta[:-1] = 0
    return theta


def _fitted(said: Said, weight: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the likelihood of votes of these weights is greatest, from a start (count + 1,), and its Hessian there."""
    count = said.count
    if count < 2:
        return np.zeros(count + 1), RIDGE * np.eye(count + 1)
    first, second, size = said.first, said.second, count + 1
    theta = theta.copy()
    hessian = np.eye(size)
    for _ in range(STEPS):
        p = _share(theta[first] - theta[second] + theta[count])
        slope = weight * (said.chose - p)
        gradient = _summed(first, slope, size) - _summed(second, slope, size) - RIDGE * theta
        gradient[count] += slope.sum()
        curve = weight * p * (1 - p)
        of_first, of_second = _summed(first, curve, size), _summed(second, curve, size)
        both = _summed(first * size + second, curve, size * size).reshape(size, size)
        hessian = np.diag(of_first + of_second + RIDGE) - both - both.T
        hessian[count] = hessian[:, count] = of_first - of_second
        hessian[count, count] = curve.sum() + RIDGE
        move = np.linalg.solve(hessian, gradient)
        theta += np.clip(move, -1.5, 1.5)
        if np.abs(move).max() < CLOSE:
            break
    return theta, hessian


def _summed(at: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(at, values, size).astype(float)  # of no values bincount returns whole numbers


def _share(odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def _listened_to(said: Said) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return strengths and advantage, the Hessian, and what each vote weighs when it is seen who chooses by lot."""
    weight = said.weight
    theta, hessian = _fitted(said, weight, _start(said, weight))
    if not len(said.first):
        return theta, hessian, weight
    cast = np.bincount(said.who)
    beforehand = LISTENS - DOUBTED * np.maximum(cast - usual(cast.tolist()), 0)
    listens = np.ones(len(cast))
    for _ in range(ROUNDS):
        before, listens = listens, _share(beforehand + evidence(said, weight, theta, hessian))
        weight = said.weight * listens[said.who]
        theta, hessian = _fitted(said, weight, theta)
        if np.abs(listens - before).max() < SETTLED:
            break
    return theta, hessian, weight


def evidence(said: Said, weight: np.ndarray, theta: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Return for each visitor the log-odds that his choices are by taste rather than by lot, as the others' votes say it."""
    visitors = int(said.who.max()) + 1
    order = np.argsort(said.who, kind="stable")
    ends = np.cumsum(np.bincount(said.who, minlength=visitors))
    cast = np.diff(ends, prepend=0)
    most = min(int(cast.max()), JUDGED)
    # (visitors, most): the newest votes of each; those that are not there weigh nothing and say nothing.
    back = ends[:, None] - np.arange(1, most + 1)
    there = np.arange(most) < cast[:, None]
    votes = order[np.where(there, back, 0)]
    covariance = np.linalg.inv(hessian)
    out = np.empty(visitors)
    for begin in range(0, visitors, AT_ONCE):
        own = slice(begin, begin + AT_ONCE)
        out[own] = _evidence(said, weight, theta, covariance, votes[own], there[own])
    return out


def _evidence(
    said: Said, weight: np.ndarray, theta: np.ndarray, covariance: np.ndarray, votes: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """The same of some visitors. `votes`, `there` (V, k)."""
    first, second, last = said.first[votes], said.second[votes], said.count
    odds = theta[first] - theta[second] + theta[last]
    p = _share(odds)
    own = np.where(there, weight[votes], 0.0)
    rows = covariance[first] - covariance[second] + covariance[last]  # (V, k, P)
    at = np.arange(len(votes))[:, None, None], np.arange(votes.shape[1])[None, :, None]
    spread = rows[(*at, first[:, None])] - rows[(*at, second[:, None])] + rows[..., last, None]  # (V, k, k)
    # Without his own votes: one Newton step back from where they have brought the strengths.
    mine = np.eye(votes.shape[1]) - (own * p * (1 - p))[:, :, None] * spread
    without = np.linalg.solve(mine.transpose(0, 2, 1), spread.transpose(0, 2, 1)).transpose(0, 2, 1)
    odds = odds - np.einsum("vij,vj->vi", without, own * (said.chose[votes] - p))
    unsure = np.maximum(np.einsum("vii->vi", without), 0)
    moderate = _share(odds / np.sqrt(1 + np.pi / 8 * unsure))  # strengths are not known exactly (MacKay 1992)
    likely = np.where(said.chose[votes] > 0, moderate, 1 - moderate)
    by_taste = (np.log(np.maximum(likely, 1e-6)) * there).sum(1)
    return np.asarray(by_taste - _by_lot(((said.chose[votes] > 0) & there).sum(1), there.sum(1)))


def _by_lot(first: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of so many choices of the first side where no clip matters: sides alike, or a habit of one.

    A habit is as likely as Jeffreys has it, Beta(1/2, 1/2).
    """
    habit = _HALVES[first] + _HALVES[of - first] - _WHOLES[of] - math.log(math.pi)
    return np.asarray(np.logaddexp(of * np.log(0.5), habit) - np.log(2))
