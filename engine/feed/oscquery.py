"""OSCQuery: a receiver finds every address, its type, range, value and meaning by itself, and listens to those it likes.

Runs on: feed process, event loop. After Vidvox's proposal: JSON over HTTP for each path, `?HOST_INFO`, LISTEN and IGNORE over a
WebSocket that then carries OSC packets, and PATH_ADDED, PATH_REMOVED and PATH_CHANGED to whoever is connected. Nothing can be
changed here. aiohttp is imported by `start`, when there is sound already.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.core.osc_section import Query as QueryConfig
from engine.core.parameters import Live
from engine.feed.announce import NAME, announce, server_name
from engine.feed.feed import ComingScene, Feed, NowScene
from engine.feed.query_tree import Change, Tree
from engine.feed.schema import ROOT, SCENE_COMING, SCENE_NOW
from engine.feed.signals.template import RAW
from engine.net.guard import Bucket, Guard, is_everywhere, is_loopback, plain
from engine.net.sockets import listen, send_newest

if TYPE_CHECKING:
    from aiohttp import web
    from zeroconf.asyncio import AsyncZeroconf

ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "VALUE", "RANGE", "ACCESS", "DESCRIPTION", "UNIT", "CLIPMODE")
EXTENSIONS = (
    "ACCESS",
    "VALUE",
    "RANGE",
    "DESCRIPTION",
    "UNIT",
    "CLIPMODE",
    "LISTEN",
    "PATH_ADDED",
    "PATH_REMOVED",
    "PATH_CHANGED",
)
MOST_CLIENTS = 32
MOST_PATHS = 512  # that one client listens to
MESSAGE_BYTES = 4096
ORDERS_HZ, ORDERS_BURST = 200.0, 1000.0
SMOOTH_S = 1 / 60  # how often, while somebody listens to what moves between the steps, it is looked at
OF_SOUND = (f"{ROOT}/level/", f"{ROOT}{RAW}/level/")  # what is measured of the sound, where somebody listens to it
WATCH_S = 0.05  # how often, while somebody listens, the parameters are compared with what he was told


class _Client:
    """Somebody who listens: per address the newest message, not yet sent."""

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}  # a step is told in the order in which its parts were asked for
        self.orders = Bucket(ORDERS_HZ, ORDERS_BURST)
        self.wake = asyncio.Event()
        self._waiting: dict[str, bytes | str] = {}

    def tell(self, path: str, message: bytes | str) -> None:
        """Put a message in its slot."""
        self._waiting[path] = message
        self.wake.set()

    def take(self) -> list[bytes | str]:
        """Return what is to be sent."""
        self.wake.clear()
        out = list(self._waiting.values())
        self._waiting.clear()
        return out

    def tell_path(self, command: str, path: str) -> None:
        """Say what became of a path; of one that came and went only the newest, in the order in which it happened."""
        self._waiting.pop(f"path {path}", None)
        self.tell(f"path {path}", json.dumps({"COMMAND": command, "DATA": path}))


class Query:
    """The OSCQuery server of a feed."""

    def __init__(self, config: QueryConfig, feed: Feed, live: Live, control: tuple[str, int]) -> None:
        """Take the port. Raises ConfigError when it cannot be had. `control`: where OSC orders are taken."""
        self._config = config
        self._live = live
        self._control = control
        self._socket = listen("osc.query", config.host, config.port)
        self._guard = Guard(config.host, origins=config.origins, names=[server_name(self.port)])
        self._requests = Bucket(50.0, 200.0)
        self._clients: dict[_Client, web.WebSocketResponse] = {}
        self._tree = Tree(feed, live)
        self._told = live.snapshot()
        self.announced = False
        self._runner: web.AppRunner | None = None
        self._zeroconf: AsyncZeroconf | None = None
        self._watch: asyncio.Task[None] | None = None
        self._audience = feed.audience
        self._moving: asyncio.Task[None] | None = None  # while somebody listens to the smooth tiers

    # --- what there is -----------------------------------------------------------------------------------------------------

    def describe(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path, with all below it; None when nothing is."""
        self._refresh()
        return self._tree.describe(path)

    def host_info(self, asked: str = "") -> dict[str, Any]:
        """Return what `?HOST_INFO` answers to who asked at the address `asked` of this machine (empty: unknown).

        Orders are taken at an address of their own where the configuration names one; else the one that the question came
        to, for 127.0.0.1 would be the machine of who asked.
        """
        host = plain(asked) or self._config.host
        control = self._control[0]
        if is_everywhere(control) or (is_loopback(control) and not is_loopback(host)):
            control = host
        return {
            "NAME": NAME,
            "EXTENSIONS": dict.fromkeys(EXTENSIONS, True),
            "OSC_IP": control,
            "OSC_PORT": self._control[1],
            "OSC_TRANSPORT": "UDP",
            "WS_IP": host,
            "WS_PORT": self.port,
        }

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    # --- what happens ------------------------------------------------------------------------------------------------------

    def step(self, _record: np.void) -> None:
        """A step sounds: tell it to those who listen."""
        made: dict[str, bytes] = {}
        for client in self._clients:
            for path in client.paths:
                leaf = self._tree.leaves[path]
                if leaf.every_step and leaf.message is not None:
                    if path not in made:
                        made[path] = leaf.message()
                    client.tell(path, made[path])

    def notes(self, events: np.ndarray) -> None:
        """Notes began or ended: tell them to those who listen."""
        for event in events:
            path = self._tree.note(event)
            leaf = self._tree.leaves[path] if path is not None else None
            if leaf is None or leaf.message is None:
                continue
            for client in self._clients:
                if leaf.path in client.paths:
                    client.tell(f"{leaf.path} {int(event['pitch'])}", leaf.message())

    def futures(self, record: np.void) -> None:
        """Something was imagined: tell it to those who listen."""
        self._tree.imagine(record)
        for client in self._clients:
            for path in client.paths:
                leaf = self._tree.leaves[path]
                if path.startswith(f"{ROOT}/future/") and leaf.message is not None:
                    client.tell(path, leaf.message())

    def scenes(self, now: NowScene, coming: ComingScene) -> None:
        """Another scene plays, or is to come: tell it to those who listen."""
        self._tree.scenes.update({SCENE_NOW: now, SCENE_COMING: coming})
        for path in (SCENE_NOW, SCENE_COMING):
            leaf = self._tree.leaves[ROOT + path]
            for client in self._clients:
                if leaf.path in client.paths and leaf.message is not None:
                    client.tell(leaf.path, leaf.message())

    async def _watch_values(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._tell_changes()

    def _tell_changes(self) -> None:
        self._refresh()
        numbers = self._live.snapshot()
        changed = {name for name, number in numbers.items() if self._told.get(name) != number}
        self._told = numbers
        for client in self._clients:
            for path in client.paths:
                leaf = self._tree.leaves[path]
                if leaf.parameter is not None and leaf.parameter.id in changed and leaf.message is not None:
                    client.tell(path, leaf.message())

    def adopt(self, feed: Feed) -> None:
        """Have the addresses of the network that the feed publishes now; tell those who are connected which came and went."""
        before, scenes = self._tree.leaves, self._tree.scenes
        self._tree = Tree(feed, self._live)
        self._tree.scenes.update(scenes)
        now = self._tree.leaves
        stay = [path for path in now if path in before]
        self._tell_paths(Change([p for p in now if p not in before], [p for p in before if p not in now], stay))
        self._follow_smooth()

    async def _move(self) -> None:
        """Tell what moves between the steps, where it is otherwise than it was told last."""
        told: dict[str, bytes] = {}
        while True:
            await asyncio.sleep(SMOOTH_S)
            made: dict[str, bytes] = {}
            for client in self._clients:
                for path in client.paths:
                    leaf = self._tree.leaves[path]
                    if leaf.smooth and leaf.message is not None:
                        if path not in made:
                            made[path] = leaf.message()
                        if told.get(path) != made[path]:
                            client.tell(path, made[path])
            told = made

    def _follow_smooth(self) -> None:
        """Have the smooth tiers as long as somebody listens to them."""
        wanted = {path for client in self._clients for path in client.paths if self._tree.leaves[path].smooth}
        if wanted:
            self._audience.look(self, levels=any(path.startswith(OF_SOUND) for path in wanted))
            if self._moving is None:
                self._moving = asyncio.get_running_loop().create_task(self._move())
        elif self._moving is not None:
            self._moving.cancel()
            self._moving = None
            self._audience.leave(self)

    def _refresh(self) -> None:
        """Know the parameters that there are now; tell those who are connected which came and went."""
        change = self._tree.refresh()
        if change is not None:
            self._tell_paths(change)

    def _tell_paths(self, change: Change) -> None:
        told = [("PATH_REMOVED", change.removed), ("PATH_ADDED", change.added), ("PATH_CHANGED", change.changed)]
        for client in self._clients:
            for path in change.removed:
                client.paths.pop(path, None)
            for command, paths in told:
                for path in paths:
                    client.tell_path(command, path)

    # --- the server --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve, and announce it."""
        from aiohttp import web

        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=10.0, shutdown_timeout=0.2, max_field_size=4096)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        self._runner = runner
        if self._config.announce:
            self._zeroconf = await announce(self._socket.getsockname()[0], self.port, self._control[1])
            self.announced = self._zeroconf is not None

    async def stop(self) -> None:
        """Say goodbye to everyone and close."""
        for task in (self._watch, self._moving):
            if task is not None:
                task.cancel()
        goodbyes = [ws.close(drain=False) for ws in self._clients.values()]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*goodbyes, return_exceptions=True), 0.1)
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()
        if self._zeroconf is not None:
            await self._zeroconf.async_close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        host = request.headers.get("Host")
        if not self._guard.host_is_ours(host) or not self._guard.origin_is_ours(request.headers.get("Origin"), host):
            raise web.HTTPForbidden(text="Open it by its address in numbers, and not from another page.\n")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket_of(request)
        if not self._requests.take(time.monotonic()):
            raise web.HTTPTooManyRequests(text="Too much at once.\n")
        return _response(*self.answer(request.path, request.query_string, _asked(request)))

    def answer(self, path: str, attribute: str, asked: str = "") -> tuple[int, Any]:
        """Return HTTP status and JSON for a path and what stands behind its question mark (nothing: all).

        `asked`: this machine's address that the question came to.
        """
        if attribute == "HOST_INFO":
            return 200, self.host_info(asked)
        found = self.describe(path.rstrip("/"))
        if found is None:
            return 404, None
        if not attribute:
            return 200, found
        return (200, {attribute: found[attribute]}) if attribute in ATTRIBUTES and attribute in found else (204, None)

    async def _socket_of(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import WSMsgType, web

        ws = web.WebSocketResponse(compress=False, heartbeat=20.0, max_msg_size=MESSAGE_BYTES, timeout=0.5, writer_limit=0)
        if len(self._clients) >= MOST_CLIENTS or not ws.can_prepare(request).ok:
            raise web.HTTPServiceUnavailable(text="No more can listen.\n")
        await ws.prepare(request)
        client = _Client()
        self._clients[client] = ws
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._watch_values())
        sender = asyncio.create_task(send_newest(client, ws, request.transport))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self.order(client, message.data)
        finally:
            sender.cancel()
            del self._clients[client]
            self._follow_smooth()
            if not self._clients and self._watch is not None:
                self._watch.cancel()
                self._watch = None
        return ws

    def order(self, client: _Client, text: str) -> None:
        """Take one message of a listener; what is malformed or too much changes nothing."""
        if not client.orders.take(time.monotonic()):
            return
        try:
            order = json.loads(text)
        except (ValueError, RecursionError):
            return
        path = order.get("DATA") if isinstance(order, dict) else None
        self._refresh()
        leaf = self._tree.leaves.get(path) if isinstance(path, str) else None
        if leaf is None or leaf.message is None:
            return
        if order.get("COMMAND") == "LISTEN" and len(client.paths) < MOST_PATHS:
            client.paths[leaf.path] = None
            client.tell(leaf.path, leaf.message())
        elif order.get("COMMAND") == "IGNORE":
            client.paths.pop(leaf.path, None)
        if leaf.smooth:
            self._follow_smooth()


def _asked(request: web.Request) -> str:
    """Return the address of this machine that a request came to."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(name[0]).partition("%")[0] if isinstance(name, tuple) else ""


def _response(status: int, content: Any) -> web.Response:
    from aiohttp import web

    if content is None:
        return web.Response(status=status)
    return web.json_response(content, status=status, dumps=lambda o: json.dumps(o, separators=(",", ":")))
