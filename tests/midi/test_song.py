"""A MIDI file as music: parts, tempo, metre, pickup and length; what was lost is told."""

from __future__ import annotations

import pytest

from engine.midi.smf import parse
from engine.midi.song import DEFAULT_BPM, Song, decode, second_at, song_of
from tests.midi.smf_bytes import Event, file, meta, metre, name, notes, tempo

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def song(*tracks: list[Event], **how: int) -> Song:
    return song_of(parse(file(*tracks, **how)))


def rows(found: Song, part: int = 0) -> list[tuple[float, float, int]]:
    """Start, end and pitch of a part's notes."""
    p = found.parts[part]
    return list(zip(p.start.tolist(), p.end.tolist(), p.pitch.tolist(), strict=True))


# --- tempo -----------------------------------------------------------------------------------------------------------------


def test_the_whole_tempo_map_counts_in_the_order_of_time_over_all_tracks() -> None:
    found = song([tempo(60, 2880)], [tempo(150), *notes(SCALE)])
    assert found.tempi == ((0.0, 150.0), (6.0, 60.0))
    assert second_at(found.tempi, 8) == pytest.approx(6 * 0.4 + 2)


def test_a_file_that_says_no_tempo_has_120_and_so_has_what_lies_before_the_first() -> None:
    assert song(notes(SCALE)).tempi == ((0.0, DEFAULT_BPM),)
    assert song([tempo(90, 480), *notes(SCALE)]).tempi == ((0.0, 120.0), (1.0, pytest.approx(90)))


def test_of_one_moment_the_last_tempo_counts_and_one_said_again_is_one() -> None:
    assert song([tempo(100), tempo(200), tempo(200, 480), *notes(SCALE)]).tempi == ((0.0, 200.0),)


@pytest.mark.parametrize("bpm", [20, 30, 300, 400])
def test_slow_and_fast_tempi_are_honoured(bpm: float) -> None:
    found = song([tempo(bpm), *notes(SCALE)])
    assert found.tempi == ((0.0, pytest.approx(bpm)),)
    assert found.remarks == ()


@pytest.mark.parametrize(("bpm", "played"), [(5, 20), (500, 400)])
def test_a_tempo_that_cannot_be_played_is_the_nearest_and_told(bpm: float, played: float) -> None:
    found = song([tempo(bpm), *notes(SCALE)])
    assert found.tempi == ((0.0, played),)
    assert found.remarks == (f"{bpm} bpm at beat 0 is played at {played}: 20 to 400 can be",)


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\1", b"", b"\7"])
def test_a_tempo_that_is_nonsense_is_ignored_and_told(data: bytes) -> None:
    found = song([meta(0x51, data), *notes(SCALE)])
    assert found.tempi == ((0.0, 120.0),)
    assert len(found.remarks) == 1
    assert "makes no sense and is ignored" in found.remarks[0]


# --- metre and pickup ------------------------------------------------------------------------------------------------------


def test_metres_lie_where_they_begin_and_one_said_again_is_one() -> None:
    found = song([metre(4, 4), metre(4, 4, 7680), metre(3, 4), metre(3, 4, 1440)], notes(SCALE * 4))
    assert found.played_metres == ((0, 4, 4), (16, 3, 4))
    assert song(notes(SCALE)).played_metres == ((0, 4, 4),)


@pytest.mark.parametrize(
    ("data", "written"), [(b"\4\x08\x18\x08", "4/256"), (b"\4\xff\x18\x08", "4/2^255"), (b"\0\2\x18\x08", "0/4")]
)
def test_a_metre_that_is_nonsense_is_ignored_and_told(data: bytes, written: str) -> None:
    found = song([meta(0x58, data), *notes(SCALE)])
    assert found.played_metres == ((0, 4, 4),)
    assert found.remarks == (f"the metre {written} at beat 0 makes no sense and is ignored",)


@pytest.mark.parametrize(("first", "quarters"), [((1, 4), 1), ((3, 8), 1.5), ((2, 4), 2), ((1, 16), 0.25)])
def test_a_short_first_bar_is_a_pickup(first: tuple[int, int], quarters: float) -> None:
    found = song([metre(*first), metre(4, 4, round(480 * quarters)), *notes(SCALE)])
    assert found.pickup == quarters


def test_a_first_metre_of_several_bars_is_no_pickup_nor_is_a_rest_at_the_beginning() -> None:
    assert song([metre(2, 4), metre(4, 4, 1920), *notes(SCALE)]).pickup == 0
    assert song([metre(3, 4), metre(2, 4, 1440), *notes(SCALE)]).pickup == 0
    assert song([metre(4, 4), meta(1, b"", 1440), *notes(SCALE)]).pickup == 0


def test_a_band_that_begins_together_after_a_lone_note_has_a_pickup() -> None:
    rest = meta(1, b"", 480)
    lead = [name("lead"), *notes([67, *SCALE * 2])]
    chords = [name("chords"), rest, *notes([48, 50, 52, 53], 1, length=1920)]
    bass = [name("bass"), rest, *notes([36, 38, 40, 41], 2, length=1920)]
    assert song([metre(4, 4)], lead, chords, bass).pickup == 1
    assert song([metre(4, 4)], lead, chords[:1] + chords[2:], bass[:1] + bass[2:]).pickup == 0
    off_beat = [name("off"), rest, *[e for _ in range(8) for e in (*notes([48], 1, 240), meta(1, b"", 720))]]
    assert song([metre(4, 4)], lead, off_beat, bass[:1] + bass[2:]).pickup == 0


# --- notes and length ------------------------------------------------------------------------------------------------------


def on(pitch: int, delta: int = 0) -> Event:
    return delta, bytes((0x90, pitch, 80))


