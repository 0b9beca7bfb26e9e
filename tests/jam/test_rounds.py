"""What comes round is found by the last beats alone: those that nobody looks at any more are forgotten."""

import numpy as np

from engine.jam.rounds import BELIEVED, HEARD, Rounds


def test_hours_of_playing_are_no_more_to_remember_than_minutes_and_the_same_is_found():
    rng = np.random.default_rng(1)
    loop = rng.random((64, HEARD)) ** 6
    some, every = Rounds(4), Rounds(4)
    every._kept = 10_000
    found = set()
    for beat in range(1200):
        length = [8, 64, 16, 64, 32][beat // 240]
        heard = loop[beat % length] + 0.01 * rng.random(HEARD)
        believed = np.zeros(BELIEVED)
        believed[int(loop[beat % length][:12].argmax())] = 1
        for rounds in (some, every):
            rounds.add(heard, believed)
            rounds.correct(1, believed)
        assert (some.guess, some.period, some.sure, some.compared) == (every.guess, every.period, every.sure, every.compared)
        assert all(np.array_equal(some.ahead(ahead), every.ahead(ahead)) for ahead in range(4))
        found.add(some.guess)
    assert {8, 16, 32, 64} <= found
    assert (len(some), len(every)) == (256, 1200)
