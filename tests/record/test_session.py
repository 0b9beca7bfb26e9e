"""The recording of a jam: nothing is lost to a killed recorder, nothing that was written to a full disk."""

import os
import resource
import signal
import subprocess
import sys

import mido
import numpy as np
import pytest
import soundfile

from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, CLOCK, ERROR, NOTE_OFF, NOTE_ON, OUTPUTS, PLAYER, WARNING, stem_names
from engine.core.parameters import Live
from engine.feed.feed import Feed
from engine.record.feed_file import NOTES, RESET, STEP, FeedReader
from engine.record.session import OFF, ON, STOPPED, Recorder, RecorderThread
from engine.transport.timeline import BeatTimeline
from tests.feed.fakes import make_step

RATE = 48000


class Jam:
    """Fills the rings as audio and network do: block n holds the value n / 20000 throughout."""

    def __init__(self, link, card, chance):
        self.link, self.card, self.chance = link, card, chance
        self.block = self.step = 0
        link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())

    def play(self, blocks, lost=False):
        for _ in range(blocks):
            if not lost:
                samples = np.full((BLOCK, OUTPUTS), self.block / 20000, np.float32)
                self.link.writer("wave").push((self.block * BLOCK, samples))
            self.block += 1

    def note(self, kind, pitch=60, track=PLAYER):
        self.link.writer("events").push((self.block * BLOCK, -1, kind, track, pitch, 80, 0.0))

    def choose(self):
        self.link.writer("steps").push(make_step(self.card, self.step, self.chance, frame=self.block * BLOCK))
        self.step += 1


@pytest.fixture
def jam(link, card, chance, live):
    return Jam(link, card, chance)


@pytest.fixture
def told():
    return []


@pytest.fixture
def recorder(tmp_path, link, schema, live, told):
    return Recorder(tmp_path, link, schema, RATE, lambda level, text: told.append((level, text)))


def again(tmp_path, link, schema, told):
    return Recorder(tmp_path, link, schema, RATE, lambda level, text: told.append((level, text)), resume=True)


def heard(tmp_path):
    """Return which block each recorded block was."""
    samples, rate = soundfile.read(tmp_path / "session.wav", dtype="float32")
    assert rate == RATE
    return np.rint(samples[::BLOCK, 0] * 20000).astype(int).tolist()


def test_all_three_files_hold_the_jam(tmp_path, jam, recorder, link, schema, told):
    feed = Feed(link, schema, recorder.log, recorder.positions)
    jam.note(NOTE_ON)
    jam.choose()
    feed.advance(0)
    jam.play(100)
    jam.note(NOTE_OFF)
    feed.advance(jam.block * BLOCK)
    recorder.drain()
    jam.play(50)
    recorder.close()
    assert heard(tmp_path) == list(range(150))
    player = next(t for t in mido.MidiFile(tmp_path / "session.mid").tracks if t.name == "player")
    assert [m.type for m in player if not m.is_meta] == ["note_on", "note_off"]
    with FeedReader(tmp_path / "feed.bin") as reader:
        assert [e.kind for e in reader] == [NOTES, STEP, NOTES]
    assert (recorder.state, recorder.frames, told) == (OFF, 150 * BLOCK, [])


def test_killed_recorder_goes_on_without_losing_a_sample_or_a_note(tmp_path, jam, recorder, link, schema, told):
    feed = Feed(link, schema, recorder.log, recorder.positions)
    jam.play(10)
    jam.note(NOTE_ON)
    jam.choose()
    feed.advance(jam.block * BLOCK)
    recorder.drain()
    del recorder, feed  # killed
    jam.play(20)
    jam.note(NOTE_OFF)
    jam.choose()
    jam.play(5)
    second = again(tmp_path, link, schema, told)
    feed = Feed(link, schema)
    feed.record(second.log, second.positions)
    feed.advance(jam.block * BLOCK)
    jam.play(5)
    second.close()
    assert heard(tmp_path) == list(range(40))
    player = next(t for t in mido.MidiFile(tmp_path / "session.mid").tracks if t.name == "player")
    assert [m.type for m in player if not m.is_meta] == ["note_on", "note_off"]
    with FeedReader(tmp_path / "feed.bin") as reader:
        entries = list(reader)
    assert [e.kind for e in entries] == [NOTES, STEP, RESET, NOTES, STEP]
    assert [int(e.step["step"]) for e in entries if e.kind == STEP] == [0, 1]
    assert told == []


