"""Auto-range: what a signal usually is becomes the range 0..1, slowly and by itself.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import numpy as np

from engine.feed.signals.catalogue import SILENT_DB, Catalogue

SAMPLE_S = 0.25  # how often the values are remembered
REMEMBERED = 480  # samples: two minutes of sound
FIRST = 16  # samples after which the range is the one found; before, the declared one counts too
RENEW_S = 1.0  # how often the range is found anew
GLIDE = 0.15  # share of the way to it that the range then goes
SAME_S = 0.0002  # moments that are apart as long as the last two were
TINY_S = 1e-6
ALMOST, ALMOST_DB = 1e-3, 0.5  # what is no further above nothing is nothing
LOW, HIGH = 0.03, 0.97  # quantiles that become 0 and 1


class Falls:
    """Lets raw values fall no faster than each of them may."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._release_s = np.maximum([s.release_s for s in catalogue.signals], TINY_S)
        self._shown = np.zeros(len(catalogue), np.float32)
        self._left = np.zeros(len(catalogue), np.float32)  # of the way down, after so long:
        self._passed_s = 0.0

    def advance(self, raw: np.ndarray, passed_s: float) -> np.ndarray:
        """Return what is shown so long after the last time, (n,)."""
        if abs(passed_s - self._passed_s) > SAME_S:
            self._passed_s = passed_s
            self._left = np.exp(-passed_s / self._release_s).astype(np.float32)
        shown = self._shown
        shown -= raw
        np.maximum(shown, 0.0, out=shown)
        shown *= self._left
        shown += raw
        return shown


class Ranges:
    """Maps raw values to 0..1 by the quantiles of each one's last two minutes in which it sounded, however long ago."""

    def __init__(self, catalogue: Catalogue) -> None:
        signals = catalogue.signals
        self._log = np.array([n for n, s in enumerate(signals) if s.log], np.intp)
        self._ranged = np.array([s.ranged for s in signals])
        db = np.array([s.unit in ("dBFS", "LUFS") for s in signals])
        self.silent = np.where(db, SILENT_DB + ALMOST_DB, ALMOST).astype(np.float32)
        low, high = (np.array([getattr(s, name) for s in signals], np.float32) for name in ("low", "high"))
        for bound in (low, high):
            bound[self._log] = np.log2(bound[self._log])
        self._first_low, self._first_high = low, high
        self.low, self.high = low.copy(), high.copy()
        self._gain = 1 / (high - low)
        self._least = np.array([s.least for s in signals], np.float32)
        self._history = np.full((REMEMBERED, len(signals)), np.inf, np.float32)  # of each what it was while it sounded
        self._counts = np.zeros(len(signals), np.intp)
        self._sample_s = self._renew_s = -1e9
        self._scaled = np.zeros(len(signals), np.float32)

    def map(self, shown: np.ndarray, raw: np.ndarray, out: np.ndarray, now_s: float, awake: bool) -> None:
        """Write what `shown` (n,) is in its range to `out` (n,). The ranges learn while there is music: `awake`.

        They learn where there is something, `raw`: the fall after it is none of it.
        """
        scaled = self._scaled
        scaled[:] = shown
        if len(self._log):
            scaled[self._log] = np.log2(np.maximum(shown[self._log], 1.0))
        if awake and now_s >= self._sample_s + SAMPLE_S:
            self._sample_s = now_s
            heard = np.flatnonzero(raw > self.silent)
            self._history[self._counts[heard] % REMEMBERED, heard] = scaled[heard]
            self._counts[heard] += 1
            if now_s >= self._renew_s + RENEW_S:
                self._renew_s = now_s
                self._renew()
        np.subtract(scaled, self.low, out=out)
        out *= self._gain
        out.clip(0.0, 1.0, out=out)

    def _renew(self) -> None:
        kept = np.sort(self._history, axis=0)  # what is not there yet at the end
        heard = np.minimum(self._counts, REMEMBERED)
        trust = np.minimum(heard / FIRST, 1.0)

        def quantile(share: float) -> np.ndarray:
            found: np.ndarray = np.take_along_axis(kept, (share * np.maximum(heard - 1, 0)).astype(np.intp)[None], 0)[0]
            return np.where(heard > 0, found, 0.0)

        low = self._first_low + trust * (quantile(LOW) - self._first_low)
        high = self._first_high + trust * (quantile(HIGH) - self._first_high)
        short = np.maximum(self._least - (high - low), 0) / 2
        self.low += self._ranged * GLIDE * (low - short - self.low)
        self.high += self._ranged * GLIDE * (high + short - self.high)
        self._gain = 1 / (self.high - self.low)
