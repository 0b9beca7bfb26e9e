"""The sources of the beat: taps make a tempo, and nothing but a tempo that is tapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import load, source_names
from engine.core.errors import ConfigError
from engine.transport.sources import Selected
from engine.transport.sources.internal import FASTEST_TAPPED_BPM, SLOWEST_TAPPED_BPM, Taps
from engine.transport.sources.virtual import VirtualSource
from tests.transport.conftest import RATE, Loop, rings


def tap(taps: Taps, *seconds: float) -> float | None:
    tempo = None
    for second in seconds:
        tempo = taps.tap(round(second * RATE))
    return tempo


def test_one_tap_is_no_tempo_and_two_are():
    taps = Taps(RATE)
    assert tap(taps, 1.0) is None
    assert tap(taps, 1.5) == 120


def test_eight_taps_are_looked_at_and_no_more():
    taps = Taps(RATE)
    assert tap(taps, *(0.5 * n for n in range(20)), *(9.5 + 0.6 * n for n in range(1, 9))) == pytest.approx(100, abs=0.1)


@given(st.floats(35, 280), st.lists(st.floats(-0.02, 0.02), min_size=8, max_size=8))
def test_unsteady_taps_give_the_tempo_that_was_meant(tempo: float, astray: list[float]):
    found = tap(Taps(RATE), *(10 + (n + away) * 60 / tempo for n, away in enumerate(astray)))
    assert found == pytest.approx(tempo, rel=0.015)


def test_a_stray_tap_begins_anew():
    taps = Taps(RATE)
    assert tap(taps, 0, 0.5, 1.0, 1.5) == 120
    assert tap(taps, 2.3) is None  # the first of another tempo, or a slip
    assert tap(taps, 3.1) == 75


def test_a_tap_after_a_long_rest_is_the_first_again():
    taps = Taps(RATE)
    assert tap(taps, 0, 0.5) == 120
    assert tap(taps, 60) is None


def test_a_key_that_bounces_is_one_tap():
    assert tap(Taps(RATE), 0, 0.01, 0.5, 0.52, 1.0) is not None
    taps = Taps(RATE)
    tap(taps, 0, 0.01, 0.5, 0.52)
    assert tap(taps, 1.0) == 120


@given(st.lists(st.integers(1, 5 * RATE), max_size=30))
def test_whatever_is_tapped_the_tempo_stays_playable(between: list[int]):
    taps, frame = Taps(RATE), 0
    for gap in between:
        frame += gap
        tempo = taps.tap(frame)
        assert tempo is None or SLOWEST_TAPPED_BPM <= tempo <= FASTEST_TAPPED_BPM


def test_taps_reach_the_tempo_that_all_see():
    loop = Loop(count_in=0)
    loop.fire("start")
    for _ in range(4):
        loop.fire("tap")
        loop.seconds(0.4 - 64 / RATE)
    assert loop.live.get("tempo") == pytest.approx(150, abs=0.5)
    loop.seconds(0.2)
    assert loop.line.tempo_bpm == loop.live.get("tempo")


def test_a_map_says_until_when_it_holds():
    source = VirtualSource([(1.0, 90.0), (3.0, 60.0)], [(0.0, 4, 4), (2.0, 3, 4)])
    assert source.read(0, -4.0)[:3] == (90.0, 4, 4)  # before the first entry it holds too
    assert source.read(0, 1.5).until == 1.75  # a timestep before a metre begins it is told
    assert source.read(0, 1.75)[:3] == (90.0, 3, 4)
    assert (source.read(0, 1.75).metre_from, source.read(0, 1.75).until) == (2.0, 2.0)
    assert source.read(0, 3.0).tempo_bpm == 60
    assert source.read(0, 3.0).until == float("inf")


def test_the_source_is_one_of_those_that_have_a_file():
    assert load(None, ["clock.source=internal"]).clock.source == "internal"
    for name in ("virtual", "nobody"):
        with pytest.raises(ConfigError, match=r"clock\.source: .*there are: follow, internal"):
            load(None, [f"clock.source={name}"])
    loop = Loop()
    for number, name in enumerate(source_names()):
        loop.live.set("clock.source", number)
        assert loop.live.registry["clock.source"].text(number) == name
        assert Selected(loop.live, RATE, rings()).read(0, 0.0).numerator == 4
