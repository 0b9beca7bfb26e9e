"""The loop over timesteps: its figures, and what it does where the beat bends, stops and jumps under it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.link import Layout, Link
from engine.core.messages import ALL_OFF, BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.jam.figures import LATEST, MARGIN_MS, REMEMBERED, Times, deadline_ms
from engine.jam.jam import Jam
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.jam.performance import LOOKAHEAD, Outcome, Performance
from engine.midi.schedule import Event, Schedule
from engine.network.runner import Runner
from engine.transport.sources.internal import InternalSource
from engine.transport.timeline import START_S, BeatTimeline, TimelineReader
from engine.transport.transport import Transport

RATE = 48000


def test_times_are_of_the_last_ones_and_the_longest_of_all():
    times = Times()
    assert times.percentiles_ms(50, 99) == (0.0, 0.0)
    values = np.random.default_rng(1).random(REMEMBERED + 100) * 3
    values[5] = 40.0
    for value in values.tolist():
        times.add(value)
    assert times.percentiles_ms(50, 99) == pytest.approx(np.percentile(values[100:], [50, 99]), rel=1e-5)
    assert times.max_ms == 40.0
    assert times.count == REMEMBERED + 100


def test_who_takes_over_counts_on_but_measures_anew():
    times = Times()
    times.resume(1000, 7.5)
    times.add(0.25)
    assert (times.count, times.max_ms) == (1001, 7.5)
    assert times.percentiles_ms(50) == (0.25,)


def test_the_input_deadline_is_as_late_as_recomputing_allows():
    assert deadline_ms(1.5, step_ms=125.0) == 1.5 + MARGIN_MS
    assert deadline_ms(90.0, step_ms=125.0) == LATEST * 125.0  # earlier, the step before would not have sounded yet


class Hall:
    """A driver on a virtual clock, with the transport and the notes of the audio process, and no sound."""

    latency_frames = 0

    def __init__(self, path: Path, script: dict[int, str | tuple[str, float]], mode: str = "solo", count_in: int = 0) -> None:
        """`script`: what is commanded, by the number of the block."""
        runner = Runner(path)
        registry = registry_of(runner.card)
        self.link = Link.private(Layout.of(runner.card, len(registry)))
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        self.live.set("mode", MODES.index(mode))
        source = InternalSource(self.live, RATE)
        self.transport = Transport(self.link.writer("timeline"), self.live, source, RATE, runner.card.steps_per_beat, count_in)
        self.transport.on_stop = lambda frame: self.put(Event(frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0))
        self.performance = Performance(Jam(runner, self.live, self.link, "lead"), self.link, runner.card, self)
        self.script = script
        self.end = (max(script, default=0) + 400) * BLOCK
        self.frame = 0
        self.schedule = Schedule()
        self.sent = self.link["notes"].reader(0)
        self.played_steps: list[Outcome] = []
        self.at: list[int] = []  # frame at which each was published
        self.heard: list[Event] = []
        self.down: dict[tuple[int, int], int] = {}

    def put(self, event: Event) -> None:
        if event.kind != NOTE_ON or event.frame < self.transport.stopped_at:
            self.schedule.put(event)

    def block(self) -> None:
        """Everything that the audio engine does in a block, but for the sound."""
        command = self.script.get(self.frame // BLOCK)
        if command is not None:
            if isinstance(command, tuple):
                self.live.set(*command)
            else:
                self.live.fire(f"transport.{command}")
            self.transport.take_parameters(self.frame)
        self.transport.advance(self.frame, self.frame + BLOCK)
        for record in self.sent.read().tolist():
            self.put(Event(*record))
        for event in self.schedule.due(self.frame + BLOCK):
            self.sound(event._replace(frame=max(event.frame, self.frame)))
        self.frame += BLOCK

    def sound(self, event: Event) -> None:
        if event.kind == ALL_OFF:
            for track, pitch in list(self.down):
                self.sound(Event(event.frame, -1, NOTE_OFF, track, pitch, 0, 0.0))
            return
        key = event.track, event.pitch
        ended = self.down.pop(key, None)
        if event.kind == NOTE_ON:
            self.down[key] = event.step
        elif ended is None:
            return
        self.heard.append(event)
        self.link.writer("events").push(tuple(event))

    def now(self) -> float:
        return self.frame

    def now_ns(self) -> int:
        return 0

    def earliest(self) -> float:
        return self.frame

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        return max(LOOKAHEAD * 60 / timeline.tempo_bpm / 4, 0.015), 0.015, 0.01

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        due = frame - before_s * RATE
        for _ in range(4 if watchful else 15):  # 20 ms, as on the stage
            if self.frame >= min(due, self.end):
                break
            self.block()
        return self.frame >= due

    def is_over(self) -> bool:
        return self.frame >= self.end

    def played(self, outcome: Outcome) -> None:
        self.played_steps.append(outcome)
        self.at.append(self.frame)

    def run(self) -> Hall:
        self.performance.run()
        return self

    def at_frame(self, frame: float) -> BeatTimeline:
        reader = TimelineReader(self.link["timeline"])
        reader.now()
        return reader.at(frame)

    @property
    def steps(self) -> list[int]:
        return [outcome.step for outcome in self.played_steps]

    @property
    def begun(self) -> list[Event]:
        return [event for event in self.heard if event.kind == NOTE_ON]


def test_without_a_start_nothing_is_played(tiny_onnx):
    hall = Hall(tiny_onnx, {}).run()
    assert hall.steps == []


def test_the_count_in_is_no_step(tiny_onnx):
    hall = Hall(tiny_onnx, {0: "start", 2500: ("density", 1.0)}, count_in=1).run()
    assert hall.steps[:3] == [0, 1, 2]
    assert hall.played_steps[0].frame == pytest.approx(START_S * RATE + 4 * 60 / 112 * RATE)


def test_a_stop_ends_the_network_and_what_was_sent_never_sounds(tiny_onnx):
    hall = Hall(tiny_onnx, {0: "start", 1000: "stop"}).run()
    assert hall.begun
    assert hall.down == {}
    assert max(event.frame for event in hall.heard) <= 1000 * BLOCK
    assert hall.played_steps[-1].frame < 1000 * BLOCK + 0.01 * RATE + BLOCK  # its deadline may have been before


def test_continue_plays_the_step_that_was_withdrawn(tiny_onnx):
    hall = Hall(tiny_onnx, {0: "start", 1000: "stop", 2000: "continue"}).run()
    assert hall.steps == list(range(len(hall.steps)))
    gap = [b.frame - a.frame for a, b in pairwise(hall.played_steps)]
    assert len([g for g in gap if g > 1000 * BLOCK]) == 1
    assert not [event for event in hall.begun if 1000 * BLOCK < event.frame < 2000 * BLOCK]
    assert [event for event in hall.begun if event.frame > 2000 * BLOCK]


def test_bar_1_is_told_to_the_network_and_counted_from(tiny_onnx):
    hall = Hall(tiny_onnx, {0: "start", 1500: "rewind"}).run()
    records = hall.link["steps"].reader(0).read()
    jump = int(np.flatnonzero(np.diff(records["beat"]) < 0)[0]) + 1
    assert records["beat"][jump - 1 : jump + 8][-1] > 0
    upbeat = records["beat"][jump:]
    assert upbeat[0] < 0
    assert 0.0 in upbeat.tolist()
    steps = records["step"].tolist()
    assert steps == sorted(set(steps))
    of_bar_1 = steps[jump + upbeat.tolist().index(0.0)]
    assert of_bar_1 % 16 == 0


def test_a_faster_beat_is_followed_without_a_late_step(tiny_onnx):
    hall = Hall(tiny_onnx, {0: "start", 700: ("tempo", 300.0), 1200: ("tempo", 40.0), 2400: ("tempo", 200.0)}).run()
    assert hall.performance.late == 0
    assert hall.steps == list(range(len(hall.steps)))


def test_a_step_that_the_beat_moves_does_not_sound_where_it_was(tiny_onnx):
    # The nudge comes when the step after it has been sent, and takes away the bend to a slow tempo that was to come first.
    hall = Hall(tiny_onnx, {0: "start", 678: ("tempo", 30.0), 731: ("transport.nudge", 1.0), 2500: ("density", 2.0)}).run()
    where = {outcome.step: outcome.frame for outcome in hall.played_steps}
    assert where[7] > 50000
    assert all(abs(event.frame - where[event.step]) <= 2 * BLOCK for event in hall.begun if event.step in where)


COMMANDS = st.one_of(
    st.sampled_from(["start", "stop", "continue", "rewind", "tap"]),
    st.tuples(st.just("tempo"), st.floats(30, 300)),
    st.tuples(st.just("transport.nudge"), st.floats(-1, 1)),
    st.tuples(st.just("density"), st.floats(0.5, 4)),
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(1, 3000), COMMANDS, max_size=12), st.integers(0, 1))
def test_whatever_is_commanded_steps_come_once_in_order_and_in_time(tiny_onnx, script, count_in):
    hall = Hall(tiny_onnx, {0: "start", **script}, count_in=count_in).run()
    assert hall.steps == sorted(set(hall.steps))
    for outcome, at in zip(hall.played_steps, hall.at, strict=True):
        assert outcome.frame > at - BLOCK  # published before it sounds
        assert not outcome.late
    frames = [outcome.frame for outcome in hall.played_steps]
    assert all(a < b for a, b in pairwise(frames))
    where = {outcome.step: outcome.frame for outcome in hall.played_steps}
    for event in hall.begun:
        # A note of a step sounds where the step is: what was sent for another place was replaced. A nudge after the deadline
        # moves it by a tenth of what is left until then, and the block.
        if event.step in where:
            assert abs(event.frame - where[event.step]) <= 0.1 * 0.015 * RATE + 2 * BLOCK
        line = hall.at_frame(event.frame)
        assert line.playing
        assert line.beat_at(event.frame + BLOCK) >= line.began - 1e-6
