"""Sound in numbers: level, peak, loudness, bands, onset strength and brightness of every bus, from what the rings hold.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import math

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS
from engine.feed.signals.catalogue import BANDS, BANDS_HZ, OF_LEVEL, SILENT_DB
from engine.feed.signals.loudness import KWeighting, ShortTerm

WINDOW = 1024  # frames of a spectrum, and of level and peak
_BLOCKS = WINDOW // BLOCK
ROOM = 12 * WINDOW  # frames that are kept until the last of them are moved to the front
SPECTRUM_FRAMES = 400  # a spectrum is taken no more often than this
LOUDNESS_BLOCKS, MOST_WAITING = 24, 128  # blocks at a time whose loudness is found: thirty times a second or so; the most
LOUDEST = 1e9  # sample; what is beyond is an accident
SILENT_POWER = 10 ** (SILENT_DB / 10)
RMS, PEAK, LOUDNESS, ONSET, BRIGHTNESS = range(5)


class Levels:
    """Measures stereo buses, given block by block: `take`, then `values` are the newest, (buses, 5 + BANDS), raw.

    Loudness looks back on three seconds: it is found by `settle`, some thirty times a second, when there is time for it.
    """

    def __init__(self, rate_hz: float, buses: int) -> None:
        self.values = np.zeros((buses, len(OF_LEVEL) + BANDS), np.float32)
        self._buses = buses
        self._weighting = KWeighting(rate_hz, OUTPUTS * buses)
        self._short_term = ShortTerm(rate_hz, buses)
        self._waiting = np.zeros((MOST_WAITING, BLOCK, OUTPUTS * buses), np.float32)  # blocks whose loudness is not found yet
        self._waits = 0
        self._sounded = np.zeros((2, buses), bool)  # in what waits, and in what was before it
        # A stereo bus is one complex number a frame. With a sine window the squares of a spectrum sum up to half of WINDOW
        # times those of the samples.
        self._samples = np.zeros((buses, ROOM), np.complex64)
        self._end = WINDOW  # of what was taken
        self._window = np.sin(np.pi * (np.arange(WINDOW, dtype=np.float32) + 0.5) / WINDOW).astype(np.float32)
        hz = np.fft.rfftfreq(WINDOW, 1 / rate_hz)[1:-1]
        summed = np.hstack([_bands(hz), np.ones((len(hz), 1)), hz[:, None]]) / (WINDOW / 2 * WINDOW * OUTPUTS)
        self._to_bands = summed.astype(np.float32)  # what the power of each bin adds to each band, to all, to their centre
        self._power = np.zeros((buses, PEAK + 1 + BANDS), np.float32)  # of the level, of the peak, of each band
        self._since_spectrum = 0
        self.values[:] = SILENT_DB
        self.values[:, [ONSET, BRIGHTNESS]] = 0.0

    def take(self, blocks: np.ndarray) -> None:
        """Take blocks, (n, BLOCK, channels) float32. What is no number among them is made silence, where it stands."""
        n = len(blocks)
        flat = blocks.reshape(-1)
        if not math.isfinite(flat @ flat):
            np.clip(np.nan_to_num(blocks, nan=0.0, posinf=0.0, neginf=0.0), -LOUDEST, LOUDEST, out=blocks)
        if self._waits + n > MOST_WAITING:
            self.settle(of_all=True)
        self._waiting[self._waits : self._waits + n] = blocks
        self._waits += n
        self._keep(blocks[-_BLOCKS:])
        self._since_spectrum += n * BLOCK
        self._measure()

    def _keep(self, blocks: np.ndarray) -> None:
        """Lay the samples behind those that were taken before."""
        frames = len(blocks) * BLOCK
        if self._end + frames > ROOM:
            self._samples[:, :WINDOW] = self._samples[:, self._end - WINDOW : self._end]
            self._end = WINDOW
        pairs = np.ascontiguousarray(blocks).view(np.complex64).reshape(frames, self._buses)
        self._samples[:, self._end : self._end + frames] = pairs.T
        self._end += frames

    def settle(self, of_all: bool = False) -> None:
        """Find the loudness of what waits, where that is enough, or `of_all`."""
        count = self._waits
        if not count or (count < LOUDNESS_BLOCKS and not of_all):
            return
        self._waits = 0
        energies = np.zeros((count, self._buses))
        sounds = np.flatnonzero(self._sounded.any(0))  # the filters of one that has just fallen silent still ring
        self._sounded[1], self._sounded[0] = self._sounded[0], False
        if len(sounds):
            channels = (OUTPUTS * sounds[:, None] + np.arange(OUTPUTS)).ravel()
            blocks = np.ascontiguousarray(self._waiting[:count, :, channels].transpose(0, 2, 1))
            energies[:, sounds] = self._weighting.energies(blocks, channels).reshape(count, -1, OUTPUTS).sum(2)
        self._short_term.add(energies)
        self.values[:, LOUDNESS] = np.maximum(self._short_term.lufs(), SILENT_DB)

    def _measure(self) -> None:
        samples = self._samples[:, self._end - WINDOW : self._end]
        sides = samples.view(np.float32)
        highest = np.maximum(np.maximum.reduce(sides, 1), -np.minimum.reduce(sides, 1))
        self._sounded[0] |= highest > 0
        power, values = self._power, self.values
        power[:, RMS] = np.vecdot(sides, sides) / (OUTPUTS * WINDOW)
        power[:, PEAK] = highest * highest
        fresh = self._since_spectrum >= SPECTRUM_FRAMES
        if fresh:
            self._since_spectrum = 0
            self._spectrum(samples)
        db = 10 * np.log10(np.maximum(power, SILENT_POWER))
        values[:, : PEAK + 1] = db[:, : PEAK + 1]
        if fresh:
            bands = db[:, PEAK + 1 :]
            values[:, ONSET] = np.maximum(bands - values[:, len(OF_LEVEL) :], 0.0).sum(1) / BANDS
            values[:, len(OF_LEVEL) :] = bands

    def _spectrum(self, samples: np.ndarray) -> None:
        """Find the power in each band and the brightness, of (buses, WINDOW) complex64."""
        parts = np.fft.fft(samples * self._window).view(np.float32)
        parts *= parts
        # Both channels of a bus lie in a frequency and its mirror: parts of either, one behind the other.
        both = parts[:, 2:WINDOW] + parts[:, : WINDOW + 1 : -1]
        found = (both[:, ::2] + both[:, 1::2]) @ self._to_bands
        self._power[:, PEAK + 1 :] = found[:, :BANDS]
        brightness, whole = self.values[:, BRIGHTNESS], found[:, BANDS]
        # What falls silent keeps the colour that it had.
        np.divide(found[:, BANDS + 1], whole, out=brightness, where=whole > SILENT_POWER)


def _bands(hz: np.ndarray) -> np.ndarray:
    """The share of each bin of a spectrum that lies in each band, (bins, BANDS); `hz` has no sign."""
    width = hz[1] - hz[0]
    low, high = np.maximum(hz - width / 2, 0)[:, None], (hz + width / 2)[:, None]
    shared = np.minimum(high, BANDS_HZ[None, 1:]) - np.maximum(low, BANDS_HZ[None, :-1])
    shares: np.ndarray = np.clip(shared, 0, None) / width
    return shares
