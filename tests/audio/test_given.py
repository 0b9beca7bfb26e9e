"""From given notes to sound: at their time, by their patches, the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.given import RING_OUT_S, sound_of
from engine.cli import main
from engine.core.config import Config, load
from engine.store.clip import Music, Note

TRACKS = ("drums", "bass", "chords", "pad", "lead")
DRY = load(None, ["patches.drums=pluck", "patches.lead=pluck"])


def heard(sound: np.ndarray, rate_hz: int, at_s: float, for_s: float = 0.1) -> float:
    """How loud it is there: root mean square."""
    part = sound[round(at_s * rate_hz) : round((at_s + for_s) * rate_hz)]
    return float(np.sqrt(np.mean(part**2)))


def test_notes_sound_at_their_time_as_loud_as_they_are_and_end() -> None:
    notes = (Note(8, 2, 4, 72, 120), Note(24, 2, 4, 60, 40))
    sound, rate = sound_of(Music(notes, 32, TRACKS, 120.0), DRY)
    step_s = 60 / 120 / 4
    assert len(sound) / rate == pytest.approx(32 * step_s + RING_OUT_S, abs=0.2)
    assert heard(sound, rate, 0, 8 * step_s - 0.01) < 1e-4
    onset = np.flatnonzero(np.abs(sound).max(axis=1) > 1e-3)[0] / rate
    assert onset == pytest.approx(8 * step_s, abs=0.004)
    assert heard(sound, rate, 8 * step_s) > 3 * heard(sound, rate, 24 * step_s) > 0
    assert heard(sound, rate, len(sound) / rate - 0.2) < 1e-3
    assert np.abs(sound).max() <= 1


def test_the_same_notes_give_the_same_bytes_and_the_mixer_is_in_it() -> None:
    music = Music((Note(0, 4, 4, 72), Note(4, 4, 1, 40)), 8, TRACKS)
    one, _ = sound_of(music, Config())
    assert np.array_equal(one, sound_of(music, Config())[0])
    softer, _ = sound_of(music, load(None, ["parameters.lead.level=0.1"]))
    assert np.abs(softer[:8000]).max() < 0.5 * np.abs(one[:8000]).max()


def test_a_clip_is_rendered_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = Music((Note(0, 2, 4, 72), Note(0, 1, 0, 36)), 16, TRACKS)
    (tmp_path / "clip.json").write_text(json.dumps(music.as_json()))
    assert main(["render", str(tmp_path / "clip.json"), "--out", str(tmp_path / "out")]) == 0
    assert "2 notes" in capsys.readouterr().out
    sound, _ = soundfile.read(tmp_path / "out" / "clip.wav")
    assert np.abs(sound).max() > 0.01
    (tmp_path / "clip.json").write_text("nonsense")
    assert main(["render", str(tmp_path / "clip.json"), "--out", str(tmp_path / "out")]) == 2
    assert "is no clip" in capsys.readouterr().err
