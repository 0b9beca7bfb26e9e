"""One reader for MIDI files as they are found: what a sequencer plays is read, what was mended is told."""

from __future__ import annotations

import io
import random
from pathlib import Path

import mido
import pytest

from engine.core.errors import MidiFileError
from engine.midi.smf import RawFile, parse, read_file
from engine.midi.song import song_of
from tests.midi.smf_bytes import body, chunk, file, head, meta, metre, name, notes, tempo

TUNE = [60, 62, 64, 65]


def pitches(raw: RawFile) -> list[int]:
    """Pitches of the note-ons, track after track."""
    return [int(m[2]) for track in raw.tracks for m in track.messages if m[1] & 0xF0 == 0x90 and m[3]]


def messages(data: bytes) -> list[list[tuple[int, ...]]]:
    return [[tuple(m) for m in track.messages.tolist()] for track in parse(data).tracks]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("seed", range(20))
def test_a_file_as_it_should_be_is_read_as_mido_reads_it(kind: int, seed: int) -> None:
    rng = random.Random(seed)
    made = mido.MidiFile(type=kind, ticks_per_beat=rng.choice([96, 480, 960]))
    for number in range(1 if kind == 0 else rng.randint(1, 4)):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=f"t{number}")])
        for _ in range(rng.randint(0, 80)):
            time, channel, low, high = (
                rng.choice([0, 1, 127, 128, 20000]),
                rng.randrange(16),
                rng.randrange(128),
                rng.randrange(128),
            )
            track.append(
                rng.choice(
                    [
                        mido.Message("note_on", channel=channel, note=low, velocity=high, time=time),
                        mido.Message("note_off", channel=channel, note=low, velocity=high, time=time),
                        mido.Message("control_change", channel=channel, control=low, value=high, time=time),
                        mido.Message("program_change", channel=channel, program=low, time=time),
                        mido.Message("aftertouch", channel=channel, value=low, time=time),
                        mido.Message("pitchwheel", channel=channel, pitch=64 * low - 4096, time=time),
                        mido.Message("sysex", data=[low, high], time=time),
                        mido.MetaMessage("text", text="x" * low, time=time),
                        mido.MetaMessage("set_tempo", tempo=1 + 1000 * high, time=time),
                    ]
                )
            )
        made.tracks.append(track)
    stored = io.BytesIO()
    made.save(file=stored)
    raw = parse(stored.getvalue())
    assert (raw.format, raw.ticks_per_quarter, raw.remarks) == (kind, made.ticks_per_beat, [])
    for ours, theirs in zip(raw.tracks, mido.MidiFile(file=io.BytesIO(stored.getvalue())).tracks, strict=True):
        now, sounding, told = 0, [], []
        for message in theirs:
            now += message.time
            if message.is_meta:
                told.append((now, message.bytes()[1], bytes(message.bytes()[2:])))
            elif message.type != "sysex":
                sounding.append((now, *message.bytes(), *([0] * (3 - len(message.bytes())))))
        assert [tuple(m) for m in ours.messages.tolist()] == sounding
        assert ours.end == now
        assert [(at, kind) for at, kind, _ in ours.metas] == [(at, kind) for at, kind, _ in told if kind != 0x2F]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(meta(0x59, b"\x12\x01"), id="a key of 18 sharps"),
        pytest.param(meta(0x59, b"\x02\x02"), id="a mode that is neither major nor minor"),
        pytest.param(meta(0x54, b"\xff" * 5), id="a film time of 255 hours"),
        pytest.param(meta(0x00), id="a sequence number without a number"),
        pytest.param(meta(0x51, b"\x07"), id="a tempo of one byte"),
        pytest.param(meta(0x58, b""), id="a metre of no bytes"),
        pytest.param(meta(0x7F, b"\x00\x00\x41"), id="somebody's own"),
        pytest.param(meta(0x60, b"?"), id="of a kind that nobody knows"),
        pytest.param((0, b"\xf0\x04\x41\x90\x02\xf7"), id="a system message with 8-bit data"),
        pytest.param((0, b"\xf0\x02\x41\x10"), id="a system message that goes on"),
        pytest.param((0, b"\xf7\x02\xf3\x01"), id="an escape"),
    ],
)
def test_an_event_that_tells_nothing_about_notes_harms_none(event: tuple[int, bytes]) -> None:
    raw = parse(file([tempo(100), event, *notes(TUNE)]))
    assert pitches(raw) == TUNE
    assert raw.remarks == []


def test_running_status_goes_on_after_a_text() -> None:
    raw = parse(head(1, 0) + chunk(body((0, b"\x90\x3c\x50"), meta(1, b"hi"), (10, b"\x3c\x00"))))
    assert raw.tracks[0].messages.tolist() == [[0, 0x90, 60, 80], [10, 0x90, 60, 0]]


def test_values_above_127_are_127_and_told() -> None:
    raw = parse(file([(0, b"\xb0\x07\xff"), *notes(TUNE)]))
    assert raw.tracks[0].messages[0].tolist() == [0, 0xB0, 7, 127]
    assert pitches(raw) == TUNE
    assert raw.remarks == ["track 1: values above 127 in 1 events were taken as 127"]


def test_messages_that_have_no_place_in_a_file_are_passed_over() -> None:
    raw = parse(file([(0, b"\xf8"), (0, b"\xf2\x01\x02"), (0, b"\xfe"), *notes(TUNE)]))
    assert pitches(raw) == TUNE
    assert raw.remarks == ["track 1: 3 events that have no place in a file were passed over"]


