"""The supervisor: starts the processes of a jam, restarts the one that died, shows how it goes, ends it cleanly.

Runs on: main process. It sleeps until a child dies or the status line is due.
"""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import metadata
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, BinaryIO

from engine import __version__
from engine.app.running import tell as tell_of
from engine.app.taken import taken_ports
from engine.app.terminal import Endings
from engine.control.keyboard import Keyboard
from engine.control.status import Snapshot, Spread, snapshot
from engine.core import contract
from engine.core.config import Config
from engine.core.errors import AlgoritmoError, ConfigError, SessionError
from engine.core.link import Layout, Link
from engine.core.messages import ERROR, INFO, NOTE_ON, PLAYER, WARNING
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.core.realtime import AWAKE_REMEDY, keep_awake
from engine.core.roles import ABLETON, CLOCK, HOST, HOSTS, PROCESSES, ROLES, role_of
from engine.host.exchange import SIZE as EXCHANGE
from engine.jam.parameters import registry_of
from engine.jam.settings import set_defaults

STATUS_S = 0.25  # how often the status line is drawn
REPORT_S = 2.0  # how often report.json is brought up to date
READY_S = 60.0  # a provider that must compile its graph takes long
STOP_S = 0.8  # what a child has for ending; Ctrl-C is to be over within a second
AUDIBLE = 1e-3  # full scale is 1


@dataclass(slots=True)
class _Child:
    name: str
    process: BaseProcess
    pipe: Connection
    deaths: list[float] = field(default_factory=list)  # when, in s
    ready: dict[str, Any] | None = None
    given_up: bool = False


