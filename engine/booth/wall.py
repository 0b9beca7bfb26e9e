"""The wall: how the clips stand, where they come from, what changed from generation to generation, what is drawn now.

Runs on: booth process, event loop. A wall says `{"kind":"token","token":...}` where it is not on this machine, and then, or
there, `hide`, `show`, `let` (with a drawing's number), `hide-clip`, `room` (with on).
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from engine.booth.guest import Guest, Timeless, packed, understood
from engine.booth.measures import newer_wins, of_all, wilson
from engine.booth.voting import Voting
from engine.net.guard import Guard
from engine.store.clip import Clip
from engine.store.store import Generation, Tally

SHOWN = 64  # clips of a generation
LINEAGE = 12  # generations of the tree


class Wall(Timeless):
    """All walls that are connected."""

    def __init__(self, voting: Voting, guard: Guard, hello: Callable[[], dict[str, Any]]) -> None:
        self.clients: dict[int, Guest] = {}
        self.does: dict[str, Callable[[Any], None]] = {}  # what a wall may order, by its word
        self._voting, self._guard, self._hello = voting, guard, hello
        self._numbers = itertools.count(1)
        self._last: dict[str, str] = {}  # by kind: what a wall that comes is told
        self.room: dict[str, Any] | None = None

    def join(self, query: Mapping[str, str], address: str = "") -> Guest:  # noqa: ARG002  (as the protocol has it)
        """Take in a wall."""
        guest = Guest(next(self._numbers), "", 0, staff=self._guard.open_to_all)
        self.clients[guest.number] = guest
        guest.tell("hello", staff=guest.staff, **self._hello())
        for text in self._last.values():
            guest.send(text)
        return guest

    def leave(self, client: Any) -> None:
        """Let a wall go."""
        self.clients.pop(client.number, None)

    def order(self, client: Any, text: str) -> None:
        """Take one message."""
        guest: Guest = client
        if not guest.messages.take(time.monotonic()):
            return
        kind, said = understood(text)
        if kind == "token":
            guest.staff |= guest.tries.take(time.monotonic()) and self._guard.token_is_right(said.get("token"))
            guest.tell("staff", staff=guest.staff)
        elif kind in self.does and guest.staff:
            self.does[kind](said.get("of"))

    def tell(self, kind: str, **content: Any) -> None:
        """Tell every wall; the newest of `board`, `tree`, `room` and `held` is told again to each that comes."""
        text = packed(kind, **content)
        if kind in ("board", "tree", "room", "held"):
            self._last[kind] = text
        for guest in self.clients.values():
            guest.send(text)

    def board(self, wanted: int) -> dict[str, Any]:
        """How the clips of the open generation stand."""
        voting, ranking = self._voting, self._voting.ranking
        rows: list[dict[str, Any]] = []
        for standing in ranking.standings[:SHOWN] if ranking else ():
            clip = voting.clips.get(standing.clip)
            if clip is not None:
                figures = {"strength": round(standing.strength, 3), "error": round(standing.error, 3)}
                rows.append({"clip": standing.clip, "name": clip.name, "heard": standing.heard, "won": standing.won, **figures})
        generation = voting.generation
        first = (0.0, 0.0) if ranking is None else (ranking.first, ranking.first_error)
        return {
            "generation": None if generation is None else generation.id,
            "votes": voting.votes,
            "wanted": wanted,
            "first": [round(number, 3) for number in first],
            "clips": rows,
        }


def tree(generations: list[Generation], clips: Mapping[int, Clip], tally: list[Tally]) -> dict[str, Any]:
    """Return the genealogy as the wall shows it: generations with their figures, clips with their parents, who won blindly."""
    shown = [one for one in generations if one.opened_ms is not None][-LINEAGE:]
    numbers = {one.id for one in shown}
    out = []
    for one in shown:
        own = [clip for clip in clips.values() if clip.generation == one.id]
        means = of_all(own)
        figures = {key: value for key, value in one.figures.items() if isinstance(value, int | float | str)}
        network = one.network.replace("\\", "/").rsplit("/", 1)[-1]
        about = {"id": one.id, "method": one.method, "state": one.state, "network": network, "parent": one.parent}
        out.append(about | {"clips": len(own), "measures": means, "figures": figures})
    wins: Counter[int] = Counter()
    for said in tally:
        wins[said.first if said.choice == 0 else said.second] += said.votes
    nodes = [
        {
            "clip": clip.id,
            "name": clip.name,
            "generation": clip.generation,
            "arm": clip.arm,
            "parents": list(clip.parents),
            "wins": wins[clip.id or 0],
            "drawings": _drawings(clip),
        }
        for clip in clips.values()
        if clip.generation in numbers
    ]
    generation_of = {number: clip.generation for number, clip in clips.items() if clip.generation is not None}
    newer, of = newer_wins(tally, generation_of)
    share, low, high = wilson(newer, of)
    blind = {"won": newer, "of": of, "share": round(share, 4), "low": round(low, 4), "high": round(high, 4)}
    return {"generations": out, "clips": nodes, "blind": blind, "winners": len(wins)}


def _drawings(clip: Clip) -> list[str]:
    """Names of the visitors' drawings among a clip's seeds."""
    named = clip.conditions.get("drawn_by", clip.conditions.get("drawings", []))
    return [str(name) for name in named][:8] if isinstance(named, list | tuple) else []
