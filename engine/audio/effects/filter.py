"""filter: a high pass and a low pass, 12 dB an octave each.

Runs on: audio process (audio callback). A section of second order with the poles p and its conjugate is one complex recursion,
s[n] = p s[n-1] + x[n] and y[n] = d x[n] + 2 Re(c s[n]), so a whole block is one product with powers of p.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS
from engine.core.parameters import Parameter

LOWEST_HZ, HIGHEST_HZ = 20.0, 20000.0  # where a filter lets everything through
_STEPS = np.arange(BLOCK)
_BACK = _STEPS[:, None] - _STEPS  # how long ago each frame of a block is for each


class Section:
    """A Butterworth filter of second order; Cookbook formulae for audio EQ biquads (R. Bristow-Johnson), Q = 0.7071."""

    def __init__(self, is_low_pass: bool, rate_hz: float) -> None:
        self._is_low_pass, self._rate_hz = is_low_pass, rate_hz
        self._hz = 0.0
        self._state = np.zeros(OUTPUTS, np.complex128)

    def tune(self, hz: float) -> None:
        """Move the corner."""
        if hz == self._hz:
            return
        self._hz = hz
        omega = 2 * math.pi * min(hz, 0.45 * self._rate_hz) / self._rate_hz
        alpha = math.sin(omega) / (2 * math.sqrt(0.5))
        cos, a0 = math.cos(omega), 1 + alpha
        a1, a2 = -2 * cos / a0, (1 - alpha) / a0
        edge = (1 - cos) / 2 / a0 if self._is_low_pass else (1 + cos) / 2 / a0
        b0, b1, b2 = edge, (2 if self._is_low_pass else -2) * edge, edge
        pole = complex(-a1 / 2, math.sqrt(max(a2 - a1 * a1 / 4, 1e-18)))
        direct = b2 / a2
        share = ((b0 - direct) * pole + (b1 - direct * a1)) / (pole - pole.conjugate())
        powers = pole ** np.arange(BLOCK + 1)
        response = 2 * (share * powers[:BLOCK]).real
        response[0] += direct
        self._matrix = np.where(_BACK >= 0, response[np.maximum(_BACK, 0)], 0.0)  # (BLOCK, BLOCK)
        self._ring = 2 * share * powers[1:]  # (BLOCK,): what the state gives to each frame
        self._gather = powers[BLOCK - 1 :: -1].copy()  # (BLOCK,): what each frame gives to the state
        self._keep = powers[BLOCK]

    def process(self, block: np.ndarray) -> None:
        """Filter a block in place."""
        wet = self._matrix @ block
        wet += np.outer(self._ring, self._state).real
        self._state = self._keep * self._state + self._gather @ block
        if not np.abs(self._state).max() > 1e-15:
            self._state[:] = 0  # nothing rings on as denormal numbers
        block[:] = wet


class Effect:
    """See Processor. Corners glide, an eighth of the way a block."""

    name = "filter"
    latency_frames = 0
    parameters: ClassVar = (
        Parameter("low_cut", LOWEST_HZ, HIGHEST_HZ, LOWEST_HZ, "What is lower goes", "Hz", scale="exponential"),
        Parameter("high_cut", LOWEST_HZ, HIGHEST_HZ, HIGHEST_HZ, "What is higher goes", "Hz", scale="exponential"),
    )

    def __init__(self, rate_hz: float) -> None:
        self._sections = {"low_cut": Section(False, rate_hz), "high_cut": Section(True, rate_hz)}
        self._aims = {parameter.id: parameter.default for parameter in self.parameters}
        self._corners = dict(self._aims)
        self._open = dict(self._aims)  # where each lets everything through

    def process(self, block: np.ndarray) -> None:
        """See Processor."""
        for name, section in self._sections.items():
            corner, aim = self._corners[name], self._aims[name]
            if corner != aim:
                corner *= (aim / corner) ** 0.125
                self._corners[name] = corner = aim if abs(corner / aim - 1) < 1e-3 else corner
            elif corner == self._open[name]:
                continue
            section.tune(corner)
            section.process(block)

    def set(self, parameter_id: str, value: float) -> None:
        """See Processor."""
        self._aims[parameter_id] = value

    def state(self) -> bytes:
        """Its knobs are all of it."""
        return b""

    def restore(self, state: bytes) -> None:
        """Its knobs are all of it."""
