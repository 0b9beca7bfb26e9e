"""Measures the feed on this machine, and prints the figures as JSON.

    python tests/feed/feed_figures.py wire        # a jam: from a step's sounding to its datagrams in the receiver's kernel
    python tests/feed/feed_figures.py replay      # the same of its replay, and whether the bytes are the same
    python tests/feed/feed_figures.py rate        # 60 steps a second of 10,000 floats to 4 targets
    python tests/feed/feed_figures.py crowd       # a jam with 200 subscribers that come, go, vanish and never read
    python tests/feed/feed_figures.py loss        # what is lost, by floats a step, size of datagrams and receiver's buffer

Runs beside the tests, not among them: a figure is no test. Linux only. What other programs took of the processor meanwhile
is told, for it is seen in the figures.
"""

# ruff: noqa: E402, T201  (runs from anywhere, and prints)

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.bench import cpu_s, memory_mb
from engine.core.osc_section import Target
from engine.feed.encoder import Encoder, PacketTemplate
from engine.feed.schema import Schema
from engine.feed.targets import subscription_of
from engine.jam.parameters import registry_of
from engine.net import osc
from tests.feed.driven import Driven
from tests.feed.fakes import make_card
from tests.system.receiver import Heard, Receiver, late_ms
from tests.system.rig import free_port
from tests.system.whole import SETTLED_S, Others, add_options, said, spread, start_jam

SUBSCRIBERS = 200
CROWD_S = 15.0  # after which a crowd is gone and another comes; by then those that vanished before are forgotten
ROWS = (  # floats a step, steps a second, floats a message, receiver's buffer, how often it looks
    (1_000, 60, 256, 0, 0.016),
    (4_000, 60, 256, 0, 0.016),
    (6_000, 8, 256, 0, 0.016),
    (10_000, 60, 256, 0, 0.016),
    (10_000, 60, 1600, 0, 0.016),
    (20_000, 60, 256, 0, 0.016),
    (50_000, 60, 256, 0, 0.016),
    (50_000, 60, 1600, 0, 0.016),
    (50_000, 60, 256, 4 << 20, 0.016),
    (117_000, 16, 256, 0, 0.016),
    (117_000, 16, 256, 4 << 20, 0.016),
)


def main() -> None:
    """Measure what the arguments ask for."""
    what: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "wire": wire,
        "replay": replay,
        "rate": rate,
        "crowd": crowd,
        "loss": loss,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=what)
    add_options(parser)
    parser.add_argument("--buffer", type=int, default=0, metavar="BYTES", help="rate: of each receiver (default: the system's)")
    arguments = parser.parse_args()
    others = Others()
    figures = what[arguments.what](arguments)
    print(json.dumps(figures | others.said(), indent=1))


def wire(arguments: argparse.Namespace) -> dict[str, Any]:
    """From the moment a step sounds to its first and its last datagram."""
    with tempfile.TemporaryDirectory() as folder:
        receiver = Receiver()
        jam = start_jam(Path(folder), arguments, receiver.port)
        try:
            jam.wait_playing()
            time.sleep(SETTLED_S)
            begun_s = time.time()
            time.sleep(arguments.seconds)
            jam.end()
            return {"sounded_to_wire_ms": _lateness(receiver.stop(), begun_s)} | said(jam)
        finally:
            jam.close()


def _lateness(heard: Heard, begun_s: float) -> dict[str, Any]:
    kept = Heard(heard.datagrams[heard.datagrams["timetag_unix_s"] >= begun_s], heard.lost, heard.behind_ms, [])
    counts = kept.per_step()
    return {
        "steps": len(counts),
        "first_datagram": spread(late_ms(kept)),
        "last_datagram": spread(late_ms(kept, last=True)),
        "steps_incomplete": sum(count < max(counts.values()) for count in counts.values()),
        "thrown_away_by_the_kernel": kept.lost,
        "receiver_behind_ms": kept.behind_ms,
    }


