import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.network.noise import noise


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**40))
def test_a_replay_draws_the_same(seed, step):
    assert np.array_equal(noise(seed, step, 50), noise(seed, step, 50))


def test_steps_and_seeds_differ_and_values_are_uniform():
    drawn = np.stack([noise(seed, step, 500) for seed in range(4) for step in range(50)])
    assert len(np.unique(drawn[:, 0])) == 200
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.01
