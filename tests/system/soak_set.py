"""Plays a set as on a stage, with all that goes wrong on one, and tells what the music lost and what grew.

    python tests/system/soak_set.py                     # ten minutes
    python tests/system/soak_set.py --minutes 180 --json set.json
    python tests/system/soak_set.py --minutes 1 --strict   # exits with 1 where a figure is not what it must be
    python tests/system/soak_set.py --minutes 180 --calm   # nothing is killed: every process lives all the time

A JACK server of its own; the bundled performance comes through its MIDI over and over; five receivers of the feed, four
browsers' sockets; the tempo ramps, scenes change and with them the network, modes and patches change, and every few seconds
something happens: a cable is pulled, the server stands still or dies, a process is killed or stopped, all of them are, the
clock is set by an hour, somebody panics.

Memory: see tests/system/memory.py. Where processes are killed none lives for three minutes, so that only lives of the same age
are compared; what a long life takes more and more `--calm` tells. In an hour and more they may grow by 1 MB/h together,
but for chance; in ten minutes by 30, for what it takes on and off is not told from growth any better; less says nothing of it.

Loudness: one note of the player's, always the same, when the band has been silent for so long that the limiter and every tail
are at rest; by itself, for the notes of a chord meet in other phases each time, which is a decibel. Told is the median of the
last half hour (of a shorter set the last third) less that of the first, with its standard error.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.bench import DEMO
from engine.app.running import attach, choose
from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PLAYER
from engine.record.feed_file import STEP, FeedReader
from tests.system.audience import Audience
from tests.system.keyboard_client import Keyboard
from tests.system.memory import Memory, total_of
from tests.system.rig import JackServer, Jam, free_port, jack_settings, need, wait_for
from tests.system.test_killed import assert_whole_midi

TRACKS = ("drums", "bass", "chords", "pad", "lead", "piano")
NOTE = 60
AT_REST_S = 2.5  # the band is silent, until the note is played
PROBE_S, PROBE_EVERY_S = 2.0, 45.0
HALF_HOUR_S = 1800.0
EVENT_S = 12.0  # from one mishap to the next: so far apart that no process has to rest
RAMP_S = 16.0
LIMIT_S = 150.0
PERIOD = 1024  # frames: nothing here is about latency
LOUDNESS_DB = 0.1
MEMORY_MB_H, MEMORY_MB_H_SHORT = 1.0, 30.0
SCENES = """
format = 1
[[scene]]
name = "Band"
network = "festival"
patches.lead = "lead"
patches.bass = "bass"
parameters.metre = "4/4"
[[scene]]
name = "Piano"
network = "biaxial"
parameters.piano.level = 0.8
[[scene]]
name = "Band with other sounds"
network = "festival"
patches.lead = "glass"
patches.bass = "acid"
parameters.metre = "3/4"
parameters.temperature = 1.1
"""


@dataclass
class Figures:
    """How it went."""

    minutes: float = 0.0
    events: dict[str, int] = field(default_factory=dict)
    hanging_notes: int = -1  # in what went to the synthesiser, and in what sounded
    given_up: int = -1  # processes that had to rest, or did not come back
    back_s: dict[str, list[float]] = field(default_factory=dict)  # from a kill or a stop until it worked again
    restarts: dict[str, int] = field(default_factory=dict)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)  # growth of each process, its error, and by what it is told
    memory_mb: dict[str, float] = field(default_factory=dict)  # at the end
    loudness_db: list[float] = field(default_factory=list)  # of each note
    loudness_drift_db: float = 0.0  # last against first
    loudness_error_db: float = 0.0
    recording: dict[str, Any] = field(default_factory=dict)
    late_steps: int = 0
    steps: int = 0
    xruns: int = 0
    feed_received: list[int] = field(default_factory=list)
    page_received: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Set:
    """The band, the stage and what happens there."""

    def __init__(self, folder: Path, seed: int, *settings: str) -> None:
        self.chance = random.Random(seed)
        self.figures = Figures()
        self.server = JackServer(folder / "jackd.log", period=PERIOD)
        os.environ.update(self.server.env)
        self.server.wait_ready()
        self.keyboard = Keyboard(self.server.name, DEMO)
        self._clock = folder / "wall-clock"
        self._clock.write_bytes(struct.pack("q", 0))
        library = folder / "wall_clock.so"
        source = Path(__file__).with_name("wall_clock.c")
        subprocess.run([need("cc", "apt install gcc"), "-O2", "-shared", "-fPIC", source, "-o", library, "-ldl"], check=True)
        env = self.server.env | {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._clock)}
        self.audience = Audience(5, 4)
        targets = ", ".join(f"{{port={port}}}" for port in self.audience.ports)
        port = free_port()
        ours = (
            f"osc.targets=[{targets}]",
            "web.enabled=true",
            f"web.port={port}",
            'midi.inputs=["stage:keys"]',
            'midi.outputs=["stage:notes"]',
            "patches.player=keys",
            "parameters.player.chorus=0",
        )
        scenes = folder / "scenes.toml"
        scenes.write_text(SCENES)
        ours = (*ours, f"audio.block={PERIOD}", "scenes.networks=biaxial", f"scenes.set={scenes}", "scenes.begin=1")
        self.jam = Jam(folder, *jack_settings(), *ours, *settings, env=env)
        self.jam.wait_playing(8, limit_s=120)
        self.audience.look(port)
        self.link, self.live = attach(choose(self.jam.process.pid))
        self._events = self.link["events"].reader()
        self.sounding: set[tuple[int, int]] = set()
        self.probes: list[tuple[float, int]] = []  # when, and the frame at which the note began
        self._ramp: tuple[float, float, float] | None = None

    @property
    def steps(self) -> int:
        """Timesteps so far, of both networks."""
        return sum(self.link[ring].count for ring in ("steps", "steps.1"))

    # --- what is played ----------------------------------------------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        """Let the set go on for so long."""
        end_s = time.monotonic() + seconds
        while (now_s := time.monotonic()) < end_s:
            assert self.jam.process.poll() is None, f"the jam ended with {self.jam.process.returncode}"
            self.listen()
            if self._ramp is not None:
                begun_s, low, high = self._ramp
                share = min((now_s - begun_s) / RAMP_S, 1.0)
                self.live.set("tempo", low + (high - low) * share)
                if share == 1.0:
                    self._ramp = None
            time.sleep(0.05)

    def listen(self) -> None:
        """Follow what sounds."""
        for event in self._events.read():
            key, kind = (int(event["track"]), int(event["pitch"])), int(event["kind"])
            if kind == NOTE_ON:
                self.sounding.add(key)
            elif kind == NOTE_OFF:
                self.sounding.discard(key)
            elif kind == ALL_OFF:
                self.sounding = {k for k in self.sounding if key[0] not in (k[0], PLAYER)}

    def probe(self) -> None:
        """Let one note of the player's alone be heard."""
        self.keyboard.order(play=False)
        self.live.fire("panic")
        self.live.refresh()
        mutes = [f"{track}.mute" for track in TRACKS if f"{track}.mute" in self.live.registry]
        for name in mutes:
            self.live.set(name, 1)
        self.pass_by(AT_REST_S)
        seen = self.link["events"].reader()
        self.keyboard.order(notes=[(0x90, NOTE, 100)])
        self.pass_by(PROBE_S)
        events = seen.read()
        begun = events[(events["kind"] == NOTE_ON) & (events["track"] == PLAYER)]
        if len(begun) == 1:
            self.probes.append((time.monotonic(), int(begun["frame"][0])))
        self.keyboard.order(notes=[(0x80, NOTE, 0)])
        self.pass_by(0.3)
        for name in mutes:
            self.live.set(name, 0)
        self.keyboard.order(play=True)

    # --- what happens ------------------------------------------------------------------------------------------------------

    def happenings(self) -> dict[str, Callable[[], None]]:
        """Return what may happen, by name."""
        found: dict[str, Callable[[], None]] = {
            "ramp up": lambda: self._begin_ramp(60, 200),
            "ramp down": lambda: self._begin_ramp(200, 60),
            "mode": lambda: self._set("mode", self.chance.randrange(3)),
            "patch": self._change_patch,
            "scene": lambda: self.live.set("scene.go", self.chance.randrange(3) + 1),
            "panic": lambda: self.live.fire("panic"),
            "panic by a signal": lambda: os.kill(self.jam.process.pid, signal.SIGUSR1),
            "keys pulled": self._pull_keys,
            "server stands still": lambda: self.server.stand_still(1.5),
            "server dies": self._kill_server,
            "audio killed": lambda: self._kill("audio"),
            "network killed": lambda: self._kill("network"),
            "feed killed": lambda: self._kill("feed"),
            "audio stopped": lambda: self._stop("audio"),
            "network stopped": lambda: self._stop("network"),
            "feed stopped": lambda: self._stop("feed"),
            "network stopped for a moment": lambda: self._stop("network", 0.6),
            "everything stopped": self._stop_all,
            "browsers come anew": lambda: self.audience.come_anew(),
            "clock an hour on": lambda: self._set_clock(3600),
            "clock an hour back": lambda: self._set_clock(-3600),
        }
        return found

    def _begin_ramp(self, low: float, high: float) -> None:
        self._ramp = (time.monotonic(), low, high)

    def _set(self, name: str, value: float) -> None:
        self.live.set(name, value)

    def _change_patch(self) -> None:
        self.live.refresh()
        parameter = self.live.registry["lead.patch"]
        self.live.set("lead.patch", self.chance.randrange(int(parameter.maximum) + 1))

    def _pull_keys(self) -> None:
        """The keyboard and the synthesiser are unplugged with keys held, and come back."""
        self.keyboard.order(notes=[(0x90, 70, 90)])
        self.pass_by(0.3)
        self.keyboard.pull()
        self.pass_by(2.5)
        self.keyboard = Keyboard(self.server.name, DEMO)

    def _kill_server(self) -> None:
        self.server.kill()
        self.keyboard.pull()
        wait_for(lambda: self.link["clock"].latest()["device_lost"], LIMIT_S, "word of the device")
        self.pass_by(2.0)
        self.server.begin(period=PERIOD)
        self.server.wait_ready()
        self.keyboard = Keyboard(self.server.name, DEMO)
        wait_for(lambda: not self.link["clock"].latest()["device_lost"], LIMIT_S, "the device")

    def _kill(self, name: str) -> None:
        often = self.jam.report["restarts"][name]
        os.kill(self.jam.pids()[name], signal.SIGKILL)
        self._back(name, often + 1)

    def _stop(self, name: str, for_s: float | None = None) -> None:
        often, pid = self.jam.report["restarts"][name], self.jam.pids()[name]
        os.kill(pid, signal.SIGSTOP)
        if for_s is None:
            self._back(name, often + 1)
            return
        time.sleep(for_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _back(self, name: str, restarts: int) -> None:
        begun_s = time.monotonic()

        def is_back() -> bool:
            self.listen()
            report = self.jam.report
            return report["restarts"][name] >= restarts and name in self.jam.pids()

        wait_for(is_back, LIMIT_S, f"the {name} process")
        steps = self.steps
        wait_for(lambda: self.steps > steps + 2 or self.live.get("transport.stop") > 1, LIMIT_S, "the beat")
        self.figures.back_s.setdefault(name, []).append(round(time.monotonic() - begun_s, 1))

    def _stop_all(self) -> None:
        often = self.jam.report["restarts"]
        pids = [self.jam.process.pid, *(child.pid for child in psutil.Process(self.jam.process.pid).children(recursive=True))]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(5.0)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        self.pass_by(6.0)
        if self.jam.report["restarts"] != often:
            self.figures.faults.append("a standstill of everything had a process begun anew")

    def _set_clock(self, by_s: int) -> None:
        often, steps = self.jam.report["restarts"], self.steps
        with self._clock.open("r+b") as file:  # in place: it is in everyone's memory
            file.write(struct.pack("q", by_s))
        self.pass_by(5.0)
        if self.jam.report["restarts"] != often or self.steps <= steps:
            self.figures.faults.append("a clock that was set had a process begun anew, or the beat stand still")

    # --- at the end --------------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End the jam and look at what is left."""
        figures = self.figures
        self.keyboard.order(play=False)
        self.pass_by(1.0)
        frames, report = int(self.link["clock"].latest()["frame"]), self.jam.report
        figures.restarts, figures.steps, figures.late_steps = report["restarts"], report["steps"], report["late_steps"]
        figures.xruns = report["xruns"]
        figures.given_up = self.jam.output.count("it is tried again in") + len(
            {"audio", "network", "feed"} - set(self.jam.pids())
        )
        self.live.fire("transport.stop")
        for _ in range(4):  # a period that the server misses takes its MIDI with it
            self.live.fire("panic")
            self.pass_by(0.7)
        left = self.keyboard.hanging()
        figures.hanging_notes = len(left) + len(self.sounding)
        if figures.hanging_notes:
            figures.faults.append(f"hanging: outside {left}, inside {sorted(self.sounding)}")
        if self.jam.end() != 0:
            figures.faults.append(f"it ended with {self.jam.process.returncode}")
        figures.feed_received, figures.page_received = self.audience.received()
        self._look_at_the_recording(frames)

    def _look_at_the_recording(self, frames: int) -> None:
        figures, session = self.figures, self.jam.session
        sound, rate = soundfile.read(session / "session.wav", dtype="float32", always_2d=True)
        with FeedReader(session / "feed.bin") as feed:
            steps = [int(entry.step["step"]) for entry in feed if entry.kind == STEP and entry.step is not None]
        figures.recording = {
            "seconds": round(len(sound) / rate, 1),
            "rendered_s": round(frames / rate, 1),
            "steps": len(steps),
            "steps_doubled": len(steps) - len(set(steps)),
            "finite": bool(np.isfinite(sound).all()),
            "midi_whole": True,
        }
        try:
            assert_whole_midi(session / "session.mid", played=tuple(range(128)), any_pitch=True)
        except AssertionError as error:
            figures.recording["midi_whole"] = False
            figures.faults.append(f"session.mid: {error}")
        if len(sound) < frames - rate:
            figures.faults.append("the recording lacks more than its last second")
        if len(steps) != len(set(steps)):
            figures.faults.append("steps are recorded twice")
        levels = []
        for at_s, frame in self.probes:
            piece = sound[frame + rate // 10 : frame + int(1.4 * rate)]
            levels.append((at_s, round(10 * float(np.log10(np.square(piece).mean() + 1e-12)), 3)))
        figures.loudness_db = [level for _, level in levels]
        figures.loudness_drift_db, figures.loudness_error_db = drift(levels)

    def close(self) -> None:
        """Leave nothing running."""
        self.jam.close()
        self.audience.close()
        self.keyboard.pull()
        self.server.close()


def drift(levels: list[tuple[float, float]]) -> tuple[float, float]:
    """Return by how many dB the last levels lie above the first, and the standard error. `levels`: when, dB."""
    if len(levels) < 4:
        return 0.0, float("inf")
    at = np.array(levels)
    part_s = min(HALF_HOUR_S, np.ptp(at[:, 0]) / 3)
    first, last = at[at[:, 0] <= at[0, 0] + part_s, 1], at[at[:, 0] >= at[-1, 0] - part_s, 1]
    error = 1.25 * np.sqrt(first.var() / len(first) + last.var() / len(last))  # of a median 1.25 times that of a mean
    return round(float(np.median(last) - np.median(first)), 3), round(float(error), 3)


@contextlib.contextmanager
def a_set(seed: int, *settings: str) -> Iterator[Set]:
    """Set everything up, and take it down."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder  # whoever looks for a jam on this machine does not find this one
        the = Set(Path(folder), seed, *settings)
        try:
            yield the
        except BaseException:
            print(the.jam.output[-4000:])
            raise
        finally:
            the.close()


CALM = ("mode", "patch", "panic", "ramp up", "ramp down", "scene", "keys pulled")  # what begins no process anew


def play(the: Set, minutes: float, calm: bool = False) -> Figures:
    """Play so long, with everything that happens, or what is `calm` of it; return how it went."""
    figures, memory = the.figures, Memory()
    begun_s = time.monotonic()
    end_s, probe_s = begun_s + 60 * minutes, begun_s
    order: list[str] = []
    pids = the.jam.pids
    while time.monotonic() < end_s:
        if time.monotonic() >= probe_s:
            probe_s = time.monotonic() + PROBE_EVERY_S
            the.probe()
        if not order:
            order = [what for what in the.happenings() if not calm or what in CALM]
            the.chance.shuffle(order)
        what = order.pop()
        print(f"{time.monotonic() - begun_s:7.1f} s  {what}", flush=True)
        the.happenings()[what]()
        figures.events[what] = figures.events.get(what, 0) + 1
        memory.look({"supervisor": the.jam.process.pid} | pids())
        the.pass_by(min(EVENT_S * (0.7 + 0.6 * the.chance.random()), max(end_s - time.monotonic(), 0)))
        memory.look({"supervisor": the.jam.process.pid} | pids())
    the.probe()
    figures.minutes = round((time.monotonic() - begun_s) / 60, 1)
    figures.memory_mb = memory.now()
    grown = memory.growth()
    figures.memory = {name: asdict(growth) for name, growth in grown.items()} | {"all": asdict(total_of(grown.values()))}
    most = MEMORY_MB_H if minutes >= 60 else MEMORY_MB_H_SHORT if minutes >= 10 else float("inf")
    if grown and (total := total_of(grown.values())).exceeds(most):
        figures.faults.append(f"memory grows by {total.mb_h} MB an hour")
    the.end()
    return figures


def faults(figures: Figures) -> list[str]:
    """Return what is not as it must be, whatever else the machine has to do."""
    found = list(figures.faults)
    found += [f"{figures.given_up} processes were given up"] if figures.given_up else []
    far, error = abs(figures.loudness_drift_db), figures.loudness_error_db
    found += [f"the loudness drifted by {far} dB"] if far > LOUDNESS_DB else []
    told = 2 * error <= LOUDNESS_DB or figures.minutes < 10
    found += [] if told else [f"a drift of the loudness is told to {error} dB only"]
    return found


def main() -> int:
    """Play, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where something is not as it must be")
    parser.add_argument("--calm", action="store_true", help="nothing begins a process anew: what grows shows in one long life")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the jam")
    arguments = parser.parse_args()
    with a_set(arguments.seed, *arguments.set) as the:
        figures = play(the, arguments.minutes, arguments.calm)
        said = the.jam.output
    text = json.dumps(figures.__dict__, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n")
    wrong = faults(figures)
    for fault in wrong:
        print("WRONG:", fault)
    if wrong:
        print(said[-6000:])
    return int(arguments.strict and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