def test_tempo_is_gone_on_with_as_it_was(tmp_path, jam, recorder, link, schema, told):
    for tempo in (100.0, 140.0, 90.0):
        link.writer("timeline").push(BeatTimeline(0.0, 0.0, tempo, RATE).record())
    jam.play(800)
    recorder.drain()
    before = [m.tempo for m in mido.MidiFile(tmp_path / "session.mid").tracks[0] if m.type == "set_tempo"]
    del recorder
    jam.play(800)
    again(tmp_path, link, schema, told).close()
    after = [m.tempo for m in mido.MidiFile(tmp_path / "session.mid").tracks[0] if m.type == "set_tempo"]
    assert after == before


def test_what_was_overwritten_is_silence_and_is_said(tmp_path, jam, recorder, told):
    jam.play(10)
    recorder.drain()
    jam.play(25, lost=True)
    jam.play(10)
    recorder.close()
    assert heard(tmp_path) == [*range(10), *[0] * 25, *range(35, 45)]
    ((level, text),) = told
    assert level == WARNING
    assert "0.03 s" in text


def test_ring_that_was_lapped_keeps_its_place_in_time(tmp_path, jam, recorder, link, told):
    capacity = link["wave"].capacity
    jam.play(5)
    recorder.drain()
    jam.play(capacity + 300)
    recorder.close()
    blocks = heard(tmp_path)
    assert len(blocks) == capacity + 305
    assert all(b in (0, n) for n, b in enumerate(blocks))
    assert sum(b == 0 for b in blocks) <= 310
    assert len(told) == 1


def test_every_version_of_the_midi_file_is_closed(tmp_path, jam, recorder):
    jam.note(NOTE_ON, 64)
    jam.play(1000)
    recorder.drain()
    player = next(t for t in mido.MidiFile(tmp_path / "session.mid").tracks if t.name == "player")
    assert [m.type for m in player if not m.is_meta] == ["note_on", "note_off"]


class Full:
    """A file whose disk is full after so many bytes."""

    def __init__(self, room):
        self.room = room

    def write(self, descriptor, data, write=os.write):
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        done = write(descriptor, bytes(data)[: self.room])
        self.room -= done
        return done


def test_full_disk_stops_the_recording_once_and_leaves_what_was_written(tmp_path, jam, recorder, told, monkeypatch):
    jam.play(100)
    recorder.drain()
    full = Full(BLOCK * 6 * 3 + 5)
    monkeypatch.setattr("engine.record.wave_file.os.write", full.write)
    jam.play(100)
    recorder.drain()
    assert recorder.state == STOPPED
    jam.play(100)
    recorder.drain()
    recorder.close()
    ((level, text),) = told
    assert level == ERROR
    assert "No space left" in text
    assert "the jam goes on" in text
    assert heard(tmp_path) == list(range(100))
    assert recorder.frames == 100 * BLOCK
    mido.MidiFile(tmp_path / "session.mid")


def test_folder_that_is_gone_is_said_and_nothing_else_happens(tmp_path, jam, link, schema, live, told):
    recorder = Recorder(tmp_path / "gone", link, schema, RATE, lambda level, text: told.append((level, text)))
    jam.play(10)
    recorder.drain()
    recorder.close()
    assert recorder.state == STOPPED
    assert len(told) == 1


def test_recorder_on_its_thread_ends_with_everything(tmp_path, jam, recorder):
    thread = RecorderThread(recorder)
    jam.play(500)
    thread.stop()
    assert heard(tmp_path) == list(range(500))


WRITER = """
import sys, time, pathlib
import numpy as np
from engine.feed.feed import Feed
from engine.feed.schema import Schema
from engine.record.session import Recorder
from engine.core.link import Layout, Link
from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live, Registry
from tests.feed.fakes import make_card
from tests.record.test_session import BLOCK, RATE, Jam
card = make_card()
registry = Registry([t.name for t in card.tracks])
link = Link.private(Layout.of(card, len(registry)))
Live(registry, link.values).reset_to_defaults()
schema = Schema(card, registry)
recorder = Recorder(pathlib.Path(sys.argv[1]), link, schema, RATE, lambda level, text: print("TOLD", text, flush=True))
feed = Feed(link, schema, recorder.log, recorder.positions)
jam = Jam(link, card, np.random.default_rng(1))
for n in range(int(sys.argv[2])):
    jam.note(NOTE_OFF if n % 2 else NOTE_ON, 60)
    jam.choose()
    jam.play(200)
    feed.advance(jam.block * BLOCK)
    recorder.drain()
    print(n, flush=True)
print("DONE", recorder.state, recorder.frames, flush=True)
"""


