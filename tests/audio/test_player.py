"""The player's keyboards, each with its own wheel and keys, from their bytes to the sound and the recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.messages import NOTE_OFF, NOTE_ON, PITCH_BEND, PLAYER
from engine.midi.channels import Channels
from engine.midi.parser import Parser
from engine.record.midi_file import MidiFile
from tests.audio.conftest import RATE, Bench

Build = Callable[..., Bench]
MPE = (0xB0, 101, 0, 100, 6, 6, 15)
UP, MIDDLE = (127, 127), (0, 64)


def play(stage: Bench, port: str, *data: int) -> None:
    stage.engine.player.ports.arrivals.append((0, port, data))


def lose(stage: Bench, port: str) -> None:
    stage.engine.player.ports.arrivals.append((0, port, None))


def tones(stage: Bench) -> set[int]:
    """Return the MIDI pitches of the tones heard now, rounded; harmonics left out."""
    sound = stage.seconds(0.5)[-RATE // 3 :].sum(axis=1)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    loud = spectrum > 0.2 * spectrum.max()
    peaks = np.flatnonzero(loud[1:-1] & (spectrum[1:-1] >= spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    hz = peaks * RATE / len(sound)
    return {round(69 + 12 * np.log2(one / 440)) for one in hz if not any(abs(one / low - 2) < 0.01 for low in hz)}


def test_the_same_note_on_two_keyboards_ends_with_the_second_release(bench: Build) -> None:
    stage = bench()
    for port in ("a", "b"):
        play(stage, port, 0x90, 60, 100)
        stage.blocks(2)
    play(stage, "b", 0x80, 60, 0)
    stage.blocks(2)
    assert [kind for _, kind, _, _ in stage.heard() if kind != PITCH_BEND] == [NOTE_ON, NOTE_OFF, NOTE_ON]
    play(stage, "a", 0x80, 60, 0)
    stage.blocks(2)
    assert [kind for _, kind, _, _ in stage.heard()] == [NOTE_OFF]


def test_a_wheel_bends_what_is_played_on_its_own_keyboard(bench: Build) -> None:
    stage = bench()
    play(stage, "a", 0x90, 69, 100)
    play(stage, "b", 0x90, 76, 100, 0xE0, *UP)
    assert tones(stage) == {69, 78}
    play(stage, "a", 0xE0, *UP)
    assert tones(stage) == {71, 78}


def test_a_keyboard_that_is_unplugged_leaves_nothing_bent_and_nothing_sounding(bench: Build) -> None:
    stage = bench()
    play(stage, "a", 0x90, 69, 100, 0xE0, *UP, 0xB0, 64, 127)
    play(stage, "b", 0x90, 76, 100)
    stage.blocks(4)
    stage.events()
    lose(stage, "a")
    stage.blocks(4)
    events = stage.events()
    assert [(int(e["kind"]), int(e["pitch"]), float(e["bend"])) for e in events] == [(NOTE_OFF, 69, 0), (PITCH_BEND, 0, 0)]
    play(stage, "a", 0x90, 69, 100)  # it is plugged in again
    assert tones(stage) == {69, 76}


def test_the_bend_of_one_finger_bends_one_note(bench: Build) -> None:
    stage = bench()
    play(stage, "mpe", *MPE, 0x91, 64, 100, 0x92, 69, 100, 0xE1, 0, 64 + 8)  # an eighth of 48 semitones
    assert tones(stage) == {70, 69}


def test_a_panic_straightens_every_wheel(bench: Build) -> None:
    stage = bench()
    play(stage, "a", 0x90, 69, 100, 0xE0, *UP)
    stage.blocks(4)
    stage.live.fire("panic")
    stage.blocks(4)
    play(stage, "a", 0x90, 69, 100)
    assert tones(stage) == {69}


@pytest.mark.parametrize("mpe", [True, False])
def test_a_recording_bends_each_note_as_it_was_played(bench: Build, tmp_path: Path, mpe: bool) -> None:
    stage = bench()
    recording = MidiFile(tmp_path / "session.mid", stage.card, RATE, 120)
    steps = [
        ("a", (*MPE, 0x91, 60, 100, 0x92, 64, 100) if mpe else (0x91, 60, 100, 0x92, 64, 100)),
        ("b", (0x90, 67, 100)),
        ("a", (0xE1, 0, 96)),
        ("b", (0xE0, *UP)),
        ("a", (0xE1, 0, 16, 0xE0, *UP)),
        ("a", (0x81, 60, 0, 0x82, 64, 0)),
        ("b", (0x80, 67, 0)),
    ]
    for port, data in steps:
        play(stage, port, *data)
        stage.blocks(10)
    events = stage.events()
    recording.hear(events)
    recording.write(stage.engine.frame, final=True)
    want, played = Channels(), {port: Parser(port) for port in "ab"}
    again, reader = Channels(), Parser("file")
    messages = iter([m for m in mido.MidiFile(tmp_path / "session.mid") if not m.is_meta])
    wanted, found = [], []
    for port, data in steps:
        for message in played[port].feed(data):
            wanted += bends(want, want.take(message))
    for heard in messages:
        for message in reader.feed(heard.bytes()):
            found += bends(again, again.take(message))
    for pitch in (60, 64, 67):
        assert [b for p, b in found if p == pitch] == pytest.approx([b for p, b in wanted if p == pitch], abs=0.02)


def bends(_channels: Channels, played: list) -> list[tuple[int, float]]:  # type: ignore[type-arg]
    """Return (pitch, semitones) of every note that begins or is bent; what does not change it, once."""
    found = []
    for kind, lane, number, _ in played:
        if kind == NOTE_ON:
            found.append((number, lane.semitones))
        elif kind == PITCH_BEND:
            found += [(pitch, lane.semitones) for pitch in sorted(lane.pitches)]
    return found


def test_what_is_told_of_the_player_is_his(bench: Build) -> None:
    stage = bench()
    play(stage, "a", 0x90, 60, 100, 0xD0, 50, 0xB0, 1, 3, 0xE0, *UP)
    play(stage, "b", 0x90, 62, 100)
    stage.blocks(2)
    events = stage.events()
    assert set(events["track"]) == {PLAYER}
    assert sorted(set(events["step"])) == [-2, -1]


def test_a_trigger_fires_as_its_controller_rises_and_not_again_before_it_fell(bench: Build) -> None:
    stage = bench('midi.cc={"reset"=20}')
    counts = []
    for value in (10, 63, 64, 70, 127, 64, 63, 100, 0, 127):
        play(stage, "a", 0xB0, 20, value)
        stage.blocks(1)
        counts.append(int(stage.live.get("reset")))
    assert counts == [0, 0, 1, 1, 1, 1, 1, 2, 2, 3]
    play(stage, "b", 0xB0, 20, 127)  # another button
    play(stage, "a", 0xB1, 20, 127)
    stage.blocks(1)
    assert stage.live.get("reset") == 5


def test_a_controller_may_be_of_one_channel_and_of_one_keyboard(bench: Build) -> None:
    stage = bench('midi.cc={"temperature"={cc=20, channel=3, port="Keystation"}, "density"={cc=20}}')
    before = stage.live.get("temperature")
    for port, status in (("Keystation 61 20:0", 0xB0), ("nanoKONTROL 24:0", 0xB2)):
        play(stage, port, status, 20, 127)
        stage.blocks(1)
        assert stage.live.get("temperature") == before
    assert stage.live.get("density") == stage.registry["density"].maximum
    play(stage, "Keystation 61 20:0", 0xB2, 20, 127)
    stage.blocks(1)
    assert stage.live.get("temperature") == stage.registry["temperature"].maximum


def test_a_switch_and_a_choice_follow_the_whole_way_of_a_controller(bench: Build) -> None:
    stage = bench('midi.cc={"mode"=20, "lead.mute"=21}')
    modes, mutes = set(), []
    for value in range(128):
        play(stage, "a", 0xB0, 20, value, 0xB0, 21, value)
        stage.blocks(1)
        modes.add(stage.live.get("mode"))
        mutes.append(stage.live.get("lead.mute"))
    assert modes == set(range(len(stage.registry["mode"].choices)))
    assert mutes == sorted(mutes)
    assert set(mutes) == {0, 1}


def test_an_input_may_be_called_mpe(bench: Build) -> None:
    stage = bench('midi.mpe="seaboard"')
    play(stage, "Seaboard RISE 24:0", 0x91, 64, 100, 0xE1, 0, 64 + 8)
    assert tones(stage) == {70}
