"""A render whose beat follows the file's player, through the one performance loop; in a process of its own, for pyo's sake."""

from __future__ import annotations

from pathlib import Path

import mido

from tests.app.test_render import algoritmo, steps_of

BPM, BARS = 92.0, 10
KICK, SNARE, HAT = 36, 38, 42


def write_drummer(path: Path) -> list[float]:
    """Ten bars of rock in a file whose tempo map knows nothing of them; return the seconds of the beats."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120))])
    struck = []
    for eighth in range(8 * BARS):
        at = 0.5 + eighth * 30 / BPM
        struck.append((at, HAT))
        if eighth % 8 in (0, 4, 5):
            struck.append((at, KICK))
        if eighth % 4 == 2:
            struck.append((at, SNARE))
    timed = sorted([(at, 1, pitch) for at, pitch in struck] + [(at + 0.1, 0, pitch) for at, pitch in struck])
    now = 0
    for at, on, pitch in timed:
        tick = round(at * 960)
        track.append(mido.Message("note_on" if on else "note_off", note=pitch, velocity=90, time=tick - now))
        now = tick
    mido.MidiFile(tracks=[track]).save(path)
    return [0.5 + beat * 60 / BPM for beat in range(4 * BARS)]


def test_the_band_falls_in_on_his_bar_line_and_stays_on_his_beat(tiny_onnx, tmp_path):
    beats = write_drummer(tmp_path / "drummer.mid")
    words = ("--network", tiny_onnx, "--set", "clock.source=follow", "--bars", BARS - 3)
    done = algoritmo("render", tmp_path / "drummer.mid", "--out", tmp_path / "out", *words)
    assert done.returncode == 0, done.stderr
    steps = steps_of(tmp_path / "out")
    assert [int(step["step"]) for step in steps] == list(range(16 * (BARS - 3)))
    heard = [step["frame"] / 48000 for step in steps if step["step"] % 4 == 0]
    first = min(range(len(beats)), key=lambda n: abs(beats[n] - heard[0]))
    assert 0 < first <= 16
    assert first % 4 == 0
    played = [at for at in heard if at < beats[-1]]
    assert len(played) >= 20
    assert max(abs(at - beat) for at, beat in zip(played, beats[first:], strict=False)) < 0.07
    session = mido.MidiFile(tmp_path / "out" / "session.mid")
    assert any(message.type == "note_on" for track in session.tracks[2:] for message in track)


def test_where_no_beat_is_found_the_render_ends_and_has_waited(tiny_onnx, tmp_path):
    track = mido.MidiTrack()
    track.append(mido.Message("note_on", note=60, velocity=90, time=480))
    track.append(mido.Message("note_off", note=60, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "one.mid")
    words = ("--network", tiny_onnx, "--set", "clock.source=follow")
    done = algoritmo("render", tmp_path / "one.mid", "--out", tmp_path / "out", *words)
    assert done.returncode == 0, done.stderr
    assert steps_of(tmp_path / "out") == []
