"""The network's process stands still for a moment, as a busy machine has it: nothing that it had chosen is lost or late."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.system.rig import Jam, null_settings

pytestmark = pytest.mark.system

TEMPO = 60.0  # a step lasts 250 ms, and is sent 112 ms before it sounds
STILL_S = 0.06
TIMES = 30


@contextlib.contextmanager
def standing_still(pid: int):
    """Stop a process; whatever happens, it goes on afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_no_step_is_late_for_a_standstill_shorter_than_it_plans_ahead(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "jam.mode=solo", f"clock.tempo={TEMPO}", "parameters.density=2")
    jam.wait_playing(8)
    pid = jam.pids()["network"]
    when = random.Random(3)
    for _ in range(TIMES):
        time.sleep(0.2 + 0.25 * when.random())  # at any moment of a step
        with standing_still(pid):
            time.sleep(STILL_S)
    steps = jam.report["steps"]
    jam.wait(lambda report: report["steps"] > steps + 8, 20, "the beat")
    report = jam.report
    assert (report["late_steps"], report["notes_late"], report["restarts"]["network"]) == (0, 0, 0)
    assert jam.end() == 0, jam.output
