"""OSCQuery: a receiver finds every address, its type, range, value and meaning by itself, and listens to those it likes.

Runs on: feed process, event loop. After Vidvox's proposal: JSON over HTTP for each path, `?HOST_INFO`, LISTEN and IGNORE over a
WebSocket that then carries OSC packets. Nothing can be changed here. aiohttp and zeroconf are imported by `start`, when there
is sound already.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.core.config import Query as QueryConfig
from engine.core.messages import FUTURE_STEPS, FUTURES, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live, Parameter
from engine.feed.feed import Feed
from engine.feed.schema import CHUNK, COMMANDS, FRAME, PLAYER_NOTE, ROOT
from engine.net import osc
from engine.net.guard import Bucket, Guard, own_address
from engine.net.sockets import listen, send_newest

if TYPE_CHECKING:
    from aiohttp import web
    from zeroconf.asyncio import AsyncZeroconf

NAME = "Algoritmo"
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "VALUE", "RANGE", "ACCESS", "DESCRIPTION", "UNIT", "CLIPMODE")
MOST_CLIENTS = 32
MOST_PATHS = 512  # that one client listens to
MESSAGE_BYTES = 4096
ORDERS_HZ, ORDERS_BURST = 200.0, 1000.0
WATCH_S = 0.05  # how often, while somebody listens, the parameters are compared with what he was told
READ, WRITE = 1, 2


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One address as OSCQuery tells of it."""

    path: str
    types: str
    access: int
    doc: str
    unit: str = ""
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    value: Callable[[], list[Any]] | None = None
    message: Callable[[], bytes] | None = None  # the value as OSC, for those who listen
    every_step: bool = False
    parameter: int = -1  # its place in the table of values

    def describe(self, whole: bool) -> dict[str, Any]:
        """Return the node; `whole` also where that means hundreds of numbers."""
        out: dict[str, Any] = {"FULL_PATH": self.path, "TYPE": self.types, "ACCESS": self.access, "DESCRIPTION": self.doc}
        if self.unit:
            out["UNIT"] = [self.unit] * len(self.types)
        if whole or len(self.types) <= 2:
            if self.value is not None:
                out["VALUE"] = self.value()
            one: dict[str, Any] = {}
            if self.choices:
                one = {"VALS": list(self.choices)}
            elif self.limits is not None:
                one = {"MIN": self.limits[0], "MAX": self.limits[1]}
            if one:
                out["RANGE"] = [one] * len(self.types)
        if self.access & WRITE and self.limits is not None:
            out["CLIPMODE"] = ["both"] * len(self.types)
        return out


class _Client:
    """Somebody who listens: per address the newest message, not yet sent."""

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}  # a step is told in the order in which its parts were asked for
        self.orders = Bucket(ORDERS_HZ, ORDERS_BURST)
        self.wake = asyncio.Event()
        self._waiting: dict[str, bytes] = {}

    def tell(self, path: str, message: bytes) -> None:
        """Put a message in its slot."""
        self._waiting[path] = message
        self.wake.set()

    def take(self) -> list[bytes]:
        """Return what is to be sent."""
        self.wake.clear()
        out = list(self._waiting.values())
        self._waiting.clear()
        return out


