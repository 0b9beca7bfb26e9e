"""The player's own beat: it is found in what he plays, waited for, fallen in with, and gone with within limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.core.config import source_names
from engine.core.link import Writer
from engine.core.messages import PLAYER_BEAT
from engine.transport.follower import Follower
from engine.transport.sources import Selected
from tests.transport.conftest import RATE, Loop, Rings, rings

KICK, SNARE, HAT = 36, 38, 42


def rock(tempo_bpm: float, bars: int) -> list[tuple[float, int, int]]:
    """Kick on one and three, snare on two and four, eighths on the hat; struck up to 10 ms early or late."""
    rng = np.random.default_rng(1)
    notes = []
    for eighth in range(8 * bars):
        at = 1.0 + eighth * 30 / tempo_bpm
        struck = [HAT] + ([KICK] if eighth % 8 in (0, 4, 5) else [SNARE] if eighth % 4 == 2 else [])
        notes += [(at + float(rng.uniform(-0.01, 0.01)), pitch, 100) for pitch in struck]
    return sorted(notes)


@pytest.mark.parametrize("tempo_bpm", [84.0, 118.0, 140.0])
def test_a_drummers_beat_and_bar_are_found(tempo_bpm: float):
    follower = Follower(drums=True, bar=4)
    found = np.nan
    for second, pitch, velocity in rock(tempo_bpm, 6):
        follower.wait(second)
        follower.hear(second, pitch, velocity)
        if follower.line is not None and np.isnan(found):
            found = second
    assert found < 6
    line = follower.line
    assert line is not None
    assert 60 / line.period_s == pytest.approx(tempo_bpm, rel=0.02)
    true = (follower.heard - 1.0) * tempo_bpm / 60
    off = line.beat_at(follower.heard) - true
    assert abs(off - round(off)) * line.period_s < 0.03
    assert follower.bar_lines().argmax() == round(off) % 4


def test_who_speeds_up_and_slows_down_is_not_followed_late():
    at, beats = 1.0, []
    for beat in range(96):  # 8 % up and down within 16 beats
        beats.append(at)
        at += 60 / 110 / (1 + 0.08 * np.sin(2 * np.pi * beat / 16))
    follower = Follower(drums=False, bar=4)
    off_s = []
    for beat, second in enumerate(beats):
        if follower.line is not None and beat > 16:
            expected = follower.line.beat_at(second)
            off_s.append((expected - round(expected)) * follower.line.period_s)
        for pitch in (48, 55, 64, 72 if beat % 4 else 36):
            follower.wait(second)
            follower.hear(second, pitch, 100 if beat % 4 == 0 else 80)
    assert len(off_s) > 70
    assert np.sqrt(np.mean(np.square(off_s))) < 0.052  # without an idea of how the tempo changes 0.060


@pytest.mark.parametrize(("bar", "drums"), [(2, False), (2, True), (4, True)])
def test_beats_that_go_in_threes_are_found_with_their_bar(bar: int, drums: bool):
    rng = np.random.default_rng(2)
    period = 60 / 104
    notes = []
    for eighth in range(3 * bar * (16 // bar)):
        at = 1.0 + eighth * period / 3 + float(rng.uniform(-0.01, 0.01))
        beat = eighth // 3 % bar
        if drums:
            struck = [HAT] + ([KICK] if beat % 2 == 0 else [SNARE]) * (eighth % 3 == 0)
        else:
            struck = [(67, 71, 74)[eighth % 3] - 12 * (eighth % (3 * bar) == 0)] * (eighth % 6 != 4)
        notes += [(at, pitch, 90 if eighth % 3 else 105) for pitch in struck]
    follower = Follower(drums, bar, compound=True)
    for second, pitch, velocity in sorted(notes):
        follower.wait(second)
        follower.hear(second, pitch, velocity)
    line = follower.line
    assert line is not None
    assert line.period_s == pytest.approx(period, rel=0.03)
    true = (follower.heard - 1.0) / period
    off = line.beat_at(follower.heard) - true
    assert abs(off - round(off)) * line.period_s < 0.03
    if bar == 2:
        assert follower.bar_lines().argmax() == round(off) % bar


def test_a_waltz_on_drums_is_found_with_its_bar():
    rng = np.random.default_rng(3)
    period = 60 / 132
    follower = Follower(drums=True, bar=3)
    for beat in range(36):
        at = 1.0 + beat * period + float(rng.uniform(-0.01, 0.01))
        for pitch in (KICK, HAT) if beat % 3 == 0 else (SNARE, HAT):
            follower.wait(at)
            follower.hear(at, pitch, 90)
    line = follower.line
    assert line is not None
    assert line.period_s == pytest.approx(period, rel=0.02)
    off = line.beat_at(follower.heard) - (follower.heard - 1.0) / period
    assert abs(off - round(off)) * line.period_s < 0.03
    assert follower.bar_lines().argmax() == round(off) % 3


def test_before_anything_is_played_there_is_no_beat():
    follower = Follower(drums=False, bar=3)
    follower.wait(10.0)
    assert follower.line is None
    follower.hear(11.0, 60, 80)
    follower.wait(12.0)
    assert follower.line is None


class Played(Loop):
    """A transport that follows, and what is heard of the player."""

    def __init__(self) -> None:
        self.heard = Writer(memoryview(bytearray(Writer.size(PLAYER_BEAT, 8))), PLAYER_BEAT, 8)
        super().__init__(self._follow)

    def _follow(self, live):
        live.set("clock.source", source_names().index("follow"))
        return Selected(live, RATE, Rings(rings() | {"player_beat": self.heard}))

    def hear(self, tempo_bpm: float, beat_zero_s: float, ready: bool = True, confidence: float = 0.9) -> None:
        """The player's beat is found: his beat 0, a bar line, is there."""
        now = self.frame / RATE
        beat = (now - beat_zero_s) * tempo_bpm / 60
        self.heard.push((now * RATE, beat, RATE * 60 / tempo_bpm, 0.0, confidence, 0.9, now * RATE, int(ready)))

    def play(self, seconds: float, tempo_bpm: float, beat_zero_s: float) -> None:
        """He plays on for so long."""
        end = self.frame + seconds * RATE
        while self.frame < end:
            self.hear(tempo_bpm, beat_zero_s)
            self.seconds(0.25)


