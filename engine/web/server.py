"""The pages' server: the files of every page, and one WebSocket for each browser.

Runs on: feed process, event loop thread; imported by Site.start() and `algoritmo explore` only.

| address | what |
|---|---|
| `/` | the stage page |
| `/NAME/` | the page in `static/NAME/` |
| `/lib/...` | what pages share |
| `/lib/served.json` | what serves them: whether a jam does, and where others in the room find it |
| `/NAME/socket` | messages of a page that has a module in `pages/`; `/socket` is the stage's |
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.web_protocol import RequestHandler

from engine.core.config import Web
from engine.net.guard import Bucket, Guard
from engine.net.sockets import Outlet, Prompt, send_newest
from engine.web.files import HOME, ORT, SERVED, File, Files
from engine.web.pages import Page

SILENT_S = 10.0  # a connection that has not asked for anything by then is closed
PING_S = 20.0
ADDRESSES = 512  # whose requests are counted

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes."""

    message_bytes: int = 4096  # largest order a browser may send
    requests_hz: float = 100.0  # asked for from one address; a page is some 40 of them
    requests_burst: float = 800.0
    joins_hz: float = 4.0  # pages opened: each may be sent the past
    joins_burst: float = 250.0
    connections: int = 0  # 0: four for each client that the configuration allows, and a few
    backlog: int = 64


@dataclass(frozen=True, slots=True)
class Made:
    """An answer that is no file: made while the server runs, and the same for ever where it is `lasting`."""

    body: bytes
    type: str
    packed: bool = False  # in gzip's format
    lasting: bool = False


Maker = Callable[[str], Awaitable[Made | None]]  # of a path


class Served(Protocol):
    """What is served: the pages that send and take messages, and who may come in."""

    config: Web
    guard: Guard

    @property
    def pages(self) -> Mapping[str, Page]: ...

    @property
    def full(self) -> bool: ...

    @property
    def address(self) -> str: ...