def writer(folder, rounds, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(rounds)], stdout=subprocess.PIPE, text=True, cwd=os.getcwd(), **options
    )


@pytest.mark.parametrize("rounds", [6, 7, 11, 20, 33])
def test_kill_9_in_the_middle_of_writing_leaves_playable_files(tmp_path, rounds):
    process = writer(tmp_path, 100000)
    for _ in range(rounds):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    blocks = heard(tmp_path)
    assert len(blocks) >= rounds * 200
    assert blocks == list(range(len(blocks)))
    assert len(mido.MidiFile(tmp_path / "session.mid").tracks) == 7
    with FeedReader(tmp_path / "feed.bin") as reader:
        steps = [int(e.step["step"]) for e in reader if e.kind == STEP]
    assert steps == list(range(len(steps)))
    assert len(steps) >= rounds


def test_file_size_limit_of_the_system_is_a_full_disk(tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    process = writer(tmp_path, 40, preexec_fn=limit)
    output = process.communicate(timeout=60)[0].splitlines()
    assert sum(line.startswith("TOLD the recording stopped") for line in output) == 1
    assert output[-1].startswith(f"DONE {STOPPED}")
    blocks = heard(tmp_path)
    assert 0 < len(blocks) * BLOCK * 6 <= 1_000_000
    assert blocks == list(range(len(blocks)))
    mido.MidiFile(tmp_path / "session.mid")


def test_state_while_recording(recorder):
    assert recorder.state == ON


class StemJam(Jam):
    """The same with stems: bus b of block n holds n / 20000 + b / 100 throughout."""

    def play(self, blocks, lost=False, stems_lost=False):
        for _ in range(blocks):
            if not (lost or stems_lost):
                buses = np.repeat(np.arange(len(stem_names(self.card))), OUTPUTS)
                samples = np.broadcast_to((self.block / 20000 + buses / 100).astype(np.float32), (BLOCK, len(buses)))
                self.link.writer("stems").push((self.block * BLOCK, samples))
            super().play(1, lost)


@pytest.fixture
def with_stems(card, registry):
    link = Link.private(Layout.of(card, len(registry), stems=True))
    Live(registry, link.values).reset_to_defaults()
    return link


def heard_on(tmp_path, card, suffix=""):
    """Return which block each block of each stem was; -1 where it is silent. All are as long as the whole."""
    frames = soundfile.info(tmp_path / f"session{suffix}.wav").frames
    found = []
    for bus, name in enumerate(stem_names(card)):
        samples, _ = soundfile.read(tmp_path / "stems" / f"{name}{suffix}.wav", dtype="float32")
        assert samples.shape == (frames, OUTPUTS)
        first = samples[::BLOCK, 0]
        found.append(np.where(first == 0, -1, np.rint((first - bus / 100) * 20000)).astype(int).tolist())
    return found


def test_stems_are_as_long_as_the_whole_and_each_is_its_own(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(1)  # the first bus is silent in block 0: its value is 0
    for _ in range(4):
        jam.play(100)
        recorder.drain()
    jam.play(10, stems_lost=True)  # the audio process was killed between the two
    recorder.close()
    first, *others = heard_on(tmp_path, card)
    assert first == [-1, *range(1, 401), *[-1] * 10]
    assert others == [[*range(401), *[-1] * 10]] * (len(stem_names(card)) - 1)
    assert (recorder.state, told) == (OFF, [])


def test_of_several_networks_the_tracks_of_all_are_recorded(tmp_path, card, registry, chance, schema, told):
    choir = card.tracks[-1].model_copy(update={"name": "choir"})
    whole = card.model_copy(update={"tracks": (*card.tracks, choir)})
    link = Link.private(Layout.of(whole, len(registry), stems=True, networks=[card, card]))
    Live(registry, link.values).reset_to_defaults()
    recorder = Recorder(tmp_path, link, schema, RATE, lambda level, text: told.append((level, text)), whole=whole)
    jam = StemJam(link, whole, chance)
    jam.play(1)
    jam.note(NOTE_ON, 64, track=len(card.tracks))
    jam.play(100)
    recorder.close()
    assert heard_on(tmp_path, whole)[1:] == [list(range(101))] * (len(stem_names(whole)) - 1)
    tracks = {track.name: track for track in mido.MidiFile(tmp_path / "session.mid").tracks}
    assert [message.note for message in tracks["choir"] if message.type == "note_on"] == [64]
    assert told == []


def test_what_comes_back_of_a_send_is_a_stem_from_where_it_sounds_on(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(50)
    recorder.drain()
    assert not (tmp_path / "stems" / "send2.wav").exists()
    samples = np.zeros((BLOCK, 2 * OUTPUTS), np.float32)
    for sound in (0.0, 0.5):  # silence makes no file
        samples[:, OUTPUTS:] = sound
        with_stems.writer("returns").push((jam.block * BLOCK, samples))
        jam.play(1)
    jam.play(10)
    recorder.close()
    found, _ = soundfile.read(tmp_path / "stems" / "send2.wav", dtype="float32")
    assert len(found) == 62 * BLOCK
    assert np.flatnonzero(found[:, 0]).tolist() == list(range(51 * BLOCK, 52 * BLOCK))
    assert not (tmp_path / "stems" / "send1.wav").exists()
    assert told == []


def test_what_was_lost_of_the_stems_is_silence_in_its_place_and_is_said(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(10)
    recorder.drain()
    capacity = with_stems["stems"].capacity
    jam.play(capacity + 300)  # more than the ring of stems holds, less than that of the whole
    recorder.close()
    assert heard(tmp_path) == list(range(capacity + 310))
    for blocks in heard_on(tmp_path, card)[1:]:
        assert all(b in (-1, n) for n, b in enumerate(blocks))
        assert 300 <= sum(b == -1 for b in blocks) <= 302
    ((level, text),) = told
    assert level == WARNING
    assert "0.40 s of the stems" in text


def test_a_killed_recorder_goes_on_with_the_stems(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(30)
    recorder.drain()
    jam.play(20)
    del recorder  # killed
    again(tmp_path, with_stems, schema, told).close()
    assert heard_on(tmp_path, card)[1:] == [list(range(50))] * (len(stem_names(card)) - 1)
    assert told == []


def test_stems_follow_another_rate_as_the_whole_does(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(20)
    recorder.drain()
    clock = np.zeros((), CLOCK)
    clock["rate_hz"] = 44100
    with_stems.writer("clock").push(clock[()])
    jam.play(30)
    recorder.close()
    assert heard_on(tmp_path, card)[1:] == [list(range(20))] * (len(stem_names(card)) - 1)
    suffix = f"-{20 * BLOCK}"
    assert heard_on(tmp_path, card, suffix)[1:] == [list(range(20, 50))] * (len(stem_names(card)) - 1)
    assert soundfile.info(tmp_path / "stems" / f"player{suffix}.wav").samplerate == 44100
    assert len(told) == 1


def test_a_bus_that_is_no_number_is_silent_on_its_stem(tmp_path, card, chance, schema, with_stems, told):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    samples = np.full((BLOCK, OUTPUTS * len(stem_names(card))), 0.5, np.float32)
    samples[:, :OUTPUTS] = np.nan
    samples[3, OUTPUTS] = np.inf
    with_stems.writer("stems").push((0, samples))
    with_stems.writer("wave").push((0, np.zeros((BLOCK, OUTPUTS), np.float32)))
    recorder.close()
    sounds = [soundfile.read(tmp_path / "stems" / f"{name}.wav")[0] for name in stem_names(card)]
    assert not sounds[0].any()
    assert sounds[1][3, 0] == 0
    assert np.all(sounds[2] == 0.5)


def test_a_full_disk_stops_the_stems_with_the_rest(tmp_path, card, chance, schema, with_stems, told, monkeypatch):
    recorder = Recorder(tmp_path, with_stems, schema, RATE, lambda level, text: told.append((level, text)))
    jam = StemJam(with_stems, card, chance)
    jam.play(100)
    recorder.drain()
    monkeypatch.setattr("engine.record.wave_file.os.write", Full(BLOCK * 6 * 150).write)
    jam.play(100)
    recorder.drain()
    recorder.close()
    assert recorder.state == STOPPED
    ((level, text),) = told
    assert level == ERROR
    assert "No space left" in text
    for name in stem_names(card):
        assert soundfile.info(tmp_path / "stems" / f"{name}.wav").frames >= 100 * BLOCK


def test_without_stems_there_is_no_folder_of_them(tmp_path, jam, recorder):
    jam.play(10)
    recorder.close()
    assert not (tmp_path / "stems").exists()
