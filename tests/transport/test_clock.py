import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transport.sample_clock import Dll, SampleClock
from engine.transport.timeline import BeatTimeline

PERIOD_NS = 64e9 / 48000


def test_dll_follows_a_clock_that_is_not_nominal():
    dll = Dll(PERIOD_NS)
    true_period = PERIOD_NS * 1.0003
    for n in range(20000):
        filtered = dll.update(n * true_period)
    assert dll.period_ns == pytest.approx(true_period, rel=1e-6)
    assert filtered == pytest.approx(19999 * true_period, abs=1000)


def test_dll_smooths_jitter():
    rng = np.random.default_rng(1)
    jitter = rng.uniform(0, 400e3, 20000)
    dll = Dll(PERIOD_NS)
    errors = [dll.update(n * PERIOD_NS + j) - n * PERIOD_NS for n, j in enumerate(jitter)]
    assert np.std(errors[5000:]) < np.std(jitter) / 5


def test_dll_begins_anew_after_a_gap_instead_of_bending_the_line():
    dll = Dll(PERIOD_NS)
    for n in range(100):
        dll.update(n * PERIOD_NS)
    after_gap = 100 * PERIOD_NS + 2e9
    assert dll.update(after_gap) == after_gap
    assert dll.update(after_gap + PERIOD_NS) == pytest.approx(after_gap + PERIOD_NS)


@given(st.floats(0, 1e9), st.floats(0, 1e15))
def test_sample_clock_goes_there_and_back(frame, time_ns):
    clock = SampleClock(48000.0, 5e12, 20833.4)
    assert clock.frame_at(clock.time_at(frame)) == pytest.approx(frame, abs=1e-2)


@given(st.floats(30, 300), st.floats(30, 300), st.integers(0, 4000))
def test_a_tempo_change_bends_the_line_where_it_happens(before, after, sixteenth):
    grid = BeatTimeline(1000.0, 0.0, before, 48000.0)
    beat = sixteenth / 4
    bent = grid.with_tempo(after, beat)
    assert bent.frame_at(beat) == pytest.approx(grid.frame_at(beat))
    assert bent.frame_at(beat + 1) - bent.frame_at(beat) == pytest.approx(60 * 48000 / after)
    assert bent.beat_at(bent.frame_at(beat + 2)) == pytest.approx(beat + 2)
