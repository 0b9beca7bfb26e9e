"""The network's tracks give way in the block in which the player takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from tests.audio.conftest import Bench
from tests.audio.test_controls import play

Build = Callable[..., Bench]


def send(stage: Bench, frame: int, track: int, pitch: int, step: int, kind: int = NOTE_ON) -> None:
    stage.link.writer("notes").push((frame, step, kind, track, pitch, 90, 0.0))


def ends(events: Any, track: int) -> list[int]:
    found = events[(events["kind"] == NOTE_OFF) & (events["track"] == track)]
    return [int(frame) for frame in found["frame"]]


def test_what_it_said_that_it_plays_in_his_stead_ends_in_the_block_of_his_note(bench: Build) -> None:
    stage = bench()
    events = stage.link["events"].reader()
    for track, pitch in ((1, 43), (2, 60)):
        send(stage, stage.engine.frame, track, pitch, 4)
    stage.blocks(20)
    stage.link.writer("yields").push((1 << 2, 0, 0))
    send(stage, stage.engine.frame + 10 * BLOCK, 2, 64, 5)
    stage.blocks(1)
    begins = stage.engine.frame
    play(stage, "a", 0x90, 72, 100, blocks=1)
    found = events.read()
    assert ends(found, 2) == [begins], "in that very block"
    assert ends(found, 1) == [], "what it does not play for him goes on"
    send(stage, stage.engine.frame + 4 * BLOCK, 2, 67, 6)  # before the network has heard of it
    stage.blocks(20)
    assert not [e for e in events.read() if e["kind"] == NOTE_ON and e["track"] == 2]
    stage.link.writer("yields").push((0, stage.link["events"].count, stage.live.values.version))
    send(stage, stage.engine.frame + 4 * BLOCK, 2, 69, 7)
    stage.blocks(20)
    assert [int(e["pitch"]) for e in events.read() if e["kind"] == NOTE_ON and e["track"] == 2] == [69]


def test_a_note_of_his_ends_nothing_where_nothing_is_played_for_him(bench: Build) -> None:
    stage = bench()
    events = stage.link["events"].reader()
    send(stage, stage.engine.frame, 2, 60, 4)
    stage.link.writer("yields").push((0, 0, 0))
    stage.blocks(4)
    play(stage, "a", 0x90, 72, 100, blocks=10)
    assert ends(events.read(), 2) == []


def test_a_track_that_he_punches_in_on_is_silent_from_the_next_block_on(bench: Build) -> None:
    stage = bench()
    name = stage.live.registry.tracks[1]
    events = stage.link["events"].reader()
    send(stage, stage.engine.frame, 1, 43, 4)
    stage.blocks(10)
    stage.live.set(f"{name}.punch", 1)
    now = stage.engine.frame
    send(stage, now + 3 * BLOCK, 1, 45, 5)
    stage.blocks(10)
    found = events.read()
    assert ends(found, 1) == [now]
    assert not [e for e in found if e["kind"] == NOTE_ON and e["track"] == 1 and e["frame"] >= now]
    stage.link.writer("yields").push((0, stage.link["events"].count, stage.live.values.version))
    send(stage, stage.engine.frame + BLOCK, 1, 47, 6)  # what the network plays there from now on is its own business
    stage.blocks(5)
    assert [int(e["pitch"]) for e in events.read() if e["kind"] == NOTE_ON] == [47]


@pytest.mark.parametrize("way", ["parameter", "note"])
def test_panic_is_silence_within_a_block(bench: Build, way: str) -> None:
    stage = bench('midi.cc={"panic"={note=36}}')
    events = stage.link["events"].reader()
    send(stage, stage.engine.frame, 1, 43, 4)
    play(stage, "a", 0x90, 72, 100, blocks=10)
    now = stage.engine.frame
    if way == "parameter":
        stage.live.fire("panic")
    else:
        stage.engine.player.ports.arrivals.append((0, "a", (0x90, 36, 100)))
    stage.blocks(3)
    found = events.read()
    late = 0 if way == "parameter" else BLOCK
    assert ends(found, 1) == [now + late]
    assert ends(found, PLAYER) == [now + late]
