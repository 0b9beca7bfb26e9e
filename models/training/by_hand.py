"""What the networks written out by hand share: numbers by lot, two ways to learn, and a check of their gradients.

Everything here is NumPy in float64, and stands a second time, line for line, in the page's `nn.js`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Array = np.ndarray
Values = dict[str, Array]  # parameters, or their gradients, by name


class Chance:
    """Numbers by lot, the same here and in the page: Tommy Ettinger's mulberry32, 32 bits of state."""

    def __init__(self, seed: int) -> None:
        self._state = seed & 0xFFFFFFFF

    def number(self) -> float:
        """Return the next number, 0 <= number < 1."""
        self._state = (self._state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self._state
        t = (t ^ t >> 15) * (t | 1) & 0xFFFFFFFF
        t ^= (t + ((t ^ t >> 7) * (t | 61) & 0xFFFFFFFF)) & 0xFFFFFFFF
        return float((t ^ t >> 14) / 4294967296)

    def below(self, count: int) -> int:
        """Return a whole number, 0 <= number < count."""
        return int(self.number() * count)

    def spread(self, *shape: int, width: float = 1.0) -> Array:
        """Return an array of numbers between -width and width, filled row by row."""
        flat = [(2 * self.number() - 1) * width for _ in range(int(np.prod(shape)))]
        return np.array(flat).reshape(shape)

    def choose(self, probabilities: Array) -> int:
        """Draw a lot: return an index, each as likely as `probabilities` (n,) says."""
        lot, total = self.number(), 0.0
        for index, share in enumerate(probabilities.tolist()):
            total += share
            if lot < total:
                return index
        return len(probabilities) - 1


def sigmoid(z: Array) -> Array:
    """Squash to 0..1."""
    return np.asarray(1 / (1 + np.exp(-z)))


def softmax(z: Array, temperature: float = 1.0) -> Array:
    """Turn scores (..., n) into probabilities (..., n)."""
    e = np.exp((z - z.max(-1, keepdims=True)) / temperature)
    return np.asarray(e / e.sum(-1, keepdims=True))


def one_hot(index: int, count: int) -> Array:
    """Return a row (count,) of zeros with a 1 at `index`."""
    row = np.zeros(count)
    row[index] = 1.0
    return row


def descend(values: Values, gradients: Mapping[str, Array], rate: float) -> None:
    """Gradient descent: each value goes a little against its gradient."""
    for name, gradient in gradients.items():
        values[name] -= rate * gradient


class Adam:
    """Kingma and Ba's Adam (2015): each value goes by the mean of its gradients over their size, remembered for a while."""

    def __init__(self, rate: float, keep_mean: float = 0.9, keep_size: float = 0.999) -> None:
        self.rate, self.keep_mean, self.keep_size = rate, keep_mean, keep_size
        self._mean: Values = {}
        self._size: Values = {}
        self._steps = 0

    def step(self, values: Values, gradients: Mapping[str, Array]) -> None:
        """Move `values` once."""
        self._steps += 1
        for name, g in gradients.items():
            m = self.keep_mean * self._mean.get(name, np.zeros_like(g)) + (1 - self.keep_mean) * g
            v = self.keep_size * self._size.get(name, np.zeros_like(g)) + (1 - self.keep_size) * g * g
            self._mean[name], self._size[name] = m, v
            even_m = m / (1 - self.keep_mean**self._steps)
            even_v = v / (1 - self.keep_size**self._steps)
            values[name] -= self.rate * even_m / (np.sqrt(even_v) + 1e-8)


def clip(gradients: Values, most: float) -> Values:
    """Return the gradients, shortened together where they are longer than `most`."""
    length = float(np.sqrt(sum(float((g * g).sum()) for g in gradients.values())))
    return gradients if length <= most else {name: g * (most / length) for name, g in gradients.items()}


def measured_gradients(values: Values, loss: Callable[[], float], nudge: float = 1e-5) -> Values:
    """Return gradients by trying: each value is nudged up and down, and the loss looked at (central differences)."""
    found = {name: np.zeros_like(value) for name, value in values.items()}
    for name, value in values.items():
        flat, out = value.reshape(-1), found[name].reshape(-1)
        for i in range(flat.size):
            kept = flat[i]
            flat[i] = kept + nudge
            above = loss()
            flat[i] = kept - nudge
            below = loss()
            flat[i] = kept
            out[i] = (above - below) / (2 * nudge)
    return found
