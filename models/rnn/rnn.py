"""A recurrent network, from scratch: it answers to what it is given now and to what it made of everything before.

    h_t = tanh(W x_t + U h_(t-1) + b)       the units: what comes in, and what they were a moment ago
    y_t = V h_t + c                         the scores of what may come next

It learns by going back through time. With dy_t = what is wrong with the scores, from the last step to the first:

    dh_t = V' dy_t + U' dz_(t+1)            from its own answer, and from all that came after
    dz_t = dh_t (1 - h_t^2)                 the slope of tanh
    dW = sum of dz_t x_t',  dU = sum of dz_t h_(t-1)',  db = sum of dz_t
    dV = sum of dy_t h_t',  dc = sum of dy_t

Each step back multiplies by U and by a slope: that is why a gradient fades on its way, and a plain recurrent network forgets.
Without `outputs` the units themselves are the answer, as in a single recurrent neuron.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.by_hand import Array, Chance, Values, one_hot, softmax


@dataclass(frozen=True)
class Pass:
    """What was computed for a sequence: inputs xs (T, I), units hs (T + 1, H) from the state before, scores ys (T, O)."""

    xs: Array
    hs: Array
    ys: Array


class Rnn:
    """`inputs` numbers a step, `units` that remember, `outputs` scores; `values` holds W (H, I), U (H, H), b, V (O, H), c."""

    def __init__(self, inputs: int, units: int, outputs: int, seed: int) -> None:
        chance = Chance(seed)
        self.units, self.outputs = units, outputs
        self.values: Values = {
            "W": chance.spread(units, inputs, width=1 / np.sqrt(inputs)),
            "U": chance.spread(units, units, width=1 / np.sqrt(units)),
            "b": np.zeros(units),
        }
        if outputs:
            self.values |= {"V": chance.spread(outputs, units, width=1 / np.sqrt(units)), "c": np.zeros(outputs)}

    def forward(self, xs: Array, state: Array | None = None) -> Pass:
        """Go through xs (T, I) from the state (H,) before them (None: nothing was before)."""
        v = self.values
        hs = np.zeros((len(xs) + 1, self.units))
        hs[0] = 0.0 if state is None else state
        for t, x in enumerate(xs):
            hs[t + 1] = np.tanh(v["W"] @ x + v["U"] @ hs[t] + v["b"])
        return Pass(xs, hs, hs[1:] @ v["V"].T + v["c"] if self.outputs else hs[1:])

    def backward(self, done: Pass, dys: Array) -> tuple[Values, Array]:
        """Go back through time with dys (T, O), the gradient of the loss for the answers.

        Return the gradient of every value, and dhs (T, H): how much each moment's units have to do with the loss.
        """
        v = self.values
        gradients = {name: np.zeros_like(value) for name, value in v.items()}
        dhs = np.zeros((len(dys), self.units))
        dz = np.zeros(self.units)
        for t in reversed(range(len(dys))):
            dhs[t] = (v["V"].T @ dys[t] if self.outputs else dys[t]) + v["U"].T @ dz
            dz = dhs[t] * (1 - done.hs[t + 1] ** 2)
            gradients["W"] += np.outer(dz, done.xs[t])
            gradients["U"] += np.outer(dz, done.hs[t])
            gradients["b"] += dz
            if self.outputs:
                gradients["V"] += np.outer(dys[t], done.hs[t + 1])
                gradients["c"] += dys[t]
        return gradients, dhs

    def continuation(
        self, first: int, count: int, chance: Chance, temperature: float = 1.0, state: Array | None = None
    ) -> list[int]:
        """Let it go on after the class `first`: each class it draws is what it is given next."""
        found, h = [], state
        for _ in range(count):
            done = self.forward(one_hot(first, self.outputs)[None], h)
            first = chance.choose(softmax(done.ys[0], temperature))
            h = done.hs[-1]
            found.append(first)
        return found


def surprise(scores: Array, wanted: Array) -> tuple[float, Array]:
    """Return the loss, -log(probability of what came) summed over steps, and its gradient for scores (T, O)."""
    p = softmax(scores)
    steps = np.arange(len(wanted))
    dys = p.copy()
    dys[steps, wanted] -= 1
    return float(-np.log(p[steps, wanted]).sum()), dys


def distance(answers: Array, wanted: Array) -> tuple[float, Array]:
    """Return the loss, half the squared distance summed over steps, and its gradient for answers (T, O)."""
    d = answers - wanted
    return float((d * d).sum() / 2), d
