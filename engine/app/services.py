"""Everything of the feed that is open to the outside: targets, the control socket, OSCQuery and the page.

Runs on: feed process and replay, event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from engine.control.osc_control import Control
from engine.control.osc_socket import ControlSocket
from engine.control.status import snapshot, standing
from engine.core.config import Config
from engine.core.link import Link
from engine.core.messages import INFO
from engine.core.parameters import Live
from engine.feed.feed import Feed
from engine.feed.oscquery import Query
from engine.feed.receivers import Receivers
from engine.feed.schema import ROOT
from engine.feed.subscribers import Subscribers
from engine.net.guard import Guard
from engine.web.site import Site

CLOSE_S = 0.4  # what the servers have for saying goodbye
MOST_TOLD = 16  # targets in an answer to /status


class Services:
    """Opens what the configuration asks for around one feed; `open` first, then `serve` once there is sound."""

    def __init__(
        self, config: Config, feed: Feed, link: Link, live: Live, tell: Callable[[int, str], None], **replay: bool
    ) -> None:
        """`tell` takes a level and a line for the person at the terminal; `replay`: what the page is to know of one."""
        self._replay = replay
        self._config = config
        self._feed = feed
        self._link = link
        self._live = live
        self._tell = tell
        self._begun_s = time.monotonic()
        self._receivers = Receivers(feed.targets, feed.schema.card.name, tell)
        self._socket: ControlSocket | None = None
        self._servers: list[Query | Site] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.TimerHandle | None = None
        self.control: Control | None = None
        self.subscribers: Subscribers | None = None

    def open(self) -> dict[str, Any]:
        """Take every port; return what is open, for the report. Raises ConfigError when one cannot be had."""
        osc, web = self._config.osc, self._config.web
        out: dict[str, Any] = {"targets": [f"{t.host}:{t.port}" for t in osc.targets]}
        self._receivers.open(osc.targets)
        if osc.control.enabled:
            self._socket = ControlSocket(osc.control)
            self.subscribers = Subscribers(self._feed.targets, self._socket.socket.sendto, self._feed.audience)
            guard = Guard(osc.control.host, osc.control.token)
            self.control = Control(self._feed.schema, self._live, self.subscribers, self._status, self._show, guard, self._link)
            if not guard.open_to_all:
                self._show(f"OSC orders are open to the network; to change things from there: {ROOT}/token {guard.token}")
            self._socket.start(self.control)
            out["control"] = f"{osc.control.host}:{osc.control.port}"
        if osc.query.enabled:
            self._servers.append(Query(osc.query, self._feed, self._live, (osc.control.host, osc.control.port)))
            out["query"] = f"{osc.query.host}:{osc.query.port}"
        if web.enabled:
            site = Site(self._link, self._live, self._feed.schema.card, web, **self._replay, audience=self._feed.audience)
            site.open()
            self._servers.append(site)
            out["page"] = site.address
        return out

    def adopt(self, link: Link) -> None:
        """The feed publishes another network from here on; `link`: the channels as that one has them."""
        if self.control is not None:
            self.control.adopt(self._feed.schema)
        for server in self._servers:
            if isinstance(server, Query):
                server.adopt(self._feed)
            else:
                server.adopt(link, self._feed.schema.card)

    def serve(self) -> list[asyncio.Task[None]]:
        """Start the servers; return what is done when they are open. What they import may keep a step waiting for long."""
        return [self._spawn(self._start(server)) for server in self._servers]

    async def _start(self, server: Query | Site) -> None:
        await asyncio.to_thread(importlib.import_module, "aiohttp.web")
        await server.start()
        gc.freeze()  # what was imported stays: the collector would walk it while a step waits
        self._feed.listeners.append(server)

    def _spawn(self, task: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        running = asyncio.get_running_loop().create_task(task)
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)
        return running

    async def close(self) -> None:
        """Say goodbye and close everything."""
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._receivers.close()
        for task in list(self._tasks):
            task.cancel()
        goodbyes = asyncio.gather(*(server.stop() for server in self._servers), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(goodbyes, CLOSE_S)
        if self._socket is not None:
            self._socket.close()

    # --- targets whose rate did not allow a step ---------------------------------------------------------------------------

    def catch_up_later(self, now_s: float) -> None:
        """See to it that a target whose rate did not allow this step gets the newest one when it does."""
        until_s = self._feed.targets.stale_until_s()
        if until_s is not None and self._catching_up is None:
            pause_s = max(until_s - now_s, 0)
            self._catching_up = asyncio.get_running_loop().call_later(pause_s, self._catch_up, now_s + pause_s)

    def _catch_up(self, now_s: float) -> None:
        self._catching_up = None
        self._feed.targets.catch_up(now_s)
        self.catch_up_later(now_s)

    # --- what is asked -----------------------------------------------------------------------------------------------------

    def _show(self, line: str) -> None:
        self._tell(INFO, line)

    def _status(self) -> dict[str, Any]:
        """What /status answers."""
        jam, targets = snapshot(self._link, self._live), self._feed.targets
        if (feed := jam.feed) is not None:  # counted on over a restart, as the report does
            rate_hz, sent, dropped = feed.rate_hz, feed.sent, feed.dropped
        else:
            rate_hz, sent, dropped = self._feed.rate_hz(time.perf_counter_ns() * 1e-9), targets.sent, targets.dropped
        out: dict[str, Any] = {
            "uptime_s": round(time.monotonic() - self._begun_s, 1),
            "mode": jam.mode,
            "tempo": jam.tempo_bpm,
            "spared": jam.care.spared,
            "ailing": jam.care.ailing,
            "feed": {"rate_hz": round(rate_hz, 1), "sent": sent, "dropped": dropped},
            "targets": [
                {"to": t.name, "sent": t.sent, "dropped": t.dropped, "refused": t.refused} for t in targets.targets[:MOST_TOLD]
            ],
        }
        out["scenes"] = {"now": jam.scenes.now, "name": jam.scenes.name, "next": jam.scenes.next, "of": len(jam.scenes.names)}
        if (place := jam.place) is not None:
            out |= {"bar": place.bar, "beat": place.beat, "metre": place.metre, "playing": place.playing, "doing": jam.doing}
        beat = jam.beat
        out["clock"] = {
            "source": beat.source,
            "locked": beat.locked,
            "heard_bpm": round(beat.heard_bpm, 1),
            "confidence": round(beat.confidence, 2),
            "peers": beat.peers,
            "outside": [asdict(outside) for outside in beat.outside],
        }
        if waiting := standing(self._link):
            out["controls"] = {name: {"at": at, "parameter": to} for name, (at, to) in waiting.items()}
        if (network := jam.network) is not None:
            out |= {
                "steps": network.steps,
                "late_steps": network.late_steps,
                "step_ms": round(network.step_ms.p50, 3),
                "lead_ms": round(network.lookahead_ms, 3),
                "provider": network.provider,
            }
        if (sound := jam.sound) is not None:
            out |= {"dsp_load": round(sound.dsp_mean, 3), "xruns": sound.xruns}
        if feed is not None:
            out |= {"recording": feed.recording, "recorded_frames": feed.recorded_frames}
        return out
