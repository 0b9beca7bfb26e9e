"""The transport: commands, tempo, count-in and metronome; what is published is a beat that never goes back."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.messages import BLOCK
from engine.core.metre import CHOICES, choice_of
from engine.transport.sources import Reading
from engine.transport.sources.internal import NUDGE, InternalSource
from engine.transport.sources.virtual import VirtualSource
from engine.transport.timeline import START_S, BeatTimeline, TimelineReader
from engine.transport.transport import SOFT, Transport
from tests.transport.conftest import RATE, STEPS_PER_BEAT, Loop

BEAT = RATE // 2  # frames at 120 bpm
FIRST = round(START_S * RATE)


def test_it_stands_until_it_is_started_and_says_so():
    loop = Loop()
    loop.seconds(3)
    assert len(loop.lines) == 1
    assert not loop.line.playing
    assert loop.beat == -4
    assert loop.clicks == []
    assert loop.transport.due == math.inf  # nothing is asked of the block loop


def test_start_counts_in_and_bar_1_follows():
    loop = Loop()
    loop.fire("start")
    assert loop.line.frame == FIRST
    assert (loop.line.beat, loop.line.began, loop.line.place(0)) == (-4, 0, 0)
    loop.seconds(5)
    assert [frame - frame % BLOCK for frame, _, _ in loop.clicks] == [
        round(FIRST + n * BEAT) // BLOCK * BLOCK for n in range(4)
    ]
    assert [downbeat for _, downbeat, _ in loop.clicks] == [True, False, False, False]
    assert len(loop.lines) == 2  # nothing changed since


def test_the_metronome_clicks_while_it_is_turned_up_and_says_where_one_is():
    loop = Loop(count_in=0)
    loop.live.set("metronome", 0.5)
    loop.fire("start")
    loop.seconds(2.5)
    loop.live.set("metronome", 0)
    loop.seconds(2)
    loop.live.set("metronome", 0.25)
    loop.seconds(1)
    beats = [round((frame - FIRST) / BEAT, 1) for frame, _, _ in loop.clicks]
    assert beats == [0, 1, 2, 3, 4, 9, 10]
    assert [beat for beat, (_, downbeat, _) in zip(beats, loop.clicks, strict=True) if downbeat] == [0, 4]
    assert [level for _, _, level in loop.clicks] == [0.5] * 5 + [0.25] * 2


def test_no_beat_is_clicked_twice_where_the_tempo_bends_on_it():
    loop = Loop(count_in=0)
    loop.live.set("metronome", 1)
    loop.fire("start")
    for tempo in (100, 140, 90, 180) * 4:
        loop.live.set("tempo", tempo)
        loop.seconds(0.3)
    beats = [loop_beat(loop, frame) for frame, _, _ in loop.clicks]
    assert beats == list(range(len(beats)))


def loop_beat(loop: Loop, frame: int) -> int:
    reader = TimelineReader(loop.ring)
    reader.now()
    return round(reader.at(frame + BLOCK).beat_at(frame + BLOCK / 2))


def test_a_new_tempo_holds_from_the_next_timestep_on():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(0.9)  # beat 1.6
    loop.live.set("tempo", 60)
    loop.blocks()
    before = loop.line
    assert before.tempo_bpm == 120
    loop.seconds(0.5)
    after = loop.line
    assert (after.beat, after.tempo_bpm) == (1.75, 60)
    assert after.frame == pytest.approx(before.frame_at(1.75))


def test_stop_stands_at_once_and_continue_goes_on_from_there():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(1.3)
    at = loop.frame
    loop.fire("stop")
    assert (loop.line.playing, loop.line.frame) == (False, at)
    stood = loop.beat
    assert stood == pytest.approx((at - FIRST) / BEAT)
    loop.seconds(2)
    assert loop.beat == stood
    assert loop.stops == [at]
    loop.fire("continue")
    assert (loop.line.beat, loop.line.began, loop.line.bar_beat) == (stood, stood, 0)
    loop.seconds(1)
    assert loop.beat == pytest.approx(stood + (loop.frame - loop.line.frame) / BEAT)


def test_start_after_a_stop_counts_in_another_bar_1_and_no_step_comes_twice():
    loop = Loop()
    loop.fire("start")
    loop.seconds(6)
    loop.fire("stop")
    stood = loop.beat
    loop.fire("start")
    line = loop.line
    assert line.beat >= stood
    assert line.bar_beat == line.began == line.beat + 4
    assert line.bar_beat % 4 == 0
    assert line.place(line.began) == 0
    loop.clicks.clear()
    loop.seconds(4)
    assert [downbeat for _, downbeat, _ in loop.clicks] == [True, False, False, False]


def test_a_count_in_that_was_stopped_is_begun_anew_by_continue():
    loop = Loop()
    loop.fire("start")
    loop.seconds(1)
    loop.fire("stop")
    loop.fire("continue")
    assert loop.line.began - loop.line.beat == 4


@pytest.mark.parametrize("command", ["rewind", "start"])
def test_bar_1_is_next_while_it_plays(command: str):
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(FIRST / RATE + 6.6)  # beat 13.2
    before, at = loop.line, loop.frame
    loop.fire(command)
    line = loop.line
    assert before.frame_at(14) == pytest.approx(line.frame_at(line.bar_beat))  # on the beat
    assert (line.bar, line.bar_beat) == (1, 16)
    assert line.beat_at(at) >= before.beat_at(at)
    assert line.place(16) == 0


def test_rewind_while_it_stands_makes_continue_begin_with_bar_1():
    loop = Loop()
    loop.fire("start")
    loop.seconds(8)
    loop.fire("stop")
    loop.fire("rewind")
    loop.fire("continue")
    assert loop.line.place(loop.line.beat) == 0
    assert loop.line.began == loop.line.beat  # no count-in
    assert loop.line.frame == loop.frame - BLOCK + FIRST


def test_a_process_that_takes_over_goes_on_with_the_beat():
    loop = Loop()
    loop.live.set("metronome", 1)
    loop.fire("start")
    loop.seconds(3.3)
    line = loop.line
    loop.frame += BLOCK * 300  # nobody was there
    loop.clicks.clear()
    loop.build()
    loop.seconds(2)
    assert loop.line == line
    assert loop_beat(loop, loop.clicks[0][0]) == math.ceil(line.beat_at(loop.frame - 2 * RATE) - 0.01)
    loop.fire("stop")
    assert not loop.line.playing


def test_one_that_died_before_it_was_ever_started_obeys_the_start_it_missed():
    loop = Loop()
    ring = loop.ring
    loop.live.fire("transport.start")
    loop.ring = type(ring)(memoryview(bytearray(type(ring).size(ring.dtype, 64))), ring.dtype, 64)
    loop.build()
    loop.blocks()
    assert loop.line.playing


def test_a_nudge_bends_at_once_and_as_long_as_it_is_held():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(1)
    loop.live.set("transport.nudge", 1)
    at = loop.frame
    loop.blocks()
    assert loop.line.tempo_bpm == pytest.approx(120 * (1 + NUDGE))
    assert loop.line.frame == at
    loop.live.set("transport.nudge", 0)
    loop.blocks(10)
    assert loop.line.tempo_bpm == 120
    straight = loop.lines[1]
    assert 0 < loop.beat - straight.beat_at(loop.frame) < 0.01


def test_a_tempo_map_is_followed_to_the_frame():
    tempi = [(0.0, 120.0), (4.0, 60.0), (4.1, 240.0), (5.5, 100.0)]
    loop = Loop(lambda _live: VirtualSource(tempi), count_in=0)
    loop.fire("start")
    loop.seconds(6)
    played = [(line.beat, line.tempo_bpm) for line in loop.lines if line.playing]
    assert played == tempi
    frames = [line.frame for line in loop.lines if line.playing]
    assert frames == pytest.approx([FIRST, FIRST + 4 * BEAT, FIRST + 4.2 * BEAT, FIRST + 4.2 * BEAT + 1.4 * BEAT / 2])


def test_a_map_of_metres_moves_the_bar_lines():
    loop = Loop(lambda _live: VirtualSource([(0.0, 120.0)], [(0.0, 3, 4), (9.0, 4, 4), (17.0, 6, 8)]), count_in=0)
    loop.live.set("metronome", 1)
    loop.fire("start")
    loop.seconds(12)
    metres = [(line.bar_beat, line.bar, line.numerator, line.denominator) for line in loop.lines if line.playing]
    assert metres == [(0, 1, 3, 4), (9, 4, 4, 4), (17, 6, 6, 8)]
    downbeats = [(frame - FIRST) / BEAT for frame, downbeat, _ in loop.clicks if downbeat]
    assert [round(beat, 1) for beat in downbeats] == [0, 3, 6, 9, 13, 17, 20, 23]


def in_metre(loop: Loop, text: str) -> None:
    loop.live.set("metre", choice_of(text))


def test_a_metre_begins_with_a_bar_and_its_accents_are_heard():
    loop = Loop()
    in_metre(loop, "3/4")
    loop.blocks()
    assert (loop.line.metre.name, loop.line.beat) == ("3/4", -3)  # as long is the count-in
    loop.live.set("metronome", 1)
    loop.fire("start")
    loop.seconds(2)
    in_metre(loop, "7/8 (3+2+2)")
    loop.seconds(6)
    played = [(line.bar_beat, line.bar, line.metre.name) for line in loop.lines if line.playing]
    assert played == [(0, 1, "3/4"), (3, 2, "7/8 (3+2+2)")]
    clicks = [(round((frame - FIRST) / BEAT - 3, 1), downbeat, level) for frame, downbeat, level in loop.clicks]
    assert clicks[:3] == [(-3, True, 0.8), (-2, False, 0.8), (-1, False, 0.8)]
    bar = [(3.0, True, 1), (3.5, False, SOFT), (4.0, False, SOFT), (4.5, False, 1), (5.0, False, SOFT), (5.5, False, 1)]
    assert clicks[6:12] == bar
    assert clicks[13] == (6.5, True, 1)


def test_the_tempo_of_a_compound_metre_counts_dotted_quarters():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(1)
    in_metre(loop, "6/8")
    loop.seconds(4)
    one = loop.line.bar_beat
    bends = [(line.beat, line.tempo_bpm) for line in loop.lines if line.playing and line.beat > 0]
    assert bends == [(one - 0.25, 120), (one, 180)]
    assert loop.line.counted_bpm == 120
    # Tapped is what is counted: at 100 dotted quarters a minute.
    for _ in range(4):
        loop.fire("tap")
        loop.blocks(round(0.6 * RATE / BLOCK) - 1)
    assert loop.live.get("tempo") == pytest.approx(100, abs=0.5)
    assert loop.line.tempo_bpm == pytest.approx(150, abs=0.75)


def test_a_metre_that_comes_too_late_for_a_bar_is_for_the_next():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(2)  # in the last timestep of bar 1, which may have been sent
    in_metre(loop, "6/8")
    loop.seconds(1)
    assert loop.line.metre.name == "4/4"
    loop.seconds(2)
    assert (loop.line.metre.name, loop.line.bar_beat, loop.line.bar) == ("6/8", 8, 3)
    in_metre(loop, "5/4")
    in_metre(loop, "4/4")
    loop.seconds(4)
    assert [line.metre.name for line in loop.lines if line.playing and line.bar_beat == line.beat + 0.25] == ["6/8", "4/4"]


def test_bar_1_begins_on_a_beat_in_the_metre_that_is_to_be():
    loop = Loop(count_in=0)
    in_metre(loop, "6/8")
    loop.fire("start")
    loop.seconds(1)  # two dotted quarters
    in_metre(loop, "5/4")
    loop.fire("rewind")
    loop.seconds(1)
    line = loop.line
    assert (line.metre.name, line.bar) == ("5/4", 1)
    assert (line.bar_beat - line.left_out) % 1.5 == 0
    assert line.left_out * STEPS_PER_BEAT == round(line.left_out * STEPS_PER_BEAT)


def test_a_network_with_a_step_a_beat_has_no_eighths():
    loop = Loop(count_in=0)
    loop.transport = Transport(loop.ring, loop.live, InternalSource(loop.live, RATE), RATE, 1, 0)
    loop.fire("start")
    for text in ("7/8", "3/4"):
        in_metre(loop, text)
        loop.seconds(5)
    assert {line.metre.name for line in loop.lines} == {"4/4", "3/4"}


CHANGES = st.one_of(
    st.tuples(st.just("metre"), st.integers(0, len(CHOICES) - 1)),
    st.tuples(st.just("tempo"), st.floats(30, 300)),
    st.tuples(st.just("fire"), st.sampled_from(["start", "stop", "continue", "rewind"])),
)


@settings(deadline=None)
@given(st.lists(st.tuples(CHANGES, st.floats(0.01, 3)), max_size=12))
def test_whatever_is_turned_every_bar_is_whole_unless_somebody_jumps(changes):
    loop = Loop()
    loop.fire("start")
    for (what, value), seconds in changes:
        if what == "fire":
            loop.fire(value)
        else:
            loop.live.set(what, value)
        loop.seconds(seconds)
    lines = loop.lines
    for before, line in pairwise(lines[1:]):
        assert line.beat >= before.beat
        assert line.began >= 0
        if line.bar > 1 and (line.metre != before.metre or line.bar_beat != before.bar_beat):
            assert before.bar_line(line.bar_beat) == pytest.approx(line.bar_beat)  # a bar line of the metre before
            if line.playing and before.playing:
                assert line.bar_beat - line.beat <= 1 / STEPS_PER_BEAT + 1e-6  # told a timestep before
                assert line.bar == before.bar + round((line.bar_beat - before.bar_beat) / before.beats_per_bar)
        if line.playing and line.beat >= line.bar_beat:
            nudged = line.tempo_bpm / line.metre.tempo_beat
            assert 30 <= nudged <= 300


class Other:
    """A source with a beat of its own: it plays on, at its own tempo, whatever we do."""

    def __init__(self, tempo: float, ahead: float) -> None:
        self.tempo, self.ahead = tempo, ahead
        self.playing: bool | None = True
        self.locked = True

    def take_parameters(self, frame: int) -> None:
        pass

    def start(self) -> bool:
        return False

    def read(self, frame: float, _beat: float) -> Reading:
        own = (frame - FIRST) * self.tempo / 60 / RATE + self.ahead
        return Reading(self.tempo, 4, 4, self.locked, beat=own, playing=self.playing)


@pytest.mark.parametrize("ahead", [0.3, -0.3, 0.02])
def test_a_source_with_a_beat_of_its_own_is_met(ahead: float):
    source = Other(100.0, ahead)
    loop = Loop(lambda _live: source, count_in=0)
    loop.seconds(8)
    assert loop.line.playing  # it started us
    assert loop.beat == pytest.approx(source.read(loop.frame, 0).beat, abs=0.003)
    tempi = [line.tempo_bpm for line in loop.lines if line.playing]
    assert max(abs(tempo / 100 - 1) for tempo in tempi) <= 0.1 + 1e-9
    source.locked = False
    loop.seconds(1)
    assert not loop.line.locked
    source.playing = False
    loop.live.set("tempo", 90)  # any turn makes it look
    loop.blocks()
    assert not loop.line.playing
    source.playing = True
    loop.seconds(0.1)
    assert loop.line.playing


COMMANDS = st.one_of(
    st.sampled_from(["start", "stop", "continue", "rewind", "tap", "anew"]),
    st.tuples(st.just("tempo"), st.floats(20, 400)),
    st.tuples(st.just("transport.nudge"), st.floats(-1, 1)),
    st.tuples(st.just("metronome"), st.sampled_from([0.0, 1.0])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(COMMANDS, st.integers(0, 400)), max_size=25), st.integers(0, 2))
def test_whatever_is_commanded_beats_never_go_back_and_nothing_jumps_but_what_jumps(
    commands: list[tuple[str | tuple[str, float], int]], count_in: int
):
    loop = Loop(count_in=count_in)
    last = loop.beat
    for command, blocks in commands:
        if isinstance(command, tuple):
            loop.live.set(*command)
        elif command == "anew":
            loop.build()
        else:
            loop.live.fire(f"transport.{command}")
        for _ in range(blocks + 1):
            loop.blocks()
            assert loop.beat >= last - 1e-6
            last = loop.beat
    known = loop.lines
    for before, line in pairwise(known):
        here = max(before.beat_at(line.frame), before.beat)
        assert line.beat >= here - 1e-6 or line.frame < before.frame  # or the one before had not begun
        assert line.beat - here <= 8 + 4 * count_in  # to another bar 1, no further
        assert line.bar_beat % 4 == 0
        assert 15 <= line.tempo_bpm <= 500  # nudged or bent, a source may be a quarter past its range
        assert line.began <= line.beat or line.began == line.bar_beat
    assert math.isfinite(loop.beat)


@given(st.floats(20, 400), st.floats(0, 1000), st.integers(1, 100))
def test_a_bend_lies_on_a_timestep_within_one_of_now(tempo: float, beat: float, blocks: int):
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.blocks(blocks + FIRST // BLOCK)
    at = loop.beat
    loop.live.set("tempo", tempo)
    loop.seconds(0.3)
    line = loop.line
    if line.tempo_bpm != 120:
        assert line.beat * STEPS_PER_BEAT == pytest.approx(round(line.beat * STEPS_PER_BEAT))
        assert at <= line.beat <= at + 1 / STEPS_PER_BEAT + 1e-6


def test_what_sounded_on_an_earlier_line_is_read_by_that_line():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(1)
    loop.live.set("tempo", 240)
    loop.seconds(1)
    loop.fire("stop")
    reader = TimelineReader(loop.ring)
    assert reader.now() == loop.line
    started, faster = loop.lines[1], loop.lines[2]
    assert reader.at(FIRST + BEAT) == started
    assert reader.at(FIRST - 100) == started  # a note may be early for the first beat
    assert reader.at(faster.frame) == faster
    assert reader.at(10**9) == loop.line
    assert reader.at(-1e9) == loop.lines[0]


@given(st.floats(20, 400), st.floats(-10, 1e5), st.booleans())
def test_a_line_survives_the_ring(tempo: float, beat: float, playing: bool):
    line = BeatTimeline(17.5, beat, tempo, RATE, playing, beat + 1, 7.0, beat + 1, 3, 6, 8, not playing)
    loop = Loop()
    loop.ring.push(line.record())
    assert loop.line == line
    assert line.frame_at(line.beat_at(1e6)) == (pytest.approx(1e6, rel=1e-9) if playing else math.inf)


def test_a_rewind_before_the_first_start_or_in_the_count_in_changes_nothing():
    for seconds in (0.0, 0.5):
        loop = Loop()
        if seconds:
            loop.fire("start")
            loop.seconds(seconds)
        loop.fire("stop")
        loop.fire("rewind")
        loop.fire("continue")
        loop.seconds(4)
        assert loop.line.playing
        assert loop.line.began >= 0
        assert loop.line.bar == 1
        assert all(line.beat >= -4 for line in loop.lines)


def test_pause_stops_what_plays_and_goes_on_with_what_stands():
    loop = Loop(count_in=0)
    loop.fire("start")
    loop.seconds(1)
    assert loop.line.playing
    loop.fire("pause")
    assert not loop.line.playing
    here = loop.beat
    assert loop.live.get("transport.stop") == 1, "as everybody sees it"
    loop.seconds(1)
    loop.fire("pause")
    loop.seconds(0.5)
    assert loop.line.playing
    assert loop.line.began == here
