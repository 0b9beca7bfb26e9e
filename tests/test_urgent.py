"""Real-time scheduling: taken where the system gives it, and not handed on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import pytest

from engine.urgent import BEAT, SOUND, be_urgent


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
