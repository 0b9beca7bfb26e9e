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
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from engine.app.song_render import Bars
from engine.midi import smf
from engine.midi.song import song_of
from engine.record.feed_file import STEP, FeedReader
from tests import tiny
from tests.midi import smf_bytes

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
    assert len(sound) / rate == pytest.approx(0.6 + 16 * 0.6 + 3, abs=0.1)
    assert 0.01 < np.abs(sound).max() < 1
    assert np.abs(sound[-rate // 100 :]).max() < 1e-3
    # The first note: 10 ms after beat 0, which is a beat in.
    onset = np.flatnonzero(np.abs(sound[:, 0]) > 1e-4)[0] / rate
    assert onset == pytest.approx(0.6, abs=0.012)


def test_the_stems_of_a_render_are_its_parts(tiny_onnx, player, tmp_path):
    words = ("--bars", 2, "--mode", "accompany", "--set", "parameters.metronome=0.3", "--set", "audio.rate=96000")
    words += tuple(w for t in ("bass", "drums", "lead", "player") for w in ("--set", f"parameters.{t}.level=0.4"))
    done = algoritmo("render", player, "--out", tmp_path, "--network", tiny_onnx, "--stems", *words)
    assert done.returncode == 0, done.stderr
    whole, rate = soundfile.read(tmp_path / "session.wav")
    assert rate == 96000
    assert 0.02 < np.abs(whole).max() < 0.7  # the limiter does nothing
    stems = {path.stem: soundfile.read(path)[0] for path in (tmp_path / "stems").glob("*.wav")}
    assert stems.keys() == {*(name for name, _, _ in tiny.TRACKS), "player", "metronome"}
    assert {len(sound) for sound in stems.values()} == {len(whole)}
    assert np.abs(sum(stems.values()) - whole).max() < 1e-4 * np.abs(whole).max()  # -80 dB
    assert all(np.abs(stems[name]).max() > 1e-3 for name in ("player", "bass"))


def metres(folder: Path) -> list[tuple[float, int, int]]:
    """Beat, numerator and denominator of each time signature of a session."""
    file, now, found = mido.MidiFile(folder / "session.mid"), 0, []
    for message in file.tracks[0]:
        now += message.time
        if message.type == "time_signature":
            found.append((now / file.ticks_per_beat, message.numerator, message.denominator))
    return found


def what_is_heard(folder: Path) -> dict[str, list]:
    """The notes of a session as [track, beat it begins at, from bar 1, pitch, velocity], and its level in dB for each half
    beat."""
    file = mido.MidiFile(folder / "session.mid")
    bar_one = metres(folder)[-1][0]
    notes = []
    for track in file.tracks:
        at = 0
        for message in track:
            at += message.time
            if message.type == "note_on" and message.velocity:
                notes.append([track.name, round(at / file.ticks_per_beat - bar_one, 3), message.note, message.velocity])
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


def seconds_and_beats(path: Path, name: str) -> list[tuple[float, float]]:
    """Where the notes of a track of a MIDI file begin."""
    file = mido.MidiFile(path)
    wanted = [m for t in file.tracks if t.name == name for m in t if m.type == "note_on" and m.velocity]
    tempo, ticks, seconds, found = 500_000, 0, 0.0, []
    for message in mido.merge_tracks(file.tracks):
        ticks += message.time
        seconds += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity and message.channel == wanted[0].channel:
            found.append((seconds, ticks / file.ticks_per_beat))
    return found


def test_every_tempo_of_the_file_is_followed_whatever_track_it_is_on(tiny_onnx, tmp_path):
    notes = mido.MidiTrack([mido.MetaMessage("track_name", name="notes")])
    for _ in range(16):
        notes.append(mido.Message("note_on", note=60, velocity=90, time=0))
        notes.append(mido.Message("note_off", note=60, time=480))
    slowing = [(0, 240), (960, 200), (240, 170), (240, 150), (480, 60), (960, 333)]
    tempi = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(b), time=t) for t, b in slowing])
    mido.MidiFile(tracks=[notes, tempi]).save(tmp_path / "in.mid")
    done = algoritmo("render", tmp_path / "in.mid", "--out", tmp_path / "out", "--network", tiny_onnx, "--bars", 5)
    assert done.returncode == 0, done.stderr
    wanted = [0.25 + second for second, _ in seconds_and_beats(tmp_path / "in.mid", "notes")]
    found = seconds_and_beats(tmp_path / "out" / "session.mid", "player")
    assert [second for second, _ in found] == pytest.approx(wanted, abs=0.003)
    assert [beat - found[0][1] for _, beat in found] == pytest.approx(list(range(16)), abs=0.03)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["tempo_bpm"] == pytest.approx(240)


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


