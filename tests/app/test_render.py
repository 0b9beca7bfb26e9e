"""The offline render. Each runs in a process of its own: pyo knows one server per process.

`python -m tests.app.test_render` writes golden_render.json anew, after a change that is meant to be heard.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from tests import tiny

GOLDEN = Path(__file__).with_name("golden_render.json")


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_player(tmp_path_factory.mktemp("player") / "in.mid")


def write_player(path: Path) -> Path:
    """Two bars of quarter notes at 100 bpm, struck 10 ms late."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(100))])
    for n, pitch in enumerate([60, 64, 67, 69] * 2):
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=8 if n == 0 else 240))
        track.append(mido.Message("note_off", note=pitch, time=240))
    mido.MidiFile(tracks=[track]).save(path)
    return path


def algoritmo(*words: object) -> subprocess.CompletedProcess:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "engine.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYO_GUI_WX": "0"}, timeout=120)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(tiny_onnx, player, tmp_path):
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = algoritmo("render", player, "--out", tmp_path / out, "--network", tiny_onnx, "--bars", 4, "--seed", seed)
        assert done.returncode == 0, done.stderr
    first, again, other = (digests(tmp_path / out) for out in "abc")
    assert first == again
    assert first["session.mid"] != other["session.mid"]
    assert first["feed.bin"] != other["feed.bin"]


def test_what_is_rendered_is_what_was_played_and_chosen(tiny_onnx, player, tmp_path):
    done = algoritmo("render", player, "--out", tmp_path, "--network", tiny_onnx, "--bars", 4, "--mode", "accompany")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["notes_in"] == 8
    assert report["notes_out"]["lead"] == 0
    assert report["notes_out"]["bass"] > 0
    tracks = {
        t.name: [m for m in t if m.type == "note_on" and m.velocity] for t in mido.MidiFile(tmp_path / "session.mid").tracks
    }
    assert [m.note for m in tracks["player"]] == [60, 64, 67, 69] * 2
    assert len(tracks["bass"]) == report["notes_out"]["bass"]
    sound, rate = soundfile.read(tmp_path / "session.wav")
    assert len(sound) / rate == pytest.approx(0.1 + 16 * 0.6 + 3, abs=0.1)
    assert 0.01 < np.abs(sound).max() < 1
    assert np.abs(sound[-rate // 100 :]).max() < 1e-3
    # The first note: 10 ms after beat 0, which is 0.1 s in.
    onset = np.flatnonzero(np.abs(sound[:, 0]) > 1e-4)[0] / rate
    assert onset == pytest.approx(0.1, abs=0.012)


def what_is_heard(folder: Path) -> dict[str, list]:
    """The notes of a session as [track, beat it begins at, pitch, velocity], and its level in dB for each half beat."""
    file = mido.MidiFile(folder / "session.mid")
    notes = []
    for track in file.tracks:
        at = 0
        for message in track:
            at += message.time
            if message.type == "note_on" and message.velocity:
                notes.append([track.name, round(at / file.ticks_per_beat, 3), message.note, message.velocity])
    sound, rate = soundfile.read(folder / "session.wav")
    window = round(rate * 0.3)
    size = np.sqrt([np.mean(sound[at : at + window] ** 2) for at in range(0, len(sound) - window + 1, window)])
    return {"notes": notes, "level_db": np.round(20 * np.log10(np.maximum(size, 1e-3)), 1).tolist()}


def render_golden(tiny_onnx: Path, player: Path, out: Path) -> dict[str, list]:
    done = algoritmo("render", player, "--out", out, "--network", tiny_onnx, "--bars", 4, "--mode", "accompany", "--seed", 7)
    assert done.returncode == 0, done.stderr
    return what_is_heard(out)


def test_it_sounds_as_it_always_did(tiny_onnx, player, tmp_path):
    found, golden = render_golden(tiny_onnx, player, tmp_path), json.loads(GOLDEN.read_text())
    assert found["notes"] == golden["notes"]
    # To the bit the sound depends on the processor; to a tenth of what an ear tells apart it does not.
    np.testing.assert_allclose(found["level_db"], golden["level_db"], atol=0.2)


def test_a_tempo_asked_for_goes_over_the_files(tiny_onnx, player, tmp_path):
    done = algoritmo("render", player, "--out", tmp_path, "--network", tiny_onnx, "--bars", 1, "--set", "clock.tempo=150")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["tempo_bpm"] == 150


def test_futures_are_ranked_and_playable(tiny_onnx, player, tmp_path):
    done = algoritmo("render", player, "--out", tmp_path, "--network", tiny_onnx, "--bars", 2, "--futures", 5)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "futures.json").read_text())
    assert len(found["futures"]) == 5
    assert found["asked"]["key"] in (0, 5, 7)  # C E G A lie in C, F and G
    for future in found["futures"]:
        file = mido.MidiFile(tmp_path / future["file"])
        assert [t.name for t in file.tracks] == [name for name, _, _ in tiny.TRACKS]
        down: set[tuple[int, int]] = set()
        for message in (m for t in file.tracks for m in t if m.type in ("note_on", "note_off")):
            key = (message.channel, message.note)
            down = down | {key} if message.type == "note_on" else down - {key}
        assert not down


def test_a_file_that_is_no_midi_is_named(tiny_onnx, tmp_path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"MThd nothing of the kind")
    done = algoritmo("render", bad, "--out", tmp_path / "out", "--network", tiny_onnx)
    assert done.returncode == 2
    assert "bad.mid" in done.stderr
    assert "Traceback" not in done.stderr


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        heard = render_golden(tiny.write(here / "tiny.onnx"), write_player(here / "in.mid"), here / "out")
    GOLDEN.write_text(json.dumps(heard) + "\n")
