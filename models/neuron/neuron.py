"""One neuron, from scratch: it weighs its inputs, adds them up, answers, and learns from what was wrong.

    z = w . x + b                     weigh, and add up
    p = 1 / (1 + e^-z)                answer, between no (0) and yes (1)
    L = (y - p)^2 / 2                 how wrong it was: y is what was wanted

What each weight has to do with the error is the chain of the derivatives, from the back to the front:

    dL/dp = p - y
    dL/dz = dL/dp * p (1 - p)         the slope of the answer
    dL/dw = dL/dz * x,   dL/db = dL/dz

Learning is one step against that, times a rate. Source of the lessons: the report's listing of a single neuron (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.training.by_hand import Array, Chance, Values, descend, sigmoid


@dataclass(frozen=True)
class Guess:
    """One guess, step by step: (n,) inputs and weighted inputs, then numbers."""

    x: Array
    weighted: Array
    z: float
    p: float


class Neuron:
    """A neuron with n inputs; `values` holds w (n,) and b (1,)."""

    def __init__(self, weights: Sequence[float], bias: float = 0.0) -> None:
        self.values: Values = {"w": np.array(weights, float), "b": np.array([bias], float)}

    def guess(self, x: Array) -> Guess:
        """Answer to inputs x (n,)."""
        weighted = self.values["w"] * x
        z = float(weighted.sum() + self.values["b"][0])
        return Guess(x, weighted, z, float(sigmoid(np.array(z))))

    def gradients(self, guess: Guess, wanted: float) -> Values:
        """What each value has to do with the error of a guess; `dz`, `dp` and `dx` are on the way there."""
        dp = guess.p - wanted
        dz = dp * guess.p * (1 - guess.p)
        return {"w": dz * guess.x, "b": np.array([dz])}

    def lesson(self, x: Array, wanted: float, rate: float) -> Guess:
        """Guess once and learn from it; return the guess as it was made before."""
        guess = self.guess(x)
        descend(self.values, self.gradients(guess, wanted), rate)
        return guess

    def right(self, xs: Array, ys: Array) -> int:
        """How many of the points xs (k, n) it puts on the side that ys (k,) says."""
        return sum((self.guess(x).p > 0.5) == (y > 0.5) for x, y in zip(xs, ys, strict=True))


def error(guess: Guess, wanted: float) -> float:
    """L = (y - p)^2 / 2."""
    return (wanted - guess.p) ** 2 / 2


# --- notes on a plane: is it high and long, or low and short? -------------------------------------------------------------


def points(seed: int, count: int = 100, reach: float = 3.0) -> tuple[Array, Array]:
    """Return `count` notes in [-reach, reach]^2 (pitch, length) and which of them lie above a slanted line."""
    chance = Chance(seed)
    xs = chance.spread(count, 2, width=reach)
    ys = (xs[:, 1] > 0.6 * xs[:, 0] + 0.5).astype(float)
    return xs, ys


def learn_points(seed: int, passes: int = 100, rate: float = 0.3) -> tuple[Neuron, list[list[float]]]:
    """Let a new neuron see every note once a pass; return it and the errors, one list of `count` a pass."""
    xs, ys = points(seed)
    start = Chance(seed + 1).spread(3)
    neuron = Neuron(start[:2].tolist(), float(start[2]))
    errors = [[error(neuron.lesson(x, y, rate), y) for x, y in zip(xs, ys, strict=True)] for _ in range(passes)]
    return neuron, errors


# --- the clash: neither, C, C sharp, both ----------------------------------------------------------------------------------

XOR = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], float)  # the last input is always 1: it stands for the bias
XOR_WANTED = np.array([0, 1, 1, 0], float)
REPORT_SEED = 1446  # gives the plot that the report shows
LESSONS = 1000


def report_weights(seed: int = REPORT_SEED) -> Array:
    """The weights (3,) that the report's listing begins with: the first column of its table of lots."""
    return (2 * np.random.default_rng(seed).random((3, 4)) - 1)[:, 0]


def four_lessons(weights: Array, each: int = LESSONS) -> tuple[list[list[float]], Neuron]:
    """The report's listing: one neuron learns one point of XOR after the other, `each` times, and forgets the one before.

    Return the four curves of 1 - (probability of what was right), and the neuron as it is at the end.
    """
    neuron = Neuron(weights.tolist())
    curves = []
    for x, wanted in zip(XOR, XOR_WANTED, strict=True):
        curve = []
        for _ in range(each):
            guess = neuron.guess(x)
            curve.append(abs(wanted - guess.p))
            descend(neuron.values, {"w": neuron.gradients(guess, wanted)["w"]}, 1.0)  # the third weight is the bias
        curves.append(curve)
    return curves, neuron


def together(weights: Array, passes: int = 2000, rate: float = 1.0) -> list[list[float]]:
    """All four points of XOR at once, one step a pass; return the four answers of every pass: they settle at one half."""
    neuron = Neuron(weights.tolist())
    answers = []
    for _ in range(passes):
        guesses = [neuron.guess(x) for x in XOR]
        answers.append([g.p for g in guesses])
        gradients = [neuron.gradients(g, y)["w"] for g, y in zip(guesses, XOR_WANTED, strict=True)]
        descend(neuron.values, {"w": np.sum(gradients, 0)}, rate)
    return answers
