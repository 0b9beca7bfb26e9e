"""Loudness after ITU-R BS.1770: K-weighting, exactly, a block of samples at a time, and the energy of the last three seconds.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import math

import numpy as np

from engine.core.messages import BLOCK

SHORT_TERM_S = 3.0
OFFSET_DB = -0.691  # of the standard: a full-scale sine of 997 Hz in one channel is -3.01 LUFS
_STATES = 4
_AT_ONCE = 16  # blocks whose states are found with one product


class KWeighting:
    """The two filters of the standard as products of matrices: a block's output of its input and the state before it."""

    def __init__(self, rate_hz: float, channels: int) -> None:
        a, b, c, d = _cascade(rate_hz)
        powers = [np.eye(_STATES)]
        for _ in range(BLOCK):
            powers.append(a @ powers[-1])
        response = [d, *(float(c @ powers[n] @ b) for n in range(BLOCK - 1))]
        lags = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))  # of the input behind the output
        through = np.where(lags >= 0, np.array(response)[np.maximum(lags, 0)], 0.0)
        into = np.array([powers[BLOCK - 1 - n] @ b for n in range(BLOCK)])
        # Of the samples of a block: what comes out of them, and what they leave behind as the filters' state.
        self._through = np.ascontiguousarray(np.hstack([through.T, into]), np.float32)  # (BLOCK, BLOCK + states)
        self._out = np.array([c @ powers[n] for n in range(BLOCK)], np.float32).T.copy()  # (states, BLOCK)
        # The state before each of so many blocks, of the one before the first and of what each block brings in: a product as
        # well, its matrix made of those that lead so many blocks on.
        on = [np.linalg.matrix_power(powers[BLOCK].T, n) for n in range(_AT_ONCE + 1)]
        nothing = np.zeros((_STATES, _STATES))
        self._first = np.hstack(on)  # (states, (blocks + 1) * states)
        self._brought = np.block(
            [[on[to - of - 1] if to > of else nothing for to in range(_AT_ONCE + 1)] for of in range(_AT_ONCE)]
        )
        self._state = np.zeros((channels, _STATES))

    def energies(self, blocks: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Return the sums of the weighted squares of blocks, (n, channels, BLOCK) float32, of these channels: (n, channels).

        The others were silent.
        """
        n, channels, _ = blocks.shape
        found = blocks.reshape(n * channels, BLOCK) @ self._through
        weighted, entering = found[:, :BLOCK], found[:, BLOCK:].reshape(n, channels, _STATES).transpose(1, 0, 2)
        states = np.empty((channels, n, _STATES))
        state = self._state[of]
        for first in range(0, n, _AT_ONCE):
            count = min(n - first, _AT_ONCE)
            brought = entering[:, first : first + count].reshape(channels, count * _STATES)
            end = (count + 1) * _STATES
            on = state @ self._first[:, :end] + brought @ self._brought[: count * _STATES, :end]
            states[:, first : first + count] = on[:, :-_STATES].reshape(channels, count, _STATES)
            state = on[:, -_STATES:]
        self._state[:] = 0.0
        self._state[of] = np.where(np.isfinite(state), state, 0.0)
        weighted += states.transpose(1, 0, 2).reshape(n * channels, _STATES).astype(np.float32) @ self._out
        summed: np.ndarray = np.einsum("ij,ij->i", weighted, weighted).reshape(n, channels).astype(float)
        return summed


class ShortTerm:
    """The mean energy of the last three seconds, block by block."""

    def __init__(self, rate_hz: float, buses: int) -> None:
        self._kept = np.zeros((round(SHORT_TERM_S * rate_hz / BLOCK), buses))
        self._total = np.zeros(buses)
        self._at = 0

    def add(self, energies: np.ndarray) -> None:
        """Take the energies of blocks, (n, buses)."""
        kept, count, at = self._kept, len(energies), self._at
        end = min(at + count, len(kept))
        now, after = energies[: end - at], energies[end - at :]
        self._total += now.sum(0) - kept[at:end].sum(0)
        kept[at:end] = now
        self._at = end % len(kept)
        if not self._at:  # once round: what was lost in adding and taking away is made good
            self._total = kept.sum(0)
        if len(after):
            self.add(after)

    def lufs(self) -> np.ndarray:
        """Loudness of each bus, LUFS, (buses,)."""
        mean = self._total / (len(self._kept) * BLOCK)
        lufs: np.ndarray = OFFSET_DB + 10 * np.log10(np.maximum(mean, 1e-12))
        return lufs


def _cascade(rate_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Both filters in a row as state space: x' = a x + b u, y = c x + d u."""
    a1, b1, c1, d1 = _state_space(*_shelf(rate_hz))
    a2, b2, c2, d2 = _state_space(*_high_pass(rate_hz))
    a = np.block([[a1, np.zeros((2, 2))], [np.outer(b2, c1), a2]])
    return a, np.concatenate([b1, b2 * d1]), np.concatenate([d2 * c1, c2]), d2 * d1


def _state_space(b: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A filter of second order, its coefficients over a[0] = 1."""
    matrix = np.array([[-a[1], 1.0], [-a[2], 0.0]])
    return matrix, b[1:] - a[1:] * b[0], np.array([1.0, 0.0]), float(b[0])


def _shelf(rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """The first filter, the head's: what the standard gives for 48 kHz, for any rate."""
    k = math.tan(math.pi * 1681.974450955533 / rate_hz)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    over = 1 + k / q + k * k
    b = np.array([high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]) / over
    return b, np.array([1.0, 2 * (k * k - 1) / over, (1 - k / q + k * k) / over])


def _high_pass(rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """The second filter."""
    k = math.tan(math.pi * 38.13547087602444 / rate_hz)
    q = 0.5003270373238773
    over = 1 + k / q + k * k
    return np.array([1.0, -2.0, 1.0]), np.array([1.0, 2 * (k * k - 1) / over, (1 - k / q + k * k) / over])
