"""In the room: the loudspeaker plays A, then B, and the phones only vote.

Runs on: booth process, event loop. The wall, which has the loudspeaker, plays what it is told. Of several booths on one
database one has the rounds; all vote in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from engine.booth.others import Others
from engine.booth.pairs import Pair
from engine.booth.voting import Voting
from engine.core.errors import AlgoritmoError
from engine.store.store import Store

VOTE_S = 8.0
SHOWN_S = 4.0
LONGEST_S = 12.0  # of a clip
IDLE_S = 1.0


class Room:
    """Rounds without end, as long as it is `on`."""

    def __init__(
        self,
        voting: Voting,
        store: Store,
        tell: Callable[[dict[str, Any], Pair], None],
        others: Others,
    ) -> None:
        """`tell`: has everybody told the phase of a round, and of which pair it is."""
        self._voting, self._store, self._tell, self._others = voting, store, tell, others
        self.on = False
        self.round = 0
        self.pair: Pair | None = None

    async def run(self) -> None:
        """Go from round to round, for ever."""
        while True:
            if not self.on or not await self._others.takes("room") or (pair := self._voting.pairs.take()) is None:
                await asyncio.sleep(IDLE_S)
                continue
            self.pair = pair
            # Counted on over a restart, and never twice the same.
            self.round = max(self.round + 1, int(time.time()) - 1_600_000_000)
            for phase, clip in (("first", pair.first), ("second", pair.second)):
                seconds = min(self._voting.clips[clip].music.seconds, LONGEST_S) if clip in self._voting.clips else 0.0
                await self._phase(phase, seconds)
            await self._phase("vote", VOTE_S)
            await self._phase("result", SHOWN_S)
            self.pair = None
            await self._end(pair)

    async def _end(self, pair: Pair) -> None:
        if not self.on:
            self._tell({"phase": "off"}, pair)
            await self._others.lays_down("room")

    async def _phase(self, phase: str, seconds: float) -> None:
        pair = self.pair
        if pair is None or not self.on:
            return
        content: dict[str, Any] = {"round": self.round, "phase": phase, "first": pair.first, "second": pair.second}
        if phase == "result":
            with contextlib.suppress(AlgoritmoError):
                content["votes"] = list(await asyncio.to_thread(self._store.in_room, self.round))
            content["names"] = [self._voting.clips[clip].name for clip in pair[:2] if clip in self._voting.clips]
        self._tell(content | {"seconds": round(seconds, 2)}, pair)
        await asyncio.sleep(seconds)
