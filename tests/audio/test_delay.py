"""A delay whose length changes while it plays: late by the exact frame before and after, and nothing clicks between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.audio.delay import GLIDE_BLOCKS, Delay
from engine.audio.processor import DIP_BLOCKS, Chain
from engine.core.messages import BLOCK, OUTPUTS
from engine.core.parameters import Parameter


def run(process: Delay | Chain, sound: np.ndarray, aims: dict[int, int] | None = None) -> np.ndarray:
    """Put sound through, block by block; `aims`: at which block the delay is to become what."""
    found = []
    for number, part in enumerate(sound.reshape(-1, BLOCK, OUTPUTS)):
        if aims and number in aims:
            process.aim(aims[number]) if isinstance(process, Delay) else process.wait(aims[number])
        block = part.copy()
        process.process(block)
        found.append(block)
    return np.concatenate(found)


def tone(blocks: int, hz: float = 110.0) -> np.ndarray:
    """A low sine, in which every jump is heard."""
    wave = np.sin(2 * np.pi * hz * np.arange(blocks * BLOCK) / 48000).astype(np.float32)
    return np.repeat(wave[:, None], OUTPUTS, axis=1)


@pytest.mark.parametrize("aims", [{20: 64}, {20: 512, 60: 0}, {20: 512, 22: 64, 24: 8192}, {20: 1, 21: 0}, {0: 700}])
def test_a_change_is_exact_afterwards_and_does_not_click(aims: dict[int, int]):
    sound = tone(400)
    out = run(Delay(), sound, aims)
    late = list(aims.values())[-1]
    assert np.array_equal(out[-100 * BLOCK :], sound[len(sound) - 100 * BLOCK - late : len(sound) - late])
    steepest = np.abs(np.diff(sound[:, 0])).max()
    begins = late if 0 in aims else 0  # what comes in first begins where it does
    assert np.abs(np.diff(out[begins + BLOCK * GLIDE_BLOCKS :, 0])).max() < 3 * steepest


def test_a_delay_from_the_start_is_exact():
    sound = tone(20)
    assert np.array_equal(run(Delay(100), sound)[100:], sound[:-100])


class Effect:
    """Changes nothing, has no knobs and nothing to keep."""

    name = "effect"
    latency_frames = 0
    parameters: Sequence[Parameter] = ()

    def process(self, block: np.ndarray) -> None:
        pass

    def set(self, parameter_id: str, value: float) -> None:
        raise KeyError(parameter_id)

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes) -> None:
        assert not state


class Twice(Effect):
    """Doubles."""

    def process(self, block: np.ndarray) -> None:
        block *= 2


class Echo(Effect):
    """Says once more what it has heard, so much later that a change of the chain is over by then."""

    def __init__(self, frames: int) -> None:
        self._delay = Delay(frames)

    def process(self, block: np.ndarray) -> None:
        echo = block.copy()
        self._delay.process(echo)
        block += echo


def test_no_echo_brings_back_the_edge_of_a_change():
    sound = tone(60, 125.0)  # ten whole waves
    most = 5 * np.abs(np.diff(sound[:, 0])).max()  # of both echoes together
    chain = Chain(lambda _name, _error: None)
    first, last = Echo(3000), Echo(700)
    chain.processors = [Twice(), last]
    heard = [run(chain, sound)[len(sound) // 2 :]]
    orders: list[list[Effect]] = [[last], [first, last], [last, first], [Twice(), last], [last]]
    for processors in orders:
        chain.arrange(processors)
        heard.append(run(chain, sound))
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])).max() < most


def test_a_change_while_another_is_under_way_does_not_click():
    chain = Chain(lambda _name, _error: None)
    heard = []
    for number in range(40):
        if number % 5 in (0, 1, 3):  # from rest, on its way down, on its way up again
            chain.arrange([Twice()] if number % 2 else [])
        heard.append(run(chain, np.ones((BLOCK * (number % 5 + 1), OUTPUTS), np.float32)))
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])).max() <= 2.01 * 2 / (DIP_BLOCKS * BLOCK)


def test_others_take_the_place_of_those_there_without_a_click():
    sound = tone(100)
    chain = Chain(lambda _name, _error: None)
    before = run(chain, sound)
    assert np.array_equal(before, sound)
    chain.arrange([Twice()])
    assert not chain.is_idle
    changed = run(chain, sound)
    assert np.array_equal(changed[2 * DIP_BLOCKS * BLOCK :], 2 * sound[2 * DIP_BLOCKS * BLOCK :])
    assert np.abs(np.diff(changed[:, 0])).max() < 3 * np.abs(np.diff(sound[:, 0])).max() + 1 / (DIP_BLOCKS * BLOCK)
    chain.arrange([])
    assert np.array_equal(run(chain, sound)[-BLOCK:], sound[-BLOCK:])
    assert chain.is_idle
