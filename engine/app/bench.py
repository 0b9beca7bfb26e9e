"""The bench: what a timestep, the feed, the instruments and a whole jam cost on this machine.

Runs on: main process; jams and PyTorch run in processes of their own. Times depend on what else runs: ratios of two figures
of one run say more than either.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from engine.app.render import Render
from engine.app.report import versions, write_json
from engine.core import config
from engine.core.contract import read_card
from engine.core.errors import AlgoritmoError, NetworkError
from engine.core.messages import BLOCK
from engine.feed.encoder import Encoder, SubscriptionSpec
from engine.feed.schema import Schema
from engine.feed.targets import Clocks, Targets, open_udp
from engine.jam.parameters import registry_of
from engine.network.runner import Runner, present

STEPS = 2000  # measured per network
BARS = 16  # rendered to measure instruments and feed
RENDERS = 4  # of them
TARGETS = 3
BATCHES = (1, 16, 256)  # futures at once
EAGER = {"torch": "in PyTorch eager", "core": "of that its layers alone", "numpy": "in NumPy"}
QUIET_AFTER_S = 4.0  # a jam is measured from here on
PROBE = 20  # steps of each network, by which it is told beforehand how long all of it takes
# What other parts took where the steps of all networks on the CPU took 1, measured on the same machine.
FUTURES_SHARE, EAGER_SHARE, OFFLINE_SHARE = 0.2, 0.4, 0.3
AROUND_JAM_S = 6.0  # from the start of a jam until it plays, and from Ctrl-C until it has ended
_FOR_EVER_S = 1e6
DEMO = Path(__file__).parent / "demo.mid"


def bench(json_path: Path | None, seconds: float) -> int:
    """Measure, print, and write everything to `json_path`; `seconds` is the length of each of the two jams."""
    found: dict[str, Any] = {"machine": _machine(), "versions": versions(), "steps": {}}
    print(f"{found['machine']['processor']}, {found['machine']['cores']} cores, load {found['machine']['load']}")
    networks = sorted(config.SHIPPED.glob("*/*.onnx"))
    print(f"this takes about {_duration(expected_s(networks, seconds))}", flush=True)
    for path in networks:
        found["steps"][path.stem] = by_provider = step_costs(path)
        for provider, ms in by_provider.items():
            print(f"step of {path.stem} on {provider}: {_times(ms)} ms")
    for path in networks:
        rates = found.setdefault("futures", {})[path.stem] = futures_rate(path)
        print(
            f"futures of a bar a second, {path.stem}: " + ", ".join(f"{rate:.3g} at {batch}" for batch, rate in rates.items())
        )
    if eager := _eager() if _has_eager() else None:
        found["eager"] = eager
        for name, ms in eager["steps"].items():
            others = ", ".join(f"{word} {_times(ms[key])}" for key, word in EAGER.items() if key in ms)
            print(f"step of {name}, as its graph {_times(ms['graph'])} ms; {others} ms")
    else:
        print("PyTorch eager beside it was not measured: it needs pip install -e '.[train]'")
    found |= offline()
    block_us = 1e6 * BLOCK / config.Config().audio.rate_hz
    rack, feed, cells = found["rack"]["block_us"], found["feed"]["step_us"], found["feed_h_c"]["step_us"]
    print(f"instruments, the demo with the band: {_times(rack)} us a block, {rack['p50'] / block_us:.1%} of its time")
    least, share = found["rack"]["least_us"]["max"], found["rack"]["least_us"]["max"] / block_us
    print(f"  the costliest of its {found['rack']['blocks']} blocks, the least of {RENDERS} times: {least:.3g} us, {share:.0%}")
    print(f"feed, {found['feed']['floats']} floats to {TARGETS} targets: {_times(feed)} us a step; h and c: {_times(cells)} us")
    found["listening"] = listening(seconds)
    print("listening, nobody playing: " + _usage(found["listening"]))
    found["jam"] = jam(seconds)
    print("a jam, the demo with the band: " + _usage(found["jam"]))
    report = found["jam"]["report"]
    again = report["chosen_again"]
    print(
        f"  {report['steps']} steps, {report['late_steps']} late, {report['notes_late']} notes too late; "
        f"from window closed to notes sent {_times(report['step_ms'])} ms, "
        f"of the {again['steps']} chosen again {_times(again['step_ms'])} ms, {again['kept']} of them too late"
    )
    print(
        f"  {report['xruns']} xruns; DSP {report['dsp_load']['mean']:.1%}; feed {report['feed']['sent']} datagrams, "
        f"{report['feed']['dropped']} dropped; from command to first sound {found['jam']['first_sound_s']:.1f} s, "
        f"from Ctrl-C to the end {found['jam']['ended_s']:.1f} s"
    )
    if json_path is not None:
        write_json(json_path, found)
    return 0


def expected_s(networks: Sequence[Path], seconds: float) -> float:
    """Return how long the bench will take here, in s: by a few steps of each network now, and by the jams' length."""
    steps_s = STEPS * sum(float(Runner(path, "cpu", 1).times_ms(PROBE).mean()) for path in networks) * 1e-3
    share = len(present()) + FUTURES_SHARE + OFFLINE_SHARE + (EAGER_SHARE if _has_eager() else 0)
    return steps_s * share + 2 * (seconds + QUIET_AFTER_S + AROUND_JAM_S)


