"""The rack as somebody at the page sees and changes it: which plugins and effects stand where, and how it is with each.

Runs on: audio process (control thread).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from engine.audio.hosts import MOST_CRASHES
from engine.audio.place import Place
from engine.core.errors import PluginError
from engine.core.link import Reader, Writer
from engine.core.messages import RACK

Order = Callable[[dict[str, Any]], None]


class Desk:
    """Channels: reads `rack_orders`, writes `rack`. `orders`: what does each of them, by its name."""

    def __init__(self, orders: Reader, told: Writer, names: Iterable[str], does: dict[str, Order], tell: Callable[[str], None]):
        """`names`: where something can stand."""
        self._orders, self._told, self._names = orders, told, list(names)
        self._does, self._tell = does, tell
        self._said: list[dict[str, Any]] | None = None  # as it was told last

    def poll(self, places: Iterable[Place]) -> None:
        """Do what was ordered, and tell how it is where that has changed."""
        for record in self._orders.read() if self._orders.is_behind() else ():
            try:
                order = json.loads(record["text"])
                if order["where"] not in self._names:
                    raise PluginError(f"there is no {order['where']!r} in the rack; there are {', '.join(self._names)}")
                self._does[str(order["do"])](order)
            except PluginError as error:
                self._tell(str(error))
            except (ValueError, KeyError, TypeError) as error:
                self._tell(f"the rack does not know what to do with {bytes(record['text'])[:80]!r} ({error!r})")
        said = [told(place) for place in places if place.insert.effect != "shares"]
        if said != self._said:
            self._said = said
            self._told.push((self._described(list(said)),))

    def _described(self, said: list[dict[str, Any]]) -> bytes:
        text = json.dumps({"where": self._names, "places": said}).encode()
        while len(text) > RACK["text"].itemsize:
            said.pop()
            text = json.dumps({"where": self._names, "places": said, "more": True}).encode()
        return text


def told(place: Place) -> dict[str, Any]:
    """Return how it is with one place."""
    unit = place.unit
    found: dict[str, Any] = {
        "where": place.where,
        "word": place.word,
        "name": place.insert.effect if unit is None else unit.about.name,
        "plays": place.track is not None,
        "state": "on" if place.processor is not None else "missing",
        "why": place.fault,
        "late": 0,
    }
    if unit is not None:
        failed = unit.crashes >= MOST_CRASHES and unit.is_bypassed
        muted = "muted" if unit.fault else "on"
        not_yet = "failed" if unit.fault else "loading"
        loaded = "out" if unit.is_bypassed else muted if unit.is_loaded else not_yet
        found |= {
            "format": unit.about.format,
            "state": "failed" if failed else loaded,
            "why": unit.fault,
            "late": unit.latency_frames,
        }
    return found
