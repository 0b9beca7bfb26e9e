"""kill -9 while a note sounds: of the network, of the feed, of everything, and of the JACK server itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from tests.system.rig import BLOCK, RATE, JackServer, Jam, Stage, jack_settings, null_settings, silences

pytestmark = pytest.mark.system

CHORD = (60, 64, 67)
HELD_FRAMES = 9 * RATE
AGAIN = RATE // 10
LOUD = 0.01


def chord(begin: int, status: int) -> list[tuple[int, bytes]]:
    """Press or let go three keys from this frame on, twice: a cycle that the server loses takes its MIDI with it."""
    return [
        (frame + i * BLOCK, bytes((status, pitch, 100))) for frame in (begin, begin + AGAIN) for i, pitch in enumerate(CHORD)
    ]


def hold_a_chord(stage: Stage) -> tuple[int, int]:
    """Press three keys, once more where the server missed the moment; return the frames at which they sound and are let go."""
    for _ in range(3):
        pressed = stage.now + RATE // 4
        stage.send(chord(pressed, 0x90))
        stage.wait_until(pressed + RATE)
        if np.nanmax(np.abs(stage.sound(pressed, pressed + RATE))) > LOUD:
            end = pressed + HELD_FRAMES
            stage.send(chord(end, 0x80))
            return pressed, end
    raise AssertionError(f"the chord is not heard; the server counts {stage.xruns} xruns")


@pytest.mark.parametrize("name", ["network", "feed"])
def test_a_process_is_killed_while_a_chord_sounds(
    name: str, stage: Stage, start_jam: Callable[..., Jam], osc_port: int, jack_env: dict[str, str]
):
    # So slow that the network does not answer the chord while it is looked at.
    trade = ("jam.mode=trade", "parameters.rest=8", "clock.tempo=30")
    settings = (*trade, "patches.player=pad", "network.harmony=chords")
    jam = start_jam(*jack_settings(osc_port), *settings, env=jack_env)
    stage.connect_to_jam()
    jam.wait_playing(4)
    begin, end = hold_a_chord(stage)
    before = jam.report
    killed = stage.now
    os.kill(jam.pids()[name], signal.SIGKILL)

    def is_back(now: dict[str, Any]) -> bool:
        replaced = now["processes"][name]["pid"] != before["processes"][name]["pid"]
        return replaced and now["steps"] > before["steps"] + 8 and now["feed"]["sent"] > before["feed"]["sent"]

    jam.wait(is_back, 20, f"the {name} process after it was killed")
    assert jam.report["restarts"] == {"audio": 0, "network": 0, "feed": 0, "signals": 0} | {name: 1}
    assert f"the {name} process died" in jam.output
    stage.wait_until(end + 3 * RATE)
    sustained = stage.sound(begin + RATE // 2, end)
    assert killed < end - 3 * RATE, "the chord was not held for long enough to tell"
    assert silences(sustained) == 0
    # The player is silent again: nothing hangs.
    assert np.nanmax(np.abs(sustained)) > LOUD
    assert np.nanmax(np.abs(stage.sound(end + 2 * RATE, end + 3 * RATE))) < 0.1 * LOUD

    assert jam.end() == 0, jam.output
    recorded, _ = soundfile.read(jam.session / "session.wav", always_2d=True)
    loud = np.flatnonzero(np.abs(recorded).max(axis=1) > 0.05 * np.abs(recorded).max())
    assert loud[-1] - loud[0] > HELD_FRAMES - RATE
    assert silences(recorded[loud[0] + RATE // 2 : loud[0] + HELD_FRAMES - RATE]) == 0
    assert_whole_midi(jam.session / "session.mid", CHORD)


def assert_whole_midi(path: Path, played: tuple[int, ...], any_pitch: bool = False) -> None:
    """Every note of the file begins once and ends once; the player's are of these pitches."""
    for track in mido.MidiFile(path).tracks:
        sounding: set[tuple[int, int]] = set()
        for message in track:
            if message.type not in ("note_on", "note_off"):
                continue
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                assert key not in sounding
                sounding.add(key)
            else:
                assert key in sounding
                sounding.remove(key)
        assert not sounding, f"{track.name} hangs"
        if track.name == "player" and not any_pitch:
            assert {m.note for m in track if m.type == "note_on" and m.velocity} == set(played)


