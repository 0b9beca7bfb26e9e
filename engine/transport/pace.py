"""The pace: beat, tempo and how the tempo changes, of somebody who speeds up and slows down, from noisy places of his beat.

Runs on: network process, or the caller of the offline render. A Kalman filter over three numbers: a player who goes faster
goes on doing so for a while, and a filter that knows tempo alone is always late behind him.
"""

from __future__ import annotations

import math

import numpy as np

from engine.transport.tuning import Tuning

SPEEDING_S = 2.0  # for about so long a tempo goes on changing the way it does
TEMPO_WALK, BEAT_WALK = 5e-4, 2e-5  # variances by which tempo (beats/s) and beat are unsure, beside that, after a second
SLOWEST = 0.3  # beats a second
BEGINS = (0.02, 0.04)  # standard deviations at first: beats, and share of the tempo
AHEAD_BEATS = 1.0  # the period told is the one expected in so many beats


class Pace:
    """Where the beat is, `beat` at `second`, and how it goes on."""

    def __init__(self, second: float, beat: float, period_s: float, tuning: Tuning) -> None:
        self.second = second
        self._tuning = tuning
        self._state = np.array([beat, 1 / period_s, 0.0])  # beats, beats/s, beats/s^2
        self._variance = np.diag([BEGINS[0] ** 2, (BEGINS[1] / period_s) ** 2, tuning.speeding**2])

    @property
    def beat(self) -> float:
        """Beat at `second`; beats are counted on from where it began."""
        return float(self._state[0])

    @property
    def now_s(self) -> float:
        """Period at `second`."""
        return 1 / max(float(self._state[1]), SLOWEST)

    @property
    def period_s(self) -> float:
        """Period that the next beat is expected by."""
        tempo = float(self._state[1] + self._state[2] * SPEEDING_S * (1 - math.exp(-AHEAD_BEATS * self.now_s / SPEEDING_S)))
        return 1 / max(tempo, SLOWEST)

    def go_on(self, second: float) -> None:
        """Go on to a later second."""
        passed = second - self.second
        self.second = second
        left = math.exp(-passed / SPEEDING_S)
        reach = SPEEDING_S * (1 - left)
        step = np.array([[1.0, passed, SPEEDING_S * (passed - reach)], [0.0, 1.0, reach], [0.0, 0.0, left]])
        self._state = step @ self._state
        self._variance = step @ self._variance @ step.T
        self._variance[0, 0] += BEAT_WALK * passed
        self._variance[1, 1] += TEMPO_WALK * passed
        self._variance[2, 2] += self._tuning.speeding**2 * (1 - left**2)

    def put_right(self, off: float, period_s: float) -> None:
        """Take what was seen: the beat lies so many beats from where it was expected, at a period."""
        self._learn(0, off, self._tuning.beat_noise_s / self.now_s)
        self._learn(1, 1 / period_s - float(self._state[1]), self._tuning.tempo_noise / self.now_s)

    def _learn(self, number: int, off: float, noise: float) -> None:
        gain = self._variance[:, number] / (self._variance[number, number] + noise**2)
        self._state = self._state + gain * off
        self._variance = self._variance - np.outer(gain, self._variance[number])