def _duration(taken_s: float) -> str:
    """Return a duration as it is said: in tens of seconds, from two minutes on in minutes."""
    return f"{max(round(taken_s, -1), 10):.0f} s" if taken_s < 120 else f"{taken_s / 60:.0f} min"


def _machine() -> dict[str, Any]:
    load = [round(n, 2) for n in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count(), "load": load}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def percentiles(values: np.ndarray) -> dict[str, float]:
    """Return p50, p99 and max, rounded to four digits after the point."""
    p50, p99, most = np.percentile(values, [50, 99, 100])
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4), "max": round(float(most), 4)}


def _times(figures: dict[str, float]) -> str:
    return f"{figures['p50']:.3g} (p99 {figures['p99']:.3g})"


def step_costs(path: Path, calls: int = STEPS) -> dict[str, dict[str, float]]:
    """Time the step graph at `path` on each provider that works here, with one thread; milliseconds."""
    found = {}
    for provider in present():
        try:
            runner = Runner(path, provider, 1)
        except NetworkError:
            if provider == "cpu":
                raise
            continue  # listed by onnxruntime, but its driver is not here
        found[provider] = percentiles(runner.times_ms(calls))
    return found


def futures_rate(path: Path, batches: Sequence[int] = BATCHES, calls: int = 8) -> dict[int, float]:
    """Return how many futures of one bar the network at `path` imagines a second on one thread of the CPU, by batch."""
    found = {}
    rng = np.random.default_rng(0)
    for batch in batches:
        runner = Runner(path, "cpu", 1, batch)
        for call in range(-2, calls):
            if call == 0:
                begun = time.perf_counter()
            rng.random(out=runner.inputs["u"], dtype=np.float32)
            runner.step()
            runner.inputs["x"][...] = runner.outputs["notes"]
            runner.inputs["position"] += 1
        found[batch] = round(batch * calls / (time.perf_counter() - begun) / runner.card.steps_per_bar, 2)
    return found


def _has_eager() -> bool:
    return find_spec("torch") is not None and find_spec("onnx") is not None


def _eager() -> dict[str, Any] | None:
    """Return what the networks' steps take in PyTorch and NumPy, which are never imported here; None where that failed."""
    done = subprocess.run([sys.executable, "-m", "models.eager"], capture_output=True, text=True, cwd=_home(), check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


def _home() -> Path:
    return Path(__file__).resolve().parents[2]


class _Timed(Render):
    """A render that takes the time of every block and keeps the step records."""

    def __init__(self, settings: config.Config, out: Path) -> None:
        super().__init__(settings, DEMO, out, BARS, None)
        self.blocks_ns: list[int] = []
        self.steps: list[np.void] = []
        self._reader = self.link["steps"].reader(0)

    def _render_block(self) -> None:
        begun = time.perf_counter_ns()
        super()._render_block()
        self.blocks_ns.append(time.perf_counter_ns() - begun)
        self.steps.extend(self._reader.read())


def offline() -> dict[str, Any]:
    """Render the demo and measure the instruments by block, then publish its steps and measure the feed.

    It is rendered several times, block for block the same: the least that a block took is what it costs, and the costliest
    of all blocks tells whether one of our own making could come too late. What the machine took in between is not in it.
    """
    settings = config.Config()
    renders = []
    for _ in range(RENDERS):
        with tempfile.TemporaryDirectory() as folder:
            renders.append(render := _Timed(settings, Path(folder)))
            render.run()
    taken_us = np.asarray([render.blocks_ns for render in renders]) * 1e-3  # (renders, blocks)
    least_us = taken_us.min(0)
    block_us = 1e6 * BLOCK / settings.audio.rate_hz
    rack = {
        "block_us": percentiles(taken_us),
        "least_us": percentiles(least_us),
        "dsp_load": round(float(taken_us.mean()) / block_us, 4),
        "blocks": len(least_us),
        "blocks_too_long": int((least_us > block_us).sum()),
    }
    network = settings.network_path()
    whole, cells = (
        feed_cost(network, render.steps, SubscriptionSpec()),
        feed_cost(network, render.steps, SubscriptionSpec(signals=("h", "c"))),
    )
    return {"rack": rack, "feed": whole, "feed_h_c": cells}


def feed_cost(network: Path, steps: list[np.void], spec: SubscriptionSpec) -> dict[str, Any]:
    """Time encoding each step and sending what is wished of it to TARGETS receivers, as the feed process does."""
    card = read_card(network)
    encoder = Encoder(Schema(card, registry_of(card)))
    targets = Targets(encoder)
    receivers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(TARGETS)]
    senders = []
    for receiver in receivers:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        senders.append(open_udp(*receiver.getsockname()))
        targets.add(f"target {len(senders)}", spec, 1e6, senders[-1].send)
    taken = np.empty(len(steps))
    for i, record in enumerate(steps):
        begun = time.perf_counter_ns()
        encoder.take(record)
        targets.publish(Clocks(now_s=float(i)))
        taken[i] = time.perf_counter_ns() - begun
        for receiver in receivers:
            _empty(receiver)
    for end in (*receivers, *senders):
        end.close()
    return {
        "step_us": percentiles(taken * 1e-3),
        "floats": sum(vector.size for vector in encoder.schema.vectors_for(spec.signals)),
        "datagrams_per_step": targets.sent // max(len(steps), 1),
        "dropped": targets.dropped,
    }


