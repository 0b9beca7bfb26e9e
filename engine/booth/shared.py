"""What a booth shares with the others on its database: votes, what is told, the drawings, a jam that is beside one of them.

Runs on: booth process, event loop. By itself a booth is the only one, and everything is its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy.engine import URL

from engine.booth.crowd import Crowd
from engine.booth.gallery import Gallery
from engine.booth.others import BACK, Others
from engine.booth.pairs import Pair
from engine.booth.phones import Phones
from engine.booth.stage import Stage
from engine.booth.voting import Voting
from engine.booth.wall import Wall
from engine.core.errors import AlgoritmoError
from engine.core.messages import WARNING
from engine.store import schema
from engine.store.store import now_ms

LOOK_S = 2.0  # how often it is looked who has the stage
LATELY_MS = 15_000  # votes of others are read again that far back; all of them ...
ALL_S = 60.0  # ... so often, for clocks of other machines may be off
JAM_S = 10.0  # after so long without a word there is no jam beside another booth
OF_STAGE = ("hide", "show", "let")  # what is ordered of who has the stage


class Shared:
    """The side of a booth that other booths know; the booth has what is named here."""

    voting: Voting
    phones: Phones
    wall: Wall
    _gallery: Gallery
    _obeys: dict[str, Callable[[Any], None]]  # what a wall may order

    def __init__(self, url: URL, tell: Callable[[int, str], None], stage: Callable[[], Stage | None]) -> None:
        self.others = Others(url, self._heard)
        self._tell, self._stage = tell, stage
        self.crowd = Crowd()
        self._jam: tuple[float, dict[str, Any]] | None = None  # when another booth last told of its jam, and what
        self._stale = False  # others have new votes
        self._known = 0  # votes of this booth that others know of
        self._all_heard_s = 0.0
        self._once: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()  # another generation may be open

    async def _share_votes(self) -> None:
        """Tell other booths that there are votes, and take theirs."""
        if self._known != self.phones.cast:
            self._known = self.phones.cast
            self.others.tell("votes")
        if self._stale:
            self._stale = False
            now_s = time.monotonic()
            everything = now_s - self._all_heard_s > ALL_S
            if everything:
                self._all_heard_s = now_s
            await self.voting.hear(0 if everything else now_ms() - LATELY_MS)

    async def _staging(self) -> None:
        """Of several booths that plays the drawings which has a jam beside it, or else any."""
        while True:
            await asyncio.sleep(LOOK_S)
            about = self._own_jam()
            if about is not None:
                self.others.tell("jam", **about)
                await self.others.takes("stage")
            elif self._jam_elsewhere() is None:
                await self.others.takes("stage")
            else:
                await self.others.lays_down("stage")

    def _heard(self, kind: str, content: dict[str, Any]) -> None:
        """Another booth tells something."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if kind in ("votes", BACK):
                self._stale = True
            if kind in ("look", BACK):
                self._wake.set()
            elif kind == "addresses":
                if not self.crowd.agrees(**content):
                    self._tell_crowd()
            elif kind == "jam":
                self._jam = time.monotonic(), content
            elif kind == "wall":
                self.wall.tell(content["kind"], **content["content"])
            elif kind == "visitor":
                self._tell_visitor(content["visitor"], content["kind"], **content["content"])
            elif kind == "order":
                self._obey(content["word"], content["of"])
            elif kind == "room":
                said = content["content"]
                pair = Pair(said["first"], said["second"], content["across"]) if "first" in said else None
                self._tell_room(said, pair)
            elif kind in ("sent", "taken-back") and self.others.has("stage"):
                number = content["drawing"]
                if kind == "sent":
                    self._go(self._gallery.take_in(number))
                else:
                    self._gallery.hide(number, schema.WAITING)

    def _tell_crowd(self) -> None:
        """Have all booths give an address the same number: else whoever goes to several of them counts as several."""
        self.others.tell("addresses", **self.crowd.told())

    def _elsewhere(self, word: str, drawing: int) -> bool:
        """Have the booth that has the stage know of a drawing; False where this one has it."""
        if self.others.has("stage"):
            return False
        self.others.tell(word, drawing=drawing)
        return True

    def _tell_walls(self, kind: str, **content: Any) -> None:
        self.wall.tell(kind, **content)
        self.others.tell("wall", kind=kind, content=content)

    def _tell_visitors(self, visitor: str, kind: str, **content: Any) -> None:
        self._tell_visitor(visitor, kind, **content)
        self.others.tell("visitor", visitor=visitor, kind=kind, content=content)

    def _tell_rooms(self, content: dict[str, Any], pair: Pair) -> None:
        self._tell_room(content, pair)
        self.others.tell("room", content=content, across=pair.across)

    def _order(self, word: str, of: object) -> None:
        self.others.tell("order", word=word, of=of)
        self._obey(word, of)

    def _obey(self, word: str, of: object) -> None:
        if word not in OF_STAGE or self.others.has("stage"):
            self._obeys[word](of)

    def _own_jam(self) -> dict[str, Any] | None:
        """What is told of the jam beside this booth; None where there is none, or it does not play."""
        stage = self._stage()
        if stage is None or not stage.plays:
            return None
        return {"key": stage.key, "bpm": round(stage.tempo_bpm, 2)}

    def _jam_elsewhere(self) -> dict[str, Any] | None:
        if self._jam is None or time.monotonic() - self._jam[0] > JAM_S:
            return None
        return self._jam[1]

    def _tell_visitor(self, visitor: str, kind: str, **content: Any) -> None:
        for guest in self.phones.clients.values():
            if guest.visitor == visitor:
                guest.tell(kind, **content)

    def _tell_room(self, content: dict[str, Any], pair: Pair | None) -> None:
        self.phones.room = None if content["phase"] == "off" else content
        self.phones.tell_all("room", **content)
        self.wall.tell("room", **content)
        if content["phase"] == "vote" and pair is not None:
            for guest in self.phones.clients.values():
                ballot = self.voting.ask_in_room(guest.visitor, guest.crowd, pair, content["round"])
                if ballot is not None:
                    self.phones.ask_in_room(guest, ballot)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._forever(work))
        self._once.add(task)
        task.add_done_callback(self._once.discard)

    async def _forever(self, work: Coroutine[Any, Any, None]) -> None:
        """See to it that what goes wrong in one of the booth's works is told."""
        try:
            await work
        except AlgoritmoError as error:
            self._tell(WARNING, str(error))
