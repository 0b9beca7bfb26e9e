"""The last stage: the ceiling, broken numbers, and what must not be touched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.limiter import KNEE, Limiter
from engine.core.messages import BLOCK, OUTPUTS

RATE = 48000


def limited(sound: np.ndarray, ceiling_db: float = -0.3) -> np.ndarray:
    """Return a sound, (frames, OUTPUTS), block by block through a limiter."""
    limiter = Limiter(RATE, ceiling_db)
    out = sound.astype(np.float32).reshape(-1, BLOCK, OUTPUTS).copy()
    for block in out:
        limiter.process(block)
        assert limiter.peak == pytest.approx(np.abs(block).max(), rel=1e-5)
    return out.reshape(-1, OUTPUTS)


def sine(level: float, hz: float = 220.0, blocks: int = 100) -> np.ndarray:
    time_s = np.arange(blocks * BLOCK) / RATE
    return np.repeat(level * np.sin(2 * np.pi * hz * time_s)[:, None], OUTPUTS, axis=1)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=12), st.floats(-24, 0), st.integers(0, 2**32 - 1))
def test_nothing_passes_the_ceiling(levels: list[float], ceiling_db: float, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1, 1, (len(levels), BLOCK, OUTPUTS))
    sound = (noise * np.asarray(levels)[:, None, None]).astype(np.float32)
    assert np.abs(limited(sound.reshape(-1, OUTPUTS), ceiling_db)).max() <= 10 ** (ceiling_db / 20)


def test_what_is_below_the_knee_passes_bit_for_bit() -> None:
    sound = sine(KNEE * 10 ** (-0.3 / 20)).astype(np.float32)
    assert np.array_equal(limited(sound), sound)


def test_it_comes_back_to_passing_bit_for_bit() -> None:
    sound = np.concatenate([sine(4.0, blocks=20), sine(0.5, blocks=4000)]).astype(np.float32)
    assert np.array_equal(limited(sound)[-BLOCK:], sound[-BLOCK:])


def test_a_sudden_loud_tone_makes_no_click() -> None:
    """The gain moves within one block: no step between two samples is larger than the tone's own at its loudest."""
    level = np.interp(np.arange(450 * BLOCK), np.array([50, 51, 250, 251]) * BLOCK, [0.2, 6.0, 6.0, 0.2])
    sound = sine(1.0, blocks=450) * level[:, None]
    own = 6.0 * 2 * np.pi * 220 / RATE + 5.8 / BLOCK
    assert np.abs(np.diff(limited(sound), axis=0)).max() <= own


def test_a_steady_loud_tone_is_turned_down_and_not_squared_off() -> None:
    out = limited(sine(4.0, blocks=800))[-100 * BLOCK :, 0]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    fundamental = np.argmax(spectrum)
    harmonics = sum(spectrum[fundamental * k] ** 2 for k in range(2, 8))
    assert np.sqrt(harmonics) / spectrum[fundamental] < 0.05


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number_becomes_silence_and_is_counted(poison: float) -> None:
    limiter = Limiter(RATE, -0.3)
    block = np.full((BLOCK, OUTPUTS), 0.25, np.float32)
    block[10, 1] = poison
    limiter.process(block)
    assert not block.any()
    assert limiter.broken_blocks == 1
    good = np.full((BLOCK, OUTPUTS), 0.25, np.float32)
    limiter.process(good)
    assert (good == 0.25).all()
