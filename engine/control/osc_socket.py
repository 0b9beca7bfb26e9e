"""The UDP socket that OSC orders and questions come to.

Runs on: feed process, event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from engine.control.osc_control import Control
from engine.core.errors import ConfigError
from engine.core.osc_section import Control as ControlConfig
from engine.net.guard import Bucket
from engine.net.packets import LARGEST

DATAGRAMS_HZ, DATAGRAMS_BURST = 2000, 500  # that are read; what is beyond it the system throws away
PAUSE_S = 0.02  # for which nothing is read when more came than that


class ControlSocket:
    """The control's socket on an event loop. No more than a bounded number of datagrams a second is read from it."""

    def __init__(self, config: ControlConfig) -> None:
        """Open the socket. Raises ConfigError when it cannot be had."""
        where = f"{config.host}:{config.port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_DGRAM)[0]
            self.socket = socket.socket(family, kind, protocol)
            self.socket.setblocking(False)
            self.socket.bind(address)
        except OSError as error:
            raise ConfigError(
                f"osc.control: {where} cannot be opened ({error.strerror or error}); set osc.control.port to another number, "
                "or osc.control.enabled to false"
            ) from error
        self._budget = Bucket(DATAGRAMS_HZ, DATAGRAMS_BURST)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._control: Control | None = None

    def start(self, control: Control) -> None:
        """Read from now on, on the running loop."""
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._read)

    def _read(self) -> None:
        assert self._loop is not None
        assert self._control is not None
        now_s = time.monotonic()
        if not self._budget.take(now_s):
            self._loop.remove_reader(self.socket)
            self._pause = self._loop.call_later(PAUSE_S, self._loop.add_reader, self.socket, self._read)
            return
        try:
            data, sender = self.socket.recvfrom(LARGEST + 1)
        except OSError:  # nothing there after all, or (Windows) an answer before went to nobody
            return
        for reply in self._control.handle(data, sender[:2], now_s):
            with contextlib.suppress(OSError):  # who asks and does not wait for the answer
                self.socket.sendto(reply, sender)

    def close(self) -> None:
        """Stop reading and let go of the port."""
        if self._pause is not None:
            self._pause.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self.socket)
        self.socket.close()
