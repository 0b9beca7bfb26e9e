"""The drawings: kept, held back or sent to the stage one after the other, hidden by one key, undone for ten seconds.

Runs on: booth process, event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.booth.stage import Begun, Stage
from engine.booth.studio import Studio
from engine.core.errors import AlgoritmoError
from engine.store import schema
from engine.store.clip import Music
from engine.store.names import name_of
from engine.store.store import Drawing, Store

UNDO_S = 10.0
REMEMBERED = 512  # drawings that can still be sent
QUEUE = 32  # that wait for the stage
REST_S = 1.0  # between two

Tell = Callable[..., None]


class Gallery:
    """Keeps drawings in the store and plays them one at a time; `tell` has every wall told, `tell_one` a visitor."""

    def __init__(
        self,
        store: Store,
        studio: Studio,
        stage: Callable[[], Stage | None],
        tell: Tell,
        tell_one: Tell,
        hold: bool = False,
        elsewhere: Callable[[str, int], bool] = lambda _word, _number: False,
    ) -> None:
        """`hold`: nothing is played before somebody at the wall has let it.

        `elsewhere`: is told what is `sent` and `taken-back`; True where another booth plays the drawings.
        """
        self._store, self._studio, self._stage, self._tell, self._tell_one = store, studio, stage, tell, tell_one
        self.hold = hold
        self._elsewhere = elsewhere
        self._kept: OrderedDict[int, Drawing] = OrderedDict()
        self._sent: dict[int, float] = {}  # when each was sent, in s
        self._queue: deque[int] = deque()
        self._held: deque[int] = deque()
        self._wake = asyncio.Event()
        self._playing: int | None = None
        self._play: asyncio.Task[None] | None = None
        self.last: int | None = None  # that is, or was last, on the stage

    async def keep(self, drawing: Drawing) -> Drawing:
        """Store a drawing under a name; return it with its number. Raises StoreError."""
        named = replace(drawing, name=name_of(secrets.randbits(32)))
        number = await asyncio.to_thread(self._store.add_drawing, named)
        named = replace(named, id=number)
        self._remember(named)
        return named

    def _remember(self, drawing: Drawing) -> None:
        assert drawing.id is not None
        self._kept[drawing.id] = drawing
        if len(self._kept) > REMEMBERED:
            old, _ = self._kept.popitem(last=False)
            self._sent.pop(old, None)

    def _set(self, number: int, state: str, shown: bool = False) -> None:
        """Have the store know; that it cannot just now stops no music."""

        async def write() -> None:
            with contextlib.suppress(AlgoritmoError):
                await asyncio.to_thread(self._store.set_drawing, number, state, shown)

        asyncio.ensure_future(write())  # noqa: RUF006  (nobody waits for it)

    def send(self, visitor: str, number: int) -> str:
        """Send a visitor's own drawing to the stage; return what became of it: queued, held, full, again, unknown."""
        drawing = self._kept.get(number)
        if drawing is None or drawing.visitor != visitor:
            return "unknown"
        if number in self._sent:
            return "again"
        if len(self._queue) + len(self._held) >= QUEUE:
            return "full"
        self._sent[number] = time.monotonic()
        if self._elsewhere("sent", number):
            return "held" if self.hold else "queued"
        return self._place(number)

    async def take_in(self, number: int) -> None:
        """Take a drawing that was sent at another booth."""
        with contextlib.suppress(AlgoritmoError):
            drawing = await asyncio.to_thread(self._store.drawing, number)
            self._remember(drawing)
            if len(self._queue) + len(self._held) < QUEUE:
                self._place(number)

    def _place(self, number: int) -> str:
        if self.hold:
            self._held.append(number)
            self._set(number, schema.HELD)
            self._tell("held", held=self.held())
            return "held"
        self._publish(number)
        return "queued"

    def _publish(self, number: int) -> None:
        self._queue.append(number)
        self._set(number, schema.PUBLISHED)
        self._tell("queue", count=len(self._queue))
        self._wake.set()

    def undo(self, visitor: str, number: int) -> str:
        """Take a visitor's own drawing back, within ten seconds; return what became of it: undone, late, unknown."""
        drawing = self._kept.get(number)
        if drawing is None or drawing.visitor != visitor or number not in self._sent:
            return "unknown"
        if time.monotonic() - self._sent[number] > UNDO_S:
            return "late"
        if not self._elsewhere("taken-back", number):
            self.hide(number, schema.WAITING)
        del self._sent[number]
        return "undone"

    # --- what is done at the wall ------------------------------------------------------------------------------------------

    def hide(self, number: int | None = None, state: str = schema.HIDDEN) -> int | None:
        """Hide a drawing, by default what is shown; return which."""
        number = self.last if number is None else number
        if number is None:
            return None
        for waiting in (self._queue, self._held):
            with contextlib.suppress(ValueError):
                waiting.remove(number)
        if self._playing == number and self._play is not None:
            self._play.cancel()
        self._set(number, state)
        self._tell("hidden", drawing=number)
        self._tell("held", held=self.held())
        return number

    def show_again(self, number: int) -> None:
        """Take back that a drawing was hidden: it waits for the stage again."""
        if number in self._kept and number not in self._queue:
            self._publish(number)

    def let(self, number: int) -> None:
        """Let a drawing that was held back onto the stage."""
        if number in self._held:
            self._held.remove(number)
            self._publish(number)
            self._tell("held", held=self.held())

    def held(self) -> list[dict[str, Any]]:
        """What waits to be let onto the stage."""
        return [{"drawing": n, "name": self._kept[n].name, "lines": self._kept[n].lines} for n in self._held if n in self._kept]

    # --- the stage ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Play what is sent, one after the other, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                number = self._queue.popleft()
                self._playing = self.last = number
                self._play = asyncio.ensure_future(self._show(self._kept[number]))
                try:
                    await self._play
                except asyncio.CancelledError:
                    if (task := asyncio.current_task()) is not None and task.cancelling():
                        raise
                except AlgoritmoError:
                    pass  # that it cannot be gone on with costs this one alone
                finally:
                    self._play = self._playing = None
                await asyncio.sleep(REST_S)

    async def _show(self, drawing: Drawing) -> None:
        assert drawing.id is not None
        stage = self._stage()
        self._set(drawing.id, schema.PUBLISHED, shown=True)
        content = {"drawing": drawing.id, "name": drawing.name, "of": drawing.kind, "lines": drawing.lines}
        if stage is not None and stage.plays:
            await self._in_jam(stage, drawing, content)
        else:
            music = drawing.music if drawing.kind == "compose" else await self._studio.go_on(drawing.music, drawing.id)
            self._tell("playing", **content, music=music.as_json(), in_s=0.5, live=False, given=drawing.music.steps)
            self._tell_one(drawing.visitor, "stage", drawing=drawing.id, in_s=0.5)
            await asyncio.sleep(0.5 + music.seconds)
        self._tell("played", drawing=drawing.id)

    async def _in_jam(self, stage: Stage, drawing: Drawing, content: dict[str, Any]) -> None:
        music = _lead_of(drawing)
        began: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()

        def tell(when: asyncio.Future[Begun]) -> None:
            if when.cancelled():
                return
            begun = when.result()
            own = music.as_json() | {"bpm": begun.tempo_bpm}
            self._tell("playing", **content, music=own, in_s=round(begun.in_s, 3), live=True, given=music.steps)
            self._tell_one(drawing.visitor, "stage", drawing=drawing.id, in_s=round(begun.in_s, 3))

        began.add_done_callback(tell)
        await stage.play(music, began)
        await asyncio.sleep(music.seconds)  # as long again the network goes on with it before the next one's turn


def _lead_of(drawing: Drawing) -> Music:
    """What of a drawing is played in a jam: of a composition the highest track, for the player has one sound."""
    music = drawing.music
    if drawing.kind != "compose" or not music.notes:
        return music
    last = max(note.track for note in music.notes)
    return replace(music, notes=tuple(note for note in music.notes if note.track == last))
