"""A long short-term memory, from scratch: a conveyor belt c that goes through time, and gates that guard it.

    i_t = sigmoid(Wi x_t + Ui h_(t-1) + bi)      input gate: how much of what is new is put on the belt
    f_t = sigmoid(Wf x_t + Uf h_(t-1) + bf)      forget gate: how much of the belt goes on
    o_t = sigmoid(Wo x_t + Uo h_(t-1) + bo)      output gate: how much of the belt is shown
    g_t =    tanh(Wg x_t + Ug h_(t-1) + bg)      candidate: what is new
    c_t = f_t c_(t-1) + i_t g_t                  the belt
    h_t = o_t tanh(c_t)                          the answer, which is what the gates see a moment later

W (4H, I), U (4H, H) and b (4H,) hold the four in the order i, f, o, g. Back through time, from the last step to the first:

    dh_t = from its own answer + U' dz_(t+1)
    do = dh_t tanh(c_t)
    dc_t = dh_t o_t (1 - tanh(c_t)^2) + dc_(t+1) f_(t+1)      along the belt nothing squashes: a gate alone decides
    di = dc_t g_t,  df = dc_t c_(t-1),  dg = dc_t i_t
    dz = di i(1 - i), df f(1 - f), do o(1 - o), dg (1 - g^2)
    dW = sum of dz x_t',  dU = sum of dz h_(t-1)',  db = sum of dz

Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.by_hand import Adam, Array, Chance, Values, one_hot, sigmoid, softmax

GATES = ("i", "f", "o", "g")


@dataclass(frozen=True)
class Pass:
    """Inputs xs (T, I); gates (T, 4, H) in the order of GATES; cs, hs (T + 1, H) from the state before; answers ys (T, O)."""

    xs: Array
    gates: Array
    cs: Array
    hs: Array
    ys: Array

    @property
    def state(self) -> tuple[Array, Array]:
        """What to go on from: h and c, (H,) each."""
        return self.hs[-1], self.cs[-1]


class Lstm:
    """`inputs` numbers a step, `units` cells, `outputs` scores (0: the cells' h is the answer)."""

    def __init__(self, inputs: int, units: int, outputs: int, seed: int, width: float | None = None) -> None:
        """`width`: how far from zero the weights begin (None: the more there are, the less)."""
        chance = Chance(seed)
        self.units, self.outputs = units, outputs
        width = 1 / np.sqrt(inputs + units) if width is None else width
        self.values: Values = {
            "W": chance.spread(4 * units, inputs, width=width),
            "U": chance.spread(4 * units, units, width=width),
            "b": np.zeros(4 * units),
        }
        self.values["b"][units : 2 * units] = 1.0  # the forget gate: a new cell keeps what it has
        if outputs:
            self.values |= {"V": chance.spread(outputs, units, width=1 / np.sqrt(units)), "c": np.zeros(outputs)}

    def forward(self, xs: Array, state: tuple[Array, Array] | None = None) -> Pass:
        """Go through xs (T, I) from a state before them (None: nothing was before)."""
        v, n = self.values, self.units
        gates = np.zeros((len(xs), 4, n))
        cs, hs = np.zeros((len(xs) + 1, n)), np.zeros((len(xs) + 1, n))
        if state is not None:
            hs[0], cs[0] = state
        for t, x in enumerate(xs):
            z = v["W"] @ x + v["U"] @ hs[t] + v["b"]  # (4H,)
            gates[t, :3] = sigmoid(z[: 3 * n]).reshape(3, n)
            gates[t, 3] = np.tanh(z[3 * n :])
            i, f, o, g = gates[t]
            cs[t + 1] = f * cs[t] + i * g
            hs[t + 1] = o * np.tanh(cs[t + 1])
        return Pass(xs, gates, cs, hs, hs[1:] @ v["V"].T + v["c"] if self.outputs else hs[1:])

    def backward(self, done: Pass, dys: Array) -> tuple[Values, Array, Array]:
        """Go back through time with dys (T, O). Return the gradient of every value, and dhs, dcs (T, H) of every moment."""
        v, n = self.values, self.units
        gradients = {name: np.zeros_like(value) for name, value in v.items()}
        dhs, dcs = np.zeros((len(dys), n)), np.zeros((len(dys), n))
        dz, along = np.zeros(4 * n), np.zeros(n)
        for t in reversed(range(len(dys))):
            i, f, o, g = done.gates[t]
            squashed = np.tanh(done.cs[t + 1])
            dhs[t] = (v["V"].T @ dys[t] if self.outputs else dys[t]) + v["U"].T @ dz
            dcs[t] = dhs[t] * o * (1 - squashed**2) + along
            di, df, do, dg = dcs[t] * g, dcs[t] * done.cs[t], dhs[t] * squashed, dcs[t] * i
            dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
            along = dcs[t] * f
            gradients["W"] += np.outer(dz, done.xs[t])
            gradients["U"] += np.outer(dz, done.hs[t])
            gradients["b"] += dz
            if self.outputs:
                gradients["V"] += np.outer(dys[t], done.hs[t + 1])
                gradients["c"] += dys[t]
        return gradients, dhs, dcs

    def continuation(
        self, first: int, count: int, chance: Chance, temperature: float = 1.0, state: tuple[Array, Array] | None = None
    ) -> list[int]:
        """Let it go on after the class `first`: each class it draws is what it is given next."""
        found = []
        for _ in range(count):
            done = self.forward(one_hot(first, self.outputs)[None], state)
            first = chance.choose(softmax(done.ys[0], temperature))
            state = done.state
            found.append(first)
        return found


# --- hold the accented note ------------------------------------------------------------------------------------------------

ACCENT_STEPS, ACCENT_BATCH, ACCENT_RATE, ACCENT_LENGTH = 75, 4, 0.2, 12
SHARE = 0.2  # of the notes that are accented


def accents(chance: Chance, length: int) -> tuple[Array, Array]:
    """Return notes (T, 2) of -1 or 1, each with its accent 0 or 1, and what is wanted (T, 1): the note accented last."""
    xs, wanted = np.zeros((length, 2)), np.zeros((length, 1))
    last = 0.0
    for t in range(length):
        note = 1.0 if chance.number() < 0.5 else -1.0
        accent = t == 0 or chance.number() < SHARE
        last = note if accent else last
        xs[t], wanted[t] = (note, accent), last
    return xs, wanted


def learn_accents(seed: int, steps: int = ACCENT_STEPS) -> tuple[Lstm, list[float]]:
    """Teach one cell to hold the accented note while others play; return it and the mean loss of each step."""
    network, chance, adam = Lstm(2, 1, 0, seed, width=0.1), Chance(seed + 1), Adam(ACCENT_RATE)
    losses = []
    for _ in range(steps):
        total, loss = {name: np.zeros_like(value) for name, value in network.values.items()}, 0.0
        for _ in range(ACCENT_BATCH):
            xs, wanted = accents(chance, ACCENT_LENGTH)
            done = network.forward(xs)
            missed = done.ys - wanted
            loss += float((missed**2).sum() / 2)
            for name, gradient in network.backward(done, missed)[0].items():
                total[name] += gradient / (ACCENT_BATCH * ACCENT_LENGTH)
        adam.step(network.values, total)
        losses.append(loss / (ACCENT_BATCH * ACCENT_LENGTH))
    return network, losses


def held(answers: Array, wanted: Array) -> float:
    """Share of the moments in which the answer lies on the wanted side."""
    return float(np.mean((answers > 0) == (wanted > 0)))
