"""The chart that is played by: typed while it plays, kept from what was played, given back after a kill; and what is played."""

from __future__ import annotations

import numpy as np

from engine.control.commands import Commands
from engine.core.messages import CHORD_KINDS, CONFIGURED, KEPT, NOTHING_TO_KEEP, NOTICE, PLAYED_CHORD, TYPED
from engine.jam.chart import of_text
from engine.jam.chords import Chord, of_code, parse
from engine.jam.jam import Jam
from engine.jam.played import Played
from tests.jam.test_following import BASS, CARD, TOP, block, chosen, melody
from tests.jam.test_jam import TIMELINE, Stage

LOOP = [parse(name) for name in ("C", "G", "Am", "F")]


def play(stage: Stage, *chords: Chord, how=melody) -> None:
    """A bar of each, on the beat and a little after it."""
    for of in chords:
        sounding: list[int] = []
        for within in range(16):
            for pitch in sounding if within in how(of) else ():
                stage.player(stage.step - 0.1, pitch, on=False)
            sounding = how(of).get(within, sounding)
            for pitch in how(of).get(within, ()):
                stage.player(stage.step + 0.01, pitch)
            stage.run(1)
        for pitch in sounding:
            stage.player(stage.step - 0.1, pitch, on=False)


def chart(stage: Stage) -> tuple[str, int]:
    record = stage.link["chart"].latest()
    return record["text"].decode(), int(record["origin"])


def notices(stage: Stage) -> list[str]:
    ring = stage.link["notices.network"]
    assert ring.dtype == NOTICE
    return [record["text"].decode() for record in ring.reader(0).read()]


def test_a_chart_that_is_typed_is_played_by_from_the_next_step_on_and_an_empty_one_ends_it(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    commands = Commands(stage.live, stage.link)
    stage.run(3)
    assert chart(stage) == ("", CONFIGURED)
    assert commands.do("chart", "chart", "|: Dm | G7 :|").status == "done"
    stage.run(1)
    assert chart(stage) == ("| Dm | G7 | Dm | G7 |", TYPED)
    assert stage.jam.following.ear.now == parse("Dm")
    refused = commands.do("chart", "chart", "| C | H |")
    assert refused.status == "refused"
    assert "bar 2: 'H' is no chord that is known here" in refused.reason
    assert commands.do("chart", "chart", 7).status == "refused"
    assert Commands(stage.live).do("chart", "chart", "C").status == "refused"
    stage.run(1)
    assert chart(stage)[0] == "| Dm | G7 | Dm | G7 |"
    commands.do("chart", "chart", "")
    stage.run(1)
    assert chart(stage) == ("", TYPED)
    assert stage.jam.following.ear.now is None


def test_what_was_just_played_is_kept_where_bar_1_falls(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    stage.live.fire("keep")
    stage.run(1)
    assert chart(stage) == ("", NOTHING_TO_KEEP)
    assert "nothing comes round yet" in notices(stage)[-1]
    stage = Stage(tiny_onnx, "accompany")
    stage.run(16)  # he begins in bar 2
    play(stage, *LOOP * 3, LOOP[0], how=block)
    stage.live.fire("keep")
    stage.run(1)
    assert chart(stage) == ("| F | C | G | Am |", KEPT)
    assert notices(stage) == ["kept: | F | C | G | Am |"]


def test_a_chart_of_another_length_than_what_he_plays_is_said_once(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    commands = Commands(stage.live, stage.link)
    commands.do("chart", "chart", "| C | G | Am |")
    play(stage, *LOOP * 5, how=block)
    assert notices(stage) == ["the chart has 3 bars and you repeat 4 bars: the chart is kept to"]
    assert int(stage.link["chart"].latest()["loop_beats"]) == 16
    stage = Stage(tiny_onnx, "accompany")  # twice the loop is the loop
    Commands(stage.live, stage.link).do("chart", "chart", "|: C | G | Am | F :|")
    play(stage, *LOOP * 5, how=block)
    assert notices(stage) == []


def test_a_process_in_the_place_of_one_that_died_knows_chart_key_chord_and_rounds(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    play(stage, *LOOP * 3, LOOP[0], how=block)
    ear = stage.jam.following.ear
    again = Jam(stage.runner, stage.live, stage.link, "lead")
    again.hear(stage.link["events"].reader(0).read(), TIMELINE, 0)
    again.recall(stage.step, TIMELINE, None)
    back = again.following.ear
    assert (back.now, back.following, back.key) == (ear.now, ear.following, ear.key)
    assert back.rounds.period == ear.rounds.period == 16
    again.charts.look(1000)
    stage.live.fire("keep")
    again.charts.look(1000)
    kept = stage.link["chart"].latest()
    assert kept["text"].decode() == "| C | G | Am | F |"
    third = Jam(stage.runner, stage.live, stage.link, "lead")
    third.recall(stage.step, TIMELINE, kept)
    assert list(third.following.ear.chart) == of_text("| C | G | Am | F |", 4)
    assert int(stage.link["chart"].latest()["origin"]) == KEPT


def test_what_was_forgotten_before_it_died_stays_forgotten(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany")
    play(stage, *LOOP[:2], how=block)
    stage.live.fire("reset")
    stage.run(4)
    again = Jam(stage.runner, stage.live, stage.link, "lead")
    chart_before = stage.link["chart"].reader(0).read()
    again.hear(stage.link["events"].reader(0).read(), TIMELINE, 0)
    again.recall(stage.step, TIMELINE, chart_before[-2])  # the last is the new one's own
    assert again.following.ear.key is None


def test_what_is_played_is_the_chord_that_is_heard_or_the_one_that_the_notes_make():
    played = Played(CARD)
    free = np.zeros(CARD.slots, np.float32)
    c, e, g, b = (BASS.start + pitch - 28 for pitch in (36, 40, 43, 47))
    played.hear(0, chosen((c, False), (e, False)), free, parse("Am"))
    assert played.chord == parse("Am")
    played.hear(1, chosen((e, False), (g, False), (b, False)), free, parse("Am"))
    assert played.chord == parse("Em")
    played.hear(2, chosen((c, False)), free, parse("G"))  # a passing note
    assert played.chord == parse("Em")
    lead = chosen((TOP.start, False))
    played.hear(3, lead, free, parse("G"))  # the lead may play the whole scale
    taken = free.copy()
    taken[c] = 1
    played.hear(4, chosen((c, False), (e, False)), taken, parse("F"))  # by somebody else
    assert played.chord == parse("Em")
    for step in range(5, 40):
        played.hear(step, chosen(), free, parse("F"))
    assert played.chord is None


def test_clusters_two_chords_at_once_and_drums_alone_are_played_to(tiny_onnx):
    for track, pitches in (("lead", range(60, 72)), ("lead", (60, 64, 67, 66, 70, 61)), ("drums", (36, 38, 42))):
        stage = Stage(tiny_onnx, "accompany", track=track, density=4)
        for _ in range(12):
            for pitch in pitches:
                stage.player(stage.step + 0.01, pitch)
            stage.run(7)
            for pitch in pitches:
                stage.player(stage.step - 0.1, pitch, on=False)
            stage.run(1)
        told = [event for event in stage.played if event[2] in CHORD_KINDS]
        assert all(of_code(event[4], event[5]) is not None or event[5] == 0 for event in told)
        if track == "drums":
            assert {event[2] for event in told} <= {PLAYED_CHORD}
            assert stage.jam.following.ear.now is None
