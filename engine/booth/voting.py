"""Ballots and votes: one question at a time to each visitor, used once, counted when it is on the disk.

Runs on: booth process, event loop; the store is read in threads beside it.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import secrets
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.booth.pairs import Pair, Pairs
from engine.store import schema
from engine.store.clip import Clip
from engine.store.ranking import Ranking, rank
from engine.store.store import Generation, Store, Vote, now_ms
from engine.store.writer import Writer

REMEMBERED = 20_000  # ballots that can be voted on without asking the store
VISITORS = 20_000  # whose last clips are remembered
APART = 8  # clips that a visitor does not hear again so soon

# What became of a vote.
COUNTED, AGAIN, UNKNOWN, REFUSED = "counted", "again", "unknown", "refused"


class Ballot(NamedTuple):
    """One question to one visitor."""

    key: str
    visitor: str
    crowd: int
    pair: Pair
    generation: int
    room: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What a phone is told of it; whether the clips are of two generations it is not."""
        return {"ballot": self.key, "first": self.pair.first, "second": self.pair.second}


@dataclass(frozen=True, slots=True)
class Cast:
    """What became of a vote; `reason` where the store could not keep it; `number`: how many there are of this generation."""

    word: str
    ballot: Ballot | None = None
    choice: int = 0
    number: int = 0
    reason: str = ""


