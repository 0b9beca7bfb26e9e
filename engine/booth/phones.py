"""The phones: each is asked one thing at a time, and told what its vote did; it draws and composes.

Runs on: booth process, event loop. A message is JSON with a `kind`; whatever comes, nothing is raised.

| a phone says | it is told |
|---|---|
| `{"kind":"ask"}` | `ballot`: two clips, `/clip/ID.json` each, and the key of the vote; `closed` where there are none |
| `{"kind":"vote","ballot":KEY,"choice":0}` | `counted`, on the disk, and the `next` ballot; later `moved`; or `refused` |
| `{"kind":"draw","lines":[...]}` | `drawn`: its notes and how the network goes on |
| `{"kind":"fill","notes":[...],"cells":[...],"seed":1}` | `filled`: notes |
| `{"kind":"send","drawing":ID}` | `sent`; to be undone for ten seconds by `{"kind":"undo","drawing":ID}` |
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from engine.booth.composing import grid_of
from engine.booth.crowd import Crowd, visitor_of
from engine.booth.drawing import lines_of, music_of_lines, scales
from engine.booth.guest import Guest, Timeless, packed, understood
from engine.booth.studio import Studio
from engine.booth.voting import AGAIN, COUNTED, REFUSED, Ballot, Cast, Voting
from engine.core.errors import AlgoritmoError
from engine.store.clip import Music
from engine.store.store import Drawing

VISITORS_MOST = 4000  # phones at a time


class Gallery(Protocol):
    """Where drawings go: held back, published, hidden, played."""

    async def keep(self, drawing: Drawing) -> Drawing: ...

    def send(self, visitor: str, number: int) -> str: ...

    def undo(self, visitor: str, number: int) -> str: ...


class Phones(Timeless):
    """All phones that are connected."""

    def __init__(
        self, voting: Voting, crowd: Crowd, studio: Studio, gallery: Gallery, about: Callable[[], dict[str, Any]]
    ) -> None:
        """`about`: what of the booth and of its jam a phone is told: key, tempo, how many votes are wanted."""
        self.clients: dict[int, Guest] = {}
        self._voting, self._crowd, self._studio, self._gallery, self._about = voting, crowd, studio, gallery, about
        self._numbers = itertools.count(1)
        self._kinds: dict[str, Callable[[Guest, dict[str, Any]], None]] = {
            "ask": self._ask,
            "vote": self._vote,
            "draw": self._draw,
            "fill": self._fill,
            "send": self._send,
            "undo": self._undo,
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_visitor: dict[str, int] = {}
        self.room: dict[str, Any] | None = None  # what the loudspeaker plays now
        self.cast = 0  # votes that were counted since the start

    # --- coming and going --------------------------------------------------------------------------------------------------

    def join(self, query: Mapping[str, str], address: str = "") -> Guest:
        """Take in a phone; `id` of its query is the one that it was given today."""
        crowd = self._crowd.number(address)
        guest = Guest(next(self._numbers), visitor_of(query.get("id")), crowd)
        if not self._crowd.of(crowd).joins.take(time.monotonic()):
            guest.messages.take(time.monotonic(), 80)
        self.clients[guest.number] = guest
        self._by_visitor[guest.visitor] = guest.number
        guest.send(packed("hello", id=guest.visitor, **self.hello()))
        if self.room is not None:
            guest.send(packed("room", **self.room))
        return guest

    def hello(self) -> dict[str, Any]:
        """What every phone is told when it comes, and when another generation is open."""
        card = self._studio.card
        about = self._about()
        generation = self._voting.generation
        return about | {
            "generation": None if generation is None else generation.id,
            "votes": self._voting.votes,
            "tracks": [track.name for track in card.tracks],
            "scales": scales(card, about["key"]),
            "grid": card.steps_per_beat,
        }

    def leave(self, client: Any) -> None:
        """Let a phone go."""
        if self.clients.pop(client.number, None) is not None and self._by_visitor.get(client.visitor) == client.number:
            del self._by_visitor[client.visitor]
            self._voting.leave(client.visitor)

    def tell_all(self, kind: str, **content: Any) -> None:
        """Tell every phone the same."""
        text = packed(kind, **content)
        for guest in self.clients.values():
            guest.send(text)

    # --- what they say -----------------------------------------------------------------------------------------------------

    def order(self, client: Any, text: str) -> None:
        """Take one message."""
        guest: Guest = client
        if not guest.messages.take(time.monotonic()):
            return  # whoever says so much is not answered, which would be work too
        kind, said = understood(text)
        does = self._kinds.get(kind)
        if does is None:
            guest.tell("refused", reason="what was said is not understood")
            return
        does(guest, said)

    def _ask(self, guest: Guest, _said: dict[str, Any]) -> None:
        ballot = self._voting.ask(guest.visitor, guest.crowd)
        guest.send(packed("closed") if ballot is None else packed("ballot", **ballot.as_json()))

    def ask_in_room(self, guest: Guest, ballot: Ballot) -> None:
        """Tell a phone its ballot of the round."""
        guest.send(packed("ballot", room=True, **ballot.as_json()))

    def _vote(self, guest: Guest, said: dict[str, Any]) -> None:
        key, choice = said.get("ballot"), said.get("choice")
        if not isinstance(key, str) or len(key) > 32 or type(choice) is not int or choice not in (0, 1):
            guest.tell("refused", reason="a vote is a ballot and a choice of 0 or 1")
            return
        now = time.monotonic()
        if not guest.votes.take(now) or not self._crowd.of(guest.crowd).votes.take(now):
            guest.tell("slow", ballot=key)
            return
        self._voting.cast(guest.visitor, key, choice, functools.partial(self._done, guest, key))

    def _done(self, guest: Guest, key: str, cast: Cast) -> None:
        ballot = cast.ballot
        if cast.word not in (COUNTED, AGAIN) or ballot is None:
            reason = cast.reason or "this ballot is not yours, or is over"
            guest.tell("refused", ballot=key, again=cast.word == REFUSED, reason=reason)
            return
        chosen = ballot.pair[cast.choice]
        content: dict[str, Any] = {"ballot": key, "number": cast.number}
        if cast.word == COUNTED:
            self.cast += 1
            clips = self._voting.clips
            content["names"] = [clips[clip].name if clip in clips else "" for clip in ballot.pair[:2]]
            content["place"] = self._voting.places.get(chosen)
            guest.voted = (chosen, self._voting.places.get(chosen, 0))
            if self.room is None and guest.number in self.clients:
                following = self._voting.ask(guest.visitor, guest.crowd)
                content["next"] = None if following is None else following.as_json()
        guest.send(packed("counted", **content))

    def ranked(self) -> None:
        """The clips were ranked anew: whoever voted since the last time is told what his vote did."""
        for guest in self.clients.values():
            if guest.voted is None:
                continue
            clip, was = guest.voted
            guest.voted = None
            if (place := self._voting.places.get(clip)) is not None:
                clips = self._voting.clips
                name = clips[clip].name if clip in clips else ""
                guest.send(packed("moved", clip=clip, name=name, was=was, place=place, of=len(self._voting.places)))

    # --- drawing and composing ---------------------------------------------------------------------------------------------

    def _may_draw(self, guest: Guest) -> bool:
        now = time.monotonic()
        if guest.drawings.take(now) and self._crowd.of(guest.crowd).drawings.take(now):
            return True
        guest.tell("slow")
        return False

    def _draw(self, guest: Guest, said: dict[str, Any]) -> None:
        if self._may_draw(guest):
            self._run(guest, self._drawn(guest, said))

    async def _drawn(self, guest: Guest, said: dict[str, Any]) -> None:
        card = self._studio.card
        about = self._about()
        lines = lines_of(said.get("lines"), len(card.tracks))
        music = music_of_lines(lines, card, about["key"], about["bpm"])
        on = await self._studio.go_on(music, _seed(said))
        drawing = await self._gallery.keep(Drawing("draw", "", said["lines"], music, guest.visitor))
        guest.tell("drawn", drawing=drawing.id, name=drawing.name, drawn=music.as_json()["notes"], music=on.as_json())

    def _fill(self, guest: Guest, said: dict[str, Any]) -> None:
        if self._may_draw(guest):
            self._run(guest, self._filled(guest, said))

    async def _filled(self, guest: Guest, said: dict[str, Any]) -> None:
        given, cells = grid_of(said, self._studio.card, self._about()["bpm"])
        music: Music = await self._studio.fill(given, cells, _seed(said))
        drawing = await self._gallery.keep(Drawing("compose", "", said["cells"], music, guest.visitor))
        guest.tell("filled", drawing=drawing.id, name=drawing.name, music=music.as_json())

    def _send(self, guest: Guest, said: dict[str, Any]) -> None:
        self._of_drawing(guest, said, self._gallery.send)

    def _undo(self, guest: Guest, said: dict[str, Any]) -> None:
        self._of_drawing(guest, said, self._gallery.undo)

    def _of_drawing(self, guest: Guest, said: dict[str, Any], does: Callable[[str, int], str]) -> None:
        number = said.get("drawing")
        word = does(guest.visitor, number) if type(number) is int else "unknown"
        guest.tell("sent", drawing=number if type(number) is int else None, word=word)

    def _run(self, guest: Guest, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                await work
            except AlgoritmoError as error:
                guest.tell("refused", reason=str(error))

        task = asyncio.ensure_future(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _seed(said: Mapping[str, Any]) -> int:
    seed = said.get("seed")
    return seed if type(seed) is int and 0 <= seed < 2**31 else 1
