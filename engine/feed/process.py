"""The feed process: publishes every step when it sounds, takes orders, records the jam, serves whoever looks.

Runs on: feed process; one event loop, one thread that writes the recording, one that waits for the order to stop. Between two
steps it sleeps, and only looks a hundred times a second whether somebody plays.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from engine.clock import Grid, SampleClock
from engine.config import Target as TargetConfig
from engine.errors import ConfigError
from engine.feed.control import Control, ControlSocket
from engine.feed.feed import Feed
from engine.feed.oscquery import Query, check_free
from engine.feed.schema import Schema
from engine.feed.session import OFF, Recorder, RecorderThread
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Clocks, open_udp, wish_of
from engine.messages import FEED_STATS, INFO, WARNING
from engine.parameters import MODES
from engine.process import Spec, live_of, stop_requested
from engine.web.stage import Stage

LOOK_S = 0.01  # how often the rings are looked at for notes: so late may a note be told
STATS_S = 0.25
EARLY_S = 0.0015  # the loop's own sleep is good to a millisecond; the rest is slept in one piece
CLOSE_S = 0.3  # what each server has for saying goodbye
MOST_TOLD = 16  # targets in an answer to /status


def main(spec: Spec, pipe: Connection) -> None:
    """Run the feed until told to stop."""
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
        self._stopped = False
        self._stats_s = 0.0
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
            loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._stopped = True

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

    def _record(self, folder: Path, clock: np.void) -> None:
        """Begin the recording, or go on with that of a process that died; publish from where it stood."""
        loop = asyncio.get_running_loop()

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
        """Publish until told to stop: sleep until the next step sounds, looking for notes meanwhile."""
        sounding = False
        while not self._stopped:
            clock = self._link["clock"].latest()
            if clock is None:
                await asyncio.sleep(LOOK_S)
                continue
            if not sounding:
                sounding = True
                self._begin(clock)
            self._advance(clock)
            left_s = self._until_next_step_s(clock)
            if left_s > LOOK_S + EARLY_S:
                await asyncio.sleep(LOOK_S)
                continue
            await asyncio.sleep(max(left_s - EARLY_S, 0))
            time.sleep(min(max(self._until_next_step_s(clock), 0), EARLY_S))

    def _begin(self, clock: np.void) -> None:
        """There is sound: begin what needs the sample clock, and what was to wait for it."""
        if self._spec.session is not None:
            self._record(self._spec.session, clock)
        for server in self._servers:
            self._spawn(self._serve(server))

    def _until_next_step_s(self, clock: np.void) -> float:
        """Seconds until the next step sounds: one that waits, or the one that the network is to choose next."""
        frame: float | None = self._feed.look()
        grid = self._link["grid"].latest()
        if frame is None and grid is not None:
            line = Grid(float(grid["frame"]), float(grid["beat"]), float(grid["tempo_bpm"]), float(clock["rate_hz"]))
            frame = line.frame_at(int(grid["step"]) / self._spec.card.steps_per_beat)
            if frame <= SampleClock.of(clock).frame_at(time.perf_counter_ns()):
                return math.inf  # it is late; it will be found when it comes
        if frame is None:
            return math.inf
        return (SampleClock.of(clock).time_at(frame) - time.perf_counter_ns()) * 1e-9

    def _advance(self, clock: np.void) -> None:
        line, now_ns = SampleClock.of(clock), time.perf_counter_ns()
        clocks = Clocks(now_ns * 1e-9, time.time_ns() + int(int(clock["latency_frames"]) * line.ns_per_frame))
        self._feed.advance(line.frame_at(now_ns), clocks)
        self._feed.targets.catch_up(clocks)
        if clocks.now_s >= self._stats_s:
            self._stats_s = clocks.now_s + STATS_S
            self._push_stats()
            if self._subscribers is not None:
                self._subscribers.expire(time.monotonic())

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
        clock = self._link["clock"].latest()
        if clock is not None:
            self._advance(clock)
        if self._recorder is not None:
            self._recorder.stop()
            self._push_stats()
        for task in list(self._tasks):
            task.cancel()
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.stop(), CLOSE_S)
        if self._socket is not None:
            self._socket.close()
        self._link.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return True
