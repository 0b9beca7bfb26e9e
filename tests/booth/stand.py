"""A booth in this process, with a tiny network, and phones that talk to it over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from engine.booth.house import Booth
from engine.booth.stage import Stage
from engine.core.config import Config, load
from engine.store.store import Store


def free_port() -> int:
    """Return a TCP port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def configuration(network: Path, store: str, **booth: object) -> Config:
    """The configuration of a small booth."""
    own = {"port": free_port(), "store": store, "clips": 6, "bars": 1} | booth
    settings = [f"booth.{key}={json.dumps(value)}" for key, value in own.items()]
    return load(None, [f"network.name={network}", *settings])


class Phone:
    """One phone."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.hello: dict[str, Any] = {}

    async def say(self, kind: str, **content: Any) -> None:
        """Say something."""
        await self.ws.send_str(json.dumps({"kind": kind, **content}))

    async def hear(self, *kinds: str, limit_s: float = 20) -> dict[str, Any]:
        """Wait for one of these."""
        async with asyncio.timeout(limit_s):
            while True:
                message = await self.ws.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, message
                said: dict[str, Any] = json.loads(message.data)
                if said["kind"] in kinds:
                    return said

    async def ask(self, kind: str, *answers: str, **content: Any) -> dict[str, Any]:
        """Say something and wait for an answer."""
        await self.say(kind, **content)
        return await self.hear(*answers)

    async def vote(self, choice: int = 0) -> dict[str, Any]:
        """Ask for a ballot and vote."""
        ballot = await self.ask("ask", "ballot")
        return await self.ask("vote", "counted", "refused", ballot=ballot["ballot"], choice=choice)


class Stand:
    """A booth that runs, and its address."""

    def __init__(self, booth: Booth, store: Store, told: list[str], session: aiohttp.ClientSession) -> None:
        self.booth, self.store, self.told, self.session = booth, store, told, session
        self.url = booth.address.rstrip("/")
        self._exits = contextlib.AsyncExitStack()

    async def phone(self, visitor: str | None = None, page: str = "booth", **headers: str) -> Phone:
        """Let a phone come, or a wall."""
        query = f"?id={visitor}" if visitor else ""
        context = self.session.ws_connect(f"{self.url}/{page}/socket{query}", headers=headers)
        phone = Phone(await self._exits.enter_async_context(context))
        phone.hello = await phone.hear("hello")
        return phone

    async def close(self) -> None:
        """Let all phones go."""
        await self._exits.aclose()


@contextlib.asynccontextmanager
async def stand(config: Config, stage: Callable[[], Stage | None] = lambda: None) -> AsyncIterator[Stand]:
    """Run a booth for the length of the block."""
    told: list[str] = []
    with Store(config.booth.store, exclusive=True) as store:
        booth = Booth(config, store, lambda _level, text: told.append(text), stage)
        try:
            await booth.start()
            async with aiohttp.ClientSession() as session:
                running = Stand(booth, store, told, session)
                try:
                    yield running
                finally:
                    await running.close()
        finally:
            await booth.stop()


def run(work: Coroutine[Any, Any, None], limit_s: float = 60) -> None:
    """Run a test's coroutine to its end."""

    async def limited() -> None:
        async with asyncio.timeout(limit_s):
            await work

    asyncio.run(limited())


@contextlib.contextmanager
def served(config: Config) -> Iterator[Stand]:
    """Run a booth on a loop in a thread of its own, for those who drive a browser in this one."""
    there: queue.SimpleQueue[Stand | BaseException] = queue.SimpleQueue()
    over = threading.Event()

    async def serve() -> None:
        async with stand(config) as running:
            there.put(running)
            while not over.is_set():
                await asyncio.sleep(0.05)

    def live() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            there.put(error)
            raise

    thread = threading.Thread(target=live)
    thread.start()
    try:
        found = there.get(timeout=60)
        if isinstance(found, BaseException):
            raise found
        yield found
    finally:
        over.set()
        thread.join(30)
