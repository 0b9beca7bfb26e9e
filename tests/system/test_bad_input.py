"""Bad input gets a clear error, exit status 2, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import mido
import pytest

from tests import tiny
from tests.system.rig import ROOT, free_port

QUIET = (
    "--set",
    "audio.device=null",
    "--set",
    "midi.backend=none",
    "--set",
    "osc.query.enabled=false",
    "--set",
    "web.enabled=false",
)


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `algoritmo` in `folder` to its end."""
    command = [sys.executable, "-m", "engine.cli", *map(str, words)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "JACK_NO_START_SERVER": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def refused(folder: Path, *words: str | Path) -> str:
    """Run a command that must refuse; return what it said."""
    done = run(folder, *words)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" not in said
    return said


def jam(folder: Path, *words: str | Path) -> tuple[Path, str | Path]:
    """The words of a short jam that needs no device."""
    return (folder, "jam", *QUIET, "--set", f"osc.control.port={free_port()}", "--duration", "1", *words)


def test_all_faults_of_a_configuration_at_once(tmp_path):
    (tmp_path / "config.toml").write_text(
        '[audio]\nrate = "48k"\nblok = 3\n[midi]\nbackend = "usb"\n[osc.control]\nport = 70000\n[sesion]\ndir = "x"\n'
    )
    said = refused(tmp_path, "jam", "--duration", "1")
    for fault in ("5 faults", "audio.rate", "audio.blok", "midi.backend", "'alsa'", "osc.control.port", "sesion"):
        assert fault in said


def test_a_configuration_that_is_missing_or_no_toml(tmp_path):
    assert "nowhere.toml" in refused(tmp_path, "jam", "--config", "nowhere.toml")
    (tmp_path / "bad.toml").write_text("[audio\n")
    assert "is not TOML" in refused(tmp_path, "jam", "--config", "bad.toml")


def test_parameters_that_do_not_exist_or_are_out_of_range(tmp_path):
    said = refused(*jam(tmp_path, "--set", "parameters.tempi=3", "--set", "parameters.temperature=9"))
    assert "parameters.tempi" in said
    assert "0.1 to 2" in said


def test_networks_that_cannot_be_played(tmp_path):
    (tmp_path / "noise.onnx").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty.onnx").write_bytes(b"")
    whole = tiny.write(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "short.onnx").write_bytes(whole[: len(whole) // 2])
    tiny.write(tmp_path / "poor.onnx", drop=("log_prob", "probability"))
    for name, part in {
        "nowhere.onnx": "cannot be read",
        "noise.onnx": "noise.onnx",
        "empty.onnx": "no card",
        "short.onnx": "short.onnx",
        "nonesuch": "there are: ",
    }.items():
        assert part in refused(*jam(tmp_path, "--set", f"network.name={name}")), name
    said = refused(*jam(tmp_path, "--set", "network.name=poor.onnx"))
    assert "output 'log_prob' is missing" in said
    assert "output 'probability' is missing" in said


def test_a_provider_that_is_not_here(tmp_path):
    said = refused(*jam(tmp_path, "--set", "network.provider=directml"))
    assert "network.provider" in said


def test_midi_files_that_cannot_be_read(tmp_path):
    assert "nowhere.mid" in refused(tmp_path, "render", "nowhere.mid", "--out", "out")
    for name, data in {
        "text.mid": b"no MIDI at all",
        "empty.mid": b"",
        "cut.mid": b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\xff",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert name in refused(tmp_path, "render", name, "--out", "out"), name


def test_an_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    mido.MidiFile(
        tracks=[mido.MidiTrack([mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)])]
    ).save(tmp_path / "in.mid")
    assert "--out" in refused(tmp_path, "render", "in.mid", "--out", "file/below")
    assert "session.dir" in refused(*jam(tmp_path, "--session", "file/below"))


def test_a_control_port_that_another_program_has(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        said = refused(*jam(tmp_path, "--set", f"osc.control.port={port}"))
    assert "osc.control.port" in said
    assert str(port) in said


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("jam.track=flute", "jam.track"),
        ("midi.cc.tempi=1", "midi.cc.tempi"),
        ("midi.cc.tempo=64", "sustain"),
        ("audio.block", "KEY=VALUE"),
    ],
)
def test_settings_that_parse_but_cannot_be(tmp_path, setting, part):
    assert part in refused(*jam(tmp_path, "--set", setting))


def test_a_target_that_nobody_knows_is_told_and_the_jam_goes_on(tmp_path):
    done = run(*jam(tmp_path, "--set", "osc.targets=[{host='no.such.host.invalid'}]"))
    assert done.returncode == 0, done.stderr
    assert "no.such.host.invalid" in done.stdout + done.stderr


def test_a_midi_backend_that_does_not_answer(tmp_path):
    words = list(jam(tmp_path))
    words[words.index("midi.backend=none")] = "midi.backend=coremidi" if sys.platform != "darwin" else "midi.backend=winmm"
    assert "midi.backend" in refused(*words)


def test_words_that_are_no_command(tmp_path):
    for words in (["jma"], ["jam", "--lenght", "3"], ["render"], []):
        done = run(tmp_path, *words)
        assert done.returncode == 2, words
        assert "usage: algoritmo" in done.stderr
