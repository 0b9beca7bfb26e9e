"""Processes of a real jam that are stopped: they are noticed, and begun anew; all of them at once are not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.system.rig import Jam, null_settings, wait_for

pytestmark = pytest.mark.system


@pytest.mark.parametrize("name", ["network", "audio"])
def test_a_process_that_is_stopped_is_named_and_begun_anew(start_jam: Callable[..., Jam], name: str):
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(8)
    pid = jam.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    jam.wait(lambda report: report["restarts"][name] == 1, 60, f"the {name} process anew")
    jam.wait(lambda report: report["processes"][name]["pid"] != pid, 20, "its process id")
    steps = jam.report["steps"]
    jam.wait(lambda report: report["steps"] > steps + 8, 60, "the beat")
    assert f"the {name} process stands still: something has stopped it" in jam.output
    assert {name for name, often in jam.report["restarts"].items() if often} == {name}
    assert jam.end() == 0, jam.output
    log = (jam.session / "log.txt").read_text()
    assert "was ended" in log


def test_a_program_that_is_stopped_as_a_whole_goes_on_with_all_its_processes(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "jam.mode=solo")
    jam.wait_playing(8)
    pids = [*jam.pids().values(), jam.process.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(4.0)  # longer than any of them may be silent
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: "stood still for" in jam.output, 20, "a word about it")
    steps = jam.report["steps"]
    jam.wait(lambda report: report["steps"] > steps + 16, 60, "the beat")
    assert not any(jam.report["restarts"].values()), jam.output
    assert jam.end() == 0, jam.output