@pytest.mark.parametrize("wrong", [-8, -3, -1, 1, 3, 60, 100_000])
def test_the_length_that_a_track_tells_may_be_wrong(wrong: int) -> None:
    first, second = body(notes(TUNE)), body(notes([70, 71]))
    for data in (
        head(1, 0) + chunk(first, told=len(first) + wrong),
        head(2) + chunk(first, told=len(first) + wrong) + chunk(second),
        head(2) + chunk(second) + chunk(first, told=len(first) + wrong),
    ):
        assert [p for p in pitches(parse(data)) if p < 70] == TUNE
    both = head(2) + chunk(first, told=len(first) + wrong) + chunk(second)
    assert pitches(parse(both)) == [*TUNE, 70, 71]


def test_a_track_need_not_say_that_it_ends_and_may_have_rubbish_behind_it() -> None:
    assert pitches(parse(head(1, 0) + chunk(body(notes(TUNE), end=False)))) == TUNE
    assert parse(head(1, 0) + chunk(body(notes(TUNE), end=False))).remarks == []
    assert parse(head(1, 0) + chunk(body(notes(TUNE)) + b"\x90\x00rubbish")).tracks[0].messages[-1].tolist() == [
        1920,
        0x80,
        65,
        64,
    ]
    assert pitches(parse(file(notes(TUNE)) + bytes(100))) == TUNE


@pytest.mark.parametrize("told", [1, 2, 5])
def test_the_head_may_tell_another_number_of_tracks(told: int) -> None:
    raw = parse(head(told) + chunk(body(notes(TUNE))) + chunk(body(notes([70]))))
    assert pitches(raw) == [*TUNE, 70]
    assert raw.remarks == ([] if told == 2 else [f"its head tells of {told} tracks, 2 are there"])


def test_chunks_of_other_kinds_are_passed_over() -> None:
    data = head(1, 0) + chunk(b"\xff\x2f\0", kind=b"XFIH") + chunk(body(notes(TUNE))) + chunk(b"abc", kind=b"XFKM")
    assert pitches(parse(data)) == TUNE
    assert parse(data).remarks == []


@pytest.mark.parametrize("before", [b"RIFF\x99\0\0\0RMIDdata\x50\0\0\0", bytes(128)])
def test_a_file_in_an_envelope_is_found(before: bytes) -> None:
    assert pitches(parse(before + file(notes(TUNE)) + b"LIST")) == TUNE


def test_film_frames_are_seconds_at_120_bpm() -> None:
    raw = parse(file(notes(TUNE, length=500), division=0xE728))  # 25 frames of 40 ticks
    assert raw.ticks_per_quarter == 500
    assert raw.remarks == ["it counts film frames, not beats: taken as 120 bpm"]
    assert parse(file(notes(TUNE), division=0xE350)).ticks_per_quarter == pytest.approx(80 * 29.97 / 2, abs=0.01)


def test_wherever_a_file_is_cut_off_what_came_before_is_read_and_the_loss_told() -> None:
    whole = file([tempo(100), metre(4, 4)], [name("a"), *notes(TUNE)], [name("b"), *notes([70, 71])])
    before: list[int] = []
    for size in range(len(whole)):
        try:
            raw = parse(whole[:size])
        except MidiFileError:
            assert not before
            continue
        found = pitches(raw)
        assert found == [*TUNE, 70, 71][: len(found)]
        assert len(found) >= len(before)
        ends_well = whole[:size].endswith(b"\xff\x2f\x00")
        assert raw.remarks or (ends_well and len(raw.tracks) == 3)
        before = found
    assert before == [*TUNE, 70, 71]


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_damaged_it_is_read_or_refused_and_nothing_else(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(
        file([tempo(100), metre(4, 4)], [name("a"), *notes(TUNE * 9)], [*notes(TUNE, channel=9), meta(0x59, b"\0\0")])
    )
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(4, len(data))] = rng.randrange(256)
    try:
        raw = parse(bytes(data))
        song_of(raw)
    except MidiFileError:
        return
    for track in raw.tracks:
        assert ((track.messages[:, 1] >= 0x80) & (track.messages[:, 1] < 0xF0)).all()
        assert (track.messages[:, 2:] < 128).all()
        assert (track.messages[1:, 0] >= track.messages[:-1, 0]).all()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"<html>\r\n<head><title>404", "it is a web page"),
        (b"\0\5\x16\7" + bytes(90), "a companion file of macOS"),
        (b"PK\3\4", "a zip archive"),
        (b"no midi at all", "is not a MIDI file"),
        (b"MThd\0\0\0\4\0\1\0\1", "cut off within its head"),
        (b"MThd\0\0\0\6\0\1\0", "cut off within its head"),
        (b"MThd nothing of the kind", "no track in it"),
        (head(1), "no track in it"),
        (file(notes(TUNE), division=0), "0 ticks to a beat"),
        (file(notes(TUNE), division=0xE700), "0 ticks to a beat"),
    ],
)
def test_what_cannot_be_played_says_why_and_what_to_do(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(MidiFileError, match=rf"bad\.mid: .*{why}.*(give|get|export)"):
        read_file(path)


def test_a_number_that_never_ends_is_no_larger_than_the_format_allows() -> None:
    raw = parse(head(1, 0) + chunk(b"\xff" * 20 + b"\x7f" + b"\x90\x3c\x50" + body(notes(TUNE))))
    assert raw.tracks[0].messages[0].tolist() == [0x0FFFFFFF, 0x90, 60, 80]
