"""What the JACK benches make of what they hear: sounds and logs that are made up, with figures that are known."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import mido
import numpy as np
import pytest

from engine.core.contract import read_card
from engine.jam.chords import parse
from tests.system import jack_follow, jack_grid, jack_kill, jack_latency, jack_modes, jack_soak
from tests.system.jack_stand import Late
from tests.system.rig import RATE, ROOT, need, need_portaudio, wait_for

LOG = """
JackTimedDriver::Process XRun = 130 usec
JackEngine::XRun: client = control was not finished, state = Triggered
JackEngine::XRun: client = PortAudio was not finished, state = Running
JackEngine::XRun: client = PortAudio was not finished, state = Running
JackEngine::XRun: client = PortAudio was not finished, state = Triggered
JackEngine::XRun: client = stage was not finished, state = Running
JackEngine::XRun: client = busy was not finished, state = Running
JackEngine::XRun: client = busy was not finished, state = Triggered
JackEngine::XRun: client = somebody was not finished, state = Running
JackAudioDriver::ProcessGraphAsyncMaster: Process error
"""


def test_the_server_s_log_tells_who_was_late():
    late = Late(machine_late=1, control_late=1, bench_late=1, ours_late=3, busy_late=2, ours_asleep=1, busy_asleep=1)
    assert Late.of(LOG) == late
    assert Late.of("") == Late(0, 0, 0, 0)
    assert late + late == Late.of(LOG + LOG)


def test_latencies_are_summed_up_with_what_was_lost():
    found = jack_latency.Figures.of([30, 40, 50], 2, 1, None, None)
    assert (found.notes, found.lost, found.lost_without_xrun, found.median, found.maximum) == (5, 2, 1, 40, 50)
    assert np.isnan(jack_latency.Figures.of([], 5, 0, None, None).median)


def strokes(frames: list[int], length: int) -> np.ndarray:
    """Return a sound with a stroke at each of these frames."""
    sound = np.zeros((length, 2), np.float32)
    for frame in frames:
        ring = min(2000, length - frame)
        sound[frame : frame + ring, 1] += (0.9 * np.exp(-np.arange(ring) / 400)).astype(np.float32)
    return sound


def test_onsets_are_found_and_put_on_the_grid():
    period = 6428.5
    places = [k for k in range(40) if k not in (7, 8, 20)]
    frames = [round(1000 + k * period) // 64 * 64 for k in places]
    found = jack_grid.onsets(strokes(frames, frames[-1] + 3000), round(period / 2))
    assert found.tolist() == frames
    rest, missed = jack_grid.rests(found, period)
    assert missed == 3
    assert jack_grid.errors_straight(rest).max() <= 32
    rest[30:] += 640  # the clock stood still for ten blocks
    assert jack_grid.errors_straight(rest).max() > 300
    assert np.median(jack_grid.errors_around(rest)) < 40


def test_a_grid_is_measured_by_what_is_off_it():
    rest = np.zeros(31)
    rest[15] = 100
    assert jack_grid.errors_around(rest)[15] == 100
    assert np.delete(jack_grid.errors_around(rest), 15).max() == 0


def chord(seconds: float) -> np.ndarray:
    """Return a sustained sound, other left and right."""
    t = np.arange(round(seconds * RATE)) / RATE
    return np.stack([np.sin(2 * np.pi * 262 * t), np.cos(2 * np.pi * 330 * t)], axis=1).astype(np.float32)


def test_the_longest_silence_and_the_largest_jump():
    sound = chord(0.5)
    assert jack_kill.silence_frames(sound) < 10
    assert jack_kill.jump(sound) < 0.05
    sound[5000:5064] = 0
    sound[9000:9020] = 0
    assert 64 <= jack_kill.silence_frames(sound) < 74
    sound[12000] = 1.0
    sound[12001] = -1.0
    assert jack_kill.jump(sound) == 2.0


def test_what_the_listener_missed_is_neither_silence_nor_a_jump():
    sound = chord(0.5)
    sound[5000:5640] = np.nan
    assert jack_kill.silence_frames(sound) < 10
    assert jack_kill.jump(sound) < 0.05


def test_a_note_is_off_the_grid_by_less_than_half_a_step():
    grid = 300.0 + jack_kill.PERIOD * np.arange(60)
    later = 300.0 + jack_kill.PERIOD * np.array([80, 91, 100]) + np.array([0, 200, -3000])
    assert jack_kill.off_grid(later, grid) == pytest.approx([0, 200, -3000], abs=1e-3)


def test_kills_are_summed_up_by_what_was_killed():
    late = Late(0, 0, 0, 0)
    kills = [jack_kill.Kill(of, 0.1 * i, 0.2, 0.1, 0.0, float(i), late) for i, of in enumerate(["network", "feed"] * 3)]
    found = jack_kill.figures(kills, np.concatenate([np.zeros((RATE, 2), np.float32), chord(2.0)]))
    assert found.recorded_silence_ms < 0.2
    assert found.recorded_jump < 0.05
    assert found.worst["feed"]["back_s"] == 5.0
    assert found.median["network"]["back_s"] == 2.0


def sample(at_s: float, memory_mb: float, cpu_s: float) -> jack_soak.Sample:
    return jack_soak.Sample(at_s, {"audio": cpu_s, "feed": 0.0}, {"audio": memory_mb, "feed": 10.0})


def test_growth_counts_after_the_first_minute():
    samples = [sample(0, 50, 0), sample(30, 90, 3), sample(60.1, 100, 9), sample(90.1, 101.5, 12)]
    assert jack_soak.growth_mb(samples) == 1.5
    assert jack_soak.growth_mb(samples[:2]) == 40.0  # too short a run: from its beginning
    assert samples[3].shares(samples[2]) == {"audio": 0.1, "feed": 0.0}


def tones(name: str, begin: int, end: int, length: int) -> np.ndarray:
    """Return the marker's tones of a chord, from one frame to another."""
    t = np.arange(length)
    hz = [jack_follow.LOWEST_HZ + jack_follow.APART_HZ * of for of in parse(name).tones]
    return sum(0.05 * np.sin(2 * np.pi * f * t / RATE) for f in hz) * ((t >= begin) & (t < end))


