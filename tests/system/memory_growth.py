"""What the memory of each process does while scenes change fast, or patches, modes, tempo, or nothing at all.

    python tests/system/memory_growth.py                              # five minutes of plain play
    python tests/system/memory_growth.py --orders scene --every 1     # a scene a second, with the other network each time
    python tests/system/memory_growth.py --orders scene patch mode tempo panic --every 2 --minutes 20

No device is needed; the bundled performance is played to it again and again. Told of each process: its own (anonymous) memory
when it had settled and at the end, the line of least squares in MB an hour and in MB for a thousand orders. What is shared by
the processes is allocated once, at the start, and counted apart: it is only touched little by little.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.running import attach, choose
from engine.core.link import Link
from engine.core.parameters import Live
from tests.system.memory import own_mb
from tests.system.rig import Jam, free_port, null_settings, wait_for

SAMPLE_S = 5.0
SET = """
format = 1
[[scene]]
name = "Band"
network = "festival"
bars = 0
patches.lead = "lead"
parameters.mode = "accompany"
[[scene]]
name = "Piano"
network = "biaxial"
bars = 0
[[scene]]
name = "Band with other sounds"
network = "festival"
bars = 0
patches.lead = "glass"
patches.bass = "acid"
"""


def shared_mb(pid: int) -> float:
    """Return what a process has touched of the shared segment, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssShmem")) / 1e3


def makers(link: Link, live: Live) -> dict[str, Callable[[], None]]:
    """Return what can be ordered, by name."""
    turn = itertools.count(1)

    def scene() -> None:
        count = link["switched"].count
        live.set("scene.go", next(turn) % 3 + 1)
        wait_for(lambda: link["switched"].count > count + 1, 60, "the scene")

    def patch() -> None:
        live.refresh()
        live.set("lead.patch", next(turn) % (int(live.registry["lead.patch"].maximum) + 1))

    return {
        "scene": scene,
        "patch": patch,
        "mode": lambda: live.set("mode", next(turn) % 3),
        "tempo": lambda: live.set("tempo", 60 + 40 * (next(turn) % 4)),
        "panic": lambda: live.fire("panic"),
    }


def slope_mb_h(samples: list[tuple[float, float]]) -> float:
    """Return the growth in MB an hour: least squares over (seconds, MB)."""
    at = np.array(samples)
    return float(np.polyfit(at[:, 0], at[:, 1], 1)[0] * 3600)


def rounds(orders: list[Callable[[], None]], every_s: float, end_s: float) -> Iterator[int]:
    """Give the orders by turns; yield how many so far, at each look."""
    given, next_s = 0, time.monotonic()
    while time.monotonic() < end_s:
        yield given
        look_s = time.monotonic() + SAMPLE_S
        while (now_s := time.monotonic()) < look_s:
            if orders and now_s >= next_s:
                orders[given % len(orders)]()
                given += 1
                next_s = now_s + every_s
            time.sleep(0.02)


def main() -> None:
    """Play, order, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="after it has settled")
    parser.add_argument("--settle", type=float, default=1.0, metavar="MINUTES", help="with the same orders")
    parser.add_argument("--orders", nargs="*", default=[], choices=["scene", "patch", "mode", "tempo", "panic"])
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the samples here")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the jam")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_RUNTIME_DIR"] = name  # whoever looks for a jam on this machine does not find this one
        (folder / "set.toml").write_text(SET)
        ours = ("web.enabled=true", f"web.port={free_port()}")
        scenes = ("scenes.networks=biaxial", f"scenes.set={folder / 'set.toml'}", "scenes.begin=1")
        lasts_s = 60 * (arguments.settle + arguments.minutes) + 300
        options = ["--demo", "--duration", f"{lasts_s:.0f}"]  # somebody plays
        jam = Jam(folder, *null_settings(free_port()), *ours, *scenes, *arguments.set, options=options)
        try:
            jam.wait_playing(8, limit_s=120)
            link, live = attach(choose(jam.process.pid))
            wait_for(lambda: int(link["playing"].latest()["loaded"]) == 3, 120, "both networks")
            pids = {"supervisor": jam.process.pid} | jam.pids()
            begun_s = time.monotonic()
            settled_s = begun_s + 60 * arguments.settle
            end_s = settled_s + 60 * arguments.minutes
            of = makers(link, live)
            seen: dict[str, list[tuple[float, float]]] = {name: [] for name in pids}
            shared: dict[str, float] = {}
            settled_given = given = 0
            for given in rounds([of[order] for order in arguments.orders], arguments.every, end_s):
                is_settled = time.monotonic() >= settled_s
                settled_given = settled_given if is_settled else given
                for name, pid in pids.items():
                    mb, shared[name] = own_mb(pid), shared_mb(pid)
                    if is_settled or arguments.json:
                        seen[name].append((time.monotonic() - begun_s, mb))
                if arguments.json:
                    arguments.json.write_text(json.dumps(seen))
            said = jam.output
            link.close()
        finally:
            jam.end(limit_s=30)
            jam.close()
    orders = given - settled_given
    print(f"{arguments.minutes:g} minutes, {orders} orders ({' '.join(arguments.orders) or 'none'})")
    print(f"{'':12}{'settled':>10}{'end':>10}{'MB/h':>10}{'MB/1000':>10}{'shared':>10}")
    for name, samples in seen.items():
        samples = [one for one in samples if one[0] >= 60 * arguments.settle]
        slope = slope_mb_h(samples)
        per = slope / 3600 * (samples[-1][0] - samples[0][0]) / orders * 1000 if orders else float("nan")
        print(f"{name:12}{samples[0][1]:10.1f}{samples[-1][1]:10.1f}{slope:10.1f}{per:10.1f}{shared[name]:10.1f}")
    if "Traceback" in said:
        print(said[-4000:])


if __name__ == "__main__":
    main()
