"""A transport in a session of Ableton Link: its tempo, its beat, its bar lines; start and stop together on request."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.core.config import source_names
from engine.transport.sources import Selected
from tests.transport.conftest import RATE, Loop, rings

LATENCY = 480  # frames
NS = 1e9 / RATE


class InSession(Loop):
    """A transport, and a session: its beat at a moment is `its`."""

    def __init__(self, tempo_bpm: float = 126.0, beat: float = 5.3) -> None:
        self.its_bpm, self.its, self.its_plays, self.is_there = tempo_bpm, beat, False, True
        self.rings, self.changes = rings(), 0
        super().__init__(self._make)

    def _make(self, live: Any) -> Selected:
        live.set("clock.source", source_names().index("link"))
        return Selected(live, RATE, self.rings)

    def live_through(self, seconds: float, tempo_at: Callable[[float], float] | None = None) -> None:
        """Let time go by: the session tells where it is every 10 ms."""
        begun = self.frame
        while self.frame - begun < seconds * RATE:
            now = self.frame
            self.changes += self.its_plays != bool(self.changes % 2)
            if self.is_there:
                said = (int(now * NS), self.its, self.its_bpm, 1, self.changes, 0.0, True)
                self.rings["ableton"].push(said)
            clock = np.zeros((), self.rings["clock"].dtype)
            clock["frame"], clock["time_ns"], clock["ns_per_frame"], clock["latency_frames"] = now, now * NS, NS, LATENCY
            self.rings["clock"].push(clock[()])
            self.seconds(0.01)
            passed = (self.frame - now) / RATE
            self.its += passed * self.its_bpm / 60
            if tempo_at is not None:
                self.its_bpm = tempo_at((self.frame - begun) / RATE)

    @property
    def off_ms(self) -> float:
        """How far the band's bar is heard from the session's."""
        heard = self.line.place(self.line.beat_at(self.frame - LATENCY))
        return float(((heard - self.its + 2) % 4 - 2) * 60 / self.its_bpm * 1e3)


@pytest.fixture
def loop() -> InSession:
    return InSession()


def test_it_begins_with_a_bar_line_of_the_session_and_keeps_with_it(loop: InSession):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(8)
    assert loop.line.playing
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(126, abs=0.01)
    assert abs(loop.off_ms) < 0.2
    begun = next(line for line in loop.lines if line.playing)
    assert begun.bar == 1
    told = len(loop.lines)
    loop.live_through(4)
    assert len(loop.lines) == told, "a steady beat is one line"


def test_a_tempo_that_is_changed_before_its_bar_line_does_not_make_it_miss_one(loop: InSession):
    for tempo in (60, 180, 75, 200):
        loop.live_through(0.1)
        loop.fire("stop")
        loop.fire("start")
        loop.live_through(0.3)
        loop.its_bpm = tempo
        loop.live_through(10)
        assert loop.line.playing
        assert abs(loop.off_ms) < 0.2


def test_without_a_session_it_begins_after_a_while_at_its_own_tempo(loop: InSession):
    loop.is_there = False
    loop.fire("start")
    loop.live_through(2)
    assert not loop.line.playing
    loop.live_through(3)
    assert loop.line.playing
    assert not loop.line.locked
    assert loop.line.tempo_bpm == 120


def test_a_ramp_is_gone_with(loop: InSession):
    loop.its_bpm = 60
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(8)
    off = []
    for _ in range(320):
        loop.live_through(0.05, lambda s: loop.its_bpm + 140 / 16 * 0.01)
        off.append(abs(loop.off_ms))
    assert loop.its_bpm == pytest.approx(200, rel=0.15)
    assert max(off) < 1.5
    beats = [line.beat for line in loop.lines if line.playing]
    assert beats == sorted(beats)


def test_a_session_that_is_lost_leaves_the_tempo_and_is_met_again(loop: InSession):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(5)
    loop.is_there = False
    loop.live_through(3)
    assert loop.line.playing
    assert not loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(126, abs=0.01)
    loop.is_there, loop.its, loop.its_bpm = True, 4 * math.ceil(loop.its / 4) + 2.4, 130
    loop.live_through(0.7)
    assert not loop.line.locked, "it leads again with its next bar line"
    assert loop.line.tempo_bpm == pytest.approx(126, abs=0.01)
    loop.live_through(0.15)
    assert loop.line.locked
    loop.live_through(5)
    assert abs(loop.off_ms) < 0.2
    assert steadily(loop)


def steadily(loop: InSession) -> bool:
    """Whether no timestep was doubled or lost: what lies between two lines is what was left out of the numbers."""
    playing = [line for line in loop.lines if line.playing]
    return all(
        abs(after.beat - after.left_out - (before.beat_at(after.frame) - before.left_out)) < 1e-6
        for before, after in pairwise(playing)
        if after.began == before.began
    )


@pytest.mark.parametrize("further", [1, 2, 3])
def test_bars_that_lie_elsewhere_are_taken_over_on_a_bar_line_of_theirs(loop: InSession, further: int):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(5)
    bars = loop.line.bar
    loop.its += further  # another session was joined
    loop.live_through(5)
    assert loop.line.playing
    assert abs(loop.off_ms) < 0.2
    assert loop.line.bar > bars, "bars are counted on"
    assert steadily(loop)
    assert len(loop.stops) == 0


def test_realign_begins_with_bar_1_on_a_bar_line(loop: InSession):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(9)
    assert loop.line.place(loop.beat) > 8
    loop.live.fire("clock.realign")
    loop.live_through(3)
    assert loop.line.playing
    assert abs(loop.off_ms) < 0.2
    assert 0 <= loop.line.place(loop.beat) < 8


def test_it_starts_and_stops_with_the_session_only_where_that_is_asked_for(loop: InSession):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(3)
    loop.fire("stop")
    for plays in (True, False):
        loop.its_plays = plays
        loop.live_through(3)
        assert not loop.line.playing
    loop.live.set("clock.startstop", 1)
    loop.live_through(0.1)
    for plays in (True, False, True):
        loop.its_plays = plays
        loop.live_through(4)
        assert loop.line.playing == plays
        assert not plays or abs(loop.off_ms) < 0.2


def test_changed_to_while_it_plays_it_goes_on_and_meets_the_beat(loop: InSession):
    loop.live.set("clock.source", source_names().index("internal"))
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(1)
    loop.fire("stop")
    loop.fire("start")
    loop.live_through(3)
    loop.live.set("clock.source", source_names().index("link"))
    stops = len(loop.stops)
    loop.live_through(5)
    assert loop.line.playing
    assert len(loop.stops) == stops
    assert abs(loop.off_ms) < 0.2
    assert steadily(loop)
    loop.live.set("clock.source", source_names().index("internal"))
    loop.live_through(1)
    assert loop.line.tempo_bpm == pytest.approx(126, abs=0.1)


@pytest.mark.parametrize(("bpm", "part"), [(20, 1), (999, 4), (400, 1), (401, 2), (10, 0.5)])
def test_of_a_tempo_beyond_what_the_band_can_it_plays_a_part(loop: InSession, bpm: float, part: float):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(3)
    loop.its_bpm = bpm
    loop.live_through(60 * 4 * part / bpm + 8)
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(bpm / part, rel=1e-3)
    its = loop.its / part
    heard = loop.line.place(loop.line.beat_at(loop.frame - LATENCY))
    assert abs((heard - its + 2) % 4 - 2) * 60 / bpm * part < 5e-4, "bars lie on bars"
    assert steadily(loop)
    loop.its_bpm = 126
    loop.live_through(6)
    assert loop.line.tempo_bpm == pytest.approx(126, abs=0.01)
    assert abs(loop.off_ms) < 0.2


def test_peers_that_come_and_go_every_half_second_do_no_harm(loop: InSession):
    loop.live_through(0.1)
    loop.fire("start")
    loop.live_through(3)
    rng = np.random.default_rng(3)
    for _ in range(30):
        loop.is_there = not loop.is_there
        loop.its += float(rng.uniform(0, 4)) * loop.is_there
        loop.live_through(0.5)
    assert loop.line.playing
    assert not loop.stops
    assert steadily(loop)
    beats = [line.beat for line in loop.lines if line.playing]
    assert beats == sorted(beats)
    loop.is_there = True
    loop.live_through(8)
    assert abs(loop.off_ms) < 0.2
