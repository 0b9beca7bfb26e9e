"""Which part of a song is the player's."""

from __future__ import annotations

import pytest

from engine.core.errors import MidiFileError
from engine.midi.player_part import choose_part, part_name
from engine.midi.smf import parse
from engine.midi.song import Song, song_of
from tests.midi.smf_bytes import file, name, notes

HIGH, LOW = [72 + i % 5 for i in range(20)], [40 + i % 5 for i in range(20)]
BAND = song_of(
    parse(
        file(
            [name("Kit"), *notes([36] * 20, 9)],
            [name("Low"), (0, b"\xc1\x21"), *notes(LOW, 1)],
            [name("Piano left"), *notes([60, 62] * 10, 2)],
            [name("Flute"), *notes(HIGH, 3)],
            [name("Piano right"), *notes([61, 62] * 10, 4)],
        )
    )
)


def chosen(wanted: str | None, found: Song = BAND) -> list[str]:
    return [found.parts[i].name for i in choose_part(found, wanted).parts]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("flute", ["Flute"]),
        ("FLU", ["Flute"]),
        ("4", ["Flute"]),
        ("channel 4", ["Flute"]),
        ("Channel 3", ["Piano left"]),
        ("piano", ["Piano left", "Piano right"]),
        ("Piano left", ["Piano left"]),
        (None, ["Flute"]),
    ],
)
def test_a_part_is_chosen_by_name_number_or_channel_else_it_is_the_lead(wanted: str | None, names: list[str]) -> None:
    assert chosen(wanted) == names
    assert choose_part(BAND, wanted).why == ("the lead" if wanted is None else "as asked")


@pytest.mark.parametrize("wanted", ["violin", "0", "6", "channel 16", "channel", ""])
def test_a_part_that_is_not_there_is_an_error_that_lists_those_that_are(wanted: str) -> None:
    with pytest.raises(MidiFileError, match=r"no such part.*1 'Kit' \(channel 10\); 2 'Low' \(channel 2\)"):
        choose_part(BAND, wanted)


@pytest.mark.parametrize("wanted", ["Kit", "1", "channel 10"])
def test_drums_are_never_the_players(wanted: str) -> None:
    with pytest.raises(MidiFileError, match="is drums"):
        choose_part(BAND, wanted)
    assert choose_part(song_of(parse(file(notes([36] * 20, 9)))), None).parts == ()


def test_a_part_that_is_called_lead_on_the_drums_channel_is_drums() -> None:
    found = song_of(parse(file([name("lead"), *notes([36] * 20, 9)], [name("x"), *notes(HIGH)], [name("y"), *notes(LOW, 1)])))
    assert chosen(None, found) == ["x"]


def test_without_a_lead_by_the_rule_it_is_the_highest() -> None:
    short = song_of(parse(file([name("a"), *notes([60, 62])], [name("b"), *notes([70, 72], 1)], [name("c"), *notes([40], 2)])))
    assert chosen(None, short) == ["b"]
    assert choose_part(short, None).why == "the highest with one voice"


def test_a_part_whose_program_changes_on_its_way_is_taken_whole() -> None:
    found = song_of(parse(file([name("a"), *notes(HIGH), (0, b"\xc0\x50"), *notes(HIGH)], [name("b"), *notes(LOW, 1)])))
    assert len(found.parts) == 3
    assert chosen(None, found) == ["a", "a"]
    assert chosen("1", found) == ["a", "a"]


def test_a_part_is_told_by_number_name_and_channel() -> None:
    assert part_name(BAND, 3) == "4 'Flute' (channel 4)"
    assert part_name(song_of(parse(file(notes([60], 2)))), 0) == "1 (channel 3)"
