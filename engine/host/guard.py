"""What a plugin puts out is looked at before it is mixed: what is no sound is silence, and the plugin is named.

Runs on: host process (audio thread).
"""

from __future__ import annotations

import numpy as np

LOUDEST = 16.0  # full scale is 1; a plugin that puts out more than this has run away
FAINTEST = 1e-30  # what is smaller is a denormal number or soon will be, and costs a hundred times the work of others
DIRECT = 0.5  # a mean of this size over DIRECT_S is no sound, and bad for a loudspeaker
DIRECT_S = 0.25
CALM_S = 0.5  # so long it must have been fine to be heard again


class Guard:
    """Looks at the output of one plugin; `fault` says what is wrong with it, and is empty while it is heard."""

    def __init__(self, blocks_per_s: float) -> None:
        self.fault = ""
        self._share = 1 / (DIRECT_S * blocks_per_s)
        self._calm = round(CALM_S * blocks_per_s)
        self._mean = 0.0
        self._fine_blocks = 0
        self._faint_blocks = 0

    def check(self, out: np.ndarray) -> None:
        """Silence `out`, float32 (CHANNELS, frames), in place where it is no sound."""
        peak = float(max(out.max(), -out.min()))
        if peak == 0.0 and not self.fault:
            self._mean -= self._mean * self._share
            return
        wrong = self._wrong(out, peak)
        if wrong:
            self.fault = wrong
            self._fine_blocks = 0
        elif self.fault:
            self._fine_blocks += 1
            if self._fine_blocks >= self._calm:
                self.fault = ""
        if self.fault:
            out.fill(0.0)

    def _wrong(self, out: np.ndarray, peak: float) -> str:
        if not peak <= LOUDEST:  # true of what is no number, too
            self._mean = 0.0
            return (
                "puts out what is no number" if not np.isfinite(out).all() else f"is louder than {LOUDEST:g} times full scale"
            )
        if 0.0 < peak < FAINTEST:
            out.fill(0.0)
            self._faint_blocks += 1
            return "puts out denormal numbers" if self._faint_blocks > self._calm else ""
        self._faint_blocks = 0
        self._mean += (float(out.mean()) - self._mean) * self._share
        return "puts out direct current" if abs(self._mean) > DIRECT else ""
