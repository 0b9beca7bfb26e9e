"""The drum kit: General MIDI pitches; any other pitch falls to the nearest sensible sound.

Runs on: audio process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pyo import DataTable, MToT, PyoObject, Sig, TrigEnv

from engine.audio.patch import Notes, Param, Patch, Voice

Wave = NDArray[np.float64]  # (samples,) mono, or (2, samples) stereo, at RATE

RATE = 48000  # of the drawn waves; they sound the same at any rate of the device

# Who plays what, General MIDI 1 and 2; the toms are tuned to the pitch. Together these are all 128.
KICK = (36, 35, 86, 87, *range(27))
RIM = (37, 27, 31, 32, 33, 75, 76, 77, 78, 79, 85)
SNARE = (38, 40)
CLAP = (39, 28)
HAT = (42, 44, 46)
LOW_TOM = (41, 43)
MID_TOM = (45, 47)
HIGH_TOM = (50, 48, 60, 61, 62, 63, 64, 65, 66)
CRASH = (49, 52)
SPLASH = (57, 55)
RIDE = (51, 59)
BELL = (53, 34, 71, 72, 80, 81, 84)
COWBELL = (56, 67, 68)
TAMBOURINE = (54, 58, 83)
SHAKER = (70, 29, 30, 69, 73, 74, 82, *range(88, 128))


class Drums(Patch):
    """Drum kit: deep kick, snare with a room, one hi-hat, toms, cymbals, small percussion."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("tune", -12, 12, 0, "semitones", doc="All drums higher or lower"),
        Param("snap", 0, 2, 1, doc="Beater, stick and wires against the body"),
        Param("room", 0, 2, 1, doc="The room around kick, snare and toms"),
        Param("cymbals", 0, 2, 1, doc="Hi-hat and cymbals against the drums"),
        Param("open", 0.1, 2, 0.6, "s", "exp", "How long the open hi-hat rings"),
    )
    polyphony: ClassVar[int] = 1  # every drum has its own voice; nothing falls to the common one

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Draw every drum once, and let each strike read its waves; harder strikes add their bright layer."""
        self._tables: list[DataTable] = []  # pyo reads a table's memory without keeping the table alive
        self._strike: dict[int, tuple[Callable[[float], None], Callable[[float], None]]] = {}
        slower = MToT(60 - p.tune)
        noise = np.random.default_rng(808)

        def struck(pitches: tuple[int, ...], make: Callable[[Voice, PyoObject, PyoObject], PyoObject]) -> PyoObject:
            def drum(voice: Voice) -> PyoObject:
                loud, bright = Sig(0), Sig(0)
                setters = loud.getBaseObjects()[0].setValue, bright.getBaseObjects()[0].setValue
                self._strike.update(dict.fromkeys(pitches, setters))
                return make(voice, loud, bright)

            return notes.key(*pitches).each(drum)[0]

        def skin(pitches: tuple[int, ...], body: Wave, snap: Wave, level: float, room: float, tuned: bool) -> PyoObject:
            def drum(voice: Voice, loud: PyoObject, bright: PyoObject) -> PyoObject:
                stretch = slower * (_hz(pitches[0]) / voice.pitch) if tuned else slower
                wet = _in_room(body + _longer(snap, body), noise) * room
                return (
                    TrigEnv(voice.on, self._table(wet * level), stretch * _seconds(wet), mul=loud * p.room)
                    + TrigEnv(voice.on, self._table(body * level), stretch * _seconds(body), mul=loud)
                    + TrigEnv(voice.on, self._table(snap * level), stretch * _seconds(snap), mul=bright * p.snap)
                )

            return struck(pitches, drum)

        def metal(pitches: tuple[int, ...], wash: Wave, ping: Wave, level: float) -> PyoObject:
            def drum(voice: Voice, loud: PyoObject, bright: PyoObject) -> PyoObject:
                return TrigEnv(voice.on, self._table(wash * level), slower * _seconds(wash), mul=bright * p.cymbals) + TrigEnv(
                    voice.on, self._table(ping * level), slower * _seconds(ping), mul=loud * p.cymbals
                )

            return struck(pitches, drum)

        def hat(voice: Voice, loud: PyoObject, bright: PyoObject) -> PyoObject:
            # One pair of cymbals, one voice: the pitch decides how long it rings, so that closing it chokes it.
            ring = 0.12 - (voice.pitch > _hz(43)) * 0.05 + (voice.pitch > _hz(45)) * (p.open - 0.07)
            fall = _fall(1.0, 0.19)
            fade = TrigEnv(voice.on, self._table(fall), ring * _seconds(fall))
            bronze, hiss = (wave * 0.26 for wave in _sizzle(noise))
            return TrigEnv(voice.on, self._table(bronze), slower * _seconds(bronze), mul=fade * loud * p.cymbals) + TrigEnv(
                voice.on, self._table(hiss), slower * _seconds(hiss), mul=fade * bright * p.cymbals
            )

        kit = [
            skin(KICK, _kick(), _beater(noise), 0.39, 0.05, tuned=False),
            skin(SNARE, _shell(), _wires(noise), 0.37, 0.30, tuned=False),
            skin(RIM, _stick(), _crack(noise), 0.30, 0.25, tuned=False),
            skin(CLAP, _hands(noise, 0.0), _hands(noise, 0.003), 0.30, 0.35, tuned=False),
            skin(LOW_TOM, _tom(87.3, 0.30), _skin(noise), 0.38, 0.20, tuned=True),
            skin(MID_TOM, _tom(110.0, 0.24), _skin(noise), 0.36, 0.20, tuned=True),
            skin(HIGH_TOM, _tom(146.8, 0.18), _skin(noise), 0.34, 0.20, tuned=True),
            struck(HAT, hat),
            metal(CRASH, _wash(noise, 0.75, 300, 2.6), _ping(noise, 0.12, 1900), 0.34),
            metal(SPLASH, _wash(noise, 0.45, 500, 1.8), _ping(noise, 0.10, 2600), 0.32),
            metal(RIDE, _wash(noise, 0.55, 2500, 2.0), _ping(noise, 0.35, 3100), 0.18),
            metal(BELL, _wash(noise, 0.30, 4000, 1.2), _ping(noise, 0.60, 1100), 0.15),
            metal(COWBELL, _pair(_crack(noise)), _pair(_bell()), 0.22),
            metal(TAMBOURINE, _jingles(noise, 0.06), _jingles(noise, 0.15), 0.17),
            metal(SHAKER, _grains(noise, 0.02), _grains(noise, 0.045), 0.17),
        ]
        return reduce(add, kit)

    def note_on(self, pitch: int, velocity: float) -> None:
        """Keep the velocity for as long as the drum rings, which is not as long as the key is down."""
        loud, bright = self._strike[pitch]
        loud(velocity**1.6)
        bright(velocity**2.6)

    def _table(self, wave: Wave) -> DataTable:
        """Return the wave as a table of one or two channels."""
        rows = np.atleast_2d(wave)
        table = DataTable(rows.shape[1], chnls=len(rows))
        for channel, row in enumerate(rows):
            np.asarray(table.getBuffer(channel))[: rows.shape[1]] = row
        self._tables.append(table)
        return table


def _seconds(wave: Wave) -> float:
    """Return how long TrigEnv is to read a wave for: an eighth of a sample less than it lasts.

    Where its reading comes to stand on the very end of a table, TrigEnv takes in the number that lies in memory behind it.
    """
    return (int(wave.shape[-1]) - 0.125) / RATE


def _hz(pitch: float) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def _time(seconds: float) -> Wave:
    return np.arange(int(seconds * RATE)) / RATE


def _fall(seconds: float, constant_s: float) -> Wave:
    """An exponential fall that is exactly 0 at its end; the first 0.2 ms rise, so that no strike begins with a step."""
    t = _time(seconds)
    floor = np.exp(-seconds / constant_s)
    return np.asarray(np.minimum(t / 0.0002, 1) * (np.exp(-t / constant_s) - floor) / (1 - floor))


def _fast_size(samples: int) -> int:
    """The power of two that an FFT of so many samples is padded to: primes are slow."""
    return 1 << (samples - 1).bit_length()


def _band(wave: Wave, low_hz: float, high_hz: float) -> Wave:
    """Keep what lies between two frequencies, with soft edges of half an octave; scaled to a peak of 1."""
    size = _fast_size(wave.shape[-1])
    hz = np.fft.rfftfreq(size, 1 / RATE)
    octaves = np.log2(np.maximum(hz, 1))
    keep = np.clip((octaves - np.log2(low_hz)) * 2 + 1, 0, 1) * np.clip((np.log2(high_hz) - octaves) * 2 + 1, 0, 1)
    kept = np.fft.irfft(np.fft.rfft(wave, size) * keep, size)[..., : wave.shape[-1]]
    return np.asarray(kept / np.abs(kept).max())


def _tone(hz: float, drop_hz: float, drop_s: float, seconds: float, constant_s: float) -> Wave:
    """A sine that falls from hz + drop_hz to hz, fading."""
    t = _time(seconds)
    phase = hz * t + drop_hz * drop_s * (1 - np.exp(-t / drop_s))
    return np.asarray(np.sin(2 * np.pi * phase) * _fall(seconds, constant_s))


def _longer(wave: Wave, other: Wave) -> Wave:
    """Return `wave` with silence after it, or cut, to the length of `other`."""
    return np.pad(wave, (0, max(0, len(other) - len(wave))))[: len(other)]


def _in_room(wave: Wave, noise: np.random.Generator) -> Wave:
    """Return what a small room adds: early reflections and 0.3 s of tail, different left and right; peak as the wave's."""
    tail = _fall(0.34, 0.075) * noise.standard_normal((2, int(0.34 * RATE)))
    tail[:, : int(0.008 * RATE)] = 0  # the walls are more than a metre away
    samples = len(wave) + tail.shape[1]
    size = _fast_size(samples)
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(tail, size), size)[:, :samples]
    return _band(wet, 140, 7000) * _fall(samples / RATE, samples / RATE)


