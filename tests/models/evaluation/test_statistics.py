"""The figures of a roll on hand-made music."""

import numpy as np
import pytest

from models.evaluation.statistics import (
    entropy,
    groove_consistency,
    longest_repetition,
    longest_silence,
    longest_stuck,
    self_similarity,
    share_in_key,
    statistics,
)
from models.music.representation import HELD, ONSET
from tests.models.two_tracks import CARD, roll


def test_silence_counts_after_the_first_bar_only():
    music = roll(80)
    assert longest_silence(music) == 64
    music[40, 1] = ONSET
    assert longest_silence(music) == 39
    assert longest_silence(music[:16]) == 0


def test_a_step_that_repeats_is_measured_in_steps():
    music = roll(20)
    music[5:12] = ONSET
    assert longest_stuck(music) == 8
    music[::2, 0] = HELD
    assert longest_stuck(music) == 1


def test_what_is_said_again_is_measured_in_bars_and_silence_is_no_repetition():
    chance = np.random.default_rng(0)
    music = chance.integers(0, 2, (16 * 16, 3), np.uint8) * ONSET
    assert longest_repetition(music) == 0
    music[4 * 16 : 8 * 16] = music[: 4 * 16]
    assert longest_repetition(music) == 4
    music[8 * 16 : 10 * 16] = music[4 * 16 : 6 * 16]
    assert longest_repetition(music) == 6
    assert longest_repetition(roll(16 * 16)) == 0


def test_key_and_entropy_of_known_sets():
    major = np.asarray([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    assert share_in_key(np.roll(major, 5)) == 1.0
    assert share_in_key(np.ones(12)) == pytest.approx(7 / 12)
    assert entropy(np.ones(12)) == pytest.approx(np.log2(12))
    assert entropy(np.eye(12)[3]) == 0.0


def test_bars_that_repeat_are_found_at_their_distance():
    music = roll(16 * 8)
    for bar in range(8):
        music[bar * 16 + (bar % 2) * 4, 1] = ONSET
    assert self_similarity(music, 2) == 1.0
    assert self_similarity(music, 1) == 0.0
    assert groove_consistency(music) == pytest.approx(14 / 16)


def test_statistics_count_strikes_per_step_and_leave_drums_out_of_the_harmony():
    music = roll(32)
    music[::2, 0] = ONSET
    music[0, 1], music[1:8, 1] = ONSET, HELD
    found = statistics(music, CARD)
    assert found["density_drums"] == 0.5
    assert found["density_lead"] == 1 / 32
    assert found["polyphony"] == 8 / 32
    assert found["pitch_class_entropy"] == 0.0
    assert found["drums_on_eighths"] == 1.0
