"""Sound in numbers: level, peak, loudness, bands, onset strength and brightness of every bus, from what the rings hold.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS
from engine.feed.signals.catalogue import BANDS, BANDS_HZ, OF_LEVEL, SILENT_DB
from engine.feed.signals.loudness import KWeighting, ShortTerm

WINDOW = 1024  # frames of a spectrum, and of level and peak
_BLOCKS = WINDOW // BLOCK
SPECTRUM_FRAMES = 400  # a spectrum is taken no more often than this
TINY = 1e-12
RMS, PEAK, LOUDNESS, ONSET, BRIGHTNESS = range(5)


class Levels:
    """Measures stereo buses, given block by block: `take`, then `values` are the newest, (buses, 5 + BANDS), raw."""

    def __init__(self, rate_hz: float, buses: int) -> None:
        channels = OUTPUTS * buses
        self.values = np.zeros((buses, len(OF_LEVEL) + BANDS), np.float32)
        self._buses = buses
        self._weighting = KWeighting(rate_hz, channels)
        self._short_term = ShortTerm(rate_hz, buses)
        self._window = np.sin(np.pi * (np.arange(WINDOW, dtype=np.float32) + 0.5) / WINDOW).astype(np.float32)
        # With a sine window the squares of a spectrum sum up to WINDOW / 2 of the samples' own.
        self._scale = np.float32(2.0 / (WINDOW / 2 * WINDOW))
        self._hz = np.fft.rfftfreq(WINDOW, 1 / rate_hz).astype(np.float32)
        self._to_bands = _bands(self._hz)
        self._samples = np.zeros((channels, WINDOW), np.float32)
        self._sums = np.zeros((_BLOCKS, buses))
        self._peaks = np.zeros((_BLOCKS, buses), np.float32)
        self._bands_db = np.full((buses, BANDS), SILENT_DB, np.float32)
        self._since_spectrum = 0
        self._quiet()

    def _quiet(self) -> None:
        self.values[:] = SILENT_DB
        self.values[:, [ONSET, BRIGHTNESS]] = 0.0

    def take(self, samples: np.ndarray) -> None:
        """Take blocks, (n, BLOCK, channels) float32."""
        n = len(samples)
        if not n:
            return
        blocks = np.ascontiguousarray(samples.transpose(0, 2, 1))  # (n, channels, BLOCK)
        if not np.isfinite(np.add.reduce(blocks, None)):
            blocks = np.nan_to_num(blocks, nan=0.0, posinf=0.0, neginf=0.0)
        self._short_term.add(self._by_bus(self._weighting.energies(blocks)))
        squares = self._by_bus(np.einsum("ncf,ncf->nc", blocks, blocks))
        peaks = np.abs(blocks).max(2).reshape(n, self._buses, OUTPUTS).max(2)
        self._sums = np.concatenate((self._sums, squares))[-_BLOCKS:]
        self._peaks = np.concatenate((self._peaks, peaks))[-_BLOCKS:]
        flat = blocks[-_BLOCKS:].transpose(1, 0, 2).reshape(len(self._samples), -1)
        kept = WINDOW - flat.shape[1]
        self._samples[:, :kept] = self._samples[:, WINDOW - kept :]
        self._samples[:, kept:] = flat
        self._since_spectrum += n * BLOCK
        self._sum_up()

    def _by_bus(self, of_channels: np.ndarray) -> np.ndarray:
        summed: np.ndarray = of_channels.reshape(len(of_channels), self._buses, OUTPUTS).sum(2)
        return summed

    def _sum_up(self) -> None:
        values = self.values
        values[:, RMS] = 10 * np.log10(np.maximum(self._sums.sum(0) / (OUTPUTS * WINDOW), TINY))
        values[:, PEAK] = 20 * np.log10(np.maximum(self._peaks.max(0), TINY))
        values[:, LOUDNESS] = self._short_term.lufs()
        if self._since_spectrum >= SPECTRUM_FRAMES:
            self._since_spectrum = 0
            self._spectrum()
        floored = values[:, : LOUDNESS + 1]
        np.maximum(floored, SILENT_DB, out=floored)

    def _spectrum(self) -> None:
        spectrum = np.fft.rfft(self._samples * self._window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) * self._scale
        power = power.reshape(self._buses, OUTPUTS, -1).sum(1) / OUTPUTS
        whole = power.sum(1)
        bands = np.maximum(10 * np.log10(np.maximum(power @ self._to_bands, TINY)), SILENT_DB)
        self.values[:, ONSET] = np.maximum(bands - self._bands_db, 0.0).mean(1)
        audible = 10 * np.log10(np.maximum(whole, TINY)) > SILENT_DB
        # What falls silent keeps the colour that it had.
        self.values[audible, BRIGHTNESS] = (power @ self._hz)[audible] / whole[audible]
        self.values[:, len(OF_LEVEL) :] = bands
        self._bands_db = bands


def _bands(hz: np.ndarray) -> np.ndarray:
    """The share of each bin of a spectrum that lies in each band, (bins, BANDS)."""
    width = hz[1] - hz[0]
    low, high = np.maximum(hz - width / 2, 0)[:, None], (hz + width / 2)[:, None]
    shared = np.minimum(high, BANDS_HZ[None, 1:]) - np.maximum(low, BANDS_HZ[None, :-1])
    shares: np.ndarray = (np.clip(shared, 0, None) / width).astype(np.float32)
    return shares
