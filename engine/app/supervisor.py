"""The supervisor: starts the processes of a jam, restarts the one that died, shows how it goes, ends it cleanly.

Runs on: main process. It sleeps until a child dies or the status line is due.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any, BinaryIO

from engine.app.children import READY_S, Children
from engine.app.log import Log
from engine.app.report import figures, new_session, versions, write_json
from engine.app.running import tell as tell_of
from engine.app.shedding import Shedding
from engine.app.taken import taken_ports
from engine.app.terminal import Endings
from engine.app.watchdog import Watchdog
from engine.control.keyboard import Keyboard
from engine.control.scene_thread import ScenesThread
from engine.control.status import Snapshot, snapshot
from engine.core import contract
from engine.core.care import SPARED
from engine.core.config import Config
from engine.core.ensemble import parts_of, together
from engine.core.errors import AlgoritmoError, ConfigError, SessionError
from engine.core.link import Layout, Link
from engine.core.messages import INFO, NOTE_ON, PLAYER, WARNING
from engine.core.parameters import Live
from engine.core.process import Spec
from engine.core.realtime import AWAKE_REMEDY, keep_awake
from engine.core.roles import BOOTH, CLOCK, HOST, HOSTS, OF_SOURCE, PROCESSES, ROLES, SUPERVISOR, SURFACE
from engine.feed.signals.catalogue import Catalogue
from engine.host.exchange import SIZE as EXCHANGE
from engine.jam.parameters import registry_of
from engine.jam.settings import set_defaults
from engine.lights.outputs import check as check_lights
from engine.record.made_with import FILE as MADE_WITH
from engine.record.made_with import made_with

STATUS_S = 0.25  # how often the status line is drawn
REPORT_S = 2.0  # how often report.json is brought up to date
AUDIBLE = 1e-3  # full scale is 1


class Supervisor:
    """A jam from start to end: `run()` returns when it was told to stop, its time is over, or nothing is left to run."""

    def __init__(self, config: Config, tell: Callable[[int, str], None], demo: Path | None = None) -> None:
        self.config = config
        self._tell = tell
        path = config.network_path()
        networks = config.networks()
        parts = parts_of(list(networks.values()))
        card = together([part.card for part in parts])
        registry = registry_of(card)
        check_lights(config, Catalogue(card))
        chords = config.harmony_path()
        stems = config.session.record and config.session.stems
        harmony = contract.read_card(chords) if chords else None
        layout = Layout.of(card, len(registry), harmony, stems, EXCHANGE, [part.card for part in parts], stage=True)
        if taken := taken_ports(config):
            raise ConfigError(taken)
        self.link = Link.create(layout)
        try:
            self.session = new_session(config) if config.session.record else None
        except SessionError:
            self.link.close(unlink=True)
            raise
        self.live = Live(registry, self.link.values)
        self._spec = Spec(layout, self.link.name, config, card, path, self.session, demo, tuple(networks.values()))
        self._log = Log(self.session)
        self._children = Children(self._spec, self._say, str(self._log))
        self._watchdog = Watchdog(self.link)
        self._shedding = Shedding(self.link, self._say, self._can_do_without)
        self._keep_what_it_is_made_with(chords, demo)
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
        self._scenes = ScenesThread(self.link, registry_of(card), config, self._say, parts)
        self._told_of = tell_of(self.link.name, list(networks.values()), chords, stems, EXCHANGE, self.session)

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
                    self._log.rotate()
                    next_report_s = time.monotonic() + REPORT_S
        finally:
            self._scenes.stop()
            self._children.end()
            self._read()
            self._write_report(extra_report)
            if self._awake is not None:
                self._awake.close()

    def close(self) -> None:
        """Let go of the shared memory; call it when the last figure has been read."""
        self._told_of.unlink(missing_ok=True)
        self.link.close(unlink=True)

    def _keep_what_it_is_made_with(self, harmony: Path | None, demo: Path | None) -> None:
        """Put it beside the recording, so that the take can be played once more."""
        if self.session is None:
            return
        made = made_with(self.config, self.live.registry, self._spec.networks, harmony, demo, versions())
        try:
            write_json(self.session / MADE_WITH, made)
        except OSError as error:
            self._say(WARNING, f"{self.session / MADE_WITH} cannot be written ({error.strerror}): the take cannot be rendered")

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
            self._say(WARNING, f"{key}: this system has no such setting; the jam goes on without it")
        except OSError as error:
            self._say(WARNING, f"{key}: {error.strerror}; the jam goes on without it; to allow it: {AWAKE_REMEDY}")

    def _start(self) -> None:
        midi = self.config.midi
        asked = {CLOCK: bool(midi.clock.outputs), SURFACE: bool(midi.feedback)}
        for name in (role.name for role in ROLES if not role.on_demand or asked.get(role.name)):
            self._children.begin(name)
        deadline_s = time.monotonic() + READY_S
        waiting = {child.name: child for child in self._children}
        begun = False
        while waiting and not self._stop:
            if time.monotonic() > deadline_s:
                raise AlgoritmoError(f"the {', '.join(waiting)} process was not ready after {READY_S:.0f} s; see {self._log}")
            for spoken in connection.wait([c.pipe for c in waiting.values()], timeout=0.2):
                child = next(c for c in waiting.values() if c.pipe is spoken)
                self._children.first_word(child)
                del waiting[child.name]
            if not begun and not {"audio", "network"} & waiting.keys():
                begun = True
                self.live.fire("transport.start")
                self._scenes.start()
            self._start_wanted()
            self._read()
        page = (self._children["feed"].ready or {}).get("page")
        if page:
            self._say(INFO, f"the page: {page}")
        self._children.everything_plays()

    def _say(self, level: int, text: str) -> None:
        """Tell the person at the terminal, whoever looks in from another one, and the log."""
        self.link.notice(SUPERVISOR, level, text)
        self._show(level, text)

    def _show(self, level: int, text: str) -> None:
        self._log.write(text)
        self._tell(level, text)

    def _wait(self, timeout_s: float, keyboard: Keyboard | None) -> None:
        """Sleep until something happens to a child, a key is pressed, or for so long; then look after the children."""
        awaited = self._children.awaited()
        if keyboard is not None and keyboard.here:
            awaited.append(keyboard)
        begun_s = time.monotonic()
        ready: list[Any] = connection.wait(awaited, timeout_s)
        woken_late_s = 0.0 if ready else time.monotonic() - begun_s - timeout_s
        for something in ready:
            if something is keyboard and keyboard is not None:
                self._endings.asked |= keyboard.act(self.live)
            elif not self._stop:
                self._children.take(something)
        if not self._stop:
            self._care(woken_late_s)

    def _care(self, woken_late_s: float) -> None:
        """Look how the processes are, and whether there is time for all that they do."""
        dead = [child.name for child in self._children if not child.is_ready and child.died]
        for word in self._watchdog.look(self._children.pids(), dead):
            if word.end:
                self._children.end_one(word.name, word.end)
            else:
                self._say(word.level, word.text)
        self._children.tick()
        self._shedding.look(self.snapshot(), woken_late_s, self._children.changed_s)

    def _can_do_without(self) -> list[str]:
        """What of care.SPARED there is to do without."""
        here = {
            "page": self.config.web.enabled,
            "booth": BOOTH in self._children,
            "continuations": self.live.get("futures") > 0,
        }
        return [what for what in SPARED if here.get(what, True)]

    def _start_wanted(self) -> None:
        """Start what is wanted and not there yet: processes for plugins, one for a source of the beat."""
        latest = self.link["hosts"].latest()
        hosts = 0 if latest is None else int(latest["hosts"])
        wanted = [f"{HOST}{number}" for number in range(HOSTS) if hosts >> number & 1]
        wanted += OF_SOURCE.get(self.snapshot().beat.source, ())
        wanted += [BOOTH] if self.config.booth.enabled else []
        for name in wanted:
            if not self._stop and name not in self._children:
                self._children.begin(name)

    def _read(self) -> None:
        self._scenes.speak()
        for name, reader in self._notices.items():
            for notice in reader.read():
                self._show(int(notice["level"]), f"{name}: {notice['text'].decode(errors='replace')}")
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

    @property
    def ready(self) -> dict[str, dict[str, Any] | None]:
        """What each process said when it was ready."""
        return {child.name: child.ready for child in self._children}

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
            **self._children.report(),
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
                    self._say(WARNING, f"{path} cannot be written ({error.strerror}); the jam goes on")
