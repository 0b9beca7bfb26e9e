"""A MIDI file in the place of a keyboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mido
import pytest

from engine.app.demo import PATH, TEMPO_BPM
from engine.core.errors import MidiFileError
from engine.core.link import Writer
from engine.core.messages import BLOCK, NOTE_ON, PLAYER, TIMELINE
from engine.midi.file_source import FileSource
from engine.midi.message import Kind
from engine.transport.timeline import BeatTimeline
from tests.audio.conftest import RATE, Bench
from tests.midi import smf_bytes

Build = Callable[..., Bench]


def write(path: Path, *tracks: list[mido.messages.messages.BaseMessage], ticks_per_beat: int = 480) -> Path:
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    file.save(path)
    return path


def tempo(bpm: float, ticks: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=ticks)


def note(pitch: int, ticks: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=100, time=ticks)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """One note a beat; 60 bpm for two beats, then 120; notes and tempo on different tracks."""
    notes = [note(60), note(61, 480), note(62, 480), note(63, 480), mido.Message("sysex", data=[1, 2])]
    return write(tmp_path / "song.mid", [tempo(60), tempo(120, 960)], notes)


def times(source: FileSource, seconds: float, first: int = 0) -> dict[int, int]:
    """Return the first frame of the block each pitch began in."""
    found = {}
    for frame in range(first, first + int(seconds * RATE), BLOCK):
        for message in source.due(frame, frame + BLOCK):
            if message.kind is Kind.NOTE_ON:
                found[message.number] = frame
    return found


def block_of(frame: float) -> int:
    return int(frame // BLOCK * BLOCK)


def test_the_files_own_tempo_is_kept(song: Path) -> None:
    found = times(FileSource(song, RATE, start_frame=1000), 4)
    assert found == {60 + i: block_of(1000 + s * RATE) for i, s in enumerate((0, 1, 2, 2.5))}


def test_on_a_steady_beat_the_files_tempo_does_not_count(song: Path) -> None:
    found = times(FileSource(song, RATE, start_frame=1000, tempo_bpm=90), 4)
    assert found == {60 + i: block_of(1000 + i * RATE * 60 / 90) for i in range(4)}


def test_it_follows_the_networks_beat_and_waits_for_it(song: Path) -> None:
    timeline = Writer(memoryview(bytearray(Writer.size(TIMELINE, 8))), TIMELINE, 8)
    source = FileSource(song, RATE, timeline=timeline)
    assert times(source, 1) == {}
    timeline.push(BeatTimeline(RATE, -2.0, 120, RATE).record())  # count-in: beat 0 is at 2 s
    assert times(source, 1.2, first=RATE) == {60: block_of(2 * RATE)}
    timeline.push(BeatTimeline(2 * RATE, 0.0, 60, RATE).record())  # slower: beat 1 is at 3 s
    at = block_of(2.2 * RATE)
    assert times(source, 2, first=at) == pytest.approx({61: 3 * RATE, 62: 4 * RATE}, abs=BLOCK)


GONE = -1  # all that is down is let go of


def everything(source: FileSource, begin: int, seconds: float) -> list[tuple[int, int]]:
    """Return the block and the pitch of every note that begins, or GONE."""
    frames = range(begin, begin + int(seconds * RATE), BLOCK)
    found = [(frame, message) for frame in frames for message in source.due(frame, frame + BLOCK)]
    return [(frame, m.number if m.kind is Kind.NOTE_ON else GONE) for frame, m in found if m.kind in (Kind.NOTE_ON, Kind.GONE)]


def test_what_is_down_is_let_go_of_where_the_beat_stops_and_goes_on_with_it(song: Path) -> None:
    timeline = Writer(memoryview(bytearray(Writer.size(TIMELINE, 8))), TIMELINE, 8)
    source = FileSource(song, RATE, timeline=timeline)
    line = BeatTimeline(0.0, 0.0, 120, RATE)
    timeline.push(line.record())
    assert [pitch for _, pitch in everything(source, 0, 0.8)] == [60, 61]
    at = block_of(0.8 * RATE)
    timeline.push(replace(line, frame=at, beat=line.beat_at(at), playing=False).record())
    assert everything(source, at, 2) == [(at, GONE)]
    timeline.push(replace(line, frame=5 * RATE, beat=line.beat_at(at)).record())
    assert times(source, 0.5, first=5 * RATE) == {62: block_of(5 * RATE + RATE - at)}


def test_it_begins_again_where_a_bar_1_does_and_its_pickup_lies_before(song: Path) -> None:
    timeline = Writer(memoryview(bytearray(Writer.size(TIMELINE, 8))), TIMELINE, 8)
    source = FileSource(song, RATE, timeline=timeline, bar_one=1.0)
    line = BeatTimeline(0.0, 3.0, 120, RATE, began=3.0, bar_beat=4.0)
    timeline.push(line.record())
    assert [pitch for _, pitch in everything(source, 0, 0.8)] == [60, 61]  # beats 3 and 4
    at = block_of(0.8 * RATE)
    timeline.push(replace(line, frame=at, beat=14.6, began=14.6, bar_beat=16.0).record())
    found = everything(source, at, 2)
    assert found[0] == (at, GONE)
    assert found[1:] == [
        (block_of(at + beat * RATE / 2), pitch) for beat, pitch in ((0.4, 60), (1.4, 61), (2.4, 62), (3.4, 63))
    ]


def test_what_lies_before_the_first_block_is_left_out(song: Path) -> None:
    assert list(times(FileSource(song, RATE), 4, first=block_of(1.5 * RATE))) == [62, 63]


def test_its_length_is_known(song: Path) -> None:
    assert FileSource(song, RATE).length_beats == 3


def test_a_file_enters_by_the_same_way_as_a_keyboard(song: Path, bench: Build) -> None:
    stage = bench(source=FileSource(song, RATE, start_frame=640))
    stage.blocks(11)
    assert stage.heard() == [(640, NOTE_ON, PLAYER, 60)]
    assert stage.engine.player.notes_in == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no midi at all",
        b"MThd\0\0\0\6\0\1\0\1\1\xe0",  # cut short
        b"MThd\0\0\0\6\0\2\0\0\1\xe0",  # type 2
        b"MThd\0\0\0\6\0\1\0\1\0\0MTrk\0\0\0\4\0\xff\x2f\0",  # no ticks to a beat
        b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff\x51\3",  # cut within a message
    ],
)
def test_an_unreadable_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(MidiFileError, match=r"bad\.mid"):
        FileSource(path, RATE)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"none\.mid: cannot be read \(No such file"):
        FileSource(tmp_path / "none.mid", RATE)


def test_a_key_that_is_struck_again_before_it_is_let_go_sounds_until_its_last_end(tmp_path: Path) -> None:
    path = tmp_path / "overlap.mid"
    on, off = bytes((0x90, 60, 80)), bytes((0x90, 60, 0))
    path.write_bytes(
        smf_bytes.file([(0, on), (480, on), (480, off), (480, off), (0, bytes((0x90, 62, 80))), smf_bytes.meta(1, b"", 480)])
    )
    source = FileSource(path, RATE, tempo_bpm=60)
    sent = [
        (frame // RATE, message.kind, message.number)
        for frame in range(0, 6 * RATE, RATE)
        for message in source.due(frame, frame + RATE)
    ]
    begins, ends = Kind.NOTE_ON, Kind.NOTE_OFF
    assert sent == [(0, begins, 60), (1, ends, 60), (1, begins, 60), (3, ends, 60), (3, begins, 62), (4, ends, 62)]


def test_of_a_song_the_lead_is_played_and_the_drums_never(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(smf_bytes.file([*smf_bytes.notes([60] * 4), *smf_bytes.notes([36] * 4, channel=9)], kind=0))
    source = FileSource(path, RATE, tempo_bpm=60)
    assert {message.number for message in source.due(0, 10 * RATE)} == {60}
    assert source.chosen.why == "the only one with pitches"
    with pytest.raises(MidiFileError, match="is drums, which cannot be the player's"):
        FileSource(path, RATE, part="channel 10")


def test_a_pickup_lies_before_bar_one(tmp_path: Path) -> None:
    path = tmp_path / "pickup.mid"
    path.write_bytes(
        smf_bytes.file(
            [smf_bytes.metre(1, 4), *smf_bytes.notes([60]), smf_bytes.metre(4, 4), *smf_bytes.notes([62, 63, 64, 65])]
        )
    )
    timeline = Writer(memoryview(bytearray(Writer.size(TIMELINE, 8))), TIMELINE, 8)
    source = FileSource(path, RATE, timeline=timeline)
    timeline.push(BeatTimeline(RATE, -2.0, 60, RATE).record())  # bar 1 at 3 s
    assert times(source, 8) == {60 + i: block_of(s * RATE) for i, s in ((0, 2), (2, 3), (3, 4), (4, 5), (5, 6))}


def strikes(source: FileSource, until_beat: float, tempo_bpm: float) -> list[tuple[float, int]]:
    """Return (beat, pitch) of what is struck in so many beats."""
    found = []
    for frame in range(0, int(until_beat * 60 / tempo_bpm * RATE), BLOCK):
        found += [(frame / RATE * tempo_bpm / 60, m.number) for m in source.due(frame, frame + BLOCK) if m.kind is Kind.NOTE_ON]
    return found


def test_the_demo_begins_anew_in_whole_bars_for_as_long_as_it_is_asked_to() -> None:
    """As `jam --demo --duration 120`: its 40 s three times, each on a bar line, none of them shorter."""
    bar_one = 8.0
    timeline = Writer(memoryview(bytearray(Writer.size(TIMELINE, 8))), TIMELINE, 8)
    timeline.push(BeatTimeline(0.0, 0.0, TEMPO_BPM, RATE, bar_beat=bar_one).record())
    once = strikes(FileSource(PATH, RATE, timeline=timeline), 120 * TEMPO_BPM / 60, TEMPO_BPM)
    again = strikes(FileSource(PATH, RATE, timeline=timeline, again=True), 120 * TEMPO_BPM / 60, TEMPO_BPM)
    bars = 19  # the demo's last bar is its 19th
    assert max(beat for beat, _ in once) < bar_one + 4 * bars
    rounds = [[(at, pitch) for at, pitch in again if 4 * bars * n <= at - bar_one < 4 * bars * (n + 1)] for n in range(3)]
    assert again[: len(once)] == rounds[0] == once
    for number, played in enumerate(rounds):
        full = number < 2
        assert [pitch for _, pitch in played] == [pitch for _, pitch in once][: None if full else len(played)]
        assert [at - 4 * bars * number for at, _ in played] == pytest.approx([at for at, _ in once][: len(played)], abs=0.01)
    assert len(rounds[2]) > len(once) / 2
    assert sum(map(len, rounds)) == len(again)


def test_what_is_down_at_the_end_is_let_go_before_it_begins_anew() -> None:
    source = FileSource(PATH, RATE, tempo_bpm=TEMPO_BPM, again=True)
    down: set[int] = set()
    for frame in range(0, 120 * RATE, BLOCK):
        for message in source.due(frame, frame + BLOCK):
            if message.kind is Kind.NOTE_ON:
                assert message.number not in down
                down.add(message.number)
            elif message.kind is Kind.NOTE_OFF:
                down.remove(message.number)


def test_by_itself_a_file_is_played_once(song: Path) -> None:
    assert len(strikes(FileSource(song, RATE, tempo_bpm=60), 12, 60)) == 4
    assert len(strikes(FileSource(song, RATE, tempo_bpm=60, again=True), 12, 60)) == 12  # its one bar three times
