"""What a jam ends with, for the person at the terminal."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from engine.app.status import beat_text, summary
from engine.core.link import Writer
from engine.core.messages import CLOCK, TIMELINE
from engine.transport.timeline import BeatTimeline


def report(again: int, notes_late: int, xruns: int = 2, own: int = 0, kept: int = 0) -> dict[str, Any]:
    return {
        "steps": 480,
        "provider": "cpu",
        "step_ms": {"p50": 0.05, "p99": 0.9, "max": 1.2},
        "chosen_again": {"steps": again, "kept": kept, "step_ms": {"p50": 0.7, "p99": 1.1, "max": 1.2}},
        "late_steps": 1,
        "dsp_load": {"mean": 0.08, "max": 1.3, "own_max": 0.42},
        "xruns": xruns,
        "xruns_own": own,
        "notes_late": notes_late,
        "notes_in": 73,
        "notes_out": {"drums": 99, "bass": 57},
        "feed": {"sent": 685, "dropped": 0},
    }


def clock() -> np.void:
    record = np.zeros((), CLOCK)
    record["time_ns"], record["ns_per_frame"] = time.perf_counter_ns(), 1e18  # the frame stays what it is
    return record[()]


def where(line: BeatTimeline) -> str:
    ring = Writer(memoryview(bytearray(Writer.size(TIMELINE, 2))), TIMELINE, 2)
    ring.push(line.record())
    return beat_text(clock(), ring.latest())


def test_bar_and_beat_are_counted_as_musicians_do():
    line = BeatTimeline(0.0, 9.25, 112.0, 48000.0)
    assert where(line) == "bar 3.2 at 112 bpm"
    assert where(replace(line, beat=-2.5)) == "count-in 2 at 112 bpm"
    assert where(replace(line, bar_beat=9.0, bar=1)) == "bar 1.1 at 112 bpm"
    assert where(replace(line, bar_beat=9.0, bar=4, numerator=6, denominator=8, beat=14.25)) == "bar 5.5 at 112 bpm"
    assert where(replace(line, playing=False)) == "stopped at bar 3.2"
    assert where(replace(line, playing=False, beat=-4)) == "stopped"
    assert beat_text(None, None) == "starting"


def test_steps_chosen_again_are_told_apart():
    text = summary(report(again=14, notes_late=0), "sessions/one")
    assert "480 steps on cpu, 0.05 ms each (p99 0.90), 1 late" in text
    assert "14 of them chosen again at the last moment: 0.70 ms, p99 1.10\n" in text
    assert "too late" not in text
    assert "you played 73 notes; the network: drums 99, bass 57" in text
    assert text.endswith("recorded in sessions/one")


def test_choices_that_came_too_late_are_told():
    text = summary(report(again=14, notes_late=0, kept=2), "")
    assert "0.70 ms, p99 1.10; 2 of those too late, what was chosen before sounded\n" in text


def test_what_never_was_is_not_spoken_of():
    text = summary(report(again=0, notes_late=3), "")
    assert "again" not in text
    assert "3 notes of the network came too late to sound" in text
    assert "recorded" not in text


def test_whether_xruns_are_the_patches_fault_or_the_machine_s():
    assert "DSP load 8%, the costliest block 42%; 2 xruns, none because a block was too costly" in summary(report(0, 0), "")
    assert "3 xruns, 1 of them because a block was too costly" in summary(report(0, 0, xruns=3, own=1), "")
    assert "; 0 xruns\n" in summary(report(0, 0, xruns=0), "")