class Supervisor:
    """A jam from start to end: `run()` returns when it was told to stop, its time is over, or nothing is left to run."""

    def __init__(self, config: Config, tell: Callable[[int, str], None], demo: Path | None = None) -> None:
        self.config = config
        self._tell = tell
        path = config.network_path()
        card = contract.read_card(path)
        registry = registry_of(card)
        chords = config.harmony_path()
        stems = config.session.record and config.session.stems
        layout = Layout.of(card, len(registry), contract.read_card(chords) if chords else None, stems, EXCHANGE)
        if taken := taken_ports(config):
            raise ConfigError(taken)
        self.link = Link.create(layout)
        try:
            self.session = _new_session(config) if config.session.record else None
        except SessionError:
            self.link.close(unlink=True)
            raise
        self.live = Live(registry, self.link.values)
        self._spec = Spec(layout, self.link.name, config, card, path, self.session, demo)
        self._children: dict[str, _Child] = {}
        self._endings = Endings(lambda: self.live.fire("panic"))
        self._events = self.link["events"].reader(0)
        self._notices = {name: self.link[f"notices.{name}"].reader(0) for name in PROCESSES}
        self._notes_out = {track.name: 0 for track in card.tracks}
        self._notes_in = 0
        self._begun_s = time.monotonic()
        self._begun_unix_s = time.time()
        self.first_sound_s: float | None = None
        self._unwritten: set[Path] = set()
        self._chart = ""  # as it was written last
        self._awake: BinaryIO | None = None
        self._told_of = tell_of(self.link.name, path, chords, stems, EXCHANGE, self.session)

    def run(
        self,
        duration_s: float | None,
        show: Callable[[Snapshot], None],
        extra_report: Path | None = None,
        keyboard: Keyboard | None = None,
    ) -> None:
        """Start everything, show the status until the end, stop everything. Raises AlgoritmoError when it cannot start."""
        set_defaults(self.live, self.config, self._spec.card)
        with self._endings:
            self._run(duration_s, show, extra_report, keyboard)

    def _run(
        self,
        duration_s: float | None,
        show: Callable[[Snapshot], None],
        extra_report: Path | None,
        keyboard: Keyboard | None,
    ) -> None:
        try:
            self._keep_awake()
            self._start()
            end_s = None if duration_s is None else time.monotonic() + duration_s
            next_report_s = 0.0
            while not self._stop and (end_s is None or time.monotonic() < end_s):
                self._wait(STATUS_S if end_s is None else min(STATUS_S, max(end_s - time.monotonic(), 0)), keyboard)
                self._start_wanted()
                self._read()
                show(self.snapshot())
                if time.monotonic() >= next_report_s:
                    self._write_report(extra_report)
                    next_report_s = time.monotonic() + REPORT_S
        finally:
            self._end()
            self._read()
            self._write_report(extra_report)
            if self._awake is not None:
                self._awake.close()

    def close(self) -> None:
        """Let go of the shared memory; call it when the last figure has been read."""
        self._told_of.unlink(missing_ok=True)
        self.link.close(unlink=True)

    @property
    def _stop(self) -> bool:
        return self._endings.asked

    def _keep_awake(self) -> None:
        latency_us = self.config.audio.cpu_dma_latency_us
        if latency_us < 0:
            return
        key = "audio.cpu_dma_latency_us"
        try:
            self._awake = keep_awake(latency_us)
        except FileNotFoundError:
            self._tell(WARNING, f"{key}: this system has no such setting; the jam goes on without it")
        except OSError as error:
            self._tell(WARNING, f"{key}: {error.strerror}; the jam goes on without it; to allow it: {AWAKE_REMEDY}")

    def _start(self) -> None:
        clock = bool(self.config.midi.clock.outputs)
        for name in (role.name for role in ROLES if not role.on_demand or (clock and role.name == CLOCK)):
            process, pipe = start(name, self._spec)
            self._children[name] = _Child(name, process, pipe)
        deadline_s = time.monotonic() + READY_S
        waiting = dict(self._children)
        begun = False
        while waiting and not self._stop:
            if time.monotonic() > deadline_s:
                raise AlgoritmoError(f"the {', '.join(waiting)} process was not ready after {READY_S:.0f} s; see {self._log()}")
            for spoken in connection.wait([c.pipe for c in waiting.values()], timeout=0.2):
                child = next(c for c in waiting.values() if c.pipe is spoken)
                child.ready = self._first_word(child)
                del waiting[child.name]
            if not begun and not {"audio", "network"} & waiting.keys():
                begun = True
                self.live.fire("transport.start")
            self._start_wanted()
            self._read()
        page = (self._children["feed"].ready or {}).get("page")
        if page:
            self._tell(INFO, f"the page: {page}")

    def _first_word(self, child: _Child) -> dict[str, Any]:
        try:
            word, said = child.pipe.recv()
        except (EOFError, OSError):
            raise AlgoritmoError(f"the {child.name} process ended before it was ready; see {self._log()}") from None
        if word == "error":
            raise AlgoritmoError(said)
        return dict(said)

    def _log(self) -> str:
        return str(self.session / "log.txt") if self.session else "its output above"

    def _wait(self, timeout_s: float, keyboard: Keyboard | None) -> None:
        """Sleep until something happens to a child, a key is pressed, or for so long."""
        alive = [c for c in self._children.values() if not c.given_up]
        awaited: list[Any] = [c.process.sentinel for c in alive] + [c.pipe for c in alive]
        if keyboard is not None and keyboard.here:
            awaited.append(keyboard)
        ready: list[Any] = connection.wait(awaited, timeout_s)
        for something in ready:
            if something is keyboard and keyboard is not None:
                self._endings.asked |= keyboard.act(self.live)
                continue
            for child in alive:
                if child.given_up:
                    continue
                if something is child.pipe:
                    self._listen(child)
                elif something == child.process.sentinel and not child.process.is_alive() and not self._stop:
                    self._restart(child)

    def _listen(self, child: _Child) -> None:
        """Take what a restarted child says; a closed pipe is dealt with by its sentinel."""
        try:
            word, said = child.pipe.recv()
        except (EOFError, OSError):
            child.process.join(0.2)
            if not child.process.is_alive() and not self._stop:
                self._restart(child)
            return
        if word == "ready":
            child.ready = dict(said)
        else:
            self._tell(ERROR, said)

    def _restart(self, child: _Child) -> None:
        now = time.monotonic()
        role = role_of(child.name)
        often = sum(now - death_s < role.within_s for death_s in child.deaths) >= role.restarts
        child.deaths.append(now)
        child.pipe.close()
        if often:
            child.given_up = True
            self._tell(
                ERROR,
                f"the {child.name} process died {role.restarts + 1} times within {role.within_s:.0f} s and is given up; "
                f"see {self._log()}",
            )
            return
        self._tell(WARNING, f"the {child.name} process died (exit {child.process.exitcode}) and is started again")
        child.process.close()
        child.process, child.pipe = start(child.name, replace(self._spec, restarted=True))

    def _start_wanted(self) -> None:
        """Start what is wanted and not there yet: processes for plugins, one for a source of the beat."""
        latest = self.link["hosts"].latest()
        hosts = 0 if latest is None else int(latest["hosts"])
        wanted = [f"{HOST}{number}" for number in range(HOSTS) if hosts >> number & 1]
        wanted += [ABLETON] if self.snapshot().beat.source == "link" else []
        for name in wanted:
            if not self._stop and name not in self._children:
                process, pipe = start(name, self._spec)
                self._children[name] = _Child(name, process, pipe)

    def _read(self) -> None:
        for name, reader in self._notices.items():
            for notice in reader.read():
                self._tell(int(notice["level"]), f"{name}: {notice['text'].decode(errors='replace')}")
        clock = self.link["clock"].latest()
        if self.first_sound_s is None and clock is not None and clock["peak"] > AUDIBLE:
            self.first_sound_s = time.monotonic() - self._begun_s
        tracks = list(self._notes_out)
        for event in self._events.read():
            if event["kind"] != NOTE_ON:
                continue
            if event["track"] == PLAYER:
                self._notes_in += 1
            elif event["track"] < len(tracks):
                self._notes_out[tracks[event["track"]]] += 1

    def _end(self) -> None:
        """Stop the children, in the order of the table."""
        for name in (role.name for role in sorted(ROLES, key=lambda role: role.ends)):
            child = self._children.get(name)
            if child is None or child.given_up:
                continue
            if child.ready is None:  # it never came so far as to have anything to end
                child.process.kill()
            with contextlib.suppress(OSError):
                child.pipe.send(("stop",))
            child.process.join(STOP_S)
            if child.process.is_alive():
                self._tell(WARNING, f"the {name} process did not end in time and was killed")
                child.process.kill()
                child.process.join(1)

    @property
    def ready(self) -> dict[str, dict[str, Any] | None]:
        """What each process said when it was ready."""
        return {name: child.ready for name, child in self._children.items()}

    def pid(self, name: str) -> int | None:
        """Process id of a child."""
        return self._children[name].process.pid

    def snapshot(self) -> Snapshot:
        """How it goes now."""
        return snapshot(self.link, self.live)

    def report(self) -> dict[str, Any]:
        """The figures of the jam so far, as report.json has them."""
        jam = self.snapshot()
        out: dict[str, Any] = {
            "network": self._spec.card.name,
            "network_file": self._spec.network_path.name,
            "seed": jam.seed,
            "mode": jam.mode,
            "chart": jam.chords.chart,
            "bar": None if jam.place is None else jam.place.bar,
            "notes_in": self._notes_in,
            "notes_out": dict(self._notes_out),
            "begun_unix_s": self._begun_unix_s,
            "first_sound_s": self.first_sound_s,
            "duration_s": round(time.monotonic() - self._begun_s, 3),
            "restarts": {name: len(child.deaths) for name, child in self._children.items()},
            "processes": {name: {"pid": c.process.pid, **(c.ready or {})} for name, c in self._children.items()},
            "cpu_dma_latency_us": None if self._awake is None else self.config.audio.cpu_dma_latency_us,
            "versions": versions(),
        }
        return out | figures(jam, self.config.audio.rate_hz)

    def _write_chart(self) -> None:
        """Keep the chart that is played by beside the recording; `--chart` takes it."""
        chart = self.snapshot().chords.chart
        if self.session is not None and chart != self._chart:
            with contextlib.suppress(OSError):  # what cannot be written there is told of the report
                (self.session / "chart.txt").write_text(chart + "\n")
                self._chart = chart

    def _write_report(self, extra: Path | None) -> None:
        self._write_chart()
        for path in [self.session / "report.json" if self.session else None, extra]:
            if path is None:
                continue
            try:
                write_json(path, self.report())
            except OSError as error:
                if path not in self._unwritten:
                    self._unwritten.add(path)
                    self._tell(WARNING, f"{path} cannot be written ({error.strerror}); the jam goes on")


