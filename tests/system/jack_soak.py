"""Plays with the whole engine for a long time on a JACK server of its own, and tells what went wrong and what grew.

    python tests/system/jack_soak.py                    # ten minutes
    python tests/system/jack_soak.py --minutes 60 --json soak.json

The festival network plays; the bundled performance comes through JACK's MIDI over and over; the mode changes every twenty
seconds; the feed goes to three receivers and to one page. An xrun that the idle control client did not have is ours, or
befell us because we compute when the machine stands still. To tell the two apart, `--busy 190` has a client in C that
computes for 190 us of each period (what our blocks take on average is `dsp_load`) play instead of us, half as long before
and half as long after.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.bench import DEMO, cpu_s, memory_mb
from engine.jam.modes import MODES
from engine.net import osc
from tests.system.jack_stand import Late, Stand, busy_on, end, everything, jam_on, parser_of, stand, tell
from tests.system.rig import RATE, Jam, Stage, free_port

RECEIVERS = 3
SAMPLE_S = 30.0  # how often memory and processor are looked at
MODE_S = 20.0
SETTLED_S = 60.0  # growth counts from here on: by then the rings between the processes are all in use
LOOK_S = 1.0


@dataclass(frozen=True)
class Sample:
    """What the processes have taken, `at_s` after the beginning."""

    at_s: float
    cpu_s: dict[str, float]  # so far
    memory_mb: dict[str, float]

    @property
    def memory_mb_all(self) -> float:
        """Memory of all processes."""
        return sum(self.memory_mb.values())

    def shares(self, before: Sample) -> dict[str, float]:
        """Return the share of a core that each process took since an earlier sample."""
        took_s = self.at_s - before.at_s
        return {name: round((cpu - before.cpu_s[name]) / took_s, 4) for name, cpu in self.cpu_s.items()}


@dataclass
class Figures:
    """How it went."""

    minutes: float
    steps: int
    late_steps: int
    notes_late: int  # of the network, and clicks: dropped, because their block had been rendered
    step_ms: dict[str, float]
    chosen_again: dict[str, Any]  # steps that something was heard within the window of
    xruns: int  # as our audio process counts them
    xruns_own: int  # blocks that took more of the processor's time than they last
    dsp_load: dict[str, float]
    notes_sent: int
    notes_in: int
    feed: dict[str, float]
    feed_received: list[int]  # datagrams, by each receiver
    page_received: int  # frames
    restarts: int
    cpu_share: dict[str, float]
    cpu_share_all: float
    memory_mb: dict[str, float]
    memory_mb_all: float
    memory_growth_mb: float  # after the first minute


def growth_mb(samples: Sequence[Sample]) -> float:
    """Return how much memory the processes took more at the end than when they had settled."""
    settled = next((s for s in samples if s.at_s >= SETTLED_S), samples[0])
    return round(samples[-1].memory_mb_all - settled.memory_mb_all, 1)


class Audience:
    """Three OSC receivers and a page, in a process of their own that ends with this one."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--audience"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())

    def open_page(self, url: str) -> None:
        """Let it look at the page's socket."""
        assert self._process.stdin is not None
        self._process.stdin.write(url + "\n")
        self._process.stdin.flush()

    def leave(self) -> dict[str, Any]:
        """End it; return what it received."""
        return dict(json.loads(self._process.communicate(timeout=20)[0]))

    def close(self) -> None:
        """Leave nothing of it running."""
        end(self._process)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received = 0

    def datagram_received(self, _data: bytes, _address: Any) -> None:
        self.received += 1


async def listen() -> None:
    """Be the audience: print the ports, read the page's address, print what came when there is nothing more to read."""
    loop = asyncio.get_running_loop()
    ends = [await loop.create_datagram_endpoint(_Receiver, local_addr=("127.0.0.1", 0)) for _ in range(RECEIVERS)]
    print(json.dumps([transport.get_extra_info("sockname")[1] for transport, _ in ends]), flush=True)
    frames = 0

    async def look(url: str) -> None:
        nonlocal frames
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as page:
            async for _ in page:
                frames += 1

    looking = asyncio.create_task(look((await loop.run_in_executor(None, sys.stdin.readline)).strip()))
    await loop.run_in_executor(None, sys.stdin.read)
    looking.cancel()
    print(json.dumps({"feed": [protocol.received for _, protocol in ends], "page": frames}))