def _kick() -> Wave:
    sub = _tone(49, 130, 0.028, 0.55, 0.15)
    return np.asarray(np.tanh(1.8 * sub) / np.tanh(1.8))


def _beater(noise: np.random.Generator) -> Wave:
    felt = _band(noise.standard_normal(int(0.03 * RATE)), 700, 6000) * _fall(0.03, 0.005)
    return 0.5 * felt + 0.5 * _tone(320, 1400, 0.004, 0.03, 0.008)


def _shell() -> Wave:
    return 0.62 * _tone(184, 60, 0.02, 0.25, 0.055) + 0.38 * _tone(332, 80, 0.015, 0.25, 0.035)


def _wires(noise: np.random.Generator) -> Wave:
    rattle = _band(noise.standard_normal(int(0.32 * RATE)), 1400, 11000) * _fall(0.32, 0.07)
    return 1.2 * rattle + 0.5 * _longer(_crack(noise), rattle)


def _stick() -> Wave:
    return 0.6 * _tone(1720, 0, 0.01, 0.06, 0.010) + 0.4 * _tone(820, 40, 0.01, 0.06, 0.014)


def _crack(noise: np.random.Generator) -> Wave:
    return _band(noise.standard_normal(int(0.05 * RATE)), 1800, 9000) * _fall(0.05, 0.006)