def figures(jam: Snapshot, rate_hz: float) -> dict[str, Any]:
    """Return what the processes count, as report.json has it; `rate_hz` holds until there is a clock."""
    out: dict[str, Any] = {}
    if (network := jam.network) is not None:
        out |= {"steps": network.steps, "late_steps": network.late_steps, "step_ms": _rounded(network.step_ms)}
        # Most steps are chosen and sent before their input deadline; the others show what choosing takes.
        recomputed_ms = _rounded(network.recomputed_ms)
        out["chosen_again"] = {"steps": network.recomputed, "kept": network.kept, "step_ms": recomputed_ms}
        out["lead_ms"] = round(network.lookahead_ms, 3)
        out["provider"] = network.provider
    if (sound := jam.sound) is not None:
        rate_hz = sound.rate_hz
        out["xruns"], out["xruns_own"] = sound.xruns, sound.xruns_own
        loads = {"mean": sound.dsp_mean, "max": sound.dsp_max, "own_max": sound.dsp_own_max}
        out["dsp_load"] = {key: round(load, 4) for key, load in loads.items()}
        out["midi_ignored"] = sound.midi_ignored
        out["notes_late"] = sound.notes_late
    if (feed := jam.feed) is not None:
        out["feed"] = {"sent": feed.sent, "dropped": feed.dropped, "step_us": round(feed.step_us, 1)}
        out["recorded_s"] = round(feed.recorded_frames / rate_hz, 3)
    return out


def _rounded(spread: Spread) -> dict[str, float]:
    return {key: round(value, 4) for key, value in spread._asdict().items()}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a JSON file in one go; whoever reads it never sees half of it. Raises OSError."""
    new = path.with_suffix(path.suffix + ".new")
    new.write_text(json.dumps(data, indent=2) + "\n")
    new.replace(path)


def versions() -> dict[str, str]:
    """Versions of everything that makes a sound or a decision."""
    names = ("numpy", "onnxruntime", "onnxruntime-gpu", "pyo", "sounddevice", "python-rtmidi", "python-osc")
    out = {"algoritmo": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            out[name] = metadata.version(name)
    return out


def _new_session(config: Config) -> Path:
    """Make the session's folder, named by the time of day."""
    base = config.session.dir / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(100):
        folder = base if number == 0 else base.with_name(f"{base.name}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise SessionError(
                f"session.dir: {folder} cannot be made ({error.strerror}); set session.dir to a folder you may write, "
                "or session.record to false"
            ) from error
        return folder
    raise SessionError(f"session.dir: {base} exists a hundred times over; set session.dir to another folder")
