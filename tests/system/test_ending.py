"""Ctrl-C, the demo without a device, and what the control socket is sent: the jam ends whole and never dies of its input."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.app.terminal import ENDINGS
from engine.core.messages import NOTE_OFF, PLAYER
from engine.core.realtime import CPU_DMA_LATENCY
from engine.record.feed_file import NOTES, FeedReader
from tests.core.test_realtime import in_force_us
from tests.system.rig import RATE, ROOT, Jam, Stage, jack_settings, jam_command, need, null_settings, wait_for
from tests.system.test_killed import assert_whole_midi

pytestmark = pytest.mark.system

AT_ONCE_S = 5.0  # it takes less than one on a quiet machine; the bench measures that


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_to_all_of_it_ends_it_without_a_click_or_a_hanging_note(start_jam: Callable[..., Jam], number: int):
    jam = start_jam(*null_settings(), "jam.mode=solo", "parameters.density=2")
    jam.wait_playing(48)
    assert jam.end(number, AT_ONCE_S) == 0, jam.output
    assert "Traceback" not in jam.output
    assert "died" not in jam.output
    assert "killed" not in jam.output
    sound, _ = soundfile.read(jam.session / "session.wav", always_2d=True)
    assert np.abs(sound[-64:]).max() < 1e-3
    body, end = np.abs(np.diff(sound[: -RATE // 10], axis=0)), np.abs(np.diff(sound[-RATE // 10 :], axis=0))
    assert end.max() <= body.max()
    assert_whole_midi(jam.session / "session.mid", ())
    report = jam.report
    assert report["recorded_s"] == pytest.approx(len(sound) / RATE, abs=0.01)


def test_a_signal_panics(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(16)
    os.killpg(jam.process.pid, signal.SIGUSR1)
    steps = int(jam.report["steps"])
    jam.wait_playing(steps + 8)
    assert jam.end() == 0, jam.output
    assert "died" not in jam.output, "the others are not meant"
    with FeedReader(jam.session / "feed.bin") as feed:
        events = np.concatenate([entry.events for entry in feed if entry.kind == NOTES and entry.events is not None])
    ended = events[(events["kind"] == NOTE_OFF) & (events["step"] == -1) & (events["track"] != PLAYER)]
    assert len(ended) > 0, "panic ends what sounds, whatever step it is of"


def hanging(received: list[tuple[int, bytes]]) -> set[tuple[int, int]]:
    """Return channel and pitch of the notes that were begun and not ended, by notes off of their own."""
    sounding: set[tuple[int, int]] = set()
    for _, (status, pitch, *velocity) in received:
        key = (status & 0x0F, pitch)
        if status & 0xF0 == 0x90 and velocity[0]:
            sounding.add(key)
        elif status & 0xF0 in (0x80, 0x90):
            sounding.discard(key)
    return sounding


@pytest.mark.parametrize("number", [n for n in ENDINGS if n != signal.SIGINT])
def test_a_signal_to_all_of_it_leaves_no_note_hanging_on_an_instrument(
    number: int, stage: Stage, start_jam: Callable[..., Jam], jack_env: dict[str, str]
):
    settings = (*jack_settings(), 'midi.outputs=["virtual"]', "jam.mode=solo", "parameters.density=2")
    for _ in range(3):  # again, where the server missed a period: the notes off that were in it are lost
        stage.forget()
        jam = start_jam(*settings, env=jack_env)
        stage.connect_to_jam(notes=True)
        jam.wait_playing(1)
        wait_for(lambda: len(hanging(stage.received)) >= 3, 40, "three notes of the jam at once")
        xruns = stage.xruns
        assert jam.end(number, AT_ONCE_S) == 0, jam.output
        stage.wait_until(stage.now + RATE // 10)
        if not hanging(stage.received) or stage.xruns == xruns:
            break
    assert hanging(stage.received) == set()
    assert "Traceback" not in jam.output
    assert "killed" not in jam.output
    assert_whole_midi(jam.session / "session.mid", ())
    assert sum(jam.report["notes_out"].values()) >= 3


def test_when_it_is_killed_its_processes_end_by_themselves(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(8)
    pids = jam.pids()
    jam.process.kill()
    jam.process.wait()
    wait_for(lambda: not any(Path("/proc", str(pid)).exists() for pid in pids.values()), 10, "the end of the children")
    assert_whole_midi(jam.session / "session.mid", ())


OUTPUTS = {
    "a full disk": (">/dev/full", {}),
    "a reader that quits": ("| head -1", {"PYTHONIOENCODING": "ascii"}),
    "nothing at all": (">&- 2>&-", {"LC_ALL": "C"}),
}


@pytest.mark.parametrize("behind", OUTPUTS)
def test_what_is_behind_its_output_changes_nothing(behind: str, tmp_path: Path):
    rest, env = OUTPUTS[behind]
    command = jam_command(tmp_path / "s", *null_settings(), "jam.mode=solo", options=["--duration", "2"])
    shell = ["bash", "-o", "pipefail", "-c", f'"$@" {rest}', "bash", *command]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUTF8"} | {"PYTHONPATH": str(ROOT)} | env
    done = subprocess.run(shell, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if "head" in rest:
        assert len(done.stdout.splitlines()) == 1
    session = next(path for path in (tmp_path / "s").iterdir() if path.is_dir())
    report = json.loads((session / "report.json").read_text())
    assert report["steps"] > 0
    assert report["duration_s"] > 2
    assert_whole_midi(session / "session.mid", ())


def test_a_second_jam_on_the_same_ports_says_so_and_leaves_no_folder(start_jam: Callable[..., Jam], tmp_path: Path):
    settings = null_settings()
    first = start_jam(*settings)
    first.wait_playing(1)
    command = jam_command(tmp_path / "second", *settings)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert second.returncode == 2
    assert "osc.control.port" in second.stderr
    assert f"process {first.process.pid}" in second.stderr or "presumably" in second.stderr
    assert not (tmp_path / "second").exists()
    assert first.end() == 0, first.output


def test_a_second_ctrl_c_changes_nothing(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings())
    jam.wait_playing(4)
    jam.process.send_signal(signal.SIGINT)
    assert jam.end(signal.SIGINT, AT_ONCE_S) == 0, jam.output
    assert soundfile.info(jam.session / "session.wav").frames > 0


def test_the_processor_is_kept_awake_while_it_plays_where_that_is_allowed(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "audio.cpu_dma_latency_us=0")
    jam.wait_playing(4)
    allowed = os.access(CPU_DMA_LATENCY, os.R_OK | os.W_OK)
    assert jam.report["cpu_dma_latency_us"] == (0 if allowed else None)
    assert ("audio.cpu_dma_latency_us" in jam.output) == (not allowed)  # a warning, with the remedy
    if allowed:
        assert in_force_us() == 0
    assert jam.end(signal.SIGINT, AT_ONCE_S) == 0, jam.output
    if allowed:
        assert in_force_us() > 0


def test_the_demo_goes_on_without_a_device_and_says_so(start_jam: Callable[..., Jam]):
    settings = [s for s in null_settings() if not s.startswith("audio.device")]
    jam = start_jam("audio.device=no such device", *settings, options=["--demo", "--duration", "8"])
    assert jam.process.wait(60) == 0, jam.output
    assert "audio.device" in jam.output or "no audio device" in jam.output or "PortAudio" in jam.output
    assert "goes on without sound" in jam.output
    assert jam.report["notes_in"] > 0
    assert jam.report["processes"]["audio"]["device"] == "null"


def test_without_the_demo_no_device_is_an_error(start_jam: Callable[..., Jam]):
    settings = [s for s in null_settings() if not s.startswith("audio.device")]
    jam = start_jam("audio.device=no such device", *settings)
    assert jam.process.wait(60) == 2, jam.output
    assert 'audio.device to "null"' in jam.output
    assert "Traceback" not in jam.output


def test_no_portaudio_library_is_told_with_its_remedy(tmp_path: Path, start_jam: Callable[..., Jam]):
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    settings = [s for s in null_settings() if not s.startswith("audio.device")]
    env = {"PYTHONPATH": f"{fake}:{ROOT}"}
    jam = start_jam(*settings, env=env)
    assert jam.process.wait(60) == 2, jam.output
    assert "apt install libportaudio2" in jam.output
    assert "Traceback" not in jam.output


def test_hostile_datagrams_change_nothing(start_jam: Callable[..., Jam]):
    settings = null_settings()
    port = next(int(s.partition("=")[2]) for s in settings if s.startswith("osc.control.port"))
    jam = start_jam(*settings, "jam.mode=solo")
    jam.wait_playing(8)
    chance = random.Random(1)
    address = b"/algoritmo/param/temperature\0\0\0\0,f\0\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number in range(100_000):
            kind = number % 4
            if kind == 0:
                data = chance.randbytes(chance.randrange(0, 200))
            elif kind == 1:
                data = b"#bundle\0" + chance.randbytes(chance.randrange(0, 100))
            elif kind == 2:  # a true message, cut short
                data = address[: chance.randrange(len(address))]
            else:  # one with a byte changed: never the whole address, which would be an order
                data = bytearray(address + b"\x3f\x80\0\0")
                data[chance.randrange(1, 26)] ^= 0x80
            out.sendto(data, ("127.0.0.1", port))
    before = jam.report
    jam.wait(lambda report: report["steps"] > before["steps"] + 8, 20, "the jam after the datagrams")
    assert jam.report["restarts"] == {"audio": 0, "network": 0, "feed": 0, "signals": 0}
    assert jam.report["mode"] == "solo"
    assert ask(port, "/algoritmo/param/temperature") == [1.0]
    assert jam.end() == 0, jam.output


def ask(port: int, address: str, *arguments: float) -> list[float | str]:
    """Send a message to the control socket; return the arguments of what comes back."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.settimeout(10)
        end.sendto(builder.build().dgram, ("127.0.0.1", port))
        return list(OscMessage(end.recv(65536)).params)


