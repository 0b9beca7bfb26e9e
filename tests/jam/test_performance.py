"""The loop over timesteps: its figures, and what it does where the beat bends, stops and jumps under it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.jam.figures import LATEST, MARGIN_MS, REMEMBERED, Times, deadline_ms


def test_times_are_of_the_last_ones_and_the_longest_of_all():
    times = Times()
    assert times.percentiles_ms(50, 99) == (0.0, 0.0)
    values = np.random.default_rng(1).random(REMEMBERED + 100) * 3
    values[5] = 40.0
    for value in values.tolist():
        times.add(value)
    assert times.percentiles_ms(50, 99) == pytest.approx(np.percentile(values[100:], [50, 99]), rel=1e-5)
    assert times.max_ms == 40.0
    assert times.count == REMEMBERED + 100


def test_who_takes_over_counts_on_but_measures_anew():
    times = Times()
    times.resume(1000, 7.5)
    times.add(0.25)
    assert (times.count, times.max_ms) == (1001, 7.5)
    assert times.percentiles_ms(50) == (0.25,)


def test_the_input_deadline_is_as_late_as_recomputing_allows():
    assert deadline_ms(1.5, step_ms=125.0) == 1.5 + MARGIN_MS
    assert deadline_ms(90.0, step_ms=125.0) == LATEST * 125.0  # earlier, the step before would not have sounded yet