def beats_of(folder: Path, track: str) -> list[tuple[float, int]]:
    """Beat from bar 1 and pitch of each note of a session's track."""
    return [(beat, pitch) for name, beat, pitch, _ in what_is_heard(folder)["notes"] if name == track]


def rendered(network: Path, folder: Path, data: bytes, *words: object) -> tuple[dict, str, Path]:
    """Render a file of these bytes; return the report, what was said, and the session's folder."""
    folder.mkdir(exist_ok=True)
    (folder / "in.mid").write_bytes(data)
    done = algoritmo("render", folder / "in.mid", "--out", folder / "out", "--network", network, *words)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / "report.json").read_text()), done.stdout, folder / "out"


def test_the_whole_tempo_map_is_followed_whatever_track_it_lies_in(tiny_onnx, tmp_path):
    tune = smf_bytes.notes([60, 62, 64, 65])
    data = smf_bytes.file([*tune], [smf_bytes.tempo(240), smf_bytes.tempo(120, 960)])
    report, _, out = rendered(tiny_onnx, tmp_path, data, "--bars", 1)
    assert report["tempi"] == [[0, 240], [2, 120]]
    assert [round(beat) for beat, _ in beats_of(out, "player")] == [0, 1, 2, 3]
    sound, rate = soundfile.read(out / "session.wav")
    assert len(sound) / rate == pytest.approx(0.25 + 2 * 0.25 + 2 * 0.5 + 3, abs=0.1)
    tempi = [mido.tempo2bpm(m.tempo) for m in mido.MidiFile(out / "session.mid").tracks[0] if m.type == "set_tempo"]
    assert tempi[1:] == [240, 120]
    assert max(tempi) < 300


def test_the_files_metre_stands_in_the_session_and_what_the_network_does_not_know_is_told(tiny_onnx, tmp_path):
    data = smf_bytes.file([smf_bytes.tempo(200), smf_bytes.metre(3, 4), *smf_bytes.notes([60, 62, 64] * 2)])
    report, said, out = rendered(tiny_onnx, tmp_path / "three", data, "--bars", 2)
    assert metres(out)[-1][1:] == (3, 4)
    (told,) = report["remarks"]
    assert told == "it is in 3/4, which tiny was not taught: it plays on, and may miss the bar"
    assert report["metre"] == "3/4"
    assert told in said
    two = smf_bytes.file([smf_bytes.tempo(200), smf_bytes.metre(2, 4), *smf_bytes.notes([60, 62])])
    report, _, out = rendered(tiny_onnx, tmp_path / "two", two, "--bars", 1)
    assert (metres(out)[-1][1:], report["remarks"]) == ((2, 4), [])


def test_a_pickup_comes_before_bar_one(tiny_onnx, tmp_path):
    first = [smf_bytes.tempo(200), smf_bytes.metre(1, 4), *smf_bytes.notes([67])]
    data = smf_bytes.file([*first, smf_bytes.metre(4, 4), *smf_bytes.notes([60, 62, 64, 65])])
    report, _, out = rendered(tiny_onnx, tmp_path, data, "--bars", 1)
    assert report["notes_in"] == 5
    assert report["pickup_beats"] == 1
    assert [(round(beat, 1), pitch) for beat, pitch in beats_of(out, "player")] == [
        (-1, 67),
        (0, 60),
        (1, 62),
        (2, 64),
        (3, 65),
    ]
    assert [metre[1:] for metre in metres(out)[1:]] == [(1, 4), (4, 4)]
    assert metres(out)[2][0] - metres(out)[1][0] == pytest.approx(1, abs=0.01)


def steps_of(folder: Path) -> list[np.void]:
    with FeedReader(folder / "feed.bin") as feed:
        return [entry.step for entry in feed if entry.kind == STEP]


