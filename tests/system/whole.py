"""The whole engine as it is measured: a jam without a device, with the demo's player, its page and its recording.

Shared by the scripts that measure the feed and the page.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.system.rig import Jam, free_port

SETTLED_S = 3.0  # after its first step a jam is measured


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what every script takes."""
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for the jam, as algoritmo's own")


def start_jam(folder: Path, arguments: argparse.Namespace, port: int, *settings: str) -> Jam:
    """Start the engine; each step goes to `port`, its timetag the time at which it sounds."""
    ours = (
        "audio.device=null",
        "midi.backend=none",
        f'osc.targets=[{{port={port}, timetag="presentation"}}]',
        "osc.query.announce=false",
        f"osc.query.port={free_port()}",
        f"osc.control.port={free_port()}",
        f"web.port={free_port()}",
    )
    return Jam(folder, *ours, *settings, *arguments.set, options=("--demo", f"--duration={arguments.seconds + 120}"))


def said(jam: Jam) -> dict[str, Any]:
    """What the jam says of itself."""
    report = jam.report
    return {
        key: report[key] for key in ("network", "steps", "late_steps", "notes_late", "step_ms", "xruns", "dsp_load", "feed")
    }


class Others:
    """What others take of the processor, from its making on: programs that are none of ours, and a virtual machine's host."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._before = _cpu_s_of_others()
        self._stolen_s = _stolen_s()

    def said(self) -> dict[str, float]:
        """Return how much of one core the programs took (those that came and went in between left out), and the host."""
        now, took_s = _cpu_s_of_others(), time.monotonic() - self._begun_s
        taken_s = sum(cpu - self._before.get(pid, 0.0) for pid, cpu in now.items())
        stolen_s = _stolen_s() - self._stolen_s
        return {
            "other_programs_core_share": round(taken_s / took_s, 3),
            "stolen_by_the_host_ms_per_s": round(1e3 * stolen_s / took_s, 2),
        }


def _stolen_s() -> float:
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def _cpu_s_of_others() -> dict[int, float]:
    """Processor time so far of every process that does not descend from this one."""
    parents: dict[int, int] = {}
    taken: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        taken[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ours(pid: int) -> bool:
        while pid > 1:
            if pid == os.getpid():
                return True
            pid = parents.get(pid, 0)
        return False

    return {pid: cpu_s for pid, cpu_s in taken.items() if not ours(pid)}


def spread(values: np.ndarray) -> dict[str, float]:
    """Return median, p95, p99 and the largest."""
    return {
        name: round(float(np.percentile(values, at)), 2) for name, at in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
    }