class Query:
    """The OSCQuery server of a feed."""

    def __init__(self, config: QueryConfig, feed: Feed, live: Live, control: tuple[str, int]) -> None:
        """Take the port. Raises ConfigError when it cannot be had. `control`: where OSC orders are taken."""
        self._config = config
        self._feed = feed
        self._live = live
        self._control = control
        self._socket = listen("osc.query", config.host, config.port)
        self._guard = Guard(config.host, origins=config.origins)
        self._requests = Bucket(50.0, 200.0)
        self._clients: dict[_Client, web.WebSocketResponse] = {}
        self._notes = dict.fromkeys((PLAYER_NOTE, *feed.schema.track_notes()), (0, 0))
        self._futures = np.zeros((FUTURES, FUTURE_STEPS, feed.schema.card.slots), ">f4")
        self._leaves = {leaf.path: leaf for leaf in self._all()}
        self._children = _tree(self._leaves)
        self._told = live.values.numbers.copy()
        self._version = live.values.version
        self.announced = False
        self._runner: web.AppRunner | None = None
        self._zeroconf: AsyncZeroconf | None = None
        self._watch: asyncio.Task[None] | None = None

    # --- what there is -----------------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[_Leaf]:
        schema, encoder = self._feed.schema, self._feed.encoder
        yield _Leaf(
            ROOT + FRAME,
            "i",
            READ,
            "Number of the timestep",
            "steps",
            value=lambda: [encoder.step],
            message=lambda: osc.message(ROOT + FRAME, encoder.step),
            every_step=True,
        )
        for number, scalar in enumerate(schema.scalars):
            yield self._numbers(ROOT + scalar.path, number, number + 1, scalar.doc, (0.0, 1.0))
        for path in self._notes:
            yield self._note(path)
        for vector in schema.vectors:
            for path, first, end in vector.chunks(256):
                yield self._numbers(ROOT + path, first, end, vector.doc, (vector.minimum, vector.maximum))
        for number in range(FUTURES):
            for path, slots in schema.futures(number):
                yield from self._future(number, path, slots)
        for index, parameter in enumerate(schema.registry):
            yield self._parameter(index, parameter)
        for command in COMMANDS:
            if "<" not in command.path:
                yield _Leaf(ROOT + command.path, "N", WRITE, command.doc)

    def _numbers(self, path: str, first: int, end: int, doc: str, limits: tuple[float, float]) -> _Leaf:
        encoder, head = self._feed.encoder, osc.head(path, "f" * (end - first))
        return _Leaf(
            path,
            "f" * (end - first),
            READ,
            doc,
            limits=limits,
            value=lambda: encoder.values[first:end].tolist(),
            message=lambda: head + encoder.wire[first:end].tobytes(),
            every_step=True,
        )

    def _future(self, number: int, path: str, slots: slice) -> Iterator[_Leaf]:
        notes = self._futures[number, :, slots]
        doc = f"What else might follow this step: {FUTURE_STEPS} timesteps of {notes.shape[1]} pitches"

        def leaf(chunk: int, first: int, end: int) -> _Leaf:
            def told() -> np.ndarray:
                return notes.ravel()[first:end]

            head = osc.head(f"{ROOT}{path}/{chunk:03}", "f" * (end - first))
            return _Leaf(
                f"{ROOT}{path}/{chunk:03}",
                "f" * (end - first),
                READ,
                doc,
                limits=(0, 1),
                value=lambda: told().tolist(),
                message=lambda: head + told().tobytes(),
            )

        for chunk, first in enumerate(range(0, notes.size, CHUNK)):
            yield leaf(chunk, first, min(first + CHUNK, notes.size))

    def _note(self, path: str) -> _Leaf:
        return _Leaf(
            ROOT + path,
            "ii",
            READ,
            "Newest note: MIDI pitch and velocity; velocity 0 when it ended",
            limits=(0, 127),
            value=lambda: list(self._notes[path]),
            message=lambda: osc.message(ROOT + path, *self._notes[path]),
        )

    def _parameter(self, index: int, parameter: Parameter) -> _Leaf:
        whole = parameter.kind in ("switch", "integer", "trigger")
        kind = "s" if parameter.choices else "i" if whole else "f"

        def value() -> osc.Argument:
            number = self._live.get(parameter.id)
            return parameter.text(number) if parameter.choices else int(number) if whole else number

        path = ROOT + parameter.address
        if parameter.kind == "trigger":
            return _Leaf(path, "N", WRITE, parameter.doc)
        return _Leaf(
            path,
            kind,
            READ | WRITE,
            parameter.doc,
            parameter.unit,
            (parameter.minimum, parameter.maximum),
            parameter.choices,
            value=lambda: [value()],
            message=lambda: osc.message(path, value()),
            parameter=index,
        )

    def describe(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path, with all below it; None when nothing is."""
        leaf = self._leaves.get(path)
        if leaf is not None:
            return leaf.describe(whole=True)
        return self._container(path) if path in self._children else None

    def _container(self, path: str) -> dict[str, Any]:
        contents = {}
        for name, child in self._children[path].items():
            leaf = self._leaves.get(child)
            contents[name] = leaf.describe(whole=False) if leaf is not None else self._container(child)
        return {"FULL_PATH": path or "/", "ACCESS": 0, "CONTENTS": contents}

    def host_info(self) -> dict[str, Any]:
        """Return what `?HOST_INFO` answers."""
        supported = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "LISTEN")
        return {
            "NAME": NAME,
            "EXTENSIONS": dict.fromkeys(supported, True),
            "OSC_IP": self._control[0],
            "OSC_PORT": self._control[1],
            "OSC_TRANSPORT": "UDP",
            "WS_IP": self._config.host,
            "WS_PORT": self.port,
        }

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    # --- what happens ------------------------------------------------------------------------------------------------------

    def step(self, _record: np.void) -> None:
        """A step sounds: tell it to those who listen."""
        if not self._clients:
            return
        made: dict[str, bytes] = {}
        for client in self._clients:
            for path in client.paths:
                leaf = self._leaves[path]
                if leaf.every_step and leaf.message is not None:
                    if path not in made:
                        made[path] = leaf.message()
                    client.tell(path, made[path])

    def notes(self, events: np.ndarray) -> None:
        """Notes began or ended: tell them to those who listen."""
        tracks = dict(enumerate(self._feed.schema.track_notes())) | {PLAYER: PLAYER_NOTE}
        for event in events:
            kind, path = int(event["kind"]), tracks.get(int(event["track"]))
            if kind not in (NOTE_ON, NOTE_OFF) or path is None:
                continue
            self._notes[path] = (int(event["pitch"]), int(event["velocity"]) if kind == NOTE_ON else 0)
            for client in self._clients:
                if ROOT + path in client.paths:
                    client.tell(f"{path} {int(event['pitch'])}", osc.message(ROOT + path, *self._notes[path]))

    def futures(self, record: np.void) -> None:
        """Something was imagined: tell it to those who listen."""
        self._futures[:] = record["notes"] * np.float32(0.5)
        for client in self._clients:
            for path in client.paths:
                leaf = self._leaves[path]
                if path.startswith(f"{ROOT}/future/") and leaf.message is not None:
                    client.tell(path, leaf.message())

    async def _watch_values(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self._live.values.version != self._version:
                self._version = self._live.values.version
                self._tell_changes()

    def _tell_changes(self) -> None:
        numbers = self._live.values.numbers.copy()
        changed = set(np.flatnonzero(numbers != self._told).tolist())
        self._told = numbers
        for client in self._clients:
            for path in client.paths:
                leaf = self._leaves[path]
                if leaf.parameter in changed and leaf.message is not None:
                    client.tell(path, leaf.message())

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
            await self._announce()

    async def stop(self) -> None:
        """Say goodbye to everyone and close."""
        if self._watch is not None:
            self._watch.cancel()
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
        return _response(*self.answer(request.path, request.query_string))

    def answer(self, path: str, attribute: str) -> tuple[int, Any]:
        """Return HTTP status and JSON for a path and what stands behind its question mark (nothing: all)."""
        if attribute == "HOST_INFO":
            return 200, self.host_info()
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
        leaf = self._leaves.get(path) if isinstance(path, str) else None
        if leaf is None or leaf.message is None:
            return
        if order.get("COMMAND") == "LISTEN" and len(client.paths) < MOST_PATHS:
            client.paths[leaf.path] = None
            client.tell(leaf.path, leaf.message())
        elif order.get("COMMAND") == "IGNORE":
            client.paths.pop(leaf.path, None)

    async def _announce(self) -> None:
        """Tell the network, or where only this machine can come in, this machine."""
        from zeroconf import InterfaceChoice, IPVersion, NonUniqueNameException, ServiceInfo
        from zeroconf.asyncio import AsyncZeroconf

        host = self._socket.getsockname()[0]
        everywhere = host in ("0.0.0.0", "::")
        interfaces: Any = InterfaceChoice.Default if everywhere else [host]
        try:
            self._zeroconf = AsyncZeroconf(interfaces=interfaces, ip_version=IPVersion.V4Only)
            addresses = [socket.inet_aton(own_address() if everywhere else host)]
            for kind, port in (("_oscjson._tcp.local.", self.port), ("_osc._udp.local.", self._control[1])):
                info = ServiceInfo(
                    kind, f"{NAME}.{kind}", port, addresses=addresses, server=f"{NAME.lower()}-{self.port}.local."
                )
                await self._zeroconf.async_register_service(info, allow_name_change=True)
        except (OSError, NonUniqueNameException):
            return  # no network to announce it on: it can still be found by its address
        self.announced = True


def _tree(leaves: dict[str, _Leaf]) -> dict[str, dict[str, str]]:
    """Return for each container's path its children: name -> path."""
    out: dict[str, dict[str, str]] = {"": {}}
    for path in leaves:
        parts = path.split("/")
        for n in range(1, len(parts)):
            parent = "/".join(parts[:n])
            out.setdefault(parent, {})[parts[n]] = "/".join(parts[: n + 1])
    return out


def _response(status: int, content: Any) -> web.Response:
    from aiohttp import web

    if content is None:
        return web.Response(status=status)
    return web.json_response(content, status=status, dumps=lambda o: json.dumps(o, separators=(",", ":")))
