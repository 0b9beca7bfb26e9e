"""One timestep's way: what the audio process gets of each choice, and when another choice is needed."""

from __future__ import annotations

import pytest

from engine.core.link import Layout, Link
from engine.core.messages import NOTE_OFF, NOTE_ON, WITHDRAWN
from engine.jam.step import Event, Step
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline

LINE = BeatTimeline(0.0, 0.0, 120.0, 48000.0)
OTHER = LINE.with_tempo(90.0, 1.0)


def onset(frame: int, pitch: int, velocity: int = 80) -> Event:
    return (frame, 8, NOTE_ON, 2, pitch, velocity, 0.0)


@pytest.fixture
def link(tiny_onnx):
    return Link.private(Layout.of(Runner(tiny_onnx).card, 50))


def sent(link, reader):
    return [(e["frame"], e["kind"], e["pitch"], e["velocity"]) for e in reader.read()]


def test_it_holds_until_parameters_the_line_or_the_player_change_it():
    step = Step(8)
    assert not step.holds(8, LINE, 3)  # nothing was chosen yet
    step.choose(LINE, 48000.0, [], True, 3)
    assert step.holds(8, LINE, 3)
    assert not step.holds(9, LINE, 3)
    assert not step.holds(8, OTHER, 3)
    assert not step.holds(8, LINE, 4)
    step.hear(player=False)
    assert step.holds(8, LINE, 3)
    assert step.is_doubtful
    step.confirm()
    assert not step.is_doubtful
    step.hear(player=True)
    assert not step.holds(8, LINE, 3)
    step.choose(LINE, 48000.0, [], True, 3)
    assert step.holds(8, LINE, 3)


def test_a_second_choice_sends_what_is_new_replaces_what_is_other_and_withdraws_what_is_gone(link):
    notes, reader = link.writer("notes"), link["notes"].reader(0)
    step = Step(8)
    step.choose(LINE, 48000.0, [onset(48000, 60), onset(48000, 62), onset(48000, 64)], True, 1)
    step.send(notes, 40000)
    assert step.is_sent
    assert sent(link, reader) == [(48000, NOTE_ON, pitch, 80) for pitch in (60, 62, 64)]
    step.is_written = True
    step.choose(LINE, 48000.0, [onset(48000, 60), onset(48000, 62, 99), onset(48000, 67)], True, 2)
    step.send(notes, 41000)
    assert not step.is_written  # the record is of the choice before
    assert sent(link, reader) == [(48000, NOTE_ON, 62, 99), (48000, NOTE_ON, 67, 80), (48000, WITHDRAWN, 64, NOTE_ON)]


def test_what_sounds_by_then_is_neither_sent_again_nor_taken_back(link):
    notes, reader = link.writer("notes"), link["notes"].reader(0)
    step = Step(8)
    step.choose(LINE, 48000.0, [onset(47000, 60), onset(47100, 62)], True, 1)
    step.send(notes, 40000)
    reader.read()
    step.choose(LINE, 48000.0, [onset(48500, 60, 33)], True, 2)
    step.send(notes, 47500)
    assert sent(link, reader) == []
    step.choose(LINE, 48000.0, [], True, 3)
    step.send(notes, 47500)
    assert sent(link, reader) == []


def test_what_is_early_sounds_at_the_first_frame_there_is(link):
    notes, reader = link.writer("notes"), link["notes"].reader(0)
    step = Step(8)
    step.choose(LINE, 48000.0, [(48000, 8, NOTE_OFF, 2, 60, 0, 0.0), onset(48000, 62)], True, 1)
    step.send(notes, 48100.2)
    assert [frame for frame, *_ in sent(link, reader)] == [48101, 48101]


def test_a_step_that_is_not_to_be_is_withdrawn_but_for_what_sounds(link):
    notes, reader = link.writer("notes"), link["notes"].reader(0)
    step = Step(8)
    step.choose(LINE, 48000.0, [onset(47000, 60), onset(48000, 62)], True, 1)
    step.send(notes, 40000)
    reader.read()
    step.withdraw(notes, 47500)
    assert sent(link, reader) == [(48000, WITHDRAWN, 62, NOTE_ON)]
    assert not step.is_sent
    step.withdraw(notes, 0)
    assert sent(link, reader) == []  # there is nothing left of it


def test_released_by_all_off_it_has_nothing_to_withdraw_and_is_sent_anew(link):
    notes, reader = link.writer("notes"), link["notes"].reader(0)
    step = Step(8)
    step.choose(LINE, 48000.0, [onset(48000, 60)], True, 1)
    step.send(notes, 40000)
    step.forget_sent()
    assert not step.is_sent
    step.send(notes, 40000)
    assert len(sent(link, reader)) == 2
