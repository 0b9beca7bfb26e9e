"""The stand of the JACK benches: a server, an idle client as its control, one that plays and listens, and what is measured.

Whatever ends a bench, a signal too, nothing that it started stays.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from engine.core import config
from engine.core.contract import parse_card
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.core.realtime import keep_awake
from engine.jam.parameters import registry_of
from tests.system.rig import JackServer, Jam, Stage, free_port, jack_settings, need

TRACKS = ("drums", "bass", "chords", "pad", "lead")
CONTROL = """
import jack, time
client = jack.Client("control", no_start_server=True)
client.set_process_callback(lambda frames: None)
client.activate()
time.sleep(36000)
"""


@dataclass(frozen=True)
class Late:
    """Cycles of the server that were late, by whose fault."""

    machine_late: int  # begun late by the server's own timer
    control_late: int  # not finished in time by the idle client
    bench_late: int  # ... by this bench's client
    ours_late: int  # ... by our audio process
    busy_late: int = 0  # ... by a client in C that computes as long as ours, where a bench has one
    ours_asleep: int = 0  # of ours_late those in which the system had not even woken it
    busy_asleep: int = 0

    @classmethod
    def of(cls, log: str) -> Late:
        """Read the server's words."""
        late: Counter[str] = Counter()
        for line in log.splitlines():
            if "JackTimedDriver::Process XRun" in line:
                late["machine"] += 1
            elif "was not finished" in line:
                client = line.split("client = ")[1].split(" was")[0]
                late[client] += 1
                late[f"{client} asleep"] += "Triggered" in line  # NotTriggered: its turn had not come
        counts = ("machine", "control", "stage", "PortAudio", "busy", "PortAudio asleep", "busy asleep")
        return cls(*(late[name] for name in counts))

    def __add__(self, other: Late) -> Late:
        return Late(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


class AudioAlone:
    """The audio process on a segment of its own, with no network and no feed."""

    def __init__(self, *settings: str) -> None:
        tracks = [{"name": name, "pitches": [60, 61]} for name in TRACKS]
        parts = {"contract": 1, "name": "none", "steps_per_beat": 4, "beats_per_bar": 4, "noise": 1, "tracks": tracks}
        card = parse_card(json.dumps(parts), "none")
        registry = registry_of(card)
        layout = Layout.of(card, len(registry))
        self.link = Link.create(layout)
        Live(registry, self.link.values).reset_to_defaults()
        spec = Spec(layout, self.link.name, config.load(None, settings), card, Path("none"))
        self._process, self._pipe = start("audio", spec)

    def wait_ready(self) -> None:
        """Return when it plays."""
        word, said = self._pipe.recv()
        if word != "ready":
            raise SystemExit(f"audio process: {said}")
        print(said)

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._pipe.send(("stop",))
        self._process.join(5)
        self._process.kill()
        self.link.close(unlink=True)


class Stand:
    """What a bench has to work with."""

    def __init__(self, folder: Path, server: JackServer, stage: Stage) -> None:
        self.folder = folder
        self.server = server
        self.stage = stage
        self._read = 0

    def mark(self) -> None:
        """From here on `late` counts."""
        self._read = len(self.server.log.read_text())

    def late(self) -> Late:
        """Return who was late since the mark."""
        return Late.of(self.server.log.read_text()[self._read :])


def everything(*ports: int) -> tuple[str, ...]:
    """Return the settings of a jam with all that it does: the feed to these ports (or one that nobody listens on), the page."""
    targets = ", ".join(f"{{port={port}}}" for port in ports or (free_port(),))
    return (*jack_settings(), f"osc.targets=[{targets}]", "web.enabled=true", f"web.port={free_port()}")


@contextlib.contextmanager
def stand() -> Iterator[Stand]:
    """Set up the server and its two clients, on a machine set up for a stage as far as this user may: urgent, and awake."""
    with _ended_by_signals(), tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        with contextlib.suppress(OSError):
            ending.callback(keep_awake(0).close)
        # Beside a server that is an ordinary program, our own urgent thread would keep it from waking the others.
        server = JackServer(Path(folder) / "jackd.log", urgent=True)
        ending.callback(server.close)
        os.environ.update(server.env)
        server.wait_ready()
        control = subprocess.Popen([sys.executable, "-c", CONTROL])
        ending.callback(end, control)
        stage = Stage(server)
        ending.callback(stage.close)
        yield Stand(Path(folder), server, stage)


@contextlib.contextmanager
def busy_on(the: Stand, busy_us: float) -> Iterator[None]:
    """Run a client in C that computes for so long in each period: what is late of it is the machine's doing.

    Not beside a jam: the two keep each other waiting.
    """
    program = the.folder / "busy_client"
    compiler = need("cc", "apt install gcc")
    source = Path(__file__).with_name("busy_client.c")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", source, "-l:libjack.so.0", "-o", program], check=True)
    busy = subprocess.Popen([program, str(busy_us)], stdout=subprocess.PIPE, text=True)
    try:
        assert busy.stdout is not None
        if busy.stdout.readline().strip() != "ready":
            raise SystemExit("the busy client did not begin")
        yield
    finally:
        end(busy)


@contextlib.contextmanager
def jam_on(the: Stand, *settings: str, steps: int = 16, notes: bool = False) -> Iterator[Jam]:
    """Run a whole jam, connected to the stage, from its first steps on; `notes`: its MIDI output too."""
    jam = Jam(the.folder, *settings, env=the.server.env)
    try:
        the.stage.connect_to_jam(limit_s=60, notes=notes)
        jam.wait_playing(steps)
        yield jam
    finally:
        jam.close()


@contextlib.contextmanager
def audio_on(the: Stand, *settings: str) -> Iterator[AudioAlone]:
    """Run the audio process by itself, connected to the stage."""
    audio = AudioAlone(*settings)
    try:
        audio.wait_ready()
        the.stage.connect_to_jam()
        yield audio
    finally:
        audio.close()


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise, once, so that what was set up is taken down."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def leave(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    except SystemExit:
        _end_children()  # the one that was being started when the signal came: nobody had taken charge of it
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_children() -> None:
    """Leave no child of this process running."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(int(pid), 0)


def end(process: subprocess.Popen[Any]) -> None:
    """Leave nothing of a program running."""
    process.kill()
    process.wait()


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return what every bench's command line has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the jam")
    return parser


def tell(figures: Any, late: Late, path: Path | None, **more: Any) -> None:
    """Print the figures, and write them to `path`."""
    text = json.dumps(asdict(figures) | asdict(late) | more, indent=2)
    print(text)
    if path is not None:
        path.write_text(text + "\n")
