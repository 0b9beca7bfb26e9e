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
        self._scale = np.float32(2.0 / (WINDOW / 2 * WINDOW) / OUTPUTS)
        hz = np.fft.rfftfreq(WINDOW, 1 / rate_hz).astype(np.float32)
        self._hz, self._to_bands = np.repeat(hz, 2), np.repeat(_bands(hz), 2, axis=0)  # of both parts of each bin
        self._samples = np.zeros((channels, WINDOW), np.float32)
        self._spare = np.zeros_like(self._samples)
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
        latest = blocks[-_BLOCKS:]
        kept = WINDOW - len(latest) * BLOCK
        samples = self._samples
        samples[:, :kept] = samples[:, WINDOW - kept :]
        samples[:, kept:].reshape(len(samples), -1, BLOCK)[:] = latest.transpose(1, 0, 2)
        self._since_spectrum += n * BLOCK
        self._sum_up()

    def _by_bus(self, of_channels: np.ndarray) -> np.ndarray:
        summed: np.ndarray = of_channels.reshape(len(of_channels), self._buses, OUTPUTS).sum(2)
        return summed

    def _sum_up(self) -> None:
        values = self.values
        samples, spare = self._samples, self._spare
        squares = np.einsum("cf,cf->c", samples, samples).reshape(self._buses, OUTPUTS).sum(1)
        values[:, RMS] = 10 * np.log10(np.maximum(squares / (OUTPUTS * WINDOW), TINY))
        peaks = np.abs(samples, out=spare).reshape(self._buses, OUTPUTS * WINDOW).max(1)
        values[:, PEAK] = 20 * np.log10(np.maximum(peaks, TINY))
        values[:, LOUDNESS] = self._short_term.lufs()
        if self._since_spectrum >= SPECTRUM_FRAMES:
            self._since_spectrum = 0
            # What never rises above what is shown as silence needs none: no band of it does.
            self._spectrum(np.flatnonzero(values[:, PEAK] > SILENT_DB))
        floored = values[:, : LOUDNESS + 1]
        np.maximum(floored, SILENT_DB, out=floored)

    def _spectrum(self, heard: np.ndarray) -> None:
        """Take the spectrum of these buses; the others are silent."""
        every = np.full((self._buses, BANDS), SILENT_DB, np.float32)
        if len(heard):
            every[heard] = self._measured(heard)
        self.values[:, ONSET] = np.maximum(every - self._bands_db, 0.0).mean(1)
        self.values[:, len(OF_LEVEL) :] = every
        self._bands_db = every

    def _measured(self, heard: np.ndarray) -> np.ndarray:
        """Find the brightness of these buses; return their bands, dB."""
        samples = self._samples.reshape(self._buses, OUTPUTS, WINDOW)
        if len(heard) < self._buses:
            samples = samples[heard]
        spectrum = np.fft.rfft(samples * self._window, axis=2).reshape(len(heard) * OUTPUTS, -1)
        parts = spectrum.view(np.float32)  # the real part of each bin, then the imaginary one
        squares = np.multiply(parts, parts)
        power = squares[::OUTPUTS]
        for side in range(1, OUTPUTS):
            power = power + squares[side::OUTPUTS]
        power *= self._scale
        whole = power.sum(1)
        bands: np.ndarray = np.maximum(10 * np.log10(np.maximum(power @ self._to_bands, TINY)), SILENT_DB)
        audible = 10 * np.log10(np.maximum(whole, TINY)) > SILENT_DB
        # What falls silent keeps the colour that it had.
        self.values[heard[audible], BRIGHTNESS] = (power @ self._hz)[audible] / whole[audible]
        return bands


def _bands(hz: np.ndarray) -> np.ndarray:
    """The share of each bin of a spectrum that lies in each band, (bins, BANDS)."""
    width = hz[1] - hz[0]
    low, high = np.maximum(hz - width / 2, 0)[:, None], (hz + width / 2)[:, None]
    shared = np.minimum(high, BANDS_HZ[None, 1:]) - np.maximum(low, BANDS_HZ[None, :-1])
    shares: np.ndarray = (np.clip(shared, 0, None) / width).astype(np.float32)
    return shares