def off(pitch: int, delta: int = 0) -> Event:
    return delta, bytes((0x90, pitch, 0))


def test_of_one_pitch_the_first_that_began_ends_first() -> None:
    assert rows(song([on(60), on(60, 480), off(60, 480), off(60, 480)])) == [(0, 2, 60), (1, 3, 60)]


def test_a_note_without_an_end_ends_with_the_file() -> None:
    found = song([on(60), off(60, 480), on(62), meta(1, b"", 960)])
    assert rows(found) == [(0, 1, 60), (1, 3, 62)]
    assert found.remarks == ("1 notes without an end: they end with the file",)


def test_a_key_that_is_struck_again_and_again_without_being_let_go_sounds_from_strike_to_strike() -> None:
    assert rows(song([on(60), on(60, 480), on(60, 480), off(60, 480)])) == [(0, 1, 60), (1, 2, 60), (2, 3, 60)]


def test_an_end_without_a_note_is_nothing_and_a_note_may_last_no_time() -> None:
    assert rows(song([off(60), on(60, 480), off(60), on(60, 480), off(60, 480)])) == [(1, 1, 60), (2, 3, 60)]


@pytest.mark.parametrize("controller", [120, 123])
def test_all_notes_off_ends_what_has_no_end_of_its_own(controller: int) -> None:
    assert rows(song([on(60), on(64), (480, bytes((0xB0, controller, 0))), meta(1, b"", 960)])) == [(0, 1, 60), (0, 1, 64)]


@pytest.mark.parametrize("late", [500_000, 0x0FFFFFFF])
def test_a_piece_ends_a_bar_after_its_last_note_wherever_its_track_ends(late: int) -> None:
    assert song([*notes(SCALE), meta(1, b"", late)]).length == 12
    assert song([metre(3, 4), *notes(SCALE), meta(1, b"", late)]).length == 11
    assert song([*notes(SCALE), meta(1, b"", 480)]).length == 9
    (told,) = song([*notes(SCALE), meta(1, b"", late)]).remarks
    assert "it ends a bar after it" in told


def test_a_note_far_behind_all_others_is_left_out_and_one_that_goes_on_for_hours_is_cut() -> None:
    far = song([*notes(SCALE), (100_000_000, b"\x90\x48\x50"), (480, b"\x80\x48\x50")])
    assert len(far.parts[0].pitch) == 8
    assert far.length == 12
    assert far.remarks == ("1 notes after 1024 beats of silence were left out",)
    long = song([*notes(SCALE), on(72), off(72, 100_000_000)])
    assert rows(long)[-1] == (8, 8 + 1024, 72)
    assert long.length < 1100


def test_hours_of_silence_before_the_first_note_are_left_out_by_whole_bars() -> None:
    found = song([tempo(100), tempo(90, 480), meta(1, b"", 480 * 4 * 5000), *notes(SCALE)])
    assert rows(found)[0] == (1, 2, 60)
    assert found.tempi == ((0.0, pytest.approx(90)),)
    assert found.length == 9
    assert found.remarks == ("5000 bars of silence at its beginning were left out",)


def test_of_pieces_of_their_own_one_follows_the_other_each_in_its_tempo() -> None:
    found = song([tempo(100), *notes(SCALE[:3])], [tempo(140), *notes(SCALE)], kind=2)
    assert found.tempi == ((0.0, 100.0), (4.0, pytest.approx(140, abs=0.01)))
    assert [p.start[0] for p in found.parts] == [0, 4]
    assert "one after the other" in found.remarks[0]


def test_a_band_that_calls_itself_pieces_of_their_own_is_a_band() -> None:
    found = song([tempo(100), metre(4, 4)], notes(SCALE), notes(SCALE, 1), kind=2)
    assert [p.start[0] for p in found.parts] == [0, 0]
    assert found.remarks == ()


# --- parts -----------------------------------------------------------------------------------------------------------------


def test_parts_are_tracks_channels_and_programs() -> None:
    mixed = [name("mixed"), (0, b"\xc0\x21"), *notes([40], 0), (0, b"\xc0\x50"), *notes([70], 0), *notes([36], 9)]
    found = song([tempo(100)], mixed, [name("other"), *notes([60], 3)])
    assert [(p.name, p.program, p.channel, p.drum) for p in found.parts] == [
        ("mixed", 33, 0, False),
        ("mixed", 80, 0, False),
        ("mixed", 0, 9, True),
        ("other", 0, 3, False),
    ]


def test_a_program_may_be_told_in_another_track() -> None:
    assert [p.program for p in song([(0, b"\xc3\x21")], notes([60], 3)).parts] == [33]


def test_the_name_of_a_file_of_one_track_is_no_parts_name() -> None:
    assert [p.name for p in song([name("Bass and Drums Blues"), *notes([60]), *notes([36], 9)], kind=0).parts] == ["", ""]
    assert [p.name for p in song([name("melody"), *notes([60])], kind=0).parts] == ["melody"]


@pytest.mark.parametrize("text", ["Ударные", "低音", "Klavír", "Flöte", "plain", ""])
def test_names_may_be_utf_8(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize("text", ["Flöte", "Klaviér", "Baß", "© Schlagzeug", "Señor Ñandú", "Été", "“Lead”"])
def test_names_may_be_western(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize("text", ["ドラム", "ベース", "ピアノ", "メロディ", "低音", "主旋律 1", "ピアノ Left"])
def test_names_may_be_japanese(text: str) -> None:
    assert decode(text.encode("shift_jis")) == text


def test_a_file_without_a_note_is_a_song_that_says_so() -> None:
    found = song([tempo(100), metre(3, 4)])
    assert (found.parts, found.length, found.remarks) == ((), 0, ("it has no note",))
