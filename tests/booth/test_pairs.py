"""Which pairs are asked: the least heard, later those of equal strength, a tenth across generations, sides at random."""

from __future__ import annotations

import random
from collections import Counter

from engine.booth.pairs import ACROSS, ENOUGH, Pair, Pairs


def pairs(here: int = 16, earlier: int = 0, seed: int = 1) -> Pairs:
    """Pairs of clips 0.. and, of an earlier generation, 1000.."""
    found = Pairs(random.Random(seed))
    found.open(range(here), range(1000, 1000 + earlier), {})
    return found


def test_all_are_heard_about_equally_often() -> None:
    asked = pairs()
    heard = Counter(clip for _ in range(64) for clip in (asked.take() or ())[:2])
    assert max(heard.values()) - min(heard.values()) <= 1


def test_a_clip_is_never_asked_against_itself() -> None:
    asked = pairs(2)
    assert all((pair := asked.take()) is not None and pair.first != pair.second for _ in range(50))
    assert pairs(1).take() is None
    assert pairs(0, 5).take() is None


def test_later_pairs_are_of_about_equal_strength() -> None:
    asked = pairs(32)
    for _ in range(32 * ENOUGH // 2):
        asked.take()
    asked.ranked({clip: float(clip) for clip in range(32)})
    gaps = [abs(pair.first - pair.second) for _ in range(300) if (pair := asked.take()) is not None]
    assert max(gaps) <= 4
    assert sum(gaps) / len(gaps) < 3


def test_a_tenth_is_asked_across_generations() -> None:
    asked = pairs(32, 32)
    found = [asked.take() for _ in range(2000)]
    across = [pair for pair in found if pair is not None and pair.across]
    assert abs(len(across) / 2000 - ACROSS) < 0.025
    assert all((pair.first >= 1000) != (pair.second >= 1000) for pair in across)
    assert all(max(pair[:2]) < 1000 for pair in found if pair is not None and not pair.across)


def test_sides_are_at_random() -> None:
    asked = pairs(2)
    first = sum(pair.first for _ in range(1000) if (pair := asked.take()) is not None)
    assert 430 < first < 570
    asked = pairs(8, 8)
    newer_first = sum(pair.first < 1000 for _ in range(4000) if (pair := asked.take()) is not None and pair.across)
    assert 0.35 < newer_first / (4000 * ACROSS) < 0.65


def test_a_visitor_does_not_hear_the_same_again_so_soon() -> None:
    asked = pairs(16)
    for _ in range(40):
        pair = asked.take(avoid={1, 2, 3})
        assert pair is not None
        assert not {1, 2, 3} & set(pair[:2])


def test_who_has_voted_enough_is_asked_what_is_known() -> None:
    asked = pairs(40)
    unknown = asked.take(enough=True)  # nothing is known yet
    assert unknown is not None
    for _ in range(100):
        asked.take()
    asked.ranked({clip: float(clip) for clip in range(40)})
    for _ in range(50):
        pair = asked.take(enough=True)
        assert pair is not None
        assert (min(pair[:2]) < 4, max(pair[:2]) >= 36, pair.across) == (True, True, False)


def test_what_was_not_voted_on_counts_as_not_heard() -> None:
    asked = pairs(4)
    pair = asked.take()
    assert pair is not None
    assert asked.heard(pair.first) == 1
    asked.take_back(pair)
    assert asked.heard(pair.first) == asked.heard(pair.second) == 0
    asked.take_back(Pair(77, 78, False))  # of a generation that is gone
