"""Baselines are true probabilities, and richer ones fit better."""

import itertools

import numpy as np
import pytest

from models.evaluation.baselines import BASELINES, chains, frequencies, trigrams
from models.music.representation import HELD, ONSET, SILENT
from tests.models.two_tracks import CARD, roll


def training(seed):
    chance = np.random.default_rng(seed)
    music = roll(200)
    for step in range(1, 200):
        for slot in range(3):
            keep = music[step - 1, slot] != SILENT and chance.random() < 0.6
            music[step, slot] = HELD if keep else (ONSET if chance.random() < 0.3 else SILENT)
    return music


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_a_probability(name):
    """Over everything a step can be, given what was before it, the chances add up to one."""
    baseline = BASELINES[name]([training(0), training(1)], CARD)
    for before in ([SILENT, ONSET, HELD], [ONSET, SILENT, SILENT]):
        first = [[SILENT, ONSET, ONSET], before]
        total = np.zeros(2)
        for drums in (SILENT, HELD, ONSET):
            if drums == HELD and before[0] == SILENT:
                continue
            total[0] += np.exp(-baseline(np.asarray([*first, [drums, 0, 0]], np.uint8))[-1, 0])
        for low, high in itertools.product((SILENT, HELD, ONSET), repeat=2):
            if (low == HELD and before[1] == SILENT) or (high == HELD and before[2] == SILENT):
                continue
            total[1] += np.exp(-baseline(np.asarray([*first, [0, low, high]], np.uint8))[-1, 1])
        np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_richer_baselines_fit_music_with_memory_better():
    train, held_out = [training(seed) for seed in range(8)], training(99)
    frequency, chain = (fit(train, CARD)(held_out).sum() for fit in (frequencies, chains))
    assert chain < frequency
    pattern = roll(200)
    pattern[::3, 1] = pattern[1::3, 2] = ONSET
    assert trigrams([pattern], CARD)(pattern).sum() < 0.5 * chains([pattern], CARD)(pattern).sum()
