"""Phones by the hundreds, for measuring: `python -m tests.booth.load http://127.0.0.1:8010 --phones 1000 --votes-hz 500`.

Bounded in number and time, and for the loopback alone. Each phone asks for a ballot, waits, votes, and measures how long the
acknowledgement takes; where the connection breaks it comes back and says its unanswered vote again, as the page does. All votes
that were acknowledged are written down, so that a store can be held against them afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np

MOST_PHONES, LONGEST_S = 5000, 180.0
BACK_S = 0.15  # after so long a phone that lost its connection tries again


@dataclass
class Figures:
    """What all phones found."""

    times_ms: list[float] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)  # ballot -> choice, acknowledged
    refused: int = 0
    slow: int = 0
    lost: int = 0  # connections that broke
    away_s: list[float] = field(default_factory=list)  # how long each was away
    here: int = 0
    begun: int = 0


class Phone:
    """One phone."""

    def __init__(self, number: int, base: str, session: aiohttp.ClientSession, figures: Figures, pause_s: float) -> None:
        self.base, self.session, self.figures = base, session, figures
        self.chance = random.Random(number)
        self.pause_s = pause_s
        self.visitor: str | None = None
        self.waiting: tuple[str, int] | None = None
        self.over = False

    async def run(self) -> None:
        """Be there until it is over."""
        away_since: float | None = None
        while not self.over:
            try:
                query = f"?id={self.visitor}" if self.visitor else ""
                async with self.session.ws_connect(f"{self.base}/booth/socket{query}", max_msg_size=1 << 20) as ws:
                    hello = json.loads((await ws.receive(30)).data)
                    self.visitor = hello["id"]
                    self.figures.begun += 1
                    self.figures.here += 1
                    if away_since is not None:
                        self.figures.away_s.append(time.monotonic() - away_since)
                        away_since = None
                    try:
                        await self.vote(ws)
                    finally:
                        self.figures.here -= 1
            except (aiohttp.ClientError, ConnectionError, TimeoutError, TypeError, ValueError):
                pass
            if not self.over:
                if away_since is None:
                    self.figures.lost += 1
                    away_since = time.monotonic()
                await asyncio.sleep(BACK_S * (0.5 + self.chance.random()))

    async def vote(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Ask and vote."""
        if self.pause_s <= 0:  # only there
            while not self.over:
                with contextlib.suppress(TimeoutError):
                    if (await ws.receive(0.5)).type is not aiohttp.WSMsgType.TEXT:
                        return
            return
        if self.waiting is None:
            await asyncio.sleep(self.pause_s * self.chance.random())
        while not self.over:
            if self.waiting is None:
                await ws.send_str('{"kind":"ask"}')
                said = await self.heard(ws, "ballot", "closed")
                if said is None:
                    return
                if said["kind"] == "closed":
                    await asyncio.sleep(0.5)
                    continue
                self.waiting = (said["ballot"], self.chance.randrange(2))
                await asyncio.sleep(self.pause_s * (0.6 + 0.8 * self.chance.random()))
            key, choice = self.waiting
            begun = time.perf_counter()
            await ws.send_str(json.dumps({"kind": "vote", "ballot": key, "choice": choice}))
            said = await self.heard(ws, "counted", "refused", "slow")
            if said is None:
                return
            self.waiting = None
            if said["kind"] == "counted":
                self.figures.times_ms.append(1000 * (time.perf_counter() - begun))
                self.figures.counted[key] = choice
            else:
                self.figures.refused += said["kind"] == "refused"
                self.figures.slow += said["kind"] == "slow"

    async def heard(self, ws: aiohttp.ClientWebSocketResponse, *kinds: str) -> dict[str, Any] | None:
        """Wait for one of these; None where the connection is gone."""
        while True:
            message = await ws.receive(20)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return None
            said: dict[str, Any] = json.loads(message.data)
            if said["kind"] in kinds:
                return said


async def load(base: str, phones: int, votes_hz: float, seconds: float, joins_hz: float = 400.0) -> Figures:
    """Have so many phones vote for so long; times count from when all of them are there."""
    if urlsplit(base).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise SystemExit("this is for the loopback alone")
    if not 0 < phones <= MOST_PHONES or not 0 < seconds <= LONGEST_S:
        raise SystemExit(f"at most {MOST_PHONES} phones for {LONGEST_S:g} s")
    figures = Figures()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
        pause_s = phones / votes_hz if votes_hz else 0.0
        all_phones = [Phone(n, base, session, figures, pause_s) for n in range(phones)]
        tasks = []
        for phone in all_phones:
            tasks.append(asyncio.create_task(phone.run()))
            await asyncio.sleep(1 / joins_hz)
        until = time.monotonic() + 30
        while figures.here < phones and time.monotonic() < until:
            await asyncio.sleep(0.05)
        figures.times_ms.clear()
        begun = len(figures.counted)
        started = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - started
        figures.counted["_rate"] = round((len(figures.counted) - begun) / took)
        figures.counted["_here"] = figures.here
        for phone in all_phones:
            phone.over = True
        await asyncio.wait(tasks, timeout=5)
        for task in tasks:
            task.cancel()
    return figures


def told(figures: Figures) -> dict[str, Any]:
    """The figures in short."""
    times = np.array(figures.times_ms or [float("nan")])
    p50, p99, most = (round(float(x), 1) for x in (*np.percentile(times, [50, 99]), times.max()))
    out = {"votes": len(figures.times_ms), "votes_hz": figures.counted.get("_rate"), "here": figures.counted.get("_here")}
    out |= {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": most,
        "refused": figures.refused,
        "slow": figures.slow,
        "lost": figures.lost,
    }  # type: ignore[dict-item]
    if figures.away_s:
        out["away_max_s"] = round(max(figures.away_s), 2)  # type: ignore[assignment]
    return out


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--votes-hz", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--out", type=Path, help="acknowledged votes, as JSON")
    arguments = parser.parse_args()
    figures = asyncio.run(load(arguments.base, arguments.phones, arguments.votes_hz, arguments.seconds))
    sys.stdout.write(json.dumps(told(figures)) + "\n")
    if arguments.out is not None:
        kept = {key: choice for key, choice in figures.counted.items() if not key.startswith("_")}
        arguments.out.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
