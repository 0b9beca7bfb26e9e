"""Phones by the hundreds, for measuring: `python -m tests.booth.load http://127.0.0.1:8010 --phones 1000 --votes-hz 500`.

Bounded in number and time, and for the loopback alone. Each phone asks for a ballot, waits, votes, and measures how long the
acknowledgement takes; where the connection breaks it comes back and says its unanswered vote again, as the page does. All votes
that were acknowledged are written down, so that a store can be held against them afterwards.

The sockets are spoken by hand, as RFC 6455 has them: a thousand phones on the machine that is measured must cost it little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

MOST_PHONES, LONGEST_S = 5000, 180.0
BACK_S = 0.15  # after so long a phone that lost its connection tries again
PATIENCE_S = 20.0  # with an answer
ZERO = b"\0\0\0\0"  # a mask, as a browser's frames must have one; with this one the bytes are as they were


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
    votes_hz: float = 0.0
    stayed: int = 0  # were here when it was over


class Phone(asyncio.Protocol):
    """One phone; `run` has it be there until `over`."""

    def __init__(self, number: int, port: int, figures: Figures, pause_s: float) -> None:
        self.port, self.figures, self.pause_s = port, figures, pause_s
        self.chance = random.Random(number)
        self.visitor: str | None = None
        self.waiting: tuple[str, int] | None = None  # a vote that is not acknowledged
        self.over = False
        self.away_since: float | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._open = self._here = False
        self._sent_at: float | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._gone: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Be there until it is over; come back where the connection breaks."""
        loop = asyncio.get_running_loop()
        while not self.over:
            self._gone = loop.create_future()
            self._buffer, self._open = b"", False
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self.port)
                await self._gone
            except OSError:
                pass
            if not self.over:
                if self.away_since is None:
                    self.figures.lost += 1
                    self.away_since = time.monotonic()
                await asyncio.sleep(BACK_S * (0.5 + self.chance.random()))

    def end(self) -> None:
        """Go."""
        self.over = True
        if self._transport is not None:
            self._transport.abort()

    # --- the socket --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        query = f"?id={self.visitor}" if self.visitor else ""
        head = (
            f"GET /booth/socket{query} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        )
        transport.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode())

    def connection_lost(self, error: Exception | None) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.figures.here -= self._here
        self._here = False
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self._leave()
                return
            self._open, self._buffer = True, rest
        while len(self._buffer) >= 2:
            size, at = self._buffer[1] & 0x7F, 2
            if size == 126:
                size, at = int.from_bytes(self._buffer[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(self._buffer[2:10], "big"), 10
            if len(self._buffer) < at + size:
                return
            kind, body = self._buffer[0] & 0x0F, self._buffer[at : at + size]
            self._buffer = self._buffer[at + size :]
            if kind == 1:
                self.take(json.loads(body))
            elif kind == 9:
                self._frame(0x8A, body)
            elif kind == 8:
                self._leave()
                return

    def _leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _frame(self, kind: int, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        size = len(body)
        head = bytes((kind, 0x80 | size)) if size < 126 else bytes((kind, 0xFE)) + size.to_bytes(2, "big")
        self._transport.write(head + ZERO + body)

    def say(self, kind: str, **content: Any) -> None:
        """Say something."""
        self._frame(0x81, json.dumps({"kind": kind, **content}).encode())

    # --- what a phone does -------------------------------------------------------------------------------------------------

    def _later(self, seconds: float, does: Any) -> None:
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > time.monotonic()]
        self._timers.append(asyncio.get_running_loop().call_later(seconds, does))

    def take(self, said: dict[str, Any]) -> None:
        """Take what the booth says."""
        kind = said["kind"]
        if kind == "hello":
            self.visitor = said["id"]
            self._here = True
            self.figures.here += 1
            self.figures.begun += 1
            if self.away_since is not None:
                self.figures.away_s.append(time.monotonic() - self.away_since)
                self.away_since = None
            if self.pause_s > 0:  # or only there
                if self.waiting is not None:
                    self.vote()
                else:
                    self._later(self.pause_s * self.chance.random(), self.ask)
        elif kind == "ballot":
            self.choose(said)
        elif kind == "closed":
            self._later(0.5, self.ask)
        elif kind in ("counted", "refused", "slow") and self.waiting is not None and said.get("ballot") == self.waiting[0]:
            self.told(kind, said)

    def ask(self) -> None:
        """Ask for a ballot."""
        if self.waiting is None:
            self.say("ask")

    def choose(self, ballot: dict[str, Any]) -> None:
        """Listen for a while, then vote."""
        if self.waiting is None:
            self.waiting = (ballot["ballot"], self.chance.randrange(2))
            self._later(self.pause_s * (0.6 + 0.8 * self.chance.random()), self.vote)

    def vote(self) -> None:
        """Say the vote that is not acknowledged."""
        if self.waiting is not None:
            self._sent_at = time.perf_counter()
            self.say("vote", ballot=self.waiting[0], choice=self.waiting[1])
            self._later(PATIENCE_S, self._impatient)

    def _impatient(self) -> None:
        if self._sent_at is not None and time.perf_counter() - self._sent_at > PATIENCE_S - 1:
            self._leave()

    def told(self, kind: str, said: dict[str, Any]) -> None:
        """A vote was answered."""
        assert self.waiting is not None
        figures = self.figures
        if kind == "slow" or said.get("again"):
            figures.slow += kind == "slow"
            figures.refused += kind == "refused"
            self._later(1.5, self.vote)
            return
        if kind == "counted":
            if self._sent_at is not None:
                figures.times_ms.append(1000 * (time.perf_counter() - self._sent_at))
            figures.counted[self.waiting[0]] = self.waiting[1]
        else:
            figures.refused += 1
        self.waiting = self._sent_at = None
        if (following := said.get("next")) is not None:
            self.choose(following)
        else:
            self.ask()


async def load(base: str, phones: int, votes_hz: float, seconds: float, joins_hz: float = 400.0) -> Figures:
    """Have so many phones vote for so long; times count from when all of them are there."""
    address = urlsplit(base)
    if address.hostname not in ("127.0.0.1", "localhost") or address.port is None:
        raise SystemExit("this is for the loopback alone")
    if not 0 < phones <= MOST_PHONES or not 0 < seconds <= LONGEST_S:
        raise SystemExit(f"at most {MOST_PHONES} phones for {LONGEST_S:g} s")
    figures = Figures()
    pause_s = phones / votes_hz if votes_hz else 0.0
    all_phones = [Phone(n, address.port, figures, pause_s) for n in range(phones)]
    tasks = []
    for phone in all_phones:
        tasks.append(asyncio.create_task(phone.run()))
        await asyncio.sleep(1 / joins_hz)
    until = time.monotonic() + 30
    while figures.here < phones and time.monotonic() < until:
        await asyncio.sleep(0.05)
    await asyncio.sleep(min(pause_s, 5.0))  # until all of them vote
    figures.times_ms.clear()
    begun, started = len(figures.counted), time.monotonic()
    await asyncio.sleep(seconds)
    figures.votes_hz = (len(figures.counted) - begun) / (time.monotonic() - started)
    figures.stayed = figures.here
    for phone in all_phones:
        phone.end()
    await asyncio.wait(tasks, timeout=5)
    return figures


def told(figures: Figures) -> dict[str, Any]:
    """The figures in short."""
    times = np.array(figures.times_ms or [float("nan")])
    p50, p99, most = (round(float(x), 1) for x in (*np.percentile(times, [50, 99]), times.max()))
    out: dict[str, Any] = {"votes": len(figures.times_ms), "votes_hz": round(figures.votes_hz), "here": figures.stayed}
    out |= {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": most,
        "refused": figures.refused,
        "slow": figures.slow,
        "lost": figures.lost,
    }
    if figures.away_s:
        out["away_max_s"] = round(max(figures.away_s), 2)
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
        arguments.out.write_text(json.dumps(figures.counted))


if __name__ == "__main__":
    main()
