"""A MIDI clock is followed through jitter, ramps, steps and lost ticks; seeds not tuned on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.transport.midi_clock import PER_BEAT, MidiClock

JITTER_S = 0.002
SEEDS = range(500, 508)


def ticks(tempo: Callable[[float], float], seconds: float) -> np.ndarray:
    """The true times of the ticks of a tempo that changes."""
    found, at = [], 0.0
    while at < seconds:
        found.append(at)
        at += 60 / tempo(at) / PER_BEAT
    return np.array(found)


def errors_ms(times: np.ndarray, seed: int) -> np.ndarray:
    """How far the beat that is heard lies from the true one, at each tick."""
    rng = np.random.default_rng(seed)
    heard = np.maximum.accumulate(times + rng.uniform(-JITTER_S, JITTER_S, len(times)))
    clock, found = MidiClock(), np.zeros(len(times))
    for number, (true, at) in enumerate(zip(times, heard, strict=True)):
        clock.tick(at)
        beat, tempo = clock.beat_at(true), clock.tempo_bpm
        if beat is not None and tempo is not None:
            found[number] = (beat - number / PER_BEAT) * 60 / tempo * 1e3
    return np.abs(found)


def ramp(at: float) -> float:
    """60 to 200 within 16 s, and back."""
    return 60 + 140 * at / 16 if at < 16 else max(200 - 140 * (at - 16) / 16, 60)


def test_a_steady_tempo_a_ramp_and_a_step():
    steady = np.concatenate([errors_ms(ticks(lambda _: 120, 30), seed)[96:] for seed in SEEDS])
    assert np.percentile(steady, 99) <= 1.5
    ramps = np.concatenate([errors_ms(ticks(ramp, 32), seed)[48:] for seed in SEEDS])
    assert np.percentile(ramps, 99) <= 4.0
    for seed in SEEDS:
        times = ticks(lambda at: 120 if at < 15 else 140, 25)
        found = errors_ms(times, seed)
        assert found[times > 14.9].max() <= 10
        assert found[(times > 15 + 2 * 60 / 140) & (times < 20)].max() < 2


def test_no_tick_is_lost_or_doubled_in_ten_thousand():
    rng = np.random.default_rng(7)
    times = np.arange(10_000) * 60 / 128 / PER_BEAT
    clock = MidiClock()
    for at in np.maximum.accumulate(times + rng.uniform(-JITTER_S, JITTER_S, len(times))):
        clock.tick(float(at))
    beat = clock.beat_at(float(times[-1]))
    assert beat == pytest.approx((len(times) - 1) / PER_BEAT, abs=0.01)


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_lost_ticks_are_counted_when_the_next_confirms_it(lost: int):
    rng = np.random.default_rng(3)
    times = np.arange(400) * 60 / 120 / PER_BEAT + rng.uniform(-JITTER_S, JITTER_S, 400)
    clock = MidiClock()
    for number, at in enumerate(np.maximum.accumulate(times)):
        if not 200 <= number < 200 + lost:
            clock.tick(float(at))
    assert clock.beat_at(float(399 * 60 / 120 / PER_BEAT)) == pytest.approx(399 / PER_BEAT, abs=0.01)


@pytest.mark.parametrize(("before", "after"), [(240, 120), (200, 120), (120, 60), (160, 90), (120, 15), (60, 200)])
def test_a_tempo_that_falls_or_rises_at_once_loses_no_tick(before: float, after: float):
    times = ticks(lambda at: before if at < 5 else after, 5 + 40 * 60 / after / PER_BEAT)
    found = errors_ms(times, SEEDS[0])
    assert found[-10:].max() < 5


def test_one_late_tick_is_no_lost_one():
    times = np.arange(300) * 60 / 120 / PER_BEAT
    clock = MidiClock()
    for number, at in enumerate(times):
        clock.tick(float(at + (0.019 if number == 200 else 0.0)))
    assert clock.beat_at(float(times[-1])) == pytest.approx(299 / PER_BEAT, abs=0.01)
    assert clock.tempo_bpm == pytest.approx(120, rel=1e-3)


def test_a_clock_that_comes_back_goes_on_and_a_start_begins_anew():
    clock = MidiClock()
    assert clock.tempo_bpm is None
    for number in range(100):
        clock.tick(number * 0.02)
    assert clock.is_gone(99 * 0.02 + 1.5)
    assert not clock.is_gone(99 * 0.02 + 0.1)
    for number in range(100):
        clock.tick(10 + number * 0.01)
    assert clock.tempo_bpm == pytest.approx(250)
    clock.place(8.0)
    clock.tick(20.0)
    clock.tick(20.02)
    assert clock.beat_at(20.0) == pytest.approx(8.0)


def test_nonsense_does_no_harm():
    clock = MidiClock()
    for at in (5.0, 4.0, 5.0, 5.0, 5.0, 5.001, 3.0, 9000.0, 9000.0, 9000.0):
        clock.tick(at)
        tempo = clock.tempo_bpm
        assert tempo is None or np.isfinite(tempo)