def replay(arguments: argparse.Namespace) -> dict[str, Any]:
    """A jam, then its replay: the bytes, and the time of each step against what was recorded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = Receiver(4 << 20, keep=True)
        timed = Receiver()
        target = f'osc.targets=[{{port={timed.port}, timetag="presentation"}}, {{port={plain.port}}}]'
        jam = start_jam(folder, arguments, timed.port, target)
        try:
            jam.wait_playing()
            time.sleep(arguments.seconds)
            jam.end()
            live, _ = plain.stop(), timed.stop()
            found = said(jam)
            session = jam.session
        finally:
            jam.close()
        plain, timed = Receiver(4 << 20, keep=True), Receiver()
        target = f'osc.targets=[{{port={timed.port}, timetag="presentation"}}, {{port={plain.port}}}]'
        command = [sys.executable, "-m", "engine.cli", "replay", str(session), "--set", target]
        command += ["--set", f"osc.control.port={free_port()}", "--set", f"osc.query.port={free_port()}"]
        command += ["--set", "osc.query.announce=false", "--set", f"web.port={free_port()}"]
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
        again, when = plain.stop(), timed.stop()
    first, second = (h.datagrams["arrived_unix_s"] for h in (live, again))
    same = live.bodies == again.bodies
    out: dict[str, Any] = {"datagrams": len(live.bodies), "identical": same}
    out["recorded_time_to_wire_ms"] = spread(np.abs(late_ms(when)))
    if same:
        apart = second - first
        out["live_to_replay_ms"] = spread(np.abs(apart - np.median(apart)) * 1e3)
    return out | {"live": found}


def rate(arguments: argparse.Namespace) -> dict[str, Any]:
    """60 steps a second of 10,000 floats to 4 targets: what it costs and what comes."""
    receivers = [Receiver(arguments.buffer) for _ in range(4)]
    _be_urgent()
    return _driven(make_card(layers=4, width=1179), 60, receivers, arguments.seconds)


def _be_urgent() -> None:
    """Drive the feed as punctually as the audio process does, where the system allows it."""
    with contextlib.suppress(PermissionError):
        os.nice(-12)


def _driven(card: Any, steps_per_s: int, receivers: list[Receiver], seconds: float, **wish: Any) -> dict[str, Any]:
    """Drive a feed for so long; what it took of a core, what it sent, and what each receiver had."""
    targets = [{"port": receiver.port, **wish} for receiver in receivers]
    with tempfile.TemporaryDirectory() as folder:
        driven = Driven(Path(folder), targets, card, steps_per_s, session=False)
        try:
            process, pipe, _, _ = driven.feed()
            time.sleep(1.0)
            first, before_s, begun_s = driven.step, cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(process.pid) - before_s) / (time.monotonic() - begun_s)
            last = driven.step - 10  # those not sounded yet
            driven.stop(process, pipe)
            stats = driven.link["feed"].latest()
        finally:
            driven.close()
    found = [receiver.stop() for receiver in receivers]
    counts = [{step: n for step, n in heard.per_step().items() if first <= step < last} for heard in found]
    plan = PacketTemplate(Encoder(Schema(card, registry_of(card))), subscription_of(Target(**wish)))
    whole = len(plan.datagrams)
    expected = whole * (last - first)
    return {
        "floats": sum(prod(a.shape) for a in card.activations) + 3 * card.slots,
        "core_share": round(share, 3),
        "step_us": round(float(stats["step_us"])),
        "dropped_by_the_feed": int(stats["dropped"]),
        "steps": last - first,
        "datagrams_expected": expected,
        "datagrams_missing": [expected - sum(c.values()) for c in counts],
        "thrown_away_by_the_kernel": [heard.lost for heard in found],
        "receivers_behind_ms": [heard.behind_ms for heard in found],
        "steps_incomplete": [last - first - sum(n == whole for n in c.values()) for c in counts],
    }


def crowd(arguments: argparse.Namespace) -> dict[str, Any]:
    """A jam with one receiver that reads, and 200 that subscribe and never do; some vanish without a word."""
    with tempfile.TemporaryDirectory() as folder:
        receiver, control = Receiver(), free_port()
        jam = start_jam(Path(folder), arguments, receiver.port, f"osc.control.port={control}")
        memory: list[float | None] = []
        crowds = 0
        try:
            jam.wait_playing()
            time.sleep(SETTLED_S)
            feed = jam.pids()["feed"]
            begun_s, end = time.time(), time.monotonic() + arguments.seconds
            before_s = cpu_s(feed)
            while time.monotonic() < end:
                _crowd(control)
                crowds += 1
                memory.append(memory_mb(feed))
            after_s = cpu_s(feed)
            jam.end(signal.SIGINT)
            lateness = _lateness(receiver.stop(), begun_s)
            found = said(jam)
        finally:
            jam.close()
    return {
        "crowds": crowds,
        "subscribers_each": SUBSCRIBERS,
        "feed_memory_mb": memory,
        "feed_core_share": round((after_s - before_s) / arguments.seconds, 3),
        "the_one_that_reads": lateness,
    } | found


def _crowd(control: int) -> None:
    """Subscribe 200 sockets that never read; at the end most say stop and a quarter vanishes without a word."""
    socks = []
    for number in range(SUBSCRIBERS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", control))
        sock.send(osc.message("/algoritmo/notify", 1, "rate", float(5 + number % 8), "tiers", "scalars"))
        socks.append(sock)
        if number % 20 == 19:  # faster than that the control socket leaves orders unread
            time.sleep(0.05)
    time.sleep(CROWD_S)
    for number, sock in enumerate(socks):
        if number % 4:
            with contextlib.suppress(OSError):  # the feed may have been refused, and that is told here
                sock.send(osc.message("/algoritmo/notify", 0))
        sock.close()


def loss(arguments: argparse.Namespace) -> dict[str, Any]:
    """One receiver that looks as often as a picture is drawn: what it misses."""
    receivers = [Receiver(buffer, every_s) for _, _, _, buffer, every_s in ROWS]
    _be_urgent()
    rows = []
    for (floats, steps_per_s, chunk, buffer, _), receiver in zip(ROWS, receivers, strict=True):
        card = make_card(layers=1, width=(floats - 3 * 188) // 2)
        signals = ["h", "c", "probability", "hold", "notes"]  # named, for a large network sends them only so
        found = _driven(card, steps_per_s, [receiver], min(arguments.seconds, 8.0), chunk=chunk, signals=signals)
        lost = found["datagrams_missing"][0] / found["datagrams_expected"]
        row = {
            "floats": floats,
            "steps_per_s": steps_per_s,
            "chunk": chunk,
            "buffer": buffer or "default",
            "datagrams_per_step": found["datagrams_expected"] // found["steps"],
            "lost_percent": round(100 * lost, 2),
            "by_the_kernel": found["thrown_away_by_the_kernel"][0],
            "by_the_feed": found["dropped_by_the_feed"],
        }
        print(json.dumps(row), file=sys.stderr)
        rows.append(row)
    return {"rows": rows}


if __name__ == "__main__":
    main()
