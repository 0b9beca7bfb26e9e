"""Real-time scheduling: taken where the system gives it, and not handed on."""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.realtime import BEAT, CPU_DMA_LATENCY, SOUND, be_urgent, keep_awake


def in_a_thread(what: Callable[[], None]) -> None:
    thread = threading.Thread(target=what)
    thread.start()
    thread.join()


def test_sound_goes_before_the_beat():
    assert SOUND > BEAT > 0


def test_a_thread_is_what_it_was_told_it_is_and_those_it_starts_are_ordinary():
    told: list[bool] = []
    policies: list[int] = []

    def run() -> None:
        told.append(be_urgent(BEAT))
        if sys.platform == "linux":
            policies.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
            in_a_thread(lambda: policies.append(os.sched_getscheduler(0)))

    in_a_thread(run)
    if sys.platform == "linux":
        assert policies == [os.SCHED_RR if told[0] else os.SCHED_OTHER, os.SCHED_OTHER]
    else:
        assert told == [False]


def test_where_it_is_not_allowed_it_says_so(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    told: list[bool] = []
    in_a_thread(lambda: told.append(be_urgent(SOUND)))
    assert told == [False]


def test_the_kernel_is_told_how_long_waking_may_take(tmp_path: Path):
    device = tmp_path / "cpu_dma_latency"
    device.write_bytes(b"")
    with keep_awake(20, device) as held:
        assert device.read_bytes() == struct.pack("=i", 20)
        assert not held.closed  # it holds for as long as the file is open
    with pytest.raises(FileNotFoundError):
        keep_awake(0, tmp_path / "nowhere")


def in_force_us() -> int:
    """What the kernel goes by now: the least that any program asks for."""
    return int(struct.unpack("=i", CPU_DMA_LATENCY.read_bytes()[:4])[0])


def test_the_kernel_goes_by_it_until_it_is_closed():
    if not os.access(CPU_DMA_LATENCY, os.R_OK | os.W_OK):
        with pytest.raises(OSError, match="cpu_dma_latency"):  # what a jam tells, with the remedy
            keep_awake(0)
        return
    before_us = in_force_us()
    with keep_awake(0):
        assert in_force_us() == 0
    assert in_force_us() == before_us