def _hands(noise: np.random.Generator, apart_s: float) -> Wave:
    """Four claps that almost meet, then the last one's tail."""
    claps = _band(noise.standard_normal(int(0.28 * RATE)), 850, 3600)
    shape = np.zeros(len(claps))
    for at_s, constant_s in ((0.0, 0.005), (0.0105, 0.005), (0.0205, 0.006), (0.0310 + apart_s, 0.045)):
        start = int(at_s * RATE)
        shape[start:] = np.maximum(shape[start:], _fall(0.28, constant_s)[: len(shape) - start])
    return np.asarray(claps * shape)


def _tom(hz: float, constant_s: float) -> Wave:
    return 0.8 * _tone(hz, hz * 0.5, 0.03, 1.0, constant_s) + 0.2 * _tone(hz * 1.59, hz * 0.5, 0.03, 1.0, constant_s / 3)


def _skin(noise: np.random.Generator) -> Wave:
    return _band(noise.standard_normal(int(0.08 * RATE)), 400, 5000) * _fall(0.08, 0.014)


def _sizzle(noise: np.random.Generator) -> tuple[Wave, Wave]:
    """Two seconds of sizzle that does not fade: squares that no scale knows, above 5 kHz, and noise above 7."""
    turns = np.outer([317.2, 464.5, 569.1, 803.9, 832.0, 1241.3], _time(2.2)) + noise.random((6, 1))
    bronze = np.sign(np.sin(2 * np.pi * turns)).sum(axis=0)
    return _pair(_band(bronze, 5000, 11000)), _band(noise.standard_normal((2, len(bronze))), 7000, 16000)


