"""Simple models fitted on training rolls: what a network must beat.

Each is a true probability of every step given all before, per track, so that its nats compare with a network's. Runs
without torch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from engine.core.contract import Card
from models.music.representation import HELD, ONSET, SILENT

Array = np.ndarray
Baseline = Callable[[Array], Array]  # roll (steps, slots) to nats (steps, tracks)


def _per_track(nats_slots: Array, card: Card) -> Array:
    return np.stack([nats_slots[:, where].sum(1) for where in card.track_slices().values()], 1)


def _before(roll: Array) -> Array:
    return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])


def frequencies(train: Sequence[Array], card: Card) -> Baseline:
    """Each note's frequency: silent, held or struck; only what sounded before can be held."""
    count = np.ones((2, 3, card.slots))  # sounded before, what now
    for roll in train:
        was = _before(roll) != SILENT
        for before in (0, 1):
            for now in (SILENT, HELD, ONSET):
                count[before, now] += ((roll == now) & (was == before)).sum(0)
    # One chance of playing, whatever came before; holding is a share of it where holding is possible.
    play = count[:, 1:].sum((0, 1)) / count.sum((0, 1))
    hold = count[1, HELD] / count[1, 1:].sum(0)

    def baseline(roll: Array) -> Array:
        was, on = _before(roll) != SILENT, roll != SILENT
        found = -np.where(on, np.log(play), np.log1p(-play))
        found -= np.where(on & was, np.where(roll == HELD, np.log(hold), np.log1p(-hold)), 0.0)
        return _per_track(found, card)

    return baseline


def chains(train: Sequence[Array], card: Card) -> Baseline:
    """A first-order chain per note: silent, held or struck, given which it was."""
    count = np.zeros((3, 3, card.slots))
    for roll in train:
        before = _before(roll)
        for a in range(3):
            for b in range(3):
                count[a, b] += ((before == a) & (roll == b)).sum(0)
    count += 0.5
    count[SILENT, HELD] = 0  # cannot be
    log = np.log(count / count.sum(1, keepdims=True), where=count > 0, out=np.full_like(count, -np.inf))

    def baseline(roll: Array) -> Array:
        return _per_track(-log[_before(roll), roll, np.arange(card.slots)], card)

    return baseline


def trigrams(train: Sequence[Array], card: Card) -> Baseline:
    """A trigram over each track's whole steps, interpolated (Witten-Bell) down to the chain per note."""
    chain = chains(train, card)
    slices = list(card.track_slices().values())
    tables: list[list[dict[tuple[bytes, ...], Counter[bytes]]]] = []
    for where in slices:
        orders: list[dict[tuple[bytes, ...], Counter[bytes]]] = [defaultdict(Counter) for _ in (1, 2)]
        for roll in train:
            rows = _rows(roll[:, where])
            for t in range(2, len(rows)):
                for order, table in enumerate(orders, 1):
                    table[tuple(rows[t - order : t])][rows[t]] += 1
        tables.append([dict(t) for t in orders])

    def baseline(roll: Array) -> Array:
        found = chain(roll)
        for track, where in enumerate(slices):
            rows = _rows(roll[:, where])
            for t in range(2, len(rows)):
                chance = float(np.exp(-found[t - 2, track]))
                for order, table in enumerate(tables[track], 1):
                    seen = table.get(tuple(rows[t - order : t]))
                    if seen:
                        chance = (seen[rows[t]] + len(seen) * chance) / (seen.total() + len(seen))
                found[t - 2, track] = -np.log(chance)
        return found

    return baseline


def _rows(part: Array) -> list[bytes]:
    """A track's steps as hashable values, two steps of silence before the first."""
    silence = np.zeros(part.shape[1], np.uint8).tobytes()
    return [silence, silence, *(row.tobytes() for row in part)]


BASELINES: dict[str, Callable[[Sequence[Array], Card], Baseline]] = {
    "frequency": frequencies,
    "chain": chains,
    "trigram": trigrams,
}