class Voting:
    """The generation that is open: its clips, its ballots, its votes and how its clips stand."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer
        self.pairs = Pairs()
        self._takes = asyncio.Lock()  # what is read of the store later is never put back by what was read before
        self.generation: Generation | None = None
        self.clips: dict[int, Clip] = {}  # of all generations, those that can be heard
        self.ranking: Ranking | None = None
        self.places: dict[int, int] = {}
        self._cast: dict[str, Vote] = {}  # the votes of this generation, by their ballots
        self._of_visitor: Counter[str] = Counter()  # how many of them each visitor cast
        self._packed: dict[int, bytes] = {}
        self._open: dict[str, Ballot] = {}  # by visitor: the one that he has not answered
        self._by_key: OrderedDict[str, Ballot] = OrderedDict()
        self._lately: OrderedDict[str, deque[int]] = OrderedDict()
        self._ranked_at = -1

    # --- what is open ------------------------------------------------------------------------------------------------------

    async def look(self) -> bool:
        """See which generation is open now; return whether it is another one. Raises StoreError."""
        async with self._takes:
            now = await asyncio.to_thread(self._store.current)
            if now == self.generation:
                return False
            await self._take(now)
        return True

    async def _take(self, now: Generation | None) -> None:
        number = None if now is None else now.id
        clips = await asyncio.to_thread(self._store.clips, None, False)
        tally = await asyncio.to_thread(self._store.tally)
        if number is None or self.generation is None or number != self.generation.id:
            self._cast = {}
        self.generation = now
        self.clips = {clip.id: clip for clip in clips if clip.id is not None}
        self._packed = {number: packed for number, packed in self._packed.items() if number in self.clips}
        heard: Counter[int] = Counter()
        for said in tally:
            heard.update({said.first: said.votes, said.second: said.votes})
        here = [key for key, clip in self.clips.items() if clip.generation == number]
        self.pairs.open(here, list(self.older()), heard)
        self._open.clear()
        await self.hear()
        self._ranked_at = -1
        self.ranking, self.places = None, {}  # they are ranked when somebody wants to know; phones are not kept waiting for it

    async def hear(self, since_ms: int = 0) -> None:
        """Read the votes of this generation that the store has since a time. Raises StoreError."""
        number = None if self.generation is None else self.generation.id
        found = {} if number is None else await asyncio.to_thread(self._store.cast, number, since_ms)
        if self.generation is not None and number == self.generation.id:
            self._cast.update(found)

    async def hide(self, clip: int) -> None:
        """Take a clip out for good. Raises StoreError."""
        await asyncio.to_thread(self._store.hide_clip, clip)
        async with self._takes:
            await self._take(await asyncio.to_thread(self._store.current))

    async def rank_now(self) -> bool:
        """Rank the clips by the votes there are, beside the event loop; return whether anything has come since."""
        number = None if self.generation is None else self.generation.id
        if number is None:
            self.ranking, self.places = None, {}
            return False
        if self._ranked_at == self.votes and self.ranking is not None:
            return False
        here = [key for key, clip in self.clips.items() if clip.generation == number]
        cast = list(self._cast.values())
        ranking = await asyncio.to_thread(_ranked, here, cast)
        if self.generation is None or self.generation.id != number:
            return False  # another one was opened meanwhile
        self._ranked_at = len(cast)
        self._of_visitor = Counter(vote.visitor for vote in cast)
        self.ranking = ranking
        self.places = {standing.clip: standing.place for standing in ranking.standings}
        self.pairs.ranked({standing.clip: standing.strength for standing in ranking.standings})
        return True

    @property
    def votes(self) -> int:
        """How many votes there are of this generation."""
        return len(self._cast)

    def packed(self, clip: int) -> bytes | None:
        """Return a clip's music as gzipped JSON, as a phone plays it; None where there is none."""
        if clip not in self._packed:
            if clip not in self.clips:
                return None
            music = self.clips[clip].music.as_json()
            self._packed[clip] = gzip.compress(json.dumps(music, separators=(",", ":")).encode(), mtime=0)
        return self._packed[clip]

    # --- ballots -----------------------------------------------------------------------------------------------------------

    def ask(self, visitor: str, crowd: int) -> Ballot | None:
        """Return the question that a visitor has not answered, or a new one: who asks for many gets no more."""
        if (waiting := self._open.get(visitor)) is not None:
            return waiting
        if self.generation is None or self.generation.id is None:
            return None
        lately = self._lately_of(visitor)
        enough = self.ranking is not None and self._of_visitor[visitor] >= self.ranking.usual
        pair = self.pairs.take(lately, enough)
        if pair is None:
            return None
        lately.extend(pair[:2])
        ballot = self._make(visitor, crowd, pair, self.generation.id)
        self._open[visitor] = ballot
        return ballot

    def ask_in_room(self, visitor: str, crowd: int, pair: Pair, room: int) -> Ballot | None:
        """Return a visitor's question of a round that the loudspeaker plays to all."""
        if self.generation is None or self.generation.id is None:
            return None
        waiting = self._open.get(visitor)
        if waiting is not None and waiting.room == room:
            return waiting
        self.leave(visitor)
        ballot = self._make(visitor, crowd, pair, self.generation.id, room)
        self._open[visitor] = ballot
        return ballot

    def _make(self, visitor: str, crowd: int, pair: Pair, generation: int, room: int | None = None) -> Ballot:
        ballot = Ballot(secrets.token_urlsafe(12), visitor, crowd, pair, generation, room)
        self._by_key[ballot.key] = ballot
        if len(self._by_key) > REMEMBERED:
            self._by_key.popitem(last=False)
        values = {
            "id": ballot.key,
            "visitor": visitor,
            "crowd": crowd,
            "first": pair.first,
            "second": pair.second,
            "generation": generation,
            "across": pair.across,
            "room": room,
            "created_ms": now_ms(),
        }
        self._writer.add(schema.ballots, values)
        return ballot

    def _lately_of(self, visitor: str) -> deque[int]:
        if visitor not in self._lately:
            if len(self._lately) >= VISITORS:
                self._lately.popitem(last=False)
            self._lately[visitor] = deque(maxlen=APART)
        return self._lately[visitor]

    def leave(self, visitor: str) -> None:
        """A visitor has gone: what he was asked will not be answered, or only if he comes back with it."""
        if (waiting := self._open.pop(visitor, None)) is not None and waiting.room is None:
            self.pairs.take_back(waiting.pair)

    # --- votes -------------------------------------------------------------------------------------------------------------

    def cast(self, visitor: str, key: str, choice: int, done: Callable[[Cast], None]) -> None:
        """Take one vote; `done` is called once with what became of it, when it is on the disk."""
        ballot = self._by_key.get(key)
        if ballot is None:
            task = asyncio.ensure_future(self._find(key))
            task.add_done_callback(functools.partial(self._found, visitor, choice, done))
            return
        self._put(ballot, visitor, choice, done)

    async def _find(self, key: str) -> Ballot | None:
        """Look in the store for a ballot of before a restart, or of another booth."""
        found = await asyncio.to_thread(self._store.ballot, key)
        if found is None:
            return None
        row, _used = found
        pair = Pair(row["first"], row["second"], row["across"])
        return Ballot(row["id"], row["visitor"], row["crowd"], pair, row["generation"], row["room"])

    def _found(self, visitor: str, choice: int, done: Callable[[Cast], None], task: asyncio.Future[Ballot | None]) -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            done(Cast(REFUSED, reason=str(error)))
        elif (ballot := task.result()) is None:
            done(Cast(UNKNOWN))
        else:
            self._put(ballot, visitor, choice, done)

    def _put(self, ballot: Ballot, visitor: str, choice: int, done: Callable[[Cast], None]) -> None:
        if ballot.visitor != visitor:
            done(Cast(UNKNOWN))
            return
        waits = self._writer.put(schema.votes, {"ballot": ballot.key, "choice": choice, "created_ms": now_ms()})
        waits.add_done_callback(functools.partial(self._kept, ballot, choice, done))

    def _kept(self, ballot: Ballot, choice: int, done: Callable[[Cast], None], kept: asyncio.Future[bool]) -> None:
        if kept.cancelled():
            return
        if (error := kept.exception()) is not None:
            done(Cast(REFUSED, ballot, choice, self.votes, str(error)))
            return
        if self._open.get(ballot.visitor) is ballot or self._is_open(ballot):
            del self._open[ballot.visitor]
        if not kept.result():
            done(Cast(AGAIN, ballot, choice, self.votes))
            return
        if self.generation is not None and ballot.generation == self.generation.id:
            pair = ballot.pair
            vote = Vote(pair.first, pair.second, choice, ballot.visitor, ballot.crowd, pair.across, ballot.room)
            self._cast[ballot.key] = vote
            self._of_visitor[ballot.visitor] += 1
        done(Cast(COUNTED, ballot, choice, self.votes))

    def _is_open(self, ballot: Ballot) -> bool:
        waiting = self._open.get(ballot.visitor)
        return waiting is not None and waiting.key == ballot.key

    def older(self) -> Iterable[int]:
        """Clips of generations before the one that is open."""
        number = 0 if self.generation is None else self.generation.id or 0
        return [key for key, clip in self.clips.items() if clip.generation is not None and clip.generation < number]


def _ranked(here: list[int], cast: list[Vote]) -> Ranking:
    return rank(here, [vote for vote in cast if not vote.across])
