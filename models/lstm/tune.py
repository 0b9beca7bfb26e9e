"""Eight bars by heart: a small LSTM learns a visitor's own tune, note by note, and plays it back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lstm.lstm import Lstm
from models.training.by_hand import Adam, Array, Chance, one_hot, softmax

STEPS = 64  # eight bars of eighths
PITCHES = 16  # of the page's keyboard
HOLD, REST = PITCHES, PITCHES + 1  # the signs after the pitches
SIGNS = PITCHES + 2
UNITS, RATE = 16, 0.03
ENOUGH = 0.05  # nats a step below which it is known by heart
MOST_STEPS = 400


@dataclass(frozen=True)
class Learned:
    """A network that learned a tune, and the loss of every step, in nats a step of the tune."""

    network: Lstm
    losses: list[float]


def made_up(seed: int) -> list[int]:
    """Return a tune as a visitor would play it: walks and leaps, longer notes, rests, a phrase that comes again."""
    chance = Chance(seed)
    phrase: list[int] = []
    pitch = 4 + chance.below(8)
    while len(phrase) < STEPS // 4:
        kind = chance.number()
        if phrase and kind < 0.2:
            phrase.append(HOLD)
        elif phrase and kind < 0.3:
            phrase.append(REST)
        else:
            pitch = min(max(pitch + chance.below(5) - 2, 0), PITCHES - 1)
            phrase.append(pitch)
    answer = [min(max(p + chance.below(3) - 1, 0), PITCHES - 1) if p < PITCHES else p for p in phrase]
    return phrase + answer + phrase + answer[: STEPS // 8] + phrase[STEPS // 8 :]


def rows(tune: list[int]) -> Array:
    """Return what the network is given: a silence, then each sign but the last, (T, SIGNS)."""
    return np.stack([one_hot(sign, SIGNS) for sign in [REST, *tune[:-1]]])


def learn(tune: list[int], seed: int, most: int = MOST_STEPS) -> Learned:
    """Learn a tune by heart, all of it at every step; end when it is known."""
    network, adam, losses = Lstm(SIGNS, UNITS, SIGNS, seed), Adam(RATE), []
    given, wanted, steps = rows(tune), np.array(tune), np.arange(len(tune))
    for _ in range(most):
        done = network.forward(given)
        p = softmax(done.ys)
        losses.append(float(-np.log(p[steps, wanted]).mean()))
        if losses[-1] < ENOUGH:
            break
        p[steps, wanted] -= 1
        adam.step(network.values, network.backward(done, p / len(tune))[0])
    return Learned(network, losses)
