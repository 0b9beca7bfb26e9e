"""What the servers of the feed share: a port that is taken at once, and sending in which nothing lines up.

Runs on: feed process and replay, event loop. Whoever sends has an aiohttp server running already; none is imported here.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

SEND_S = 10.0  # who does not take a message for so long is gone
UNSENT_BYTES = 16_384  # what the system may hold for who is slow: more would only be old news


class Waiting(Protocol):
    """What is to be sent to one client: `wake` is set when there is something, `take` hands it out."""

    wake: asyncio.Event

    def take(self) -> Iterable[bytes | str]: ...


class Outlet:
    """A WebSocket that whole messages are written to at once, without a task's turn for each, while the network takes them."""

    __slots__ = ("_transport", "_ws")

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        """`ws`: without compression, which would make the bytes depend on those before."""
        self._ws, self._transport = ws, transport

    def send(self, text: str) -> bool:
        """Write a message; False where it has to wait, and nothing was written."""
        transport = self._transport
        if self._ws.closed or transport.is_closing() or transport.get_write_buffer_size():
            return False
        body = text.encode()
        size = len(body)
        if size < 126:
            head = bytes((0x81, size))  # RFC 6455: one frame of text, not masked
        elif size < 65536:
            head = b"\x81\x7e" + size.to_bytes(2, "big")
        else:
            head = b"\x81\x7f" + size.to_bytes(8, "big")
        transport.write(head + body)
        return True


@runtime_checkable
class Prompt(Protocol):
    """Who is to be sent many small messages: it writes them itself where it can, and queues the others."""

    def attach(self, outlet: Outlet) -> None: ...


def listen(key: str, host: str, port: int, backlog: int = 64) -> socket.socket:
    """Return a listening socket. Raises ConfigError that names the configuration's key when it cannot be had.

    `backlog`: so many may wait until somebody serves here; who comes when it is full tries again a second later.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        out = socket.socket(family, kind, protocol)
        if hasattr(socket, "SO_REUSEPORT"):  # not on Windows, where reuse would let two programs share the port
            out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.setblocking(False)
        out.bind(address)
        out.listen(backlog)
    except OSError as error:
        raise ConfigError(
            f"{key}: {host}:{port} cannot be opened ({error.strerror or error}); set {key}.port to another number, "
            f"or {key}.enabled to false"
        ) from error
    return out


async def send_newest(client: Waiting, ws: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
    """Send what waits, one at a time; while one send is under way what waits is replaced by what is newer."""
    if transport is not None:
        _keep_little_unsent(transport)
    try:
        while True:
            await client.wake.wait()
            for message in client.take():
                async with asyncio.timeout(SEND_S):
                    await (ws.send_str(message) if isinstance(message, str) else ws.send_bytes(message))
                # Sending does not give way to others as long as the network takes everything.
                await asyncio.sleep(0)
    except (ConnectionError, RuntimeError):
        pass  # it went away: the reading side notices and cleans up
    except TimeoutError:
        if transport is not None:
            transport.abort()


def _keep_little_unsent(transport: asyncio.Transport) -> None:
    """Let who is slow be late by little: beyond this the send waits, and meanwhile newer messages replace older ones."""
    transport.set_write_buffer_limits(high=0)
    sock = transport.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
