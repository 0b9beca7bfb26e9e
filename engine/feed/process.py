"""The feed process: publishes every step when it sounds, takes orders, records the jam, serves whoever looks.

Runs on: feed process: an event loop that sends and answers, a thread that watches the rings, one that writes the recording, and
one that waits for the order to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from engine.clock import SampleClock
from engine.config import Target as TargetConfig
from engine.errors import ConfigError
from engine.feed.control import Control, ControlSocket
from engine.feed.feed import Feed
from engine.feed.oscquery import Query, check_free
from engine.feed.schema import Schema
from engine.feed.session import OFF, Recorder, RecorderThread
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Clocks, open_udp, wish_of
from engine.feed.watch import Watch, WatchThread
from engine.messages import FEED_STATS, INFO, WARNING
from engine.parameters import MODES
from engine.process import Spec, live_of, stop_requested
from engine.web.stage import Stage

STATS_S = 0.25
SOUND_S = 0.02  # how often the first sound is looked for
SWITCH_S = 0.001  # what one thread may keep another waiting; Python's own default would be seen in the steps' times
CLOSE_S = 0.4  # what the servers have for saying goodbye
MOST_TOLD = 16  # targets in an answer to /status


def main(spec: Spec, pipe: Connection) -> None:
    """Run the feed until told to stop."""
    with contextlib.suppress(OSError, AttributeError):  # only root may; behind audio and network, before what else runs here
        os.nice(-5)
    sys.setswitchinterval(SWITCH_S)
    # The Windows default loop cannot wait for a socket that is read without a transport.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_Process(spec, pipe).run())


class _Process:
    """The feed in real time."""

    def __init__(self, spec: Spec, pipe: Connection) -> None:
        self._spec = spec
        self._pipe = pipe
        self._link = spec.link()
        self._live = live_of(spec, self._link)
        self._schema = Schema(spec.card, spec.registry(), spec.config.osc.cells)
        self._feed = Feed(self._link, self._schema)
        self._begun_s = time.monotonic()
        self._before = self._link["feed"].latest() if spec.restarted else None  # a restart goes on counting
        self._stopped = asyncio.Event()
        self._woken = False  # the loop has been told that there is something to publish
        self._watch: WatchThread | None = None
        self._catching_up: asyncio.TimerHandle | None = None
        self._recorder: RecorderThread | None = None
        self._socket: ControlSocket | None = None
        self._control: Control | None = None
        self._subscribers: Subscribers | None = None
        self._servers: list[Query | Stage] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Open everything, publish until told to stop, close everything. Raises ConfigError when it cannot start."""
        config = self._spec.config
        named = []
        for number, target in enumerate(config.osc.targets):
            self._check(number, target)
            if _is_address(target.host):
                self._add_target(number, target)
            else:
                named.append((number, target))
        self._open_control()
        self._prepare_servers()
        self._pipe.send(("ready", self._description()))
        threading.Thread(target=self._wait_for_stop, args=(asyncio.get_running_loop(),), name="pipe", daemon=True).start()
        for number, target in named:  # a name server may take seconds
            self._spawn(self._resolve(number, target))
        gc.collect()
        gc.freeze()
        try:
            await self._publish()
        finally:
            await self._close()

    def _description(self) -> dict[str, Any]:
        """What the supervisor reports of this process."""
        config = self._spec.config
        out: dict[str, Any] = {"targets": [f"{t.host}:{t.port}" for t in config.osc.targets]}
        if config.osc.control.enabled:
            out["control"] = f"{config.osc.control.host}:{config.osc.control.port}"
        if config.osc.query.enabled:
            out["query"] = f"{config.osc.query.host}:{config.osc.query.port}"
        if config.web.enabled:
            out["page"] = next(s.address for s in self._servers if isinstance(s, Stage))
        return out

    def _spawn(self, task: Coroutine[Any, Any, None]) -> None:
        running = asyncio.get_running_loop().create_task(task)
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)

    def _wait_for_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        while not stop_requested(self._pipe, None):
            continue
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(self._stopped.set)

    def _tell(self, level: int, text: str) -> None:
        self._link.notice("feed", level, text)

    # --- targets -----------------------------------------------------------------------------------------------------------

    def _check(self, number: int, target: TargetConfig) -> None:
        unknown = self._feed.targets.unknown_signals(target.signals)
        if unknown:
            raise ConfigError(
                f"osc.targets.{number}.signals: {self._spec.card.name} has no signal {', '.join(unknown)}; "
                f"it has: {', '.join(self._schema.signals)}"
            )

    def _add_target(self, number: int, target: TargetConfig) -> None:
        where = f"{target.host}:{target.port}"
        try:
            out = open_udp(target.host, target.port, target.interface)
            self._feed.targets.add(where, wish_of(target), target.max_rate_hz, out.send)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"osc.targets.{number}: {where} cannot be sent to ({reason}); correct it or take it out"
            ) from error

    async def _resolve(self, number: int, target: TargetConfig) -> None:
        """Find a target that is given by name; the jam goes on without it when there is none."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
            self._add_target(number, target.model_copy(update={"host": str(found[0][4][0])}))
        except (OSError, ConfigError) as error:
            reason = getattr(error, "strerror", None) or error
            self._tell(WARNING, f"osc.targets.{number}: {target.host} is not reached ({reason}); nothing is sent there")

    # --- orders and servers ------------------------------------------------------------------------------------------------

    def _open_control(self) -> None:
        config = self._spec.config.osc.control
        if not config.enabled:
            return
        self._socket = ControlSocket(config)
        self._subscribers = Subscribers(self._feed.targets, self._socket.socket.sendto)
        self._control = Control(self._schema, self._live, self._subscribers, self._status, lambda line: self._tell(INFO, line))
        self._socket.start(self._control)

    def _prepare_servers(self) -> None:
        config = self._spec.config
        if config.osc.query.enabled:
            control = config.osc.control
            self._servers.append(Query(config.osc.query, self._feed, self._live, (control.host, control.port)))
        if config.web.enabled:
            check_free("web", config.web.host, config.web.port)
            self._servers.append(Stage(self._link, self._live, self._spec.card, config.web))

    async def _serve(self, server: Query | Stage) -> None:
        """Start a server once there is sound: what it imports would only be in the way before."""
        await asyncio.to_thread(importlib.import_module, "aiohttp.web")
        try:
            await server.start()
        except ConfigError as error:
            self._tell(WARNING, str(error))
            return
        self._feed.listeners.append(server)

    def _status(self) -> dict[str, Any]:
        """What /status answers."""
        targets, now_s = self._feed.targets, time.monotonic()
        out: dict[str, Any] = {
            "uptime_s": round(now_s - self._begun_s, 1),
            "mode": MODES[int(self._live.get("mode"))],
            "tempo": self._live.get("tempo"),
            "feed": {"rate_hz": round(self._rate_hz(), 1), "sent": targets.sent, "dropped": targets.dropped},
            "targets": [
                {"to": t.name, "sent": t.sent, "dropped": t.dropped, "refused": t.refused} for t in targets.targets[:MOST_TOLD]
            ],
            "recorded_frames": self._recorded()[1],
        }
        clock, network = self._link["clock"].latest(), self._link["network"].latest()
        if network is not None:
            out |= {
                "steps": int(network["steps"]),
                "late_steps": int(network["late_steps"]),
                "step_ms": round(float(network["step_p50_ms"]), 3),
                "lead_ms": round(float(network["lead_ms"]), 3),
                "provider": network["provider"].decode(),
            }
        if clock is not None:
            out |= {"dsp_load": round(float(clock["dsp_mean"]), 3), "xruns": int(clock["xruns"])}
        return out

    # --- the recording -----------------------------------------------------------------------------------------------------

    def _record(self, folder: Path) -> None:
        """Begin the recording, or go on with that of a process that died; publish from where it stood."""
        loop = asyncio.get_running_loop()
        clock = self._link["clock"].latest()
        assert clock is not None  # there is sound

        def tell(level: int, text: str) -> None:  # called by the recorder's thread
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, level, text)

        recorder = Recorder(folder, self._link, self._schema, float(clock["rate_hz"]), tell, self._spec.restarted)
        self._feed.record(recorder.log, recorder.positions)
        self._recorder = RecorderThread(recorder)

    def _recorded(self) -> tuple[int, int]:
        """State and length of the recording, as FEED_STATS has them."""
        recorder = self._recorder.recorder if self._recorder is not None else None
        return (OFF, 0) if recorder is None else (recorder.state, recorder.frames)

    # --- the loop ----------------------------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        """Publish until told to stop."""
        while self._link["clock"].count == 0 and not self._stopped.is_set():
            await asyncio.sleep(SOUND_S)
        if not self._stopped.is_set():
            self._begin()
        while not self._stopped.is_set():
            self._push_stats()
            if self._subscribers is not None:
                self._subscribers.expire(time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), STATS_S)

    def _begin(self) -> None:
        """There is sound: begin what needs the sample clock, and what was to wait for it."""
        if self._spec.session is not None:
            self._record(self._spec.session)
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not self._woken:
                self._woken = True
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._advance)

        self._watch = WatchThread(Watch(self._link, self._spec.card.steps_per_beat), wake)
        for server in self._servers:
            self._spawn(self._serve(server))

    def _clocks(self) -> tuple[float, Clocks]:
        """Return the frame that is rendered now, and the times that go with it."""
        clock = self._link["clock"].latest()
        assert clock is not None  # nothing is published before
        line, now_ns = SampleClock.of(clock), time.perf_counter_ns()
        latency_ns = int(int(clock["latency_frames"]) * line.ns_per_frame)
        return line.frame_at(now_ns), Clocks(now_ns * 1e-9, time.time_ns() + latency_ns)

    def _advance(self) -> None:
        self._woken = False
        frame, clocks = self._clocks()
        self._feed.advance(frame, clocks)
        self._catch_up_later(clocks)

    def _catch_up_later(self, clocks: Clocks) -> None:
        """See to it that a target whose rate did not allow this step gets the newest one when it does."""
        until_s = self._feed.targets.stale_until_s()
        if until_s is not None and self._catching_up is None:
            pause_s = max(until_s - clocks.now_s, 0)
            self._catching_up = asyncio.get_running_loop().call_later(pause_s, self._catch_up)

    def _catch_up(self) -> None:
        self._catching_up = None
        clocks = self._clocks()[1]
        self._feed.targets.catch_up(clocks)
        self._catch_up_later(clocks)

    def _rate_hz(self) -> float:
        return self._feed.rate_hz(time.perf_counter_ns() * 1e-9)

    def _push_stats(self) -> None:
        feed, control = self._feed, self._control
        record = np.zeros((), FEED_STATS)
        record["sent"], record["dropped"], record["notes_in"] = feed.targets.sent, feed.targets.dropped, feed.notes_in
        if control is not None:
            record["control_received"], record["control_ignored"] = control.received, control.ignored
        if self._before is not None:
            for name in ("sent", "dropped", "notes_in", "control_received", "control_ignored"):
                record[name] += self._before[name]
        record["rate_hz"], record["step_us"] = self._rate_hz(), feed.step_us
        record["recording"], record["recorded_frames"] = self._recorded()
        self._link["feed"].push(record)

    async def _close(self) -> None:
        """Publish and record the last of it, then close what is open."""
        if self._watch is not None:
            self._watch.stop()
            self._advance()
        if self._catching_up is not None:
            self._catching_up.cancel()
        if self._recorder is not None:
            self._recorder.stop()
            self._push_stats()
        for task in list(self._tasks):
            task.cancel()
        goodbyes = asyncio.gather(*(server.stop() for server in self._servers), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(goodbyes, CLOSE_S)
        if self._socket is not None:
            self._socket.close()
        self._link.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return True