def test_everything_is_killed_and_the_recording_plays(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(40)
    session, report = jam.session, jam.report
    jam.end(signal.SIGKILL)
    sound, rate = soundfile.read(session / "session.wav", always_2d=True)
    assert rate == RATE
    assert len(sound) > 2 * RATE
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0.01
    notes = [m for track in mido.MidiFile(session / "session.mid").tracks for m in track if m.type == "note_on"]
    assert len(notes) > 0
    assert jam.report["steps"] >= report["steps"]


def assert_heard_after(jam: Jam, listener: Stage, audio_restarts: int) -> None:
    """The network sounds again, the audio process was begun anew so often and nothing else was, and the jam ends well."""
    begin = listener.now
    listener.wait_until(begin + 4 * RATE)
    assert np.nanmax(np.abs(listener.sound(begin, begin + 4 * RATE))) > LOUD
    assert jam.report["restarts"] == {"audio": audio_restarts, "network": 0, "feed": 0, "signals": 0}
    assert jam.end() == 0, jam.output


def test_the_jack_server_dies_and_the_jam_goes_on_and_is_heard_again(tmp_path: Path, start_jam: Callable[..., Jam]):
    server = JackServer(tmp_path / "jackd.log")
    server.wait_ready()
    jam = start_jam(*jack_settings(), "jam.mode=solo", env=server.env)
    jam.wait_playing(8)
    server.kill()
    jam.wait(lambda _: "is gone" in jam.output, 20, "a word about the device")
    steps = jam.report["steps"]
    jam.wait(lambda report: report["steps"] > steps + 8, 20, "the beat without a device")
    server.begin()
    listener = Stage(server)
    try:
        # Only a new process can connect to a new server; network and feed go on as they are.
        jam.wait(lambda report: report["restarts"]["audio"] == 1, 30, "the audio process anew")
        listener.connect_to_jam(midi=False)
        assert_heard_after(jam, listener, audio_restarts=1)
    finally:
        listener.close()
        server.close()


def test_the_jack_server_stands_still_and_the_jam_plays_on_where_it_was_connected(
    tmp_path: Path, start_jam: Callable[..., Jam]
):
    server = JackServer(tmp_path / "jackd.log")
    server.wait_ready()
    jam = start_jam(*jack_settings(), "jam.mode=solo", env=server.env)
    listener = Stage(server)
    try:
        listener.connect_to_jam(midi=False)
        jam.wait_playing(8)
        server.stand_still(3.0)
        jam.wait(lambda _: "is gone" in jam.output, 20, "a word about the device")
        jam.wait(lambda _: "is back\n" in jam.output, 20, "a word about the device's return")
        assert_heard_after(jam, listener, audio_restarts=0)
    finally:
        listener.close()
        server.close()


def test_the_beat_goes_on_while_the_network_is_dead(start_jam: Callable[..., Jam]):
    # Nobody plays and it listens: all that sounds are the clicks of count-in and metronome.
    jam = start_jam(*null_settings(), "jam.mode=trade", "parameters.metronome=1", "clock.tempo=120")
    jam.wait_playing(16)
    before = jam.report
    os.kill(jam.pids()["network"], signal.SIGKILL)
    jam.wait(lambda now: now["steps"] > before["steps"] + 16, 30, "the network after it was killed")
    assert jam.end() == 0, jam.output
    sound, rate = soundfile.read(jam.session / "session.wav", always_2d=True)
    loud = np.abs(sound).max(axis=1) > 0.1 * np.abs(sound).max()
    clicks = np.flatnonzero(loud & ~np.concatenate(([False], loud[:-1])))
    clicks = clicks[np.concatenate(([True], np.diff(clicks) > rate // 8))]
    assert len(clicks) > 12
    # Rendered on our own clock: a block more or less, whatever the machine did.
    np.testing.assert_allclose(np.diff(clicks), rate / 2, atol=2 * BLOCK)
