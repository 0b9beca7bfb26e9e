"""In any metre: steps come once and bars are whole, and what counts bars and beats counts those that are played."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.contract import PLAY, Card
from engine.core.metre import CHOICES, choice_of, of_record, parse
from engine.jam.chart import chords_of, relaid
from engine.jam.ear import Ear
from engine.jam.groove import Groove
from engine.jam.inputs import knows, tell_metre
from engine.network.runner import Runner
from tests import tiny
from tests.jam import test_jam
from tests.jam.test_following import CARD, block
from tests.jam.test_harmony import CHORDS, Band
from tests.jam.test_performance import BLOCK, Hall

CHANGES = st.one_of(
    st.tuples(st.just("metre"), st.integers(0, len(CHOICES) - 1)), st.tuples(st.just("tempo"), st.floats(60, 300))
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.integers(1, 3000), CHANGES, max_size=8), st.integers(0, len(CHOICES) - 1))
def test_whatever_metre_is_chosen_no_step_is_lost_and_every_bar_is_whole(tiny_onnx, script, first):
    hall = Hall(tiny_onnx, script | {0: ("metre", first), 1: "start"}, count_in=1).run()
    assert hall.performance.late == 0
    records = hall.link["steps"].reader(0).read()
    steps = records["step"].tolist()
    assert steps == list(range(len(steps)))
    bar, within, length = 1, 0, 0
    for record in records:
        length = of_record(record).steps(4) if within == 0 else length  # a metre begins with a bar
        assert of_record(record).steps(4) == length
        assert divmod(round(float(record["beat"]) * 4), length) == (bar - 1, within)
        within += 1
        if within == length:
            bar, within = bar + 1, 0


def test_a_jump_to_bar_1_goes_on_in_the_metre_that_is_to_be(tiny_onnx):
    hall = Hall(tiny_onnx, {0: ("metre", choice_of("7/8")), 1: "start", 700: ("metre", choice_of("3/4")), 710: "rewind"}).run()
    records = hall.link["steps"].reader(0).read()
    one = int(np.flatnonzero(np.diff(records["beat"]) < -1)[0]) + 1
    ones = [n for n in range(one - 1, len(records)) if records["beat"][n] == 0]
    assert len(ones) == 1
    assert {of_record(record).name for record in records[ones[0] :]} == {"3/4"}
    assert all(a < b for a, b in pairwise(records["step"].tolist()))
    assert max(event.frame for event in hall.begun) < hall.end + BLOCK


def test_a_network_is_told_its_metre_where_it_asks_and_whether_it_was_taught_it():
    card = Card.model_validate(tiny.card(conditions=[{"name": "metre", "shape": [2]}], metres=["4/4", "6/8", "7/8"]))
    told = np.ones((3, 2), np.float32)
    for text, numbers, known in (
        ("6/8", (2, 6), True),
        ("7/8 (3+2+2)", (7, 2), True),
        ("5/4", (5, 4), False),
        ("2/2", (0, 0), True),  # as 4/4, which is its own
        ("4/4", (0, 0), True),
    ):
        tell_metre(card, {"metre": told}, parse(text))
        assert (told == numbers).all()
        assert knows(card, parse(text)) == known
    deaf = Card.model_validate(tiny.card())
    tell_metre(deaf, {}, parse("3/4"))
    assert [knows(deaf, parse(text)) for text in ("4/4", "2/4", "3/4", "6/8")] == [True, True, False, False]


@pytest.mark.parametrize("text", ["3/4", "7/8", "12/8", "2/4"])
def test_a_kick_is_asked_for_where_the_bar_begins(text):
    groove, metre = Groove(CARD), parse(text)
    groove.take_metre(metre)
    snare = np.zeros((CARD.slots, 2), np.float32)
    snare[1, PLAY] = 1
    dictated = []
    for position in range(4 * metre.steps(4)):
        mask, value = np.zeros(CARD.slots, np.float32), np.zeros((CARD.slots, 2), np.float32)
        groove.dictate(position, mask, value, mask)
        dictated += [position] if mask.any() else []
        groove.settle(position, np.maximum(snare, value))
    assert dictated == [metre.steps(4) * bar for bar in (1, 2, 3)]


@pytest.mark.parametrize("text", ["3/4", "6/8", "5/4"])
def test_what_comes_round_is_known_in_other_metres(text):
    ear, metre = Ear(CARD), parse(text)
    ear.take_metre(metre)
    loop = chords_of("| C | G | Am | F |", parse("1/4"))
    pitches = CARD.tracks[2].pitches
    slots, bar = CARD.track_slices()["lead"], metre.steps(4)
    before, silent = np.zeros((CARD.slots, 2), np.float32), np.zeros((CARD.slots, 2), np.float32)
    foreseen = []
    for step in range(12 * bar):
        of = loop[step // bar % 4]
        now = np.zeros_like(before)
        for pitch in block(of)[0]:
            now[slots.start + pitches.index(pitch)] = 1, step % bar > 0
        if step >= 8 * bar and step % bar == 0:
            ear.listen(step, step, before, silent)
            foreseen.append((ear.now and ear.now.root, of.root))
        ear.listen(step, step, before, now)
        before = now
    assert ear.rounds.period == 4 * metre.beats
    assert all(known == root for known, root in foreseen)


def test_a_bar_of_the_chart_is_a_bar_of_whatever_metre():
    chart = chords_of("| C G | Am |", parse("4/4"))
    names = {beats: " ".join(chord.name for chord in relaid(chart, 4, beats)) for beats in (2, 3, 4, 5, 7)}
    assert names == {
        2: "C G Am Am",
        3: "C C G Am Am Am",
        4: "C C G G Am Am Am Am",
        5: "C C C G G Am Am Am Am Am",
        7: "C C C C G G G Am Am Am Am Am Am Am",
    }


def test_the_harmony_chooses_a_chord_for_each_dotted_quarter(monkeypatch):
    monkeypatch.setattr(test_jam, "TIMELINE", replace(test_jam.TIMELINE, numerator=6, denominator=8))
    band = Band(Runner(CHORDS))
    records = band.run(8 * 12)
    sounding = records["notes"][:, band.slots, PLAY]
    changes = [step for step in range(1, len(records)) if (sounding[step] != sounding[step - 1]).any()]
    assert len(changes) > 1
    assert all(step % 6 == 0 for step in changes)
    struck = records["notes"][::12, band.slots]
    assert np.array_equal(struck[:, :, 0] > struck[:, :, 1], struck[:, :, 0] > 0)  # with each bar anew


def test_where_beats_are_short_the_harmony_chooses_with_the_strong_ones(monkeypatch):
    monkeypatch.setattr(test_jam, "TIMELINE", replace(test_jam.TIMELINE, numerator=7, denominator=8))
    band = Band(Runner(CHORDS))
    sounding = band.run(8 * 14)["notes"][:, band.slots, PLAY]
    changes = {step % 14 for step in range(1, len(sounding)) if (sounding[step] != sounding[step - 1]).any()}
    assert changes
    assert changes <= {0, 4, 8}