def _empty(receiver: socket.socket) -> None:
    """Take what has come, so that the system's buffer does not fill up."""
    with contextlib.suppress(BlockingIOError):
        while True:
            receiver.recv(65536)


def listening(seconds: float) -> dict[str, Any]:
    """Run a jam that nobody plays in, and measure its processes while it listens."""
    with _Running("jam.mode=trade", "midi.backend=none", "clock.count_in=0") as running:
        return running.measure(seconds)


def jam(seconds: float) -> dict[str, Any]:
    """Run the demo with the whole band, and measure its processes."""
    with _Running("midi.backend=none", options=["--demo"]) as running:
        return running.measure(seconds)


class _Running:
    """A jam without a device, in processes of its own."""

    def __init__(self, *settings: str, options: Sequence[str] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._report = Path(self._folder.name) / "report.json"
        ours = ("audio.device=null", "osc.query.enabled=false", "web.enabled=false", f"osc.control.port={_free_port()}")
        command = [sys.executable, "-m", "engine.cli", "jam", f"--duration={_FOR_EVER_S}", f"--report={self._report}", *options]
        command += [f"--session={self._folder.name}", *(f"--set={setting}" for setting in (*ours, *settings))]
        self._begun_unix_s = time.time()
        self._process = subprocess.Popen(command, cwd=_home(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()
        self._folder.cleanup()

    def _end(self) -> str:
        """End the jam as Ctrl-C does; return what it said."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.communicate(timeout=20)[0]

    def measure(self, seconds: float) -> dict[str, Any]:
        """Watch it for so long; return the share of a core and the memory of each process, and its report."""
        pids = self._wait_for_pids()
        time.sleep(QUIET_AFTER_S)
        begun_s, cpu_before = time.monotonic(), {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(seconds / 2)
        memory_before = {name: memory_mb(pid) for name, pid in pids.items()}
        time.sleep(seconds / 2)
        took_s = time.monotonic() - begun_s
        cpu = {name: _minus(cpu_s(pid), cpu_before[name], took_s) for name, pid in pids.items()}
        memory = {name: memory_mb(pid) for name, pid in pids.items()}
        end_s = time.monotonic()
        said = self._end()
        ended_s = time.monotonic() - end_s
        if self._process.returncode != 0:
            raise AlgoritmoError(f"bench: the jam failed:\n{said}")
        report = json.loads(self._report.read_text())
        first = report["first_sound_s"]
        return {
            "seconds": round(took_s, 1),
            "cpu_share": cpu,
            "cpu_share_all": _sum(cpu),
            "memory_mb": memory,
            "memory_mb_all": _sum(memory),
            # In the second half; the rings between the processes are all in use after some 40 s.
            "memory_growth_mb": _sum({name: _minus(memory[name], memory_before[name]) for name in pids}),
            "first_sound_s": None if first is None else round(report["begun_unix_s"] - self._begun_unix_s + first, 2),
            "ended_s": round(ended_s, 2),
            "report": report,
        }

    def _wait_for_pids(self) -> dict[str, int]:
        """Return the processes of the jam once it plays."""
        while self._process.poll() is None:
            if self._report.exists():
                report = json.loads(self._report.read_text())
                if report.get("steps"):
                    return {"supervisor": self._process.pid} | {n: p["pid"] for n, p in report["processes"].items()}
            time.sleep(0.1)
        raise AlgoritmoError(f"bench: the jam could not begin:\n{self._end()}")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float | None:
    """Return the processor time a process has taken so far; None where the system does not say (it has no /proc)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float | None:
    """Return the memory of a process, shared pages counted in parts; None where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    sizes_kib = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return round(sizes_kib[0] * 1024 / 1e6, 1) if sizes_kib else None


def _minus(a: float | None, b: float | None, over: float = 1.0) -> float | None:
    return None if a is None or b is None else round((a - b) / over, 4)


def _sum(figures: dict[str, float | None]) -> float | None:
    here = [f for f in figures.values() if f is not None]
    return round(sum(here), 4) if here else None


def _usage(found: dict[str, Any]) -> str:
    if found["cpu_share_all"] is None:
        return "this system does not say what a process takes"
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found["cpu_share"].items() if share is not None)
    return (
        f"{found['cpu_share_all']:.1%} of a core ({shares}); {found['memory_mb_all']:.0f} MB, "
        f"{found['memory_growth_mb']:+.1f} MB in the second half of {found['seconds']:.0f} s"
    )
