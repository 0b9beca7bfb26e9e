"""Growth is told apart from warming up, and from what a process takes on and off."""

import numpy as np

from tests.system.memory import SETTLED_S, Growth, growth_of, total_of

RNG = np.random.default_rng(4)


def life(begun_s: float, seconds: float, level: float, mb_h: float, noise: float = 0.1) -> np.ndarray:
    """When, age, MB, every five seconds: 30 MB more within the first minute, and what it grows by."""
    age = np.arange(5.0, seconds, 5.0)
    mb = level + 30 * (1 - np.exp(-age / 20)) + mb_h * (begun_s + age) / 3600 + RNG.normal(0, noise, len(age))
    return np.stack([begun_s + age, age, mb], axis=1)


def test_one_long_life_grows_by_what_comes_after_it_has_warmed_up():
    for mb_h in (0.0, 0.5, 20.0):
        found = growth_of([life(0.0, 3 * 3600, 100, mb_h)])
        assert found is not None
        assert found.by == "long life"
        assert abs(found.mb_h - mb_h) < 0.2
        assert found.exceeds(1) == (mb_h > 1)


def test_of_short_lives_those_of_the_same_age_are_compared():
    for mb_h in (0.0, 30.0):
        lives = [life(begun, float(RNG.uniform(40, 150)), 100, mb_h) for begun in range(0, 3600, 150)]
        found = growth_of(lives)
        assert found is not None
        assert found.by == "equal ages"
        assert abs(found.mb_h - mb_h) < 1
        assert found.exceeds(1) == (mb_h > 1)


def test_what_goes_up_and_down_is_not_growth_and_too_little_says_nothing():
    wave = life(0.0, 1800, 100, 0.0)
    wave[:, 2] += 5 * (wave[:, 0] // 90 % 2)
    found = growth_of([wave])
    assert found is not None
    assert not found.exceeds(1)
    assert growth_of([life(0.0, SETTLED_S, 100, 0.0)]) is None
    total = total_of([Growth(2.0, 3.0, ""), Growth(3.0, 4.0, "")])
    assert (total.mb_h, total.error, total.exceeds(1)) == (5.0, 5.0, False)
