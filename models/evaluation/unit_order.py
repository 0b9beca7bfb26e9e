"""Orders the units of a layer so that those that behave alike on music lie side by side.

The order goes into the card: pages and pictures show a layer's units in it. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from engine.core.errors import NetworkError
from models.graph.playing import StepGraph, dictated

Array = np.ndarray
STEPS = 512  # of music that the order is told from
MOST_ROWS = 20_000  # of a layer that has a cell for every note: steps times notes
ROUNDS = 20  # of improvement; a layer of 150 needs five or six


def likeness(traces: Array) -> Array:
    """Correlation of the units of `traces` (steps, units): (units, units); one that never moves is like no other."""
    moved = traces - traces.mean(0)
    size = np.sqrt((moved**2).sum(0))
    unit = moved / np.where(size > 1e-6, size, np.inf)
    return np.asarray(unit.T @ unit)


def unit_order(traces: Array) -> list[int]:
    """Return the units of `traces` (steps, units) in an order in which neighbours correlate.

    Spectral seriation (by the second eigenvector of the likeness's Laplacian), then stretches are turned round as long as
    that makes neighbours more alike. Deterministic. Units that never move come last.
    """
    found = likeness(np.asarray(traces, np.float64))
    still = np.flatnonzero(np.diag(found) < 0.5).tolist()
    lively = np.flatnonzero(np.diag(found) >= 0.5)
    if len(lively) < 3:
        return [*lively.tolist(), *still]
    like = found[np.ix_(lively, lively)]
    positive = np.maximum(like, 0.0) ** 2
    _, vectors = np.linalg.eigh(np.diag(positive.sum(0)) - positive)
    second = vectors[:, 1] * np.where(vectors[np.argmax(np.abs(vectors[:, 1])), 1] < 0, -1, 1)  # a sign is chosen by LAPACK
    return [*lively[_improved(np.argsort(second, kind="stable"), like)].tolist(), *still]


def _improved(order: Array, like: Array) -> Array:
    """Turn stretches round as long as neighbours become more alike (2-opt)."""
    count = len(order)
    for _ in range(ROUNDS):
        turned = False
        for first in range(count - 1):
            # What turning first..last gains, for every last at once; the ends of the row have no neighbour.
            lasts = np.arange(first + 1, count)
            before = order[first - 1] if first else None
            after = order[np.minimum(lasts + 1, count - 1)]
            inner = lasts + 1 < count
            gain = np.where(inner, like[order[first], after] - like[order[lasts], after], 0.0)
            if before is not None:
                gain = gain + like[before, order[lasts]] - like[before, order[first]]
            best = int(np.argmax(gain))
            if gain[best] > 1e-9:
                last = int(lasts[best])
                order[first : last + 1] = order[first : last + 1][::-1].copy()
                turned = True
        if not turned:
            break
    return order


def neighbours(traces: Array, order: Sequence[int]) -> float:
    """Mean correlation of units that are neighbours in `order`."""
    found = likeness(np.asarray(traces, np.float64))
    return float(np.mean([found[a, b] for a, b in pairwise(order)]))


def layer_traces(graph: StepGraph, roll: Array, steps: int = STEPS) -> dict[int, Array]:
    """Run a roll through the graph, everything dictated; return what each layer's units did: layer -> (rows, units).

    A layer that has its units for every note gives a row for each step and note. What is no recurrent layer (the chord
    network's classes) has an order of its own and is left out.
    """
    card = graph.card
    shown = {layer: card.sums_up(layer) for layer in sorted({a.layer for a in card.activations})}
    wanted = {layer: a for layer, a in shown.items() if a is not None and a.signal == "h"}
    if not wanted:
        raise NetworkError(f"{card.name}: its card names no hidden state, so there is nothing to put in order")
    outputs = sorted({*graph.outputs, *(a.output for a in wanted.values())})
    told = dictated(roll[:steps], card)
    feed = graph.begin(1)
    feed["clamp_mask"][:] = 1
    seen: dict[int, list[Array]] = {layer: [] for layer in wanted}
    showing = StepGraph(card, graph.session, outputs)
    for step in range(len(told)):
        feed["clamp_value"] = told[step][None]
        out = showing.step(feed)
        for layer, activation in wanted.items():
            seen[layer].append(out[activation.output][0].reshape(-1, activation.shape[-1]))
    whole = {layer: np.concatenate(parts) for layer, parts in seen.items()}
    return {layer: rows[:: -(-len(rows) // MOST_ROWS)] for layer, rows in whole.items()}


def orders(graph: StepGraph, rolls: Sequence[Array]) -> dict[int, list[int]]:
    """The order of every layer's units, from the first steps of `rolls`, one after another."""
    music = np.concatenate(list(rolls))[:STEPS]
    return {layer: unit_order(rows) for layer, rows in layer_traces(graph, music).items()}
