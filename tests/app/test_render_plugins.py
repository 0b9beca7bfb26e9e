"""The offline render with plugins: the same bytes each time, and every note where it was written."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import mido
import numpy as np
import pytest
import soundfile

from engine.app.export import export
from engine.app.render import render
from engine.core.config import load
from engine.core.errors import SessionError
from engine.core.messages import BLOCK
from engine.core.segment import SHOWN
from engine.record.take import read
from tests.host.conftest import fixtures as fixtures  # for the tests here


def song(path: Path) -> Path:
    """Two bars of a melody."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for pitch in (60, 64, 67, 64, 60, 64, 67, 72):
        track.append(mido.Message("note_on", note=pitch, velocity=100))
        track.append(mido.Message("note_off", note=pitch, time=480))
    file.save(path)
    return path


def test_a_render_with_plugins_is_the_same_each_time(fixtures: Path, tmp_path: Path):
    settings = [
        "session.stems=true",
        f"patches.drums={fixtures}/synth.clap",
        f'rack.inserts.bass=["{fixtures}/effect.clap"]',
        "parameters.drums.level=1",
    ]
    for name in ("one", "other"):
        render(load(None, settings), song(tmp_path / "in.mid"), tmp_path / name, 3)
    assert (tmp_path / "one/session.wav").read_bytes() == (tmp_path / "other/session.wav").read_bytes()
    take = read(tmp_path / "one")
    sound, _ = soundfile.read(str(take.stems["drums"]))
    struck = np.flatnonzero((sound[:, 0] > 0.3) & (np.roll(sound[:, 0], 1) < 0.15)).tolist()
    late = BLOCK  # the way to a plugin and back
    begins = sorted({note.begin + late for note in take.notes["drums"]})
    assert struck
    assert set(struck) <= set(begins), "every note that is heard is one, at its frame"
    # In a studio the sound lies where its notes do.
    list(export(tmp_path / "one", tmp_path / "take.dawproject", None, None, None))
    project = ET.fromstring(zipfile.ZipFile(tmp_path / "take.dawproject").read("project.xml"))
    for name, wanted in (("drums", late), ("lead", late), ("player", 0), ("mix", 0)):
        (clip,) = project.findall(f".//Lanes[@track='audio-{name}']/Clips/Clip")
        assert (float(clip.get("time", "")), round(float(clip.get("playStart", "")) * take.rate_hz)) == (0, wanted)


def test_a_render_that_cannot_begin_leaves_no_shared_memory(fixtures: Path, tmp_path: Path):
    def left() -> list[str]:
        return [path.name for path in SHOWN.glob(f"algoritmo-{os.getpid()}-*")]

    before = left()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SessionError, match="cannot be made"):
        render(load(None, [f"patches.drums={fixtures}/synth.clap"]), song(tmp_path / "in.mid"), tmp_path / "file" / "out", 3)
    assert left() == before
