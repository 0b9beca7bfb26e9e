"""What rhythms are usual: how likely an onset is at each place of the bar, after one at another, at each tempo.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from engine.transport.onsets import FEATURES
from engine.transport.tuning import DRUMS, NOTES, Tuning

FILE = Path(__file__).with_name("rhythms.npz")
PLACES = 12  # places in a beat that were counted: they hold sixteenths and triplets, and the sixths of a compound beat
FINE = 36  # places in a beat that a follower knows
TEMPI_BPM = np.exp(np.arange(np.log(46), np.log(236), 0.025))  # (K,) that it considers


class Rhythms:
    """Tables for one kind of music in one metre; K tempi, J = FINE * bar places."""

    def __init__(self, following: np.ndarray, features: np.ndarray, first: np.ndarray, tuning: Tuning) -> None:
        """From counts, (P, P), (P, F, levels) and (P,), P = PLACES * bar."""
        size = len(following)
        self.tuning = tuning
        self.bar = size // PLACES
        self.size = FINE * self.bar
        self.period_s = 60 / TEMPI_BPM
        anywhere = following.sum(0) + 1.0
        anywhere /= anywhere.sum()
        begins = first + tuning.first * anywhere
        begins /= begins.sum()
        given = following + tuning.smooth * anywhere
        given /= given.sum(1, keepdims=True)
        self.following = np.empty((len(TEMPI_BPM), self.size, self.size), np.float32)  # [k, s, j]: at j, s after the one before
        self.first = np.empty((len(TEMPI_BPM), self.size), np.float32)
        fine = np.arange(self.size)[:, None] / FINE
        off = (fine - np.arange(size) / PLACES + self.bar / 2) % self.bar - self.bar / 2  # (J, P) beats
        steps = (np.arange(self.size)[None, :] - np.arange(self.size)[:, None]) % self.size  # [s, j] -> place before
        for k, period in enumerate(self.period_s):
            near = np.exp(-0.5 * (off * period / tuning.noise_s) ** 2)  # (J, P)
            whose = near / (near.sum(1, keepdims=True) + 1e-12)
            density = near / (tuning.noise_s * np.sqrt(2 * np.pi))
            likely = whose @ given @ density.T + tuning.stray * 10  # (J before, J now), per second
            self.following[k] = (likely**tuning.power)[steps, np.arange(self.size)[None, :]]
            self.first[k] = begins @ density.T + tuning.stray * 10
        seen = features + 1e-9
        levels = FEATURES[tuning.drums]
        self.features: list[np.ndarray] = []  # of each a (levels, J)
        for number, many in enumerate(levels):
            counted = seen[:, number, :many]
            usual = counted.sum(0) / counted.sum()
            shares = counted + tuning.smooth * usual
            shares = shares / shares.sum(1, keepdims=True) / usual
            of = np.repeat(shares, FINE // PLACES, 0)
            of = np.roll(of, -(FINE // PLACES // 2), 0)
            self.features.append(np.ascontiguousarray(of.T**tuning.temper, np.float32))
        octaves = np.log2(TEMPI_BPM / tuning.prior_bpm) / tuning.prior_octaves
        slowest, fastest = tuning.usual_bpm
        beyond = np.maximum(np.log2(slowest / TEMPI_BPM), np.log2(TEMPI_BPM / fastest)).clip(0)
        prior = np.exp(-0.5 * octaves**2 - 0.5 * (beyond / tuning.edge_octaves) ** 2)
        self.prior = (prior / prior.sum()).astype(np.float32)


def name_of(drums: bool, bar: int, compound: bool) -> str:
    """Return what the counts of a metre are called in FILE."""
    return f"{'drums' if drums else 'notes'}{bar}{'x3' if compound else ''}"


@cache
def rhythms(drums: bool, bar: int, compound: bool = False) -> Rhythms:
    """Return the tables for drums or notes in a metre of `bar` beats, which go in threes where it is compound.

    Of a metre that was not counted every beat is like any other, as in the commonest one whose beats go alike.
    """
    with np.load(FILE, allow_pickle=False) as tables:
        name = name_of(drums, bar, compound)
        counted = f"{name}.following" in tables
        if not counted:
            name = name_of(drums, 2 if compound else 4, compound)
        following, features, first = (tables[f"{name}.{what}"].astype(float) for what in ("following", "features", "first"))
    if not counted:
        following, features, first = _of_any_beat(following, features, first, bar)
    return Rhythms(following, features, first, DRUMS if drums else NOTES)


def _of_any_beat(
    following: np.ndarray, features: np.ndarray, first: np.ndarray, bar: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the counts of a bar of another length, every beat as the beats are on average."""
    beats = len(first) // PLACES
    found = np.zeros((bar, PLACES, bar, PLACES))
    counts = following.reshape(beats, PLACES, beats, PLACES)
    for before in range(beats):
        for on in range(beats):
            for beat in range(bar):
                found[beat, :, (beat + on) % bar] += counts[before, :, (before + on) % beats] / bar
    size = bar * PLACES
    levels = np.tile(features.reshape(beats, PLACES, *features.shape[1:]).sum(0) / bar, (bar, 1, 1))
    return found.reshape(size, size), levels, np.tile(first.reshape(beats, PLACES).sum(0) / bar, bar)
