"""The figures of the loop: what is told of the steps, and how a restart goes on counting."""

from __future__ import annotations

import numpy as np
import pytest

from engine.network.process import WINDOW, Times, lead_ms


def test_times_are_of_the_last_ones_and_the_longest_of_all():
    times = Times()
    assert times.percentiles_ms(50, 99) == (0.0, 0.0)
    values = np.random.default_rng(1).random(WINDOW + 100) * 3
    values[5] = 40.0
    for value in values.tolist():
        times.add(value)
    assert times.percentiles_ms(50, 99) == pytest.approx(np.percentile(values[100:], [50, 99]), rel=1e-5)
    assert times.max_ms == 40.0
    assert times.count == WINDOW + 100


def test_who_takes_over_counts_on_but_measures_anew():
    times = Times()
    times.resume(1000, 7.5)
    times.add(0.25)
    assert (times.count, times.max_ms) == (1001, 7.5)
    assert times.percentiles_ms(50) == (0.25,)


@pytest.mark.parametrize(
    ("need_ms", "worst_ms", "lead"),
    [
        (0.1, 0.3, 2.5),  # an idle machine: the margin
        (4.0, 5.0, 6.0),  # a busy one: what nearly all steps need, and the margin
        (0.5, 8.0, 9.0),  # a stall that may come again
        (0.5, 15.0, 16.0),  # a long one, too
        (0.5, 80.0, 20.0),  # one that cannot be waited out
        (90.0, 90.0, 60.0),  # never half a step
    ],
)
def test_the_window_closes_early_enough_for_the_worst_of_late(need_ms, worst_ms, lead):
    assert lead_ms(need_ms, worst_ms, step_ms=60.0 / 0.45, early=False) == pytest.approx(lead)


def test_notes_that_sound_before_their_step_have_room():
    assert lead_ms(0.1, 0.3, step_ms=134.0, early=True) == pytest.approx(13.4)
    assert lead_ms(0.1, 0.3, step_ms=134.0, early=False) == pytest.approx(2.5)
