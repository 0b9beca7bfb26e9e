"""A take that a real jam recorded is played once more: note for note, and the sound sample for sample."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from pythonosc.udp_client import SimpleUDPClient

from engine.app.offline_hosts import OfflineHosts
from engine.app.take_render import render_take, summary
from engine.core.errors import ConfigError, SessionError
from engine.core.segment import SHOWN
from engine.record.take import read
from engine.record.tape_file import read_tapes
from tests.host.conftest import fixtures as fixtures  # for a test here
from tests.system.rig import RATE, JackServer, Jam, Stage, free_port, jack_settings, null_settings, wait_for
from tests.system.test_scenes import a_set, looking_in, switched

pytestmark = [pytest.mark.system]
CC = 20


def kill(jam: Jam, name: str) -> None:
    """Kill a process and wait for the one in its place."""
    pid = jam.pids()[name]
    os.kill(pid, signal.SIGKILL)
    jam.wait(lambda report: report["processes"][name].get("pid") != pid, 30, f"another {name} process")


@pytest.fixture(scope="module")
def take(jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A take in which a musician plays, learns a control and moves it, and network and feed are killed."""
    folder, port = tmp_path_factory.mktemp("take"), free_port()
    settings = (*jack_settings(), f"osc.control.port={port}", "clock.tempo=140", "network.harmony=chords")
    jam = Jam(folder, *settings, env=jack_server.env)
    stage = Stage(jack_server)
    say = SimpleUDPClient("127.0.0.1", port).send_message
    try:
        stage.connect_to_jam(limit_s=120)
        jam.wait_playing(4, 120)
        begin = stage.now + RATE // 4
        keys = [(begin + n * 8000, bytes((0x90 if n % 2 == 0 else 0x80, 60 + n // 2 % 8, 90))) for n in range(24)]
        knob = [(begin + n * 1000, bytes((0xB0, CC, n % 128))) for n in range(60, 120)]
        say("/algoritmo/learn", "lead.level")
        say("/algoritmo/param/temperature", 1.3)
        say("/algoritmo/param/bass/patch", "pluck")
        stage.send(keys + knob)
        stage.wait_until(begin + RATE)
        kill(jam, "network")
        say("/algoritmo/chart", "| C | F |")
        say("/algoritmo/panic", [])
        say("/algoritmo/param/tempo", 120.0)
        kill(jam, "feed")
        stage.wait_until(begin + 3 * RATE)
        kill(jam, "audio")  # whose place another takes that knows what was learned
        stage.connect_to_jam(notes=False)
        again = stage.now + RATE // 8
        stage.send([(again + n * 500, bytes((0xB0, CC, 40 + n))) for n in range(40)])
        stage.wait_until(again + RATE)
        steps = jam.report["steps"]
        jam.wait(lambda report: report["steps"] > steps + 8, 30, "more steps")
        assert jam.end(limit_s=20) == 0, jam.output
        yield jam.session
    finally:
        stage.close()
        jam.close()


@pytest.fixture(scope="module")
def again(take: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The same once more."""
    out = tmp_path_factory.mktemp("again")
    return out, render_take(take, out, [])


def test_every_note_comes_again(take: Path, again: tuple[Path, dict[str, Any]]):
    _, report = again
    assert all("is silent there" in remark for remark in report["remarks"]), "while there was no audio process"
    assert report["same_notes"] is True
    assert report["notes"] == report["notes_recorded"]
    assert report["notes"]["player"] >= 10
    assert sum(report["notes"].values()) > 40
    restarts = json.loads((take / "report.json").read_text())["restarts"]
    assert (restarts["network"], restarts["feed"]) == (1, 1)


def test_a_take_is_another_when_its_tape_is(take: Path, tmp_path: Path):
    # The comparison is no formality: another seed, and the notes part.
    other = tmp_path / "other"
    shutil.copytree(take, other)
    made = json.loads((other / "take.json").read_text())
    seed = next(n for n, p in enumerate(made["parameters"]) if p["id"] == "seed")
    made["parameters"][seed], made["parameters"][seed - 1] = made["parameters"][seed - 1], made["parameters"][seed]
    (other / "take.json").write_text(json.dumps(made))
    report = render_take(other, tmp_path / "out", [])
    assert report["same_notes"] is False
    assert report["remarks"]
    assert any("part at frame" in line for line in summary(report, tmp_path))


def test_another_mix_of_the_same_notes(take: Path, again: tuple[Path, dict[str, Any]], tmp_path: Path):
    settings = ["parameters.drums.mute=true", "patches.lead=pad", 'rack.inserts={bass=["delay"]}', "session.stems=true"]
    report = render_take(take, tmp_path / "mix", settings)
    assert report["same_notes"] is True
    assert report["same_sound"] is None
    one, _ = soundfile.read(again[0] / "session.wav")
    other, _ = soundfile.read(tmp_path / "mix" / "session.wav")
    assert len(one) == len(other)
    assert np.abs(one - other).max() > 0.01
    drums, _ = soundfile.read(tmp_path / "mix" / "stems" / "drums.wav")
    assert np.abs(drums).max() == 0
    with pytest.raises(ConfigError, match="a take is played as it was played"):
        render_take(take, tmp_path / "no", ["jam.seed=5"])
    with pytest.raises(ConfigError, match=r"patches.led: festival has no such track"):
        render_take(take, tmp_path / "no", ["patches.led=pad"])
    with pytest.raises(ConfigError, match=r"did you mean drums.level"):
        render_take(take, tmp_path / "no", ["parameters.drums.levle=1"])
    with pytest.raises(SessionError, match="holds the take itself"):
        render_take(take, take, [])


def test_a_plugin_plays_in_place_of_a_patch_through_a_kill_of_the_sound_too(
    take: Path, fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def left() -> list[str]:
        return [path.name for path in SHOWN.glob(f"algoritmo-{os.getpid()}-*")]

    settings = [f"patches.lead={fixtures}/synth.clap"]
    before = left()
    report = render_take(take, tmp_path / "out", settings)
    assert report["same_notes"] is True
    assert not [remark for remark in report["remarks"] if "lead" in remark or "anew" in remark]
    with monkeypatch.context() as patched:
        patched.setattr(OfflineHosts, "wait_loaded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render_take(take, tmp_path / "interrupted", settings)
    assert left() == before, "shared memory is left"


def interrupted(hosts: OfflineHosts) -> list[str]:
    """As if a person had pressed Ctrl-C while plugins are loaded."""
    raise KeyboardInterrupt


def test_a_take_without_all_that_it_takes(take: Path, tmp_path: Path):
    def copy(name: str, *left_out: str) -> Path:
        shutil.copytree(take, tmp_path / name, ignore=shutil.ignore_patterns("*.wav", *left_out))
        return tmp_path / name

    with pytest.raises(SessionError, match=r"take.json: cannot be read .*algoritmo replay"):
        render_take(copy("old", "take.json", "take.bin"), tmp_path / "out", [])
    with pytest.raises(SessionError, match=r"take.bin: cannot be read"):
        render_take(copy("no tape", "take.bin"), tmp_path / "out", [])
    torn = copy("torn")
    (torn / "take.json").write_text((take / "take.json").read_text()[:500])
    with pytest.raises(SessionError, match="is not what this version writes"):
        render_take(torn, tmp_path / "out", [])
    foreign = copy("foreign")
    (foreign / "take.bin").write_bytes(b"RIFF" * 100)
    with pytest.raises(SessionError, match="is not the tape"):
        render_take(foreign, tmp_path / "out", [])
    made = json.loads((take / "take.json").read_text())
    nowhere = copy("nowhere")
    gone = {"networks": [made["files"]["network"] | {"path": "/nowhere/mine.onnx"}]}
    (nowhere / "take.json").write_text(json.dumps(made | {"files": made["files"] | gone}))
    with pytest.raises(SessionError, match=r"made with /nowhere/mine.onnx, which is not there: put it back"):
        render_take(nowhere, tmp_path / "out", [])


def test_a_take_that_was_cut_off_and_other_versions(take: Path, tmp_path: Path):
    cut = tmp_path / "cut"
    shutil.copytree(take, cut)
    tape = (take / "take.bin").read_bytes()
    (cut / "take.bin").write_bytes(tape[: len(tape) * 2 // 3] + b"\0" * 999)
    made = json.loads((take / "take.json").read_text())
    made["versions"]["onnxruntime"] = "0.9"
    made["files"]["networks"][0]["sha256"] = "of another"
    (cut / "take.json").write_text(json.dumps(made))
    assert 0 < read_tapes(cut / "take.bin").frame < read_tapes(take / "take.bin").frame
    report = render_take(cut, tmp_path / "out", [])
    told = "\n".join(report["remarks"])
    assert "recorded with onnxruntime 0.9" in told
    assert "is another than the take was made with" in told
    sound, _ = soundfile.read(tmp_path / "out" / "session.wav")
    whole, _ = soundfile.read(take / "session.wav")
    assert RATE < len(sound) < len(whole)
    assert report["first_other_frame"] is None or report["first_other_frame"] > len(sound) - 2 * RATE


def test_scenes_and_their_networks_come_again_even_of_what_was_killed_at_once(tmp_path: Path):
    jam = Jam(tmp_path, *null_settings(), "session.stems=true", options=["--demo", "--set", str(a_set(tmp_path))])
    try:
        jam.wait_playing(8, 120)
        with looking_in(jam) as (link, live):
            wait_for(lambda: int(link["playing"].latest()["loaded"]) == 3, 60, "both networks loaded")
            live.fire("scene.next")
            first = int(switched(link, 1)["frame"])
            wait_for(lambda: link["steps.1"].count >= 4, 60, "the other network's steps")
            kill(jam, "network")
            live.fire("scene.next")
            switched(link, 2)
            steps = link["steps"].count
            wait_for(lambda: link["steps"].count >= steps + 8, 60, "the first network's steps")
        time.sleep(0.6)  # what was recorded of it lies on the disk
        session = jam.session
        jam.end(signal.SIGKILL)
    finally:
        jam.close()
    report = render_take(session, tmp_path / "again", [])
    assert report["remarks"] == []
    assert report["same_notes"] is True
    assert report["first_other_sample"] is None or report["first_other_sample"] >= first  # sounds were chosen while it played
    assert report["frames_recorded"] > RATE
    assert abs(report["frames"] - report["frames_recorded"]) < RATE
    # The feed died with all of it and lacks the last notes: those that it has were compared one by one.
    assert all(0 < count <= report["notes"][track] for track, count in report["notes_recorded"].items())
    assert report["notes"]["choir"] > 3
    take = read(session)
    assert len(take.notes["choir"]) == report["notes_recorded"]["choir"]
    written = {track.name for track in mido.MidiFile(session / "session.mid").tracks}
    assert written >= {"player", "drums", "bass", "lead", "choir"}
    choir, _ = soundfile.read(session / "stems" / "choir.wav")
    assert np.abs(choir).max() > 0