class Player:
    """Plays the performance over and over."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._end = 0
        self.notes = 0

    def play_on(self) -> None:
        """Begin again in time; to be called every second or so."""
        if self._stage.now > self._end - 2 * RATE:
            rest_s = max(self._end - self._stage.now, 0) / RATE
            events = self._stage.play_file(DEMO, after_s=rest_s + 0.5)
            self._end = events[-1][0]
        self.notes += sum(data[0] & 0xF0 == 0x90 and data[2] > 0 for _, data in self._stage.sent)
        self._stage.forget()


def sample(pids: dict[str, int], begun_s: float) -> Sample:
    """Look at the processes now."""
    cpu = {name: cpu_s(pid) or 0.0 for name, pid in pids.items()}
    return Sample(time.monotonic() - begun_s, cpu, {name: memory_mb(pid) or 0.0 for name, pid in pids.items()})


def soak(the: Stand, jam: Jam, minutes: float, control_port: int) -> tuple[list[Sample], int]:
    """Play for so long; return the samples and how many notes were played."""
    pids = {"supervisor": jam.process.pid} | jam.pids()
    player = Player(the.stage)
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begun_s = time.monotonic()
    samples = [sample(pids, begun_s)]
    turns = 0
    while (now_s := time.monotonic() - begun_s) < 60 * minutes:
        player.play_on()
        if now_s >= turns * MODE_S:
            control.sendto(osc.message("/algoritmo/mode", MODES[turns % len(MODES)]), ("127.0.0.1", control_port))
            turns += 1
        if now_s >= len(samples) * SAMPLE_S:
            samples.append(sample(pids, begun_s))
            _say(samples[-2], samples[-1])
        assert jam.process.poll() is None, jam.output
        time.sleep(LOOK_S)
    samples.append(sample(pids, begun_s))
    player.play_on()
    control.close()
    return samples, player.notes


def _say(before: Sample, now: Sample) -> None:
    shares = ", ".join(f"{name} {share:.1%}" for name, share in now.shares(before).items())
    memory = ", ".join(f"{name} {mb:.1f}" for name, mb in now.memory_mb.items())
    print(f"{now.at_s:5.0f} s: {shares} of a core; {now.memory_mb_all:.1f} MB ({memory})", flush=True)


def busy_alone(the: Stand, busy_us: float, minutes: float) -> Late:
    """Have the client in C play by itself for so long."""
    with busy_on(the, busy_us):
        the.mark()
        time.sleep(60 * minutes)
        return the.late()


def main() -> None:
    """Set up, play, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--busy", type=float, default=0.0, metavar="US", help="a second control that computes for so long")
    parser.add_argument("--audience", action="store_true", help="(this process receives what another sends)")
    arguments = parser.parse_args()
    if arguments.audience:
        asyncio.run(listen())
        return
    with stand() as the:
        audience = Audience()
        try:
            control, web = free_port(), free_port()
            ports = (f"osc.control.port={control}", f"web.port={web}")
            busy_late = busy_alone(the, arguments.busy, arguments.minutes / 2) if arguments.busy else None
            with jam_on(the, *everything(*audience.ports), *ports, *arguments.set) as jam:
                audience.open_page(f"http://127.0.0.1:{web}/socket?fmt=u8")
                the.mark()
                before = jam.report
                samples, notes = soak(the, jam, arguments.minutes, control)
                time.sleep(2 * LOOK_S)  # the report is brought up to date every two seconds
                late, report = the.late(), jam.report
            if busy_late is not None:
                busy_late += busy_alone(the, arguments.busy, arguments.minutes / 2)
            received = audience.leave()
        finally:
            audience.close()
    shares = samples[-1].shares(samples[0])
    found = Figures(
        minutes=round(samples[-1].at_s / 60, 2),
        steps=report["steps"] - before["steps"],
        late_steps=report["late_steps"] - before["late_steps"],
        notes_late=report["notes_late"] - before["notes_late"],
        step_ms=report["step_ms"],
        chosen_again=report["chosen_again"],
        xruns=report["xruns"] - before["xruns"],
        xruns_own=report["xruns_own"] - before["xruns_own"],
        dsp_load=report["dsp_load"],
        notes_sent=notes,
        notes_in=report["notes_in"] - before["notes_in"],
        feed=report["feed"],
        feed_received=received["feed"],
        page_received=received["page"],
        restarts=sum(report["restarts"].values()),
        cpu_share=shares,
        cpu_share_all=round(sum(shares.values()), 4),
        memory_mb=samples[-1].memory_mb,
        memory_mb_all=round(samples[-1].memory_mb_all, 1),
        memory_growth_mb=growth_mb(samples),
    )
    tell(found, late, arguments.json, busy_alone=None if busy_late is None else asdict(busy_late))


if __name__ == "__main__":
    main()
