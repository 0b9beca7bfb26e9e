"""Charts are read as musicians write them, and what cannot be read is named with its bar."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import ConfigError
from engine.core.metre import Metre
from engine.jam.bars import MOST_BARS
from engine.jam.chart import MOST_BEATS, asked, chords_of, of_text, read, text_of


def names(text: str, beats_per_bar: int = 4) -> str:
    return " ".join(chord.name for chord in chords_of(text, Metre(beats_per_bar, 4)))


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
        ("| C |2. G |", "bar 2 is ending 2 of no repeat"),
        ("|: C :|x99", "repeat 2 to 64 times"),
        ("|: " + "C | " * 200 + " :|x64", f"to {MOST_BARS} bars at most"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_bar(text, word):
    with pytest.raises(ConfigError, match=r"jam\.chart") as error:
        chords_of(text, Metre())
    assert word in str(error.value)


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("|: C |1. F :|2. G | Am |", "C F C G Am"),
        ("|: C |1. F | Dm :|2. G | Am |: E :|", "C F Dm C G Am E E"),
        ("|: C |1, 2. F :|3. G |", "C F C F C G"),
        ("|: C |1. F :|", "C F C"),
        ("| C |  | G |", "C C G"),
        ("| C |\n| G |\n", "C G"),
        ("C :| G :|", "C C G G"),
    ],
)
def test_endings_repeats_and_empty_bars(text, bars):
    assert names(text).split()[::4] == bars.split()


@pytest.mark.parametrize("text", ["| C | G7 | Am F | C - - G7 |", "|: Bb | Ebm7b5 :|", "C"])
def test_what_is_written_of_a_chart_is_read_back(text):
    beats = chords_of(text, Metre())
    assert of_text(text_of(beats, 4), 4) == beats
    assert read(text_of(beats, 4), 4) == (beats, [])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("C " * 2001, "at most 4000 characters"),
        ("| C | \x1b[2J |", "'\\x1b' stands in no chart"),
        ("| C | \u4e2d |", "'\u4e2d' stands in no chart"),
        ("| C" + "7" * 3000 + " |", "is no chord that is known here"),
        ("|: C :|x64 " * 300, "with its repeats"),
    ],
)
def test_what_a_stranger_sends_is_refused_in_a_few_words(text, word):
    beats, faults = read(text, 4)
    assert word in " ".join(faults)
    assert len(beats) <= MOST_BEATS
    assert len(" ".join(faults)) < 3000


@given(st.text(alphabet="ABCDEFG#bm7|:%-/.,123x \n", max_size=80))
def test_whatever_is_typed_is_read_or_named(text):
    beats, faults = read(text, 4)
    assert len(beats) <= MOST_BEATS
    if not faults:
        assert of_text(text_of(beats, 4), 4) == beats


SHEET = """<?xml version="1.0"?>
<score-partwise><part-list/><part id="P1">{measures}</part></score-partwise>"""
TIME = "<attributes><divisions>2</divisions><time><beats>{}</beats><beat-type>4</beat-type></time></attributes>"
NOTE = "<note><rest/><duration>{}</duration></note>"


def harmony(step: str, kind: str = "major", alter: int = 0) -> str:
    return f"<harmony><root><root-step>{step}</root-step><root-alter>{alter}</root-alter></root><kind>{kind}</kind></harmony>"


def sheet(*measures: str, beats: int = 4) -> bytes:
    first, *rest = measures
    text = "".join(f"<measure>{measure}</measure>" for measure in (TIME.format(beats) + first, *rest))
    return SHEET.format(measures=text).encode()


def test_a_lead_sheet_is_a_chart_with_its_repeats_and_endings(tmp_path):
    ending = '<barline location="{}"><ending number="{}" type="{}"/>{}</barline>'
    data = sheet(
        NOTE.format(2),  # a pickup of a quarter
        '<barline location="left"><repeat direction="forward"/></barline>' + harmony("C") + NOTE.format(8),
        harmony("B", "minor-seventh", -1) + NOTE.format(4) + harmony("E", "dominant") + NOTE.format(4),
        ending.format("left", 1, "start", "")
        + NOTE.format(8)
        + ending.format("right", 1, "stop", '<repeat direction="backward"/>'),
        ending.format("left", 2, "start", "")
        + NOTE.format(6)
        + harmony("F")
        + NOTE.format(2)
        + ending.format("right", 2, "stop", ""),
    )
    path = tmp_path / "song.musicxml"
    path.write_bytes(data)
    told = text_of(chords_of(str(path), Metre()), 4)
    assert told == "| C | Bbm7 E7 | E7 | C | Bbm7 E7 | E7 - - F |"
    packed = tmp_path / "song.mxl"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<container><rootfile full-path="a.xml"/></container>')
        archive.writestr("a.xml", data)
    assert chords_of(str(packed), Metre()) == chords_of(str(path), Metre())
    text = tmp_path / "song.txt"
    text.write_text(told)
    assert chords_of(asked(str(text)), Metre()) == chords_of(str(text), Metre()) == chords_of(str(path), Metre())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<score", "it is no MusicXML that can be read"),
        (b"PK rubbish", "the archive cannot be read"),
        (sheet(NOTE.format(8)), "it has no part with chord symbols"),
        (sheet(harmony("C", "none") + NOTE.format(8)), "it has no chord that sounds"),
        (
            sheet(harmony("C", "Neapolitan") + NOTE.format(8)),
            "bar 1: the chord 'Neapolitan' is not known here; known are: major",
        ),
        (sheet(harmony("H") + NOTE.format(8)), "bar 1: a chord has no root"),
        (sheet(harmony("C") + NOTE.format(6), beats=3), "bar 1: it is in 3/4, and 4/4 is played; set jam.metre to 3/4"),
    ],
)
def test_a_sheet_that_cannot_be_played_is_told_in_one_sentence(tmp_path, data, word):
    path = tmp_path / "song.xml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"jam\.chart") as error:
        chords_of(str(path), Metre())
    assert word in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        chords_of(str(tmp_path / "none.xml"), Metre())


def test_every_chord_of_a_sheet_that_is_not_known_is_named_with_its_bar(tmp_path):
    unknown = [harmony("C", "Neapolitan"), harmony("G"), harmony("H"), harmony("D", "Tristan"), *[harmony("E", "odd")] * 20]
    path = tmp_path / "song.musicxml"
    path.write_bytes(sheet(*(of + NOTE.format(8) for of in unknown)))
    with pytest.raises(ConfigError) as error:
        chords_of(str(path), Metre())
    said = str(error.value)
    assert "bar 1: the chord 'Neapolitan' is not known here; known are: major" in said
    assert "bar 3: a chord has no root" in said
    assert "bar 4: the chord 'Tristan' is not known here" in said
    assert said.count("known are") == 1
    assert said.count("song.musicxml") == 8