def _ping(noise: np.random.Generator, constant_s: float, low_hz: float) -> Wave:
    """A handful of partials of struck bronze, the same left and right but for their phase."""
    seconds = 4 * constant_s
    t = _time(seconds)
    hz = low_hz * np.array([1.0, 1.483, 1.932, 2.546, 3.1, 3.77])
    phase = noise.uniform(0, 2 * np.pi, (2, 6, 1))
    partials = np.sin(2 * np.pi * hz[:, None] * t + phase) * np.exp(-t / constant_s * np.arange(1, 7)[:, None] ** 0.6)
    bronze = partials.sum(axis=1) * _fall(seconds, constant_s * 2)
    return np.asarray(bronze / np.abs(bronze).max())


def _wash(noise: np.random.Generator, constant_s: float, low_hz: float, seconds: float) -> Wave:
    """The roar of a cymbal: noise whose low part fades first."""
    hiss = noise.standard_normal((2, int(seconds * RATE)))
    low = _band(hiss, low_hz, 4000) * _fall(seconds, constant_s * 0.4)
    return 0.4 * low + 0.6 * _band(hiss, 4000, 15000) * _fall(seconds, constant_s)


def _bell() -> Wave:
    t = _time(0.4)
    pair = np.sign(np.sin(2 * np.pi * 562 * t)) + np.sign(np.sin(2 * np.pi * 845 * t))
    return _band(pair, 500, 5000) * (0.6 * _fall(0.4, 0.02) + 0.4 * _fall(0.4, 0.11))


def _pair(wave: Wave) -> Wave:
    return np.stack([wave, wave])


def _jingles(noise: np.random.Generator, constant_s: float) -> Wave:
    seconds = 4 * constant_s
    hiss = _band(noise.standard_normal((2, int(seconds * RATE))), 5000, 14000)
    return np.asarray(hiss * _fall(seconds, constant_s) * (0.7 + 0.3 * np.cos(2 * np.pi * 42 * _time(seconds))))


def _grains(noise: np.random.Generator, constant_s: float) -> Wave:
    """Beads: they take a moment to hit the wall."""
    seconds = 0.03 + 5 * constant_s
    t = _time(seconds)
    swing = np.minimum(t / 0.012, 1) ** 2 * np.exp(-np.maximum(t - 0.012, 0) / constant_s)
    return np.asarray(_band(noise.standard_normal((2, len(t))), 4500, 12000) * swing * _fall(seconds, seconds))