def test_a_band_that_is_put_right_is_heard_to_begin_and_to_end():
    length, at = 2 * RATE, RATE
    sound = tones("C", 0, at + 300, length) + tones("F#", at + 240, length, length)
    began, ended, unheard = jack_follow.notes_put_right(sound, 0, [parse("C"), parse("F#")], [0, at])
    assert began == pytest.approx([5.0], abs=1)
    assert ended == pytest.approx([6.25], abs=1)
    assert unheard == 0
    still = tones("C", 0, length, length)
    assert jack_follow.notes_put_right(still, 0, [parse("C"), parse("F#")], [0, at]) == ([], [], 1)


def test_a_jump_by_itself_is_a_click_and_a_steep_wave_is_none():
    period = RATE / 2
    sound = np.sin(2 * np.pi * 2000 * np.arange(8 * RATE) / RATE) * np.linspace(0.2, 0.4, 8 * RATE)
    places = [round(n * period) for n in range(5, 11)]
    smooth = jack_follow.clicks(sound, places, period, 0)
    assert smooth.alone_largest < 0.01
    sound[places[2] + 100 :] += 0.2
    clicked = jack_follow.clicks(sound, places, period, 0)
    assert clicked.alone_largest > 0.1


def test_the_four_measures_are_those_of_a_band_in_the_player_s_chords(tmp_path: Path):
    chords = [parse(name) for name in ("C", "G", "Am", "F")] * 3
    file = mido.MidiFile(ticks_per_beat=480)

    def add(name: str, notes: list[tuple[float, float, int]]) -> None:
        timed = sorted([(b, 1, p) for b, _, p in notes] + [(e, 0, p) for _, e, p in notes])
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for beat, on, pitch in timed:
            track.append(mido.Message("note_on" if on else "note_off", note=pitch, time=round(480 * beat) - now))
            now = round(480 * beat)
        file.tracks.append(track)

    off = 13
    played = [(off + 4 * n + b, off + 4 * n + b + d, p) for n, of in enumerate(chords) for b, d, p in jack_follow.block(of)]
    add("player", played[1:])  # his first note was lost
    add("bass", [(off + 4 * n, off + 4 * n + 1, 36 + (of.root if n % 2 else 1)) for n, of in enumerate(chords)])
    add("pad", [(off + 4 * n, off + 4 * n + 4, 60 + of.root) for n, of in enumerate(chords)])
    add("drums", [(off + 4 * n, off + 4 * n + 0.5, 36) for n in range(1, 12, 4)])
    file.save(tmp_path / "session.mid")
    found = jack_follow.follows(tmp_path / "session.mid", chords, "chords", 4)
    assert (found["bass_root"], found["downbeats"], found["no_kick"]) == (0.5, 8, 0.75)
    assert 0.5 < found["beat1_new"] < 1


def test_the_metronome_s_beat_is_foretold_from_the_clicks_heard():
    metronome = jack_follow.Metronome(SimpleNamespace(heard=[]))
    metronome.beats = [(1000 + 25714 * n + (n % 3) * 20, n % 4 == 0) for n in range(9)]
    assert metronome.after(1, 25714) == pytest.approx(1000 + 25714 * 9 + 20, abs=20)
    assert all(len(of.tones & before.tones) <= 1 for before, of in pairwise(jack_follow.surprises(40, 3)))


@pytest.mark.system
def test_a_bench_that_is_told_to_end_leaves_nothing_running(tmp_path: Path):
    need("jackd", "apt install jackd2")
    need_portaudio()
    mark = f"session.dir={tmp_path}"
    command = [sys.executable, str(ROOT / "tests/system/jack_latency.py"), "--set", mark]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children")
        started = wait_for(lambda: len(found := children.read_text().split()) >= 3 and found, 90, "server, control and jam")
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(30) == 128 + signal.SIGTERM
    assert [pid for pid in started if Path("/proc", pid).exists()] == []
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in _read(p)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def test_what_a_band_plays_while_it_is_to_listen_is_counted():
    notes = jack_modes.tune([0, 1, 4, 5])
    assert sorted(set(notes[:, 0] // 4)) == [0, 1, 4, 5]
    begins = (8.5, 24.5, 2.0, 16.0)  # in its answers, in his phrase, and with his first note, where it was under way
    bass = np.array([(at, at + 1, pitch, 80) for at, pitch in zip(begins, (36, 37, 40, 43), strict=True)], float)
    found = jack_modes.answers(notes, {"player": notes, "bass": bass}, 2)
    assert (found["in_key"], found["bass"], found["no_lead"], found["while_he_plays"]) == (0.5, 0.5, 1.0, 1)
    late = notes[1:] + np.array([9.501, 9.501, 0, 0])  # the first one was lost
    assert jack_follow.begun(jack_modes.onsets(late), jack_modes.onsets(notes)) == 9.5


def test_what_a_band_plays_alone_is_told_of_the_bars_that_are_meant():
    card = read_card(jack_modes.NETWORK)
    bass = np.array([(bar * 4, bar * 4 + 1, 36 + bar, 80) for bar in range(4)], float)
    found = jack_modes.alone({"player": bass, "bass": bass}, card, first=2, bars=2)
    assert found["density_bass"] == 2 / 32
    assert found["density_lead"] == 0
