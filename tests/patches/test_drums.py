"""The drum kit: every pitch is a drum, the hi-hat chokes, drums ring on when the key is up."""

from __future__ import annotations

import numpy as np
import pytest

from patches import drums
from tests.patches.stage import RATE, Stage, brightness_hz, cents_off, peak_db, rms_db

on_drums = pytest.mark.parametrize("shared_stage", ["drums"], indirect=True)
KICK, SNARE, CLOSED_HAT, PEDAL_HAT, OPEN_HAT, CRASH, RIDE = 36, 38, 42, 44, 46, 49, 51


@on_drums
def test_all_128_pitches_sound(stage: Stage) -> None:
    for pitch in range(128):
        assert -32 < peak_db(stage.note(pitch, 100, 0.06)) < -4, pitch


@on_drums
def test_kick_snare_and_hat_lie_apart(stage: Stage) -> None:
    heard = []
    for pitch in (KICK, SNARE, CLOSED_HAT):
        heard.append(brightness_hz(stage.note(pitch, 100, 0.3)))
        stage.hush()
    assert heard[0] < 300 < 2000 < heard[1] < 7000 < heard[2], heard


@on_drums
def test_toms_follow_the_pitch(stage: Stage) -> None:
    for pitch in (41, 43, 45, 47, 48, 50):
        sound = stage.note(pitch, 100, 0.8)
        stage.hush()
        assert abs(cents_off(sound[RATE // 8 :], pitch)) < 10, pitch


@on_drums
def test_closed_hat_chokes_the_open_one(stage: Stage) -> None:
    stage.on(OPEN_HAT, 100)
    stage.listen(0.1)
    ringing = rms_db(stage.listen(0.05))
    stage.hush()
    for foot in (CLOSED_HAT, PEDAL_HAT):
        stage.on(OPEN_HAT, 100)
        stage.listen(0.05)
        stage.on(foot, 60)
        stage.listen(0.1)
        assert rms_db(stage.listen(0.05)) < ringing - 20


@on_drums
def test_crash_rings_through_the_hats(stage: Stage) -> None:
    stage.on(CRASH, 100)
    stage.on(CLOSED_HAT, 100)
    stage.listen(0.5)
    assert rms_db(stage.listen(0.1)) > -45


@on_drums
def test_released_key_does_not_end_the_drum(stage: Stage) -> None:
    short = stage.note(RIDE, 100, 0.01, after=0.5)
    stage.hush()
    long = stage.note(RIDE, 100, 0.51)
    assert np.array_equal(short[: RATE // 4], long[: RATE // 4])


def test_every_pitch_has_one_drum() -> None:
    groups = [value for name, value in vars(drums).items() if name.isupper() and isinstance(value, tuple)]
    assert sorted(pitch for group in groups for pitch in group) == list(range(128))
