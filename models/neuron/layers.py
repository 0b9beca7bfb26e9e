"""A network of two layers, from scratch: several neurons look, one more puts together what they saw.

    z1 = W1 x + b1,  h = tanh(z1)       the hidden units, each with a line of its own
    z2 = w2 . h + b2, p = sigmoid(z2)   the unit that answers
    L = -y log p - (1 - y) log(1 - p)

Backwards, by the chain of the derivatives:

    dz2 = p - y                         what log and sigmoid leave of each other
    dw2 = dz2 h,   db2 = dz2,   dh = dz2 w2
    dz1 = dh (1 - h^2)                  the slope of tanh
    dW1 = dz1 x',  db1 = dz1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.by_hand import Array, Chance, Values, descend, sigmoid

CLASH = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)  # neither, C sharp, C, both
CLASH_WANTED = np.array([0, 1, 1, 0], float)
ENOUGH = 2000  # passes after which it does not learn it any more


@dataclass(frozen=True)
class Pass:
    """What was computed for inputs xs (k, 2): hidden units h (k, H) and answers p (k,)."""

    xs: Array
    h: Array
    p: Array


class Layers:
    """Two inputs, `units` hidden units, one answer; `values` holds W1 (H, 2), b1 (H,), w2 (H,), b2 (1,)."""

    def __init__(self, units: int, seed: int) -> None:
        chance = Chance(seed)
        self.values: Values = {
            "W1": chance.spread(units, 2, width=0.5),
            "b1": np.zeros(units),
            "w2": chance.spread(units, width=0.5),
            "b2": np.zeros(1),
        }

    def forward(self, xs: Array) -> Pass:
        """Answer to xs (k, 2)."""
        v = self.values
        h = np.tanh(xs @ v["W1"].T + v["b1"])
        return Pass(xs, h, sigmoid(h @ v["w2"] + v["b2"]))

    def loss(self, done: Pass, ys: Array) -> float:
        """Sum of -log(probability of what was right) over the points."""
        return float(-np.sum(np.log(np.where(ys > 0.5, done.p, 1 - done.p))))

    def backward(self, done: Pass, ys: Array) -> Values:
        """The gradient of the loss for every value."""
        v = self.values
        dz2 = done.p - ys
        dz1 = np.outer(dz2, v["w2"]) * (1 - done.h**2)
        return {"W1": dz1.T @ done.xs, "b1": dz1.sum(0), "w2": dz2 @ done.h, "b2": np.array([dz2.sum()])}


def solve_clash(units: int, seed: int, rate: float = 1.0, passes: int = ENOUGH) -> tuple[Layers, list[float], int]:
    """Learn the clash; return the network, the loss of every pass, and the pass since which all four were right (-1: never)."""
    network = Layers(units, seed)
    losses, solved = [], -1
    for number in range(passes):
        done = network.forward(CLASH)
        losses.append(network.loss(done, CLASH_WANTED))
        right = bool(((done.p > 0.5) == (CLASH_WANTED > 0.5)).all())
        solved = (number if solved < 0 else solved) if right else -1
        descend(network.values, network.backward(done, CLASH_WANTED), rate)
    return network, losses, solved
