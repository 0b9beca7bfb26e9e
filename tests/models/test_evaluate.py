"""The figures of a roll on hand-made music, and baselines that are true probabilities."""

import itertools

import numpy as np
import pytest

from engine.network.contract import Card
from models.evaluate import (
    BASELINES,
    chains,
    entropy,
    frequencies,
    groove_consistency,
    longest_repetition,
    longest_silence,
    self_similarity,
    share_in_key,
    statistics,
    trigrams,
)
from models.representation import HELD, SILENT, STRUCK

CARD = Card.model_validate(
    {
        "contract": 1,
        "name": "two",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 3,
        "tracks": [{"name": "drums", "kind": "drums", "pitches": [36]}, {"name": "lead", "pitches": [60, 61]}],
    }
)


def roll(steps=64):
    return np.zeros((steps, 3), np.uint8)


def test_silence_counts_after_the_first_bar_only():
    music = roll(80)
    assert longest_silence(music) == 64
    music[40, 1] = STRUCK
    assert longest_silence(music) == 39
    assert longest_silence(music[:16]) == 0


def test_a_step_that_repeats_is_measured_in_steps():
    music = roll(20)
    music[5:12] = STRUCK
    assert longest_repetition(music) == 8
    music[::2, 0] = HELD
    assert longest_repetition(music) == 1


def test_key_and_entropy_of_known_sets():
    major = np.asarray([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    assert share_in_key(np.roll(major, 5)) == 1.0
    assert share_in_key(np.ones(12)) == pytest.approx(7 / 12)
    assert entropy(np.ones(12)) == pytest.approx(np.log2(12))
    assert entropy(np.eye(12)[3]) == 0.0


def test_bars_that_repeat_are_found_at_their_distance():
    music = roll(16 * 8)
    for bar in range(8):
        music[bar * 16 + (bar % 2) * 4, 1] = STRUCK
    assert self_similarity(music, 2) == 1.0
    assert self_similarity(music, 1) == 0.0
    assert groove_consistency(music) == pytest.approx(14 / 16)


def test_statistics_count_strikes_per_step_and_leave_drums_out_of_the_harmony():
    music = roll(32)
    music[::2, 0] = STRUCK
    music[0, 1], music[1:8, 1] = STRUCK, HELD
    found = statistics(music, CARD)
    assert found["density_drums"] == 0.5
    assert found["density_lead"] == 1 / 32
    assert found["polyphony"] == 8 / 32
    assert found["pitch_class_entropy"] == 0.0
    assert found["drums_on_eighths"] == 1.0


def training(seed):
    chance = np.random.default_rng(seed)
    music = roll(200)
    for step in range(1, 200):
        for slot in range(3):
            keep = music[step - 1, slot] != SILENT and chance.random() < 0.6
            music[step, slot] = HELD if keep else (STRUCK if chance.random() < 0.3 else SILENT)
    return music


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_a_probability(name):
    """Over everything a step can be, given what was before it, the chances add up to one."""
    baseline = BASELINES[name]([training(0), training(1)], CARD)
    for before in ([SILENT, STRUCK, HELD], [STRUCK, SILENT, SILENT]):
        first = [[SILENT, STRUCK, STRUCK], before]
        total = np.zeros(2)
        for drums in (SILENT, HELD, STRUCK):
            if drums == HELD and before[0] == SILENT:
                continue
            total[0] += np.exp(-baseline(np.asarray([*first, [drums, 0, 0]], np.uint8))[-1, 0])
        for low, high in itertools.product((SILENT, HELD, STRUCK), repeat=2):
            if (low == HELD and before[1] == SILENT) or (high == HELD and before[2] == SILENT):
                continue
            total[1] += np.exp(-baseline(np.asarray([*first, [0, low, high]], np.uint8))[-1, 1])
        np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_richer_baselines_fit_music_with_memory_better():
    train, held_out = [training(seed) for seed in range(8)], training(99)
    frequency, chain = (fit(train, CARD)(held_out).sum() for fit in (frequencies, chains))
    assert chain < frequency
    pattern = roll(200)
    pattern[::3, 1] = pattern[1::3, 2] = STRUCK
    assert trigrams([pattern], CARD)(pattern).sum() < 0.5 * chains([pattern], CARD)(pattern).sum()
