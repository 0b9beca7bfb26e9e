"""Levels, panic, and patches that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio.track import SLEEP_BLOCKS
from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from tests.audio.conftest import RATE, Bench, first_sound, sounding

Build = Callable[..., Bench]

PAD = """
from pyo import Sine
from engine.audio.patch import Patch

class Steady(Patch):
    "A tone that never ends by itself: 100 Hz at full scale, whatever is played."
    def build(self, notes, p):
        self.loud = notes.velocity
        return Sine([100, 100])
"""
RAISES_IN_NOTE = """
from engine.audio.plain import Plain

class Raises(Plain):
    "Fails on middle C."
    def note_on(self, pitch, velocity):
        if pitch == 60:
            raise ValueError("middle C is not for me")
"""
POISONED = """
from pyo import Sig
from engine.audio.plain import Plain

class Bursts(Plain):
    "Puts out what is no number from its first note on."
    def build(self, notes, p):
        self.poison = Sig(0.0)
        return super().build(notes, p) + self.poison
    def note_on(self, pitch, velocity):
        self.poison.value = float("POISON")
"""
FREE = """
from engine.audio.plain import Plain
from pathlib import Path

class Frees(Plain):
    "Says when it is let go."
    def note_on(self, pitch, velocity):
        raise ValueError("no")
    def free(self):
        Path(__file__).with_suffix(".freed").touch()
