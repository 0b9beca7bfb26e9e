"""One browser of the booth: what it is still to be sent, and how much it may ask.

Runs on: booth process, event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.net.guard import Bucket
from engine.net.sockets import Outlet

QUEUE = 64  # messages that wait for who is slow; then the oldest is dropped
MESSAGES_HZ, MESSAGES = 20.0, 80.0
VOTES_HZ, VOTES = 1.0, 6.0  # nobody hears two clips in less than a second
DRAWINGS_HZ, DRAWINGS = 0.2, 6.0
TRIES_HZ, TRIES = 0.2, 5.0  # tokens tried


def packed(kind: str, **content: Any) -> str:
    """Return a message as it is sent."""
    return json.dumps({"kind": kind, **content}, separators=(",", ":"))


class Guest:
    """A phone, or a wall."""

    __slots__ = (
        "_outlet",
        "_queue",
        "crowd",
        "drawings",
        "messages",
        "number",
        "staff",
        "tries",
        "visitor",
        "voted",
        "votes",
        "wake",
    )

    def __init__(self, number: int, visitor: str, crowd: int, staff: bool = False) -> None:
        """`staff`: it may hide and publish."""
        self.number, self.visitor, self.crowd, self.staff = number, visitor, crowd, staff
        self.wake = asyncio.Event()
        self.messages = Bucket(MESSAGES_HZ, MESSAGES)
        self.votes = Bucket(VOTES_HZ, VOTES)
        self.drawings = Bucket(DRAWINGS_HZ, DRAWINGS)
        self.tries = Bucket(TRIES_HZ, TRIES)
        self.voted: tuple[int, int] | None = None  # clip that it chose last, and its place then
        self._queue: deque[str] = deque(maxlen=QUEUE)
        self._outlet: Outlet | None = None

    def attach(self, outlet: Outlet) -> None:
        """Have messages written there at once where that can be; what waits already goes before them."""
        self._outlet = outlet

    def tell(self, kind: str, **content: Any) -> None:
        """Have a message sent."""
        self.send(packed(kind, **content))

    def send(self, text: str) -> None:
        """Have a message sent that is packed already."""
        if self._outlet is not None and not self._queue and self._outlet.send(text):
            return
        self._queue.append(text)
        self.wake.set()

    def take(self) -> Iterator[str]:
        """Yield all that is to be sent now."""
        self.wake.clear()
        while self._queue:
            yield self._queue.popleft()


def understood(text: str) -> tuple[str, dict[str, Any]]:
    """Return the kind of a message and all that it says; an empty kind where it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return "", {}
    kind = said.get("kind") if isinstance(said, dict) else None
    return (kind, said) if isinstance(kind, str) else ("", {})


class Timeless:
    """A page that shows no timesteps, whatever sounds."""

    def step(self, record: np.void) -> None:
        """A step sounds now."""

    def notes(self, events: np.ndarray) -> None:
        """These began or ended to sound."""

    def futures(self, record: np.void) -> None:
        """These continuations were imagined."""
