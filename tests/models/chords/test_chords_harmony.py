"""Chord symbols and classes: what is read, and that a class sounds and is heard as itself."""

import numpy as np
import pytest

from models.music.chord_symbols import PITCHES, QUALITIES, SILENCE, SIMPLER, Classes, name_notes, parse_harte, parse_kind


@pytest.mark.parametrize(
    ("text", "chord"),
    [
        ("C:maj", (0, "maj")),
        ("F#:min7/b3", (6, "min7")),
        ("Bb:maj(9)", (10, "maj")),
        ("G:sus4(b7,9)", (7, "7sus4")),
        ("E:5(b7)", (4, "7")),
        ("A:9/3", (9, "7")),
        ("D:hdim7", (2, "hdim7")),
        ("Cb:1", (11, "5")),
        ("N", SILENCE),
    ],
)
def test_billboard_symbols(text, chord):
    assert parse_harte(text) == chord


@pytest.mark.parametrize("text", ["H:maj", "C", "C:funny", "(voice", ""])
def test_what_is_no_symbol_is_refused(text):
    with pytest.raises(ValueError, match=r"chord|root|quality"):
        parse_harte(text)


def test_musicxml_kinds():
    assert parse_kind("B", -1, "dominant") == (10, "7")
    with pytest.raises(ValueError, match="not a chord"):
        parse_kind("C", 0, "Tristan")


def test_every_simplification_ends_at_a_triad():
    for quality in QUALITIES:
        while quality not in ("maj", "min"):
            quality = SIMPLER[quality]


def test_a_quality_outside_the_set_becomes_the_simpler_one():
    classes = Classes(["maj", "min", "7"])
    assert classes.chord(classes.of((4, "aug7"))) == (4, "7")
    assert classes.chord(classes.of((4, "hdim7"))) == (4, "min")
    assert classes.of(SILENCE) == 0


def test_every_class_is_spelled_by_its_own_voicing():
    classes = Classes(list(QUALITIES))
    voicings = classes.voicings()
    for index in range(1, len(classes)):
        notes = [PITCHES[i] for i in np.flatnonzero(voicings[index])]
        root, quality = classes.chord(index)
        assert notes[0] % 12 == root
        assert {n % 12 for n in notes} == {(root + i) % 12 for i in QUALITIES[quality]}
        assert name_notes(notes) == (root, quality)
    assert not voicings[0].any()


def test_transposition_moves_roots_and_leaves_silence():
    classes = Classes(["maj", "min"])
    song = np.asarray([0, classes.of((11, "min")), classes.of((0, "maj"))])
    assert [classes.chord(c) for c in classes.moved(song, 2)] == [SILENCE, (1, "min"), (2, "maj")]
    assert (classes.moved(classes.moved(song, 5), 7) == song).all()


def test_names():
    assert Classes(["maj", "min7"]).names()[:3] == ["N", "C:maj", "C#:maj"]