"""


def patch(folder: Path, text: str, name: str = "patch") -> str:
    path = folder / f"{name}.py"
    path.write_text(text)
    return str(path)


def largest_step(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


@pytest.mark.parametrize("parameter", ["lead.level", "lead.mute"])
def test_turning_a_level_never_clicks(parameter: str, bench: Build, tmp_path: Path) -> None:
    """A steady tone, its level moved at every moment of its wave: no step is larger than tone and glide make together."""
    stage = bench(patches={"lead": patch(tmp_path, PAD)})
    stage.live.set("lead.level", 0.8)
    stage.network(0, NOTE_ON, 2)  # wakes it
    stage.seconds(0.1)
    gain = 0.8**2
    tone = gain * 2 * np.pi * 100 / RATE
    assert largest_step(stage.blocks(10)) == pytest.approx(tone, rel=0.01)
    glide = gain / (0.02 * RATE)
    values = (0.0, 0.8, 0.3, 0.8, 0.0, 0.6) if parameter == "lead.level" else (1, 0, 1, 0, 1, 0)
    for value in values:
        stage.live.set(parameter, value)
        assert largest_step(stage.blocks(23)) <= (tone + glide) * 1.01


def test_a_muted_track_is_silent_and_still_remembered(bench: Build) -> None:
    stage = bench()
    stage.live.set("lead.mute", 1)
    stage.blocks(20)
    stage.network(stage.engine.frame, NOTE_ON, 2)
    assert first_sound(stage.seconds(0.1)) is None
    assert [(k, t) for _, k, t, _ in stage.heard()] == [(NOTE_ON, 2)]


def test_panic_leaves_no_voice_and_no_note(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"lead": patch(tmp_path, PAD)})
    stage.play(0x90, 60, 100, 64, 100, 0xB0, 64, 127, 0x80, 60, 0)
    for track in range(3):
        stage.network(0, NOTE_ON, track)
        stage.network(5000, NOTE_ON, track, pitch=61)
    assert first_sound(stage.seconds(0.05)) is not None
    stage.live.fire("panic")
    stage.seconds(0.03)
    assert first_sound(stage.seconds(0.5)) is None
    assert all(channel.held == [] for channel in stage.engine.mixer)
    assert sounding(stage.events()) == set()
    stage.play(0x80, 64, 0, 0xB0, 64, 0)  # the player lets go of what has ended already
    stage.seconds(0.1)
    assert stage.heard() == []


def test_the_next_note_sounds_after_panic(bench: Build) -> None:
    stage = bench()
    stage.play(0x90, 60, 100)
    stage.seconds(0.1)
    stage.live.fire("panic")
    stage.seconds(0.03)
    stage.play(0x90, 62, 100)
    assert first_sound(stage.seconds(0.05)) is not None


def test_panic_does_not_click(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"lead": patch(tmp_path, PAD)})
    stage.network(0, NOTE_ON, 2)
    stage.seconds(0.1)
    before = largest_step(stage.blocks(10))
    stage.live.fire("panic")
    assert largest_step(stage.seconds(0.1)) <= before + 0.8**2 / (0.02 * RATE)


def test_a_patch_that_cannot_be_loaded_is_named_and_plain_keys_play(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"player": patch(tmp_path, "import nothing_of_this_name", "odd")})
    stage.blocks(1)
    assert "odd.py:1" in (told := stage.notices())
    assert "player" in told
    stage.play(0x90, 60, 100)
    assert first_sound(stage.blocks(2)) is not None


def test_a_patch_that_raises_while_playing_keeps_the_others_sounding(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"player": patch(tmp_path, RAISES_IN_NOTE, "moody")})
    stage.network(0, NOTE_ON, 1, pitch=48)
    stage.play(0x90, 62, 100)
    stage.blocks(4)
    stage.play(0x90, 60, 100)
    stage.blocks(1)
    assert "moody.py:8: ValueError: middle C is not for me" in (told := stage.notices())
    assert "player" in told
    assert sounding(stage.events()) == {(1, 48)}
    assert first_sound(stage.blocks(1)) == 0  # the bass goes on
    stage.live.set("bass.mute", 1)
    stage.seconds(0.1)
    stage.play(0x80, 60, 0, 0x80, 62, 0, 0x90, 60, 100)
    assert first_sound(stage.seconds(0.05)) is not None  # middle C, on plain keys
    assert stage.notices() == ""


@pytest.mark.parametrize("poison", ["nan", "inf", "1e30"])
def test_a_patch_with_non_finite_output_is_taken_out(poison: str, bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"lead": patch(tmp_path, POISONED.replace("POISON", poison), "bursts")})
    stage.network(0, NOTE_ON, 1, pitch=48)
    stage.blocks(4)
    stage.network(stage.engine.frame, NOTE_ON, 2, pitch=72)
    sound = stage.seconds(0.1)
    assert np.isfinite(sound).all()
    assert first_sound(sound[-BLOCK:]) is not None  # the bass goes on
    assert "bursts" in stage.notices()
    assert sounding(stage.events()) == {(1, 48)}
    stage.live.set("bass.mute", 1)
    stage.seconds(0.1)
    stage.network(stage.engine.frame, NOTE_ON, 2, pitch=72)
    assert first_sound(stage.seconds(0.05)) is not None  # the lead, on plain keys


def test_what_a_patch_opened_is_closed_when_it_is_replaced(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"player": patch(tmp_path, FREE, "opener")})
    stage.play(0x90, 60, 100)
    stage.blocks(3)
    assert (tmp_path / "opener.freed").exists()


def test_a_silent_instrument_sleeps_and_wakes_with_its_first_note(bench: Build) -> None:
    stage = bench()
    player = stage.engine.mixer.player.strip.instrument
    assert player.is_asleep
    stage.play(0x90, 60, 100)
    assert first_sound(stage.blocks(1)) is not None
    stage.play(0x80, 60, 0)
    stage.blocks(SLEEP_BLOCKS + 500)
    assert player.is_asleep
    stage.play(0x90, 60, 100)
    assert first_sound(stage.blocks(1)) is not None


def test_a_held_note_keeps_its_instrument_awake(bench: Build) -> None:
    stage = bench()
    stage.live.set("player.level", 0)
    stage.play(0x90, 60, 1)
    stage.blocks(SLEEP_BLOCKS + 500)
    assert not stage.engine.mixer.player.strip.instrument.is_asleep


def test_the_events_of_a_failed_patch_are_ended(bench: Build, tmp_path: Path) -> None:
    stage = bench(patches={"player": patch(tmp_path, RAISES_IN_NOTE, "moody")})
    stage.play(0x90, 60, 100)
    stage.blocks(2)
    assert stage.heard() == [(0, NOTE_ON, PLAYER, 60), (0, NOTE_OFF, PLAYER, 60)]
