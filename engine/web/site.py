"""All pages at one port: takes the port, serves them, hands each step on to them.

Runs on: feed process and replay, event loop thread. aiohttp is imported by `start()`, so that nothing waits for it before.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import numpy as np

from engine.core.config import Web
from engine.core.contract import Card
from engine.core.link import Link
from engine.core.messages import INFO
from engine.core.parameters import Live
from engine.feed.signals.audience import Audience
from engine.net.guard import Guard, address_of
from engine.net.sockets import listen
from engine.web.pages import Around, pages
from engine.web.pages.stage import Stage

if TYPE_CHECKING:
    from engine.web.server import Server


class Site:
    """The pages and all who look at them.

    Whoever reads the rings calls, on the event loop's thread, `step(record)` when a step sounds and `notes(events)` with what
    began or ended to sound. Without a browser both return at once.
    """

    def __init__(
        self,
        link: Link,
        live: Live,
        card: Card,
        config: Web,
        recorded: bool = False,
        sound: bool = True,
        audience: Audience | None = None,
    ) -> None:
        """`recorded`: what sounds was played before, nobody plays now and nothing can be changed; `sound`: there is some."""
        self.config = config
        self.guard = Guard(config.host, config.token)
        self.pages = pages(Around(link, live, card, config, self.guard, recorded, sound, audience))
        self._link = link
        self._socket: socket.socket | None = None
        self._server: Server | None = None

    @property
    def address(self) -> str:
        """Where a browser finds the first page; open to the network: from elsewhere too."""
        return address_of(self.config.host, self.config.port)

    @property
    def full(self) -> bool:
        """Whether as many look as are allowed."""
        return sum(len(page.clients) for page in self.pages.values()) >= self.config.max_clients

    def open(self) -> None:
        """Take the port; `start` serves at it. Raises ConfigError when it cannot be had."""
        self._socket = listen("web", self.config.host, self.config.port)

    async def start(self) -> None:
        """Serve the pages. Raises ConfigError when the port was not taken before and cannot be had."""
        from engine.web.server import Server

        if self._socket is None:
            self.open()
        assert self._socket is not None  # open() saw to it
        self._server = Server(self)
        await self._server.start(self._socket)
        if not self.guard.open_to_all:
            text = (
                f"the page is open to the network; to play and change things from it: {self.address}#token={self.guard.token}"
            )
            self._link.notice("feed", INFO, text)

    async def stop(self) -> None:
        """Close every browser's connection and the server."""
        for page in self.pages.values():
            for client in list(page.clients.values()):
                page.leave(client)
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def adopt(self, link: Link, card: Card) -> None:
        """Show another network from here on, on the pages that show one."""
        for page in self.pages.values():
            if isinstance(page, Stage):
                page.adopt(link, card)

    def step(self, record: np.void) -> None:
        """A step sounds now."""
        for page in self.pages.values():
            page.step(record)

    def notes(self, events: np.ndarray) -> None:
        """These began or ended to sound; EVENT records."""
        for page in self.pages.values():
            page.notes(events)

    def scenes(self, _now: tuple[int, str], _coming: tuple[int, str, float]) -> None:
        """Pages look by themselves: they are told of the whole set."""

    def futures(self, record: np.void) -> None:
        """These continuations of the step that sounds were imagined."""
        for page in self.pages.values():
            page.futures(record)
