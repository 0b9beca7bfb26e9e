"""What a plugin puts out that is no sound is silence, and is named."""

from __future__ import annotations

import numpy as np
import pytest

from engine.host.guard import CALM_S, DIRECT_S, Guard

PER_S = 750.0


def run(guard: Guard, value: float, blocks: int) -> list[float]:
    """Put out blocks of one value; return the largest of each as it is heard."""
    found = []
    for _ in range(blocks):
        out = np.full((2, 64), value, np.float32)
        guard.check(out)
        found.append(float(np.abs(out).max()))
    return found


@pytest.mark.parametrize(
    ("value", "why"), [(np.nan, "no number"), (np.inf, "no number"), (-np.inf, "no number"), (100, "louder")]
)
def test_what_is_no_sound_is_silenced_at_once(value: float, why: str):
    guard = Guard(PER_S)
    assert run(guard, value, 3) == [0, 0, 0]
    assert why in guard.fault
    heard = run(guard, 0.1, round(CALM_S * PER_S) + 1)
    assert heard[0] == 0, "it must have been fine for a while"
    assert heard[-1] == pytest.approx(0.1)
    assert not guard.fault


def test_direct_current_is_silenced_and_a_loud_low_note_is_not():
    guard = Guard(PER_S)
    heard = run(guard, 1.0, round(3 * DIRECT_S * PER_S))
    assert heard[0] == 1
    assert heard[-1] == 0
    assert "direct current" in guard.fault
    bass = Guard(PER_S)
    wave = np.sin(2 * np.pi * 30 * np.arange(64 * 1500) / 48000).astype(np.float32)
    for part in wave.reshape(-1, 64):
        bass.check(np.stack([part, part]))
    assert not bass.fault


def test_denormal_numbers_become_zeros():
    guard = Guard(PER_S)
    assert run(guard, 1e-40, 3) == [0, 0, 0]
    assert run(guard, 1e-35, 3) == [0, 0, 0]  # will be one soon; a plugin's library may have made 1e-40 a zero in this process
    assert not guard.fault, "the end of a reverb is no fault"
    run(guard, 1e-35, round(CALM_S * PER_S) + 1)
    assert "denormal" in guard.fault