# What a file tells, how many steps each of its bars has (the last is the first of those played after it), and its metres.
@pytest.mark.parametrize(
    ("told", "bars"),
    [
        pytest.param([(6, 8, 6), (3, 4, 6), (5, 4, 5)], [12, 12, 12, 12, 20, 20], id="a jig, a waltz and five"),
        pytest.param([(1, 8, 0.5), (7, 8, 7), (4, 4, 4)], [14, 14, 16, 16], id="seven after a pickup"),
        pytest.param([(12, 8, 6), (2, 4, 4)], [24, 8, 8, 8], id="a slow blues"),
    ],
)
def test_bars_are_those_of_the_file_wherever_its_metre_changes(tiny_onnx, tmp_path, told, bars):
    events = [smf_bytes.tempo(300)]
    for numerator, denominator, quarters in told:
        events += [smf_bytes.metre(numerator, denominator), *smf_bytes.notes([60] * round(2 * quarters), length=240)]
    report, _, out = rendered(tiny_onnx, tmp_path, smf_bytes.file(events), "--bars", len(bars))
    steps = steps_of(out)
    assert [int(step["step"]) for step in steps] == list(range(sum(bars)))  # none doubled or lost
    begins = [int(step["step"]) for step in steps if step["beat"] * 4 % (16 * step["numerator"] / step["denominator"]) == 0]
    assert begins == [sum(bars[:n]) for n in range(len(bars))]
    played = [(numerator, denominator) for numerator, denominator, _ in told]
    written = metres(out)[1:]  # behind the bar of silence before it
    assert [metre[1:] for metre in written] == played
    assert [b[0] - a[0] for a, b in pairwise(written)] == pytest.approx([quarters for *_, quarters in told[:-1]], abs=0.01)
    assert report["metre"] == "/".join(map(str, played[bool(report["pickup_beats"])]))


def test_a_metre_asked_for_goes_over_the_files(tiny_onnx, tmp_path):
    data = smf_bytes.file([smf_bytes.tempo(300), smf_bytes.metre(4, 4), *smf_bytes.notes([60] * 4)])
    report, _, out = rendered(tiny_onnx, tmp_path, data, "--bars", 2, "--set", "jam.metre=7/8 3+2+2")
    assert report["metre"] == "7/8 (3+2+2)"
    assert len(steps_of(out)) == 28


def test_bars_of_a_song_are_counted_through_its_metres():
    raw = [smf_bytes.metre(3, 4), *smf_bytes.notes([60] * 6), smf_bytes.metre(6, 8), *smf_bytes.notes([60] * 4)]
    bars = Bars(song_of(smf.parse(smf_bytes.file(raw))))
    assert [bars.until(quarters) for quarters in (0.5, 3, 3.5, 6, 6.5, 9, 10)] == [1, 1, 2, 2, 3, 3, 4]
    assert [bars.quarters(count) for count in (1, 2, 3, 5)] == [3, 6, 9, 15]


BAND = smf_bytes.file(
    [smf_bytes.tempo(200), smf_bytes.metre(4, 4)],
    [smf_bytes.name("Kit"), *smf_bytes.notes([36, 38, 36, 40], 9)],
    [smf_bytes.name("Bass"), *smf_bytes.notes([40, 43], 1, 960)],
    [smf_bytes.name("Tune"), *smf_bytes.notes([72, 71, 67, 60], 2)],
)


def test_of_a_whole_song_one_part_is_the_players_and_it_can_be_chosen(tiny_onnx, tmp_path):
    report, said, out = rendered(tiny_onnx, tmp_path / "default", BAND, "--bars", 1)
    assert [pitch for _, pitch in beats_of(out, "player")] == [72, 71, 67, 60]
    assert "the player's part is 3 'Tune' (channel 3): the highest with one voice; choose another with --part" in said
    assert report["part"]["chosen"] == ["3 'Tune' (channel 3)"]
    _, _, out = rendered(tiny_onnx, tmp_path / "bass", BAND, "--bars", 1, "--part", "bass")
    assert [pitch for _, pitch in beats_of(out, "player")] == [40, 43]
    done = algoritmo("render", tmp_path / "bass" / "in.mid", "--out", tmp_path / "x", "--network", tiny_onnx, "--part", "Kit")
    assert done.returncode == 2
    assert "--part Kit: is drums" in done.stderr


@pytest.mark.parametrize("mode", ["accompany", "trade", "solo"])
def test_a_backing_is_the_song_as_it_is_and_the_network_leaves_it_alone(tiny_onnx, tmp_path, mode):
    report, said, out = rendered(tiny_onnx, tmp_path, BAND, "--bars", 4, "--mode", mode, "--backing")
    assert [(round(beat, 1), pitch) for beat, pitch in beats_of(out, "drums")] == [(0, 36), (1, 38), (2, 36), (3, 38)]
    assert [(round(beat, 1), pitch) for beat, pitch in beats_of(out, "bass")] == [(0, 40), (2, 43)]
    assert report["notes_backing"] == 6
    assert (report["notes_out"]["drums"], report["notes_out"]["bass"]) == (0, 0)
    assert (report["notes_out"]["lead"] > 0) == (mode != "accompany")
    assert ("the network plays nothing" in said) == (mode == "accompany")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        heard = render_golden(tiny.write(here / "tiny.onnx"), write_player(here / "in.mid"), here / "out")
    GOLDEN.write_text(json.dumps(heard) + "\n")
