"""The feed as a process: real sockets, a real kill, a stand-in for audio and network that keeps real time."""

import os
import re
import signal
import socket
import subprocess
from itertools import pairwise

import mido
import numpy as np
import pytest
import soundfile
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from engine.core.config import Config
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.core.process import Spec
from engine.net import osc
from engine.record.feed_file import NOTES, STEP, FeedReader
from tests.feed.driven import Driven
from tests.system.rig import OscDump, free_port, need, wait_for


@pytest.fixture
def play(tmp_path):
    jams = []

    def begin(targets=(), **options):
        jams.append(Driven(tmp_path, list(targets), **options))
        return jams[-1]

    yield begin
    for jam in jams:
        jam.close()


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        yield sock


def frames_until(sock, last):
    found = []
    while not found or found[-1] < last:
        first = OscBundle(sock.recv(65536)).content(0)
        if first.address == "/algoritmo/frame" and (not found or found[-1] != first.params[0]):
            found.append(first.params[0])
    return found


def test_steps_arrive_in_order_and_everything_is_recorded(play, receiver, tmp_path):
    jam = play([{"port": receiver.getsockname()[1]}])
    process, pipe, word, said = jam.feed()
    assert (word, said["control"]) == ("ready", f"127.0.0.1:{jam.control}")
    jam.note(NOTE_ON, 61)
    frames = frames_until(receiver, 60)
    jam.note(NOTE_OFF, 61)
    assert frames == sorted(set(frames))
    wait_for(lambda: jam.link["feed"].latest() is not None, 5, "statistics")
    jam.stop(process, pipe)
    stats = jam.link["feed"].latest()
    # A machine that stalls makes the feed drop what is too old by then: it is counted, and nothing else may be missing.
    assert stats["dropped"] > 0 or frames == list(range(frames[0], frames[-1] + 1))
    assert stats["notes_in"] == 1
    assert stats["recorded_frames"] >= 60 * jam.step_frames
    sound, _ = soundfile.read(tmp_path / "session.wav", dtype="float32")
    assert len(sound) == stats["recorded_frames"]
    assert np.allclose(sound, 0.25)
    assert [m.note for m in mido.MidiFile(tmp_path / "session.mid").tracks[1] if m.type == "note_on"] == [61]
    with FeedReader(tmp_path / "feed.bin") as reader:
        steps = [int(e.step["step"]) for e in reader if e.kind == STEP]
    assert steps == list(range(len(steps)))
    assert jam.told() == []


def test_killed_feed_comes_back_and_nothing_is_missing_in_the_recording(play, receiver, tmp_path):
    jam = play([{"port": receiver.getsockname()[1], "tiers": ["scalars"]}])
    process, *_ = jam.feed()
    frames_until(receiver, 30)
    jam.note(NOTE_ON, 62)
    wait_for(lambda: (tmp_path / "session.wav").stat().st_size > 100_000, 10, "a recording")
    sent = wait_for(lambda: int(jam.link["feed"].latest()["sent"]), 5, "statistics")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    jam.note(NOTE_OFF, 62)
    process, pipe, word, _ = jam.feed(restarted=True)
    assert word == "ready"
    last = jam.step
    frames_until(receiver, last + 10)
    wait_for(lambda: int(jam.link["feed"].latest()["sent"]) > sent, 5, "counting on")
    jam.stop(process, pipe)
    sound, _ = soundfile.read(tmp_path / "session.wav", dtype="float32")
    assert np.allclose(sound, 0.25)
    assert len(sound) >= (last + 10) * jam.step_frames
    player = mido.MidiFile(tmp_path / "session.mid").tracks[1]
    assert [m.type for m in player if not m.is_meta] == ["note_on", "note_off"]
    with FeedReader(tmp_path / "feed.bin") as reader:
        entries = list(reader)
    steps = [int(e.step["step"]) for e in entries if e.kind == STEP]
    assert steps == list(range(len(steps)))
    assert sum(len(e.events) for e in entries if e.kind == NOTES) == 2
    assert jam.told() == []


def test_orders_and_questions_reach_the_running_feed(play):
    jam = play()
    process, pipe, *_ = jam.feed()
    assert jam.ask("/algoritmo/sync", 5).params == [5]
    assert jam.ask("/algoritmo/tempo", 1e9).params == [400.0, "clamped"]
    assert jam.live.get("tempo") == 400
    assert '"feed"' in jam.ask("/algoritmo/status").params[0]
    jam.stop(process, pipe)


