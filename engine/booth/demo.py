"""Simulated visitors: they vote by a hidden taste, draw and compose, so that a booth shows what it does with nobody there.

Runs on: booth process's machine, beside the booth, over the same sockets as phones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
from typing import Any

import aiohttp

from engine.booth.measures import measures
from engine.store.clip import music_of_json

VISITORS = 40
LISTENS_S = (1.2, 3.0)  # a simulated visitor has no ears to wait for
AGREES = 1.2  # log-odds of choosing what is one unit of taste better
DRAWS = 0.06  # chance of drawing instead of voting
COMPOSES = 0.02


class Visitor:
    """One simulated visitor. His taste: steady drums, notes in one key, not too many of them."""

    def __init__(self, number: int, address: str, session: aiohttp.ClientSession, clips: dict[int, float]) -> None:
        """`clips`: what is known of clips by all visitors, by their numbers."""
        self._chance = random.Random(number)
        self._address, self._session, self._clips = address, session, clips

    async def run(self) -> None:
        """Vote, draw and compose until cancelled; comes back when the booth does."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError, ValueError, KeyError):
                async with self._session.ws_connect(f"{self._address}/booth/socket") as ws:
                    await self._stay(ws)
            await asyncio.sleep(1)

    async def _stay(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        await asyncio.sleep(self._chance.random() * 3)
        while True:
            lot = self._chance.random()
            if lot < DRAWS:
                await self._say(ws, "draw", lines=self._line(), seed=self._chance.randrange(1 << 20))
                await self._send(ws, await self._hear(ws, "drawn", "slow", "refused"))
            elif lot < DRAWS + COMPOSES:
                notes = [[4 * k, 4, 4, 72 + self._chance.choice((0, 2, 4, 7, 9)), 96] for k in range(4)]
                await self._say(ws, "fill", notes=notes, cells=[[4, 0]], seed=self._chance.randrange(1 << 20))
                await self._send(ws, await self._hear(ws, "filled", "slow", "refused"))
            else:
                await self._vote(ws)

    async def _vote(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        await self._say(ws, "ask")
        said = await self._hear(ws, "ballot", "closed")
        if said["kind"] == "closed":
            await asyncio.sleep(1)
            return
        likes = [await self._likes(said[side]) for side in ("first", "second")]
        await asyncio.sleep(self._chance.uniform(*LISTENS_S))
        odds = AGREES * (likes[0] - likes[1])
        choice = 0 if self._chance.random() < 1 / (1 + math.exp(-odds)) else 1
        await self._say(ws, "vote", ballot=said["ballot"], choice=choice)
        await self._hear(ws, "counted", "refused", "slow")

    async def _likes(self, clip: int) -> float:
        if clip not in self._clips:
            async with self._session.get(f"{self._address}/clip/{clip}.json") as answer:
                found = measures(music_of_json(await answer.json()))
            busy = abs(math.log((found["notes"] + 0.2) / 2.0))
            self._clips[clip] = 8 * (found["key"] - 0.9) + min(found["drums"], 2.0) - busy
        return self._clips[clip]

    def _line(self) -> list[Any]:
        phase, waves, height = self._chance.random() * 6, self._chance.uniform(2, 9), self._chance.uniform(0.1, 0.4)
        points = [[round(k / 40, 3), round(0.5 + height * math.sin(phase + waves * k / 40), 3)] for k in range(41)]
        return [[self._chance.choice((1, 2, 4, 4)), round(self._chance.random(), 2), points]]

    async def _send(self, ws: aiohttp.ClientWebSocketResponse, said: dict[str, Any]) -> None:
        if "drawing" in said and self._chance.random() < 0.5:
            await self._say(ws, "send", drawing=said["drawing"])

    async def _say(self, ws: aiohttp.ClientWebSocketResponse, kind: str, **content: Any) -> None:
        await ws.send_str(json.dumps({"kind": kind, **content}))

    async def _hear(self, ws: aiohttp.ClientWebSocketResponse, *kinds: str) -> dict[str, Any]:
        while True:
            message = await ws.receive(30)
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectionError
            said: dict[str, Any] = json.loads(message.data)
            if said["kind"] in kinds:
                return said


async def visit(address: str, count: int = VISITORS) -> None:
    """Let simulated visitors come to a booth, until cancelled."""
    clips: dict[int, float] = {}
    async with aiohttp.ClientSession() as session:
        visitors = [Visitor(number, address.rstrip("/"), session, clips) for number in range(count)]
        await asyncio.gather(*(visitor.run() for visitor in visitors))
