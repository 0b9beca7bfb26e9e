"""The other booths on one database: what they tell each other, and which of them does what only one may.

Runs on: booth process, event loop. PostgreSQL carries it: LISTEN and NOTIFY, and advisory locks, which the database takes back
from a booth that is gone. A file of SQLite has one booth, which does everything; nothing here does anything then.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import secrets
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from engine.store.connection import StoreError, shown

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CHANNEL = "algoritmo_booth"
KEY = 0x616C6700  # of the first advisory lock
# What only one booth may do: making the first generation, breeding the next, playing drawings, playing pairs in the room,
# fine-tuning the network.
DUTIES = ("first", "breeding", "stage", "room", "tuning")
PART = 6000  # characters of one notification; PostgreSQL takes less than 8000 bytes
PARTS = 64  # of one message
WAITING = 1000  # messages; more than so many are not told, the store has all that must not be lost
AGAIN_S = 1.0
BACK = "back"  # told to this booth by itself: something may have been missed

Took = Callable[[str, dict[str, Any]], None]


def parts_of(sender: str, number: int, kind: str, content: dict[str, Any]) -> list[str]:
    """Return the notifications of one message."""
    body = base64.b64encode(zlib.compress(json.dumps([kind, content]).encode())).decode()
    count = -(-len(body) // PART)
    return [f"{sender} {number} {at} {count} {body[at * PART : (at + 1) * PART]}" for at in range(count)]


class Parts:
    """Puts messages of others together; what is none of theirs is left out."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._begun: dict[tuple[str, str], list[str]] = {}

    def take(self, said: str) -> tuple[str, dict[str, Any]] | None:
        """Take a notification; return a message that it makes whole."""
        sender, *more = said.split(" ", 4)
        if sender == self._own or len(more) != 4:
            return None
        number, at, count, body = more
        parts = self._begun.setdefault((sender, number), [])
        parts.append(body)
        if at != str(len(parts) - 1) or not count.isdecimal() or not 0 < int(count) <= PARTS or len(self._begun) > PARTS:
            del self._begun[sender, number]
            return None
        if len(parts) < int(count):
            return None
        del self._begun[sender, number]
        try:
            kind, content = json.loads(zlib.decompress(base64.b64decode("".join(parts))))
        except (ValueError, zlib.error):
            return None
        return (kind, content) if isinstance(kind, str) and isinstance(content, dict) else None


class Others:
    """All the other booths of a store."""

    def __init__(self, url: URL, took: Took) -> None:
        """`took`: is called with what another booth told, its kind and its content."""
        self._alone = url.get_backend_name() != "postgresql"
        self._url, self._took = url, took
        self._name = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._said: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._speaks: AsyncConnection[Any] | None = None
        self._duties: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen. Raises StoreError."""
        if self._alone:
            return
        import psycopg

        try:
            self._speaks = await self._connected()
            listens = await self._connected()
            await listens.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error as error:
            raise StoreError(f"{shown(self._url)}: other booths cannot be heard ({error})") from error
        self._tasks = [asyncio.ensure_future(self._listening(listens)), asyncio.ensure_future(self._speaking())]

    async def stop(self) -> None:
        """Lay down everything and be gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._speaks is not None:
            await self._speaks.close()

    def tell(self, kind: str, /, **content: Any) -> None:
        """Tell all the others; what they do not hear is lost."""
        if self._alone:
            return
        with contextlib.suppress(asyncio.QueueFull):
            for part in parts_of(self._name, next(self._numbers), kind, content):
                self._said.put_nowait(part)

    # --- duties ------------------------------------------------------------------------------------------------------------

    def has(self, duty: str) -> bool:
        """Whether this booth does it."""
        return self._alone or duty in self._duties

    async def takes(self, duty: str) -> bool:
        """Take a duty that nobody has; return whether it is this booth's now."""
        if self.has(duty):
            return True
        if await self._ask("SELECT pg_try_advisory_lock(%s)", duty):
            self._duties.add(duty)
        return duty in self._duties

    async def lays_down(self, duty: str) -> None:
        """Let others have a duty."""
        if not self._alone and duty in self._duties:
            self._duties.discard(duty)
            await self._ask("SELECT pg_advisory_unlock(%s)", duty)

    async def _ask(self, question: str, duty: str) -> bool:
        import psycopg

        if self._speaks is None:
            return False
        try:
            row = await (await self._speaks.execute(question, (KEY + DUTIES.index(duty),))).fetchone()
        except psycopg.Error:  # the one that speaks notices, too, and connects anew
            return False
        return row is not None and bool(row[0])

    # --- connections -------------------------------------------------------------------------------------------------------

    async def _connected(self) -> AsyncConnection[Any]:
        import psycopg

        where = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await psycopg.AsyncConnection.connect(where, autocommit=True, connect_timeout=5)

    async def _listening(self, listens: AsyncConnection[Any]) -> None:
        import psycopg

        parts = Parts(self._name)
        while True:
            try:
                async for said in listens.notifies():
                    if (message := parts.take(said.payload)) is not None:
                        self._took(*message)
            except psycopg.Error:
                self._duties.clear()  # the database took them back
                await listens.close()
            while listens.closed:
                await asyncio.sleep(AGAIN_S)
                with contextlib.suppress(psycopg.Error):
                    listens = await self._connected()
                    await listens.execute(f"LISTEN {CHANNEL}")
                    self._took(BACK, {})
                    self.tell("votes")  # and who speaks connects anew, with what others have missed

    async def _speaking(self) -> None:
        import psycopg

        while True:
            said = await self._said.get()
            while True:
                try:
                    if self._speaks is None:
                        self._speaks = await self._connected()
                    await self._speaks.execute("SELECT pg_notify(%s, %s)", (CHANNEL, said))
                    break
                except psycopg.Error:
                    self._duties.clear()  # the database took them back
                    if self._speaks is not None:
                        await self._speaks.close()
                    self._speaks = None
                    await asyncio.sleep(AGAIN_S)
