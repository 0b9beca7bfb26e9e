"""Measures the way to a host process and back, block after block at the pace of 64 frames at 48 kHz, real-time where granted.

    python tests/host/host_figures.py                   # 20 s each: no plugin, one, three; then a hang and a crash

`round_trip`: from the bell until the answer was there, when nothing is done in between. `block`: what a block of the engine
takes, which rings for plugins as it ends and collects what they made in the next one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.audio.engine import AudioEngine
from engine.audio.process import pause_s
from engine.core.config import load
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK
from engine.core.parameters import Live
from engine.core.process import Spec, Starter
from engine.core.realtime import SOUND, be_urgent
from engine.core.roles import HOST
from engine.host.exchange import SIZE
from engine.host.plugin import Moment
from engine.jam.parameters import registry_of
from tests.audio.conftest import card
from tests.host.conftest import fixtures as fixtures_of

RATE = 48000
LIMIT_S = 30.0
SWITCH_S = 1e-4


def spread(times_s: list[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum in microseconds."""
    found = np.percentile(np.asarray(times_s) * 1e6, [50, 99, 100])
    return dict(zip(("p50_us", "p99_us", "max_us"), (round(float(x), 1) for x in found), strict=True))


class Bench:
    """An engine that is paced as a device would, and its host process."""

    def __init__(self, *settings: str) -> None:
        config = load(None, settings)
        self.card = card()
        registry = registry_of(self.card)
        self.link = Link.create(Layout.of(self.card, len(registry), exchange=SIZE))
        view = self.link.view("audio")
        self.live = Live(registry, view.values)
        self.live.reset_to_defaults()
        self.engine = AudioEngine(view, registry, self.card, config, RATE, run_by_thread=True)
        self.spec = Spec(self.link.layout, self.link.name, config, self.card, Path("none"))
        self.starter = Starter(self.spec)
        self.child: BaseProcess | None = None
        self.times: list[float] = []
        self.bells: list[float] = []
        self.seen: dict[str, float] = {}

    def look_after(self, wanted: int) -> bool:
        """What the control thread and the supervisor do; return whether so many plugins are loaded."""
        while self.engine.worker.run_pending():
            pass
        self.engine.rack.poll()
        latest = self.link["hosts"].latest()
        if latest is not None and int(latest["hosts"]) & 1 and (self.child is None or not self.child.is_alive()):
            self.child, self._pipe = self.starter.start(f"{HOST}0")
        if self.child is not None:
            self.starter.prepare(HOST)
        return sum(unit.is_loaded for unit in self.engine.mixer.hosts.units) >= wanted

    def run(self, seconds: float, ring: bool = False) -> None:
        """Render in time for so long on an urgent thread; `ring`: only ring and collect, nothing in between."""
        hosts, at = self.engine.mixer.hosts, Moment()

        def loop() -> None:
            be_urgent(SOUND)
            if ring:
                hosts.collect()  # what the last block rang for
            next_s = time.perf_counter()
            end_s = next_s + seconds
            while next_s < end_s:
                next_s += BLOCK / RATE
                time.sleep(max(0.0, next_s - time.perf_counter()))
                begun_s = time.perf_counter()
                if ring:
                    hosts.end(at)
                    hosts.collect()
                    self.bells.append(time.perf_counter() - begun_s)
                else:
                    self.engine.render_block()
                    self.times.append(time.perf_counter() - begun_s)

        thread = threading.Thread(target=loop)
        thread.start()
        while thread.is_alive():
            thread.join(pause_s(self.engine))
            if not ring:
                self.look_after(0)

    def wait_loaded(self, wanted: int) -> None:
        """Return when so many plugins are there."""
        end_s = time.monotonic() + LIMIT_S
        while not self.look_after(wanted):
            assert time.monotonic() < end_s, "the plugins were not loaded"
            self.engine.render_block()
            time.sleep(0.005)

    def close(self) -> None:
        """End everything."""
        self.engine.close()
        self.starter.close()
        if self.child is not None:
            self.child.kill()
            self.child.join()
        self.link.close(unlink=True)


def paced(seconds: float, plugins: int, fixtures: Path) -> dict[str, Any]:
    """Measure with so many instruments."""
    names = ("bass", "lead", "drums")[:plugins]
    bench = Bench(*(f"patches.{name}={fixtures}/synth.clap" for name in names))
    bench.wait_loaded(plugins)
    bench.run(1.0)
    bench.times.clear()
    bench.run(seconds)
    found: dict[str, Any] = {"plugins": plugins, "block": spread(bench.times)}
    if plugins:
        bench.run(seconds / 2, ring=True)
        found["round_trip"] = spread(bench.bells)
        found["waited"] = bench.engine.mixer.hosts._hosts[0].waited
    bench.close()
    return found


def faults(fixtures: Path) -> dict[str, Any]:
    """Measure what a hang and a crash cost, and when the sound is back."""
    bench = Bench(f"patches.bass={fixtures}/synth.clap")
    bench.wait_loaded(1)
    bench.run(1.0)
    host = bench.engine.mixer.hosts._hosts[0]
    found: dict[str, Any] = {}

    def back_after(begin: Any) -> dict[str, float]:
        marks: dict[str, float] = {}
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                now = time.perf_counter()
                if host.bell is None and "seen_ms" not in marks:
                    marks["seen_ms"] = round((now - begun) * 1e3, 2)
                if "seen_ms" in marks and host.is_fresh and "back_ms" not in marks:
                    marks["back_ms"] = round((now - begun) * 1e3, 1)
                time.sleep(0.0002)

        watcher = threading.Thread(target=watch)
        bench.run(3.0)  # another process waits by then, as it does while a band plays
        bench.times.clear()
        begun = time.perf_counter()
        watcher.start()
        begin()
        bench.run(4.0)
        stop.set()
        watcher.join()
        return marks | {"block_max_ms": round(max(bench.times) * 1e3, 3)}

    def kill() -> None:
        assert bench.child is not None
        assert bench.child.pid is not None
        os.kill(bench.child.pid, signal.SIGKILL)

    def stand() -> None:
        assert bench.child is not None
        assert bench.child.pid is not None
        os.kill(bench.child.pid, signal.SIGSTOP)

    found["crash"] = back_after(kill)
    waited = host.waited
    found["hang"] = back_after(stand) | {"waits": host.waited - waited}
    bench.close()
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--plugins", type=int, nargs="*", default=[0, 1, 3], help="how many are there in each run")
    words = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    fixtures = fixtures_of.__wrapped__()  # type: ignore[attr-defined]
    runs = [paced(words.seconds, plugins, fixtures) for plugins in words.plugins]
    sys.stdout.write(json.dumps({"runs": runs, "faults": faults(fixtures)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
