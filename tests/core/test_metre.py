"""Metres: what is counted, how long bars and beats are, how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.metre import CHOICES, Metre, choice_of, of_choice, of_code, parse

METRES = st.builds(
    lambda groups, denominator: Metre(sum(groups), denominator, tuple(groups)),
    st.lists(st.integers(1, 4), min_size=1, max_size=8),
    st.sampled_from((2, 4, 8, 16)),
)


@pytest.mark.parametrize(
    ("text", "beats", "steps", "beat_steps", "tempo_beat", "strong"),
    [
        ("4/4", 4, 16, 4, 1, (0, 1, 2, 3)),
        ("3/4", 3, 12, 4, 1, (0, 1, 2)),
        ("2/4", 2, 8, 4, 1, (0, 1)),
        ("6/8", 2, 12, 6, 1.5, (0, 1.5)),
        ("9/8", 3, 18, 6, 1.5, (0, 1.5, 3)),
        ("12/8", 4, 24, 6, 1.5, (0, 1.5, 3, 4.5)),
        ("5/4", 5, 20, 4, 1, (0, 3)),
        ("7/8", 7, 14, 2, 1, (0, 1, 2)),
        ("7/8 (3+2+2)", 7, 14, 2, 1, (0, 1.5, 2.5)),
        ("3/8", 3, 6, 2, 1, (0, 0.5, 1)),
        ("6/4", 6, 24, 4, 1, (0, 1, 2, 3, 4, 5)),
        ("2/2", 2, 16, 8, 1, (0, 2)),
    ],
)
def test_what_is_counted_and_how_long_it_is(text, beats, steps, beat_steps, tempo_beat, strong):
    metre = parse(text)
    assert (metre.beats, metre.steps(4), metre.beat_steps(4)) == (beats, steps, beat_steps)
    assert (metre.tempo_beat, metre.strong) == (tempo_beat, strong)
    assert metre.fits(4)


@given(METRES)
def test_a_metre_is_read_as_it_is_written_and_goes_through_a_record(metre):
    assert parse(metre.name) == metre
    assert of_code(metre.numerator, metre.denominator, metre.code) == metre
    assert metre.beats * metre.beat == metre.bar


@pytest.mark.parametrize("text", ["3+2+2/8", "7/8 3+2+2", " 7 / 8 ( 3 + 2 + 2 ) "])
def test_groups_can_be_written_in_several_ways(text):
    assert parse(text).name == "7/8 (3+2+2)"


def test_every_choice_is_written_as_it_is_named():
    assert [of_choice(n).name for n in range(len(CHOICES))] == list(CHOICES)
    assert [choice_of(text) for text in CHOICES] == list(range(len(CHOICES)))
    assert CHOICES[0] == "4/4"


@pytest.mark.parametrize("text", ["waltz", "3", "0/4", "3/5", "7/8 (3+3)", "13/8", "4/0", "", "300/4"])
def test_what_is_no_metre_is_told_with_all_there_are(text):
    with pytest.raises(ValueError, match=r"there is no metre.*there are: 4/4, 3/4.*7/8 \(3\+2\+2\)"):
        choice_of(text)


def test_a_step_of_a_quarter_has_no_place_in_a_metre_of_eighths():
    assert parse("3/4").fits(1)
    assert not parse("6/8").fits(1)  # three steps a bar, but no step begins its second beat
    assert not parse("7/8").fits(1)


@given(st.integers(1, 32), st.sampled_from((4, 8)), st.integers(0, 2**32 - 1))
def test_any_code_makes_a_metre(numerator, denominator, code):
    assert of_code(numerator, denominator, code).numerator == numerator