class Server:
    """Serves one Site, or what is like one."""

    def __init__(
        self, site: Served, files: Files | None = None, limits: Limits | None = None, maker: Maker | None = None
    ) -> None:
        """`files`: those that are served, all of them unless given; `maker`: is asked before them."""
        self._site = site
        self._limits = limits or Limits()
        self._maker = maker
        self._files = files or Files()
        # What compiles WebAssembly has to be allowed to; nothing of ours does.
        self._scripts = "'self' 'wasm-unsafe-eval'" if self._files.at(ORT) else "'self'"
        self._silent: dict[RequestHandler, asyncio.TimerHandle] = {}  # connections that have not asked for anything yet
        self._sockets: set[web.WebSocketResponse] = set()
        self._rates: dict[str, Bucket] = {}
        self._joins = Bucket(self._limits.joins_hz, self._limits.joins_burst)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve at a listening socket."""
        # The limit on a body comes from there being no route that reads one.
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/{page}/socket", self._socket)
        app.router.add_get(SERVED, self._told)
        app.router.add_get("/{path:.*}", self._file)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=SILENT_S, shutdown_timeout=0.2, max_field_size=4096, max_headers=64
        )
        await runner.setup()
        self._runner = runner
        self._listener = await asyncio.get_running_loop().create_server(
            self._accept, sock=listening, backlog=self._limits.backlog
        )

    async def stop(self) -> None:
        """Say goodbye to every browser and close."""
        if self._listener is not None:
            self._listener.close()
        goodbyes = [ws.close(code=WSCloseCode.GOING_AWAY, drain=False) for ws in list(self._sockets)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*goodbyes, return_exceptions=True), 0.2)
        if self._runner is not None:
            await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        """Return the protocol of a new connection; beyond a limit one that hangs up."""
        assert self._runner is not None
        assert self._runner.server is not None
        server = self._runner.server
        if len(server.connections) >= (self._limits.connections or 4 * self._site.config.max_clients + 16):
            return _Refusal()
        connection = server()
        self._silent[connection] = asyncio.get_running_loop().call_later(SILENT_S, self._hang_up, connection)
        return connection

    def _hang_up(self, connection: RequestHandler) -> None:
        self._silent.pop(connection, None)
        connection.force_close()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (timer := self._silent.pop(request.protocol, None)) is not None:
            timer.cancel()
        if not self._rate(request.remote or "").take(time.monotonic()):
            raise web.HTTPTooManyRequests(text="Slower, please.\n")
        guard = self._site.guard
        host = request.headers.get("Host")
        if not guard.host_is_ours(host):
            raise web.HTTPForbidden(text="This server does not go by that name. Open it by its address in numbers.\n")
        if not guard.origin_is_ours(request.headers.get("Origin"), host):
            raise web.HTTPForbidden(text="Only this server's own page may talk to it.\n")
        return await handler(request)

    def _rate(self, address: str) -> Bucket:
        if address not in self._rates and len(self._rates) >= ADDRESSES:
            self._rates.pop(next(iter(self._rates)))
        return self._rates.setdefault(address, Bucket(self._limits.requests_hz, self._limits.requests_burst))

    async def _told(self, _request: web.Request) -> web.StreamResponse:
        """What serves the pages: a code on one of them has to lead where others can follow."""
        address = None if self._site.guard.open_to_all else self._site.address
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return web.json_response({"jam": bool(self._site.pages), "address": address}, headers=headers)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if self._maker is not None and (made := await self._maker(request.path)) is not None:
            return _answer(made)
        file = self._files.at(f"/{self._files.home}/" if request.path == "/" else request.path)
        if file is None:
            if (page := self._files.page_without_slash(request.path)) is not None:
                query = f"?{request.query_string}" if request.query_string else ""
                raise web.HTTPFound(f"/{page}/{query}")
            raise web.HTTPNotFound(text="There is no such page here.\n")
        packed = file.packs and _takes_gzip(request)
        # A network's file is large: reading it for the first time must not keep a step of the feed waiting.
        headers = await asyncio.to_thread(_headers, file, packed, request.host, self._scripts)
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.packed if packed else file.body, headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        page = self._site.pages.get(request.match_info.get("page", HOME))
        if page is None:
            raise web.HTTPNotFound(text="This page has nothing to say.\n")
        ws = web.WebSocketResponse(
            compress=False, heartbeat=PING_S, max_msg_size=self._limits.message_bytes, timeout=0.5, writer_limit=0
        )
        if not ws.can_prepare(request).ok:
            raise web.HTTPBadRequest(text="Here a WebSocket is spoken.\n")
        await ws.prepare(request)
        if self._site.full or not self._joins.take(time.monotonic()):
            await ws.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"the house is full")
            return ws
        client = page.join(request.query, request.remote or "")
        if isinstance(client, Prompt) and request.transport is not None:
            client.attach(Outlet(ws, request.transport))
        self._sockets.add(ws)
        sender = asyncio.create_task(send_newest(client, ws, request.transport))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    page.order(client, message.data)
        finally:
            self._sockets.discard(ws)
            page.leave(client)
            sender.cancel()
        return ws


class _Refusal(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _answer(made: Made) -> web.Response:
    lasting = "max-age=31536000, immutable" if made.lasting else "no-store"
    headers = {"Cache-Control": lasting, "Content-Type": made.type, "X-Content-Type-Options": "nosniff"}
    if made.packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=made.body, headers=headers)


def _takes_gzip(request: web.Request) -> bool:
    """Whether a browser takes gzip; `gzip;q=0` says that it does not."""
    offers = request.headers.get("Accept-Encoding", "").lower().replace(" ", "").split(",")
    return any(name == "gzip" and weight.strip("0.") != "q=" for name, _, weight in (o.partition(";") for o in offers))


def _headers(file: File, packed: bool, host: str, scripts: str) -> dict[str, str]:
    headers = {
        "Cache-Control": "no-cache",
        # Older Safari does not count a WebSocket to the same host among 'self'.
        "Content-Security-Policy": f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Content-Type": file.type,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": file.packed_tag if packed else file.tag,
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if file.packs:
        headers["Vary"] = "Accept-Encoding"
    if packed:
        headers["Content-Encoding"] = "gzip"
    return headers
