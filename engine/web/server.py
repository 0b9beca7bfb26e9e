"""The page's server: static files, and one WebSocket for each browser.

Runs on: feed process, event loop thread; imported by Stage.start() only.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.web_protocol import RequestHandler

from engine.net.guard import Bucket
from engine.net.sockets import send_newest
from engine.web.frames import Format

if TYPE_CHECKING:
    from engine.web.stage import Stage

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
MESSAGE_BYTES = 4096  # largest order a browser may send
SILENT_S = 10.0  # a connection that has not asked for anything by then is closed
PING_S = 20.0
FPS = 60.0
REQUESTS_HZ, REQUESTS_BURST = 100.0, 800.0  # asked for from one address; a page is some 30 of them
ADDRESSES = 512  # whose requests are counted

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _File(NamedTuple):
    body: bytes
    type: str
    tag: str

    @classmethod
    def of(cls, path: Path) -> _File:
        body = path.read_bytes()
        return cls(body, f"{TYPES[path.suffix]}; charset=utf-8", f'"{hashlib.sha256(body).hexdigest()[:24]}"')


class Server:
    """Serves one Stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        # All that is served, read once: no request ever names a path to the disk.
        self._files = {
            f"/{path.relative_to(STATIC).as_posix()}": _File.of(path) for path in STATIC.rglob("*") if path.suffix in TYPES
        }
        self._files["/"] = self._files["/index.html"]
        self._silent: dict[RequestHandler, asyncio.TimerHandle] = {}  # connections that have not asked for anything yet
        self._sockets: set[web.WebSocketResponse] = set()
        self._rates: dict[str, Bucket] = {}
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve at a listening socket."""
        # The limit on a body comes from there being no route that reads one.
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/{path:.*}", self._file)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=SILENT_S, shutdown_timeout=0.2, max_field_size=4096, max_headers=64
        )
        await runner.setup()
        self._runner = runner
        self._listener = await asyncio.get_running_loop().create_server(self._accept, sock=listening, backlog=64)

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
        if len(server.connections) >= 4 * self._stage.config.max_clients + 16:
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
        guard = self._stage.guard
        host = request.headers.get("Host")
        if not guard.host_is_ours(host):
            raise web.HTTPForbidden(text="This server does not go by that name. Open it by its address in numbers.\n")
        if not guard.origin_is_ours(request.headers.get("Origin"), host):
            raise web.HTTPForbidden(text="Only this server's own page may talk to it.\n")
        return await handler(request)

    def _rate(self, address: str) -> Bucket:
        if address not in self._rates and len(self._rates) >= ADDRESSES:
            self._rates.pop(next(iter(self._rates)))
        return self._rates.setdefault(address, Bucket(REQUESTS_HZ, REQUESTS_BURST))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._files.get(request.path)
        if file is None:
            raise web.HTTPNotFound(text="There is no such page here.\n")
        headers = {
            "Cache-Control": "no-cache",
            # Older Safari does not count a WebSocket to the same host among 'self'.
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self' ws://{request.host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Content-Type": file.type,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "ETag": file.tag,
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("If-None-Match") == file.tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, timeout=0.5, writer_limit=0)
        if not ws.can_prepare(request).ok:
            raise web.HTTPBadRequest(text="Here a WebSocket is spoken.\n")
        await ws.prepare(request)
        client = self._stage.join(_format(request), _fps(request))
        if client is None:
            await ws.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"the house is full")
            return ws
        self._sockets.add(ws)
        sender = asyncio.create_task(send_newest(client, ws, request.transport))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._stage.order(client, message.data)
        finally:
            self._sockets.discard(ws)
            self._stage.leave(client)
            sender.cancel()
        return ws


class _Refusal(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _format(request: web.Request) -> Format | None:
    wanted = request.query.get("fmt")
    return "u8" if wanted == "u8" else "f32" if wanted == "f32" else None


def _fps(request: web.Request) -> float:
    try:
        fps = float(request.query.get("fps", FPS))
    except ValueError:
        return FPS
    return min(max(fps, 1.0), FPS) if fps == fps else FPS