def test_who_subscribes_is_sent_to_at_the_address_he_wrote_from(play):
    jam = play(session=False)
    process, pipe, *_ = jam.feed()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as subscriber:
        subscriber.settimeout(10)
        subscriber.connect(("127.0.0.1", jam.control))
        subscriber.send(osc.message("/algoritmo/notify", 1, "tiers", "scalars"))
        assert OscMessage(subscriber.recv(65536)).address == "/algoritmo/done"
        frames = frames_until(subscriber, jam.step + 20)
        assert frames == sorted(set(frames))
    jam.stop(process, pipe)


def test_supervisor_that_dies_ends_the_feed_with_whole_files(play, tmp_path):
    jam = play()
    process, pipe, *_ = jam.feed()
    wait_for(lambda: (tmp_path / "session.wav").exists() and (tmp_path / "session.wav").stat().st_size > 50_000, 10, "sound")
    pipe.close()
    process.join(10)
    assert process.exitcode == 0
    assert not any(m.type == "sequencer_specific" for m in mido.MidiFile(tmp_path / "session.mid").tracks[0])


@pytest.mark.parametrize("key", ["control", "query", "web"])
def test_busy_port_is_an_error_that_names_the_key(play, key):
    kind = socket.SOCK_DGRAM if key == "control" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        jam = play(session=False)
        config = jam.config.model_dump()
        section = config["web"] if key == "web" else config["osc"][key]
        section |= {"enabled": True, "port": port}
        jam.spec = Spec(**{**vars(jam.spec), "config": Config.model_validate(config)})
        process, _, word, text = jam.feed()
    assert word == "error"
    assert f"{'' if key == 'web' else 'osc.'}{key}.port" in text
    process.join(10)
    assert process.exitcode == 2


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"signals": ["q"]}, "no signal q"),
        ({"host": "224.0.0.251", "interface": "no address"}, "osc.targets.0"),
        ({"host": "::1%nowhere"}, "cannot be sent to"),
    ],
)
def test_target_that_cannot_be_is_an_error_that_names_the_key(play, target, said):
    jam = play([target], session=False)
    _, _, word, text = jam.feed()
    assert word == "error"
    assert said in text


def test_target_by_a_name_that_nobody_knows_is_told_and_the_rest_goes_on(play, receiver):
    jam = play([{"host": "nobody.invalid"}, {"port": receiver.getsockname()[1]}], session=False)
    process, pipe, word, _ = jam.feed()
    assert word == "ready"
    frames_until(receiver, 20)
    wait_for(lambda: any("osc.targets.0" in line for line in jam.told()), 15, "a word about it")
    jam.stop(process, pipe)


@pytest.mark.system
def test_oscdump_prints_what_was_sent(play, tmp_path, osc_port):
    jam = play([{"port": osc_port}])
    dump = OscDump(tmp_path, osc_port)
    try:
        process, pipe, *_ = jam.feed()
        jam.note(NOTE_ON, 63)
        printed = re.compile(r"/algoritmo/frame i (\d+)")
        out = tmp_path / "osc.out"
        wait_for(lambda: max(map(int, printed.findall(out.read_text())), default=0) >= 40, 30, "step 40")
        jam.stop(process, pipe)
        found = dump.messages()
    finally:
        dump.close()
    addresses = {a for a, _, _ in found}
    assert {f"/algoritmo/act/{k}/{s}/000" for k in range(6) for s in "hc"} <= addresses
    assert ("/algoritmo/player/note", "ii", ["63", "90"]) in found
    for (lead, _, (step, *_)), (address, _, values) in pairwise(found):
        if (lead, address) == ("/algoritmo/frame", "/algoritmo/act/0/h/000"):
            expected = jam._steps[int(step) % 8]["h0_next"]
            assert [float(v) for v in values] == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.fixture
def osc_port():
    return free_port()


@pytest.mark.system
def test_oscsend_moves_a_parameter(play):
    program = need("oscsend", "apt install liblo-tools")
    jam = play(session=False)
    process, pipe, *_ = jam.feed()
    subprocess.run([program, "127.0.0.1", str(jam.control), "/algoritmo/param/temperature", "f", "0.5"], check=True)
    wait_for(lambda: jam.live.get("temperature") == 0.5, 10, "the new temperature")
    jam.stop(process, pipe)
