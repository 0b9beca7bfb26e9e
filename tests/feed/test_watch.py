"""The watch: asleep until a step sounds or a note was played, never long enough to be late for either."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.link import Layout, Link
from engine.core.messages import CLOCK, NOTE_ON, PLAYER
from engine.feed.watch import LOOK_S, Watch
from engine.transport.timeline import BeatTimeline
from tests.feed.fakes import make_card, make_step

RATE = 48000
CARD = make_card(layers=1, width=2)


class Rings:
    def __init__(self):
        self.link = Link.private(Layout.of(CARD, 4))
        self.watch = Watch(self.link, 4)
        self.now_ns = 0

    def clock(self):
        record = np.zeros((), CLOCK)
        record["ns_per_frame"], record["rate_hz"] = 1e9 / RATE, RATE
        self.link.writer("clock").push(record)

    def step(self, number, frame):
        self.link.writer("steps").push(make_step(CARD, number, np.random.default_rng(0), frame=frame))

    def note(self):
        self.link.writer("events").push((0, -1, NOTE_ON, PLAYER, 60, 80, 0.0))

    def look(self, frame):
        return self.watch.look(round(frame * 1e9 / RATE))


@pytest.fixture
def rings():
    rings = Rings()
    rings.clock()
    return rings


def test_without_a_clock_there_is_nothing():
    rings = Rings()
    rings.note()
    assert rings.look(0) == (False, LOOK_S)


def test_note_is_found_at_the_next_look_and_once(rings):
    assert rings.look(0) == (False, LOOK_S)
    rings.note()
    assert rings.look(480) == (True, LOOK_S)
    assert rings.look(960) == (False, LOOK_S)


def test_what_was_imagined_is_found_at_the_next_look_and_once(rings):
    rings.link.writer("futures").push(np.zeros((), rings.link["futures"].dtype))
    assert rings.look(480) == (True, LOOK_S)
    assert rings.look(960) == (False, LOOK_S)


def test_step_is_found_when_it_sounds_not_when_it_was_chosen(rings):
    rings.step(0, 600)
    assert rings.look(0) == (False, LOOK_S)
    found, pause_s = rings.look(480)
    assert not found
    assert pause_s == pytest.approx(120 / RATE, abs=1e-6)
    assert rings.look(600) == (True, LOOK_S)
    assert rings.look(601) == (False, LOOK_S)


def test_step_is_found_a_little_early_where_that_is_asked_for(rings):
    rings.watch = Watch(rings.link, 4, early_s=120 / RATE)
    rings.link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE, began=0.25).record())
    assert rings.look(5800)[1] == pytest.approx(80 / RATE, abs=1e-6)
    found, pause_s = rings.look(5880)  # not chosen yet: the next look is when it sounds
    assert not found
    assert pause_s == pytest.approx(120 / RATE, abs=1e-6)
    rings.step(1, 6000)
    assert rings.look(5900)[0]
    assert not rings.look(6000)[0]


def test_sleep_ends_where_the_network_will_have_chosen(rings):
    rings.link.writer("timeline").push(
        BeatTimeline(0.0, 0.0, 120.0, RATE, began=0.25).record()
    )  # step 1 of a 16th at 120 bpm: frame 6000
    assert rings.look(5000) == (False, LOOK_S)
    assert rings.look(5800)[1] == pytest.approx(200 / RATE, abs=1e-6)
    rings.step(1, 6000)
    assert rings.look(6000)[0]


def test_late_step_is_found_when_it_comes(rings):
    rings.link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE, began=0.25).record())
    assert rings.look(6000) == (False, LOOK_S)
    rings.step(1, 6000)
    assert rings.look(6480) == (True, LOOK_S)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40), st.integers(0, 400))
def test_no_step_is_published_later_than_the_sleep_is_exact(gaps, lead):
    rings = Rings()
    rings.clock()
    frames = np.cumsum(gaps) + 500
    pushed, found, now, last = 0, 0, 0.0, frames[-1]
    while now <= last + 1:
        while pushed < len(frames) and frames[pushed] - lead - 480 <= now:
            rings.step(pushed, int(frames[pushed]))
            pushed += 1
        something, pause_s = rings.look(now)
        if something:
            due = int(np.searchsorted(frames, now + 1e-3, side="right"))
            assert due > found
            assert now - frames[found] <= 1  # frame
            found = due
        now += max(pause_s * RATE, 1e-3)
    assert found == len(frames)