def started() -> Played:
    loop = Played()
    loop.live.fire("transport.start")
    loop.seconds(1)
    assert not loop.line.playing
    return loop


def test_it_waits_for_his_beat_and_begins_with_his_bar_line_without_a_click():
    loop = started()
    loop.hear(100.0, 0.4, ready=False)
    loop.seconds(1)
    assert not loop.line.playing
    loop.play(6, 100.0, 0.4)
    begun = next(line for line in loop.lines if line.playing)
    assert begun.frame / RATE == pytest.approx(0.4 + 4 * 60 / 100)  # the first bar line after it was heard
    assert begun.bar == 1
    assert begun.beat == begun.began == begun.bar_beat
    assert loop.clicks == []
    his = (loop.frame / RATE - 0.4) * 100 / 60
    assert (loop.beat - his + 0.5) % 1 - 0.5 == pytest.approx(0, abs=0.01)
    assert loop.line.locked


def test_it_goes_with_him_and_no_further_than_it_may():
    loop = started()
    loop.live.set("clock.range", 10)
    loop.play(5, 100.0, 0.0)
    zero = loop.frame / RATE - round(loop.beat) * 60 / 106
    loop.play(8, 106.0, zero)
    assert loop.line.tempo_bpm == pytest.approx(106, rel=0.01)
    loop.play(5, 125.0, 0.0)
    assert not loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(106, rel=0.02)  # it keeps its own time


def test_when_he_stops_the_band_keeps_the_time():
    loop = started()
    loop.play(5, 90.0, 0.0)
    before = loop.line.bar
    loop.seconds(20)
    assert loop.line.playing
    assert not loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(90, rel=0.02)
    assert loop.line.bar == before


def test_no_step_is_lost_or_doubled_while_it_is_steered():
    loop = started()
    loop.play(4, 100.0, 0.0)
    for n in range(12):
        loop.play(1.0, 100.0 + 8 * (-1) ** n, 0.13 * n)
    played = [line for line in loop.lines if line.playing]
    for one, following in pairwise(played):
        assert following.beat == pytest.approx(one.beat_at(following.frame), abs=1e-6)
        assert (following.bar, following.bar_beat) == (one.bar, one.bar_beat)
        assert following.tempo_bpm > 0


def test_a_beat_that_cannot_be_found_is_begun_without_at_the_set_tempo():
    loop = started()
    loop.live.set("tempo", 97)
    loop.live.fire("clock.alone")
    loop.seconds(1)
    assert loop.line.playing
    assert loop.line.tempo_bpm == pytest.approx(97)
    assert not loop.line.locked


def test_a_source_is_chosen_while_it_plays_and_the_tempo_stays():
    loop = started()
    loop.play(5, 100.0, 0.0)
    loop.live.set("clock.source", source_names().index("internal"))
    loop.seconds(1)
    assert loop.line.playing
    assert loop.line.locked
    assert loop.live.get("tempo") == pytest.approx(100, abs=1)
    assert loop.line.tempo_bpm == pytest.approx(loop.live.get("tempo"))
    loop.live.set("clock.source", source_names().index("follow"))
    loop.play(4, 103.0, 0.0)
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(103, rel=0.02)
