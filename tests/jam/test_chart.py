"""Charts are read as musicians write them, and what cannot be read is named with its bar."""

from __future__ import annotations

import pytest

from engine.core.errors import ConfigError
from engine.jam.chart import MOST_BARS, chords_of


def names(text: str, beats_per_bar: int = 4) -> str:
    return " ".join(chord.name for chord in chords_of(text, beats_per_bar))


@pytest.mark.parametrize(
    ("text", "beats"),
    [
        ("", ""),
        ("|", ""),
        ("C", "C C C C"),
        ("| C | Am F |", "C C C C Am Am F F"),
        ("C | % | G", "C C C C C C C C G G G G"),
        ("| C - - G7 |", "C C C G7"),
        ("| C F G |", "C F G G"),
        ("|: C | G :| F |", "C C C C G G G G C C C C G G G G F F F F"),
        ("|: C :|x3 G", "C C C C C C C C C C C C G G G G"),
        ("C, F\nG", "C C F F G G G G"),
        ("|| Bb / Eb/G || ", "Bb Bb Eb Eb"),
    ],
)
def test_a_chart(text, beats):
    assert names(text) == beats


def test_the_beats_are_those_of_the_metre():
    assert names("| C G | Am |", 3) == "C G G Am Am Am"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("| C | H | Xm |", "bar 3: 'Xm'"),
        ("| C | H |", "bar 2: 'H' is no chord that is known here; write a root"),
        ("| C C C C C |", "bar 1 has 5 chords for 4 beats"),
        ("% | C", "bar 1 is %"),
        ("| - C |", "bar 1 goes on with a chord, and there is none before it"),
        ("|: C :|x99", "repeat 2 to 64 times"),
        ("|: " + "C | " * 200 + " :|x64", f"to {MOST_BARS} bars at most"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_bar(text, word):
    with pytest.raises(ConfigError, match=r"jam\.chart") as error:
        chords_of(text, 4)
    assert word in str(error.value)