def test_a_value_out_of_range_is_clamped_and_reported(start_jam: Callable[..., Jam]):
    settings = null_settings()
    port = next(int(s.partition("=")[2]) for s in settings if s.startswith("osc.control.port"))
    jam = start_jam(*settings)
    jam.wait_playing(1)
    assert ask(port, "/algoritmo/param/temperature", 99.0) == [2.0, "clamped"]
    assert ask(port, "/algoritmo/param/temperature") == [2.0]


def test_a_full_disk_stops_the_recording_and_nothing_else(start_jam: Callable[..., Jam]):
    prlimit = need("prlimit", "apt install util-linux")
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(16)
    wave = jam.session / "session.wav"
    # On a busy machine the recorder may begin later than the music.
    wait_for(lambda: wave.exists() and wave.stat().st_size > 8 * RATE, 30, "sound on the disk")
    # As on a full disk, every write beyond this size fails.
    size = max(path.stat().st_size for path in jam.session.iterdir() if path.is_file()) + 300_000
    subprocess.run([prlimit, f"--pid={jam.pids()['feed']}", f"--fsize={size}"], check=True)
    jam.wait(lambda _: "recording" in jam.output, 30, "a word about the recording")
    steps = jam.report["steps"]
    jam.wait(lambda report: report["steps"] > steps + 8, 20, "the jam goes on")
    assert jam.report["restarts"] == {"audio": 0, "network": 0, "feed": 0, "signals": 0}
    assert jam.end() == 0, jam.output
    sound, _ = soundfile.read(wave, always_2d=True)
    assert len(sound) > RATE
    assert np.abs(sound).max() > 0.01
    assert_whole_midi(jam.session / "session.mid", ())
