"""The smooth tiers for browsers: sixty times a second, or as often as each asks, between the steps.

Runs on: feed process and replay, event loop. While no browser asks for it nothing of it is computed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from engine.feed.signals.audience import Audience
from engine.web import frames
from engine.web.client import Client

SLOWEST_HZ, FASTEST_HZ = 20.0, 60.0
SLACK_S = 0.004  # by which a look may be early for a browser's own rate


def rate_of(text: str | None) -> float:
    """Return the rate that `smooth` of a query asks for, 20 to 60; 0 where it asks for none."""
    try:
        rate_hz = float(text or "")
    except ValueError:
        return 0.0
    return min(max(rate_hz, SLOWEST_HZ), FASTEST_HZ) if rate_hz > 0 else 0.0


class Smooth:
    """Gives the numbers to those of a page's browsers that asked for them."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._catalogue = audience.schema.catalogue
        self._clients: dict[Client, float] = {}  # when each may have the next
        self._task: asyncio.Task[None] | None = None
        self._words: dict[str, list[Any]] = {}

    def layout(self) -> dict[str, Any]:
        """Return what a browser is told once: which number stands where."""
        catalogue = self._catalogue
        return {
            "signals": [{"path": s.path, "unit": s.unit, "doc": s.doc} for s in catalogue.signals],
            "trails": [
                {"path": trail.path, "at": trail.first, "size": trail.count, "lowest": trail.lowest}
                for trail in catalogue.trails
            ],
        }

    def join(self, client: Client, query: Mapping[str, str]) -> None:
        """Take in a browser, if `smooth` of its query asks for it; it is to be told the layout then."""
        client.smooth_hz, client.raw = rate_of(query.get("smooth")), query.get("raw") == "1"
        client.levels = query.get("levels") != "0"
        if not client.smooth_hz:
            return
        self._clients[client] = 0.0
        client.tell("music", words=self._audience.words())
        self._ask()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, client: Client) -> None:
        """It is gone."""
        self._clients.pop(client, None)
        self._ask()
        if not self._clients and self._task is not None:
            self._task.cancel()
            self._task = None

    def _ask(self) -> None:
        if self._clients:
            self._audience.look(self, any(client.levels for client in self._clients))
        else:
            self._audience.leave(self)

    async def _run(self) -> None:
        period_s = 1 / FASTEST_HZ
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + period_s, time.monotonic())
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
            self.look(time.monotonic())

    def look(self, now_s: float) -> None:
        """Give the newest numbers to those whose time it is, and words that changed to all."""
        record = self._audience.numbers()
        if record is None:
            return
        made: dict[bool, bytes] = {}
        for client, due_s in self._clients.items():
            if now_s < due_s - SLACK_S:
                continue
            period_s = 1 / client.smooth_hz
            self._clients[client] = max(due_s, now_s - period_s / 2) + period_s
            if client.raw not in made:
                made[client.raw] = frames.signals(record, len(self._catalogue), self._catalogue.trail_size, client.raw)
            client.move(made[client.raw])
        words = self._audience.words()
        if words != self._words:
            self._words = dict(words)
            _tell(self._clients, self._words)


def _tell(clients: Iterable[Client], words: Mapping[str, list[Any]]) -> None:
    for client in clients:
        client.tell("music", words=dict(words))
