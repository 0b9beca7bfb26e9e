"""What an update hears depends on its number, its process and its order alone."""

import numpy as np

from models.training.stretches import draw


def test_the_same_update_hears_the_same_and_every_other_something_else():
    first, rng = draw([10, 20, 30], 50, 7, 0, 0)
    again, other = draw([10, 20, 30], 50, 7, 0, 0)
    assert np.array_equal(first, again)
    assert rng.random() == other.random()
    for update, rank, order in ((8, 0, 0), (7, 1, 0), (7, 0, 1)):
        assert not np.array_equal(first, draw([10, 20, 30], 50, update, rank, order)[0])


def test_every_step_is_as_likely_to_be_heard():
    drawn = np.concatenate([draw([10, 20, 70], 100, update, 0, 0)[0] for update in range(100)])
    assert np.allclose(np.bincount(drawn) / len(drawn), [0.1, 0.2, 0.7], atol=0.02)
