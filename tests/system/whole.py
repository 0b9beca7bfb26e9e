"""The whole engine as it is measured: a jam without a device, with the demo's player, its page and its recording.

Shared by the scripts that measure the feed and the page.
"""

from __future__ import annotations

import argparse
import os
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
    """What the jam says of itself, and how busy the machine was."""
    report = jam.report
    found = {key: report[key] for key in ("network", "steps", "late_steps", "step_ms", "xruns", "dsp_load", "feed")}
    return found | {"load": round(os.getloadavg()[0], 2)}


def spread(values: np.ndarray) -> dict[str, float]:
    """Return median, p95, p99 and the largest."""
    return {
        name: round(float(np.percentile(values, at)), 2) for name, at in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
    }
