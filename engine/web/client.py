"""What one browser on the stage page is still to be sent.

Runs on: feed process, event loop. Nothing here grows: a newer frame replaces one that waits.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Iterator
from typing import Any

from engine.net.guard import Bucket
from engine.web import frames
from engine.web.frames import Format

SOUND_QUEUE = 25  # pieces of sound that wait for a slow listener; then the oldest is dropped
NOTES_QUEUE = 256  # notes that wait for a slow client
MESSAGES_HZ, MESSAGES_BURST = 400.0, 800.0  # orders taken from one client; a played keyboard with its wheels sends some 200
TRIES_HZ, TRIES = 0.2, 5.0  # tokens tried by one client


class Client:
    """One browser: what it is still to be sent. Nothing here grows: a newer frame takes the place of one that waits."""

    def __init__(self, number: int, fmt: Format, fps: float, may_change: bool) -> None:
        self.number = number
        self.fmt = fmt
        self.may_change = may_change
        self.listens = False
        self.past: Iterator[tuple[int, bytes]] = iter(())  # steps from before it came, with their numbers
        self.skipped = 0  # frames that a newer one took the place of
        self.wake = asyncio.Event()
        self.messages = Bucket(MESSAGES_HZ, MESSAGES_BURST)
        self.tries = Bucket(TRIES_HZ, TRIES)
        self._pause_s = 1 / fps
        self._next_s = 0.0
        self._frame: bytes | None = None
        self._step = 0  # number of the step that waits in the slot
        self._past_step: int | None = None  # while the past is sent: the number of the newest of it
        self._texts: dict[str, dict[str, Any]] = {}
        self._notes: deque[bytes] = deque(maxlen=NOTES_QUEUE)
        self._notes_lost = False
        self._futures: bytes | None = None
        self.smooth_hz = 0.0  # rate at which it is given the smooth tiers
        self.raw = False  # ... with raw numbers
        self.levels = False  # ... with those of the sound
        self._signals: bytes | None = None
        self._sound: deque[bytes] = deque(maxlen=SOUND_QUEUE)

    def wants_frame(self, now_s: float) -> bool:
        """Whether its own rate allows a frame now."""
        return now_s >= self._next_s

    def show(self, frame: bytes, step: int, now_s: float) -> None:
        """Put a step's frame in the slot."""
        self.skipped += self._frame is not None
        self._frame, self._step = frame, step
        # A step that comes a little early counts from when it was due, so that the mean rate is kept.
        self._next_s = max(self._next_s, now_s - self._pause_s / 2) + self._pause_s
        self.wake.set()

    def tell(self, kind: str, **content: Any) -> None:
        """Put a text in its slot; `values` of one that waits are kept beside the new ones."""
        before = self._texts.get(kind, {})
        if kind == "values":
            content = {"values": before.get("values", {}) | content["values"]}
        self._texts[kind] = content
        self.wake.set()

    def forget(self) -> None:
        """Another network plays: what waits of the one before is not sent."""
        self._frame, self._futures, self.past = None, None, iter(())
        self._notes.clear()

    def add_notes(self, notes: list[bytes]) -> None:
        """Queue notes."""
        assert self._notes.maxlen is not None
        self._notes_lost |= len(self._notes) + len(notes) > self._notes.maxlen
        self._notes.extend(notes)
        self.wake.set()

    def imagine(self, futures: bytes) -> None:
        """Put what may follow in its slot."""
        self._futures = futures
        self.wake.set()

    def move(self, signals: bytes) -> None:
        """Put the numbers of a moment in their slot."""
        self._signals = signals
        self.wake.set()

    def hear(self, piece: bytes) -> None:
        """Queue a piece of sound."""
        self._sound.append(piece)
        self.wake.set()

    def take(self) -> Iterator[bytes | str]:
        """Yield all that is to be sent now; what waits is looked at anew each time, for it may have been replaced."""
        self.wake.clear()
        while True:
            if self._texts:
                kind = next(iter(self._texts))
                yield json.dumps({"kind": kind, **self._texts.pop(kind)}, separators=(",", ":"))
            elif self._notes:
                waiting, lost = list(self._notes), self._notes_lost
                self._notes.clear()
                self._notes_lost = False
                yield frames.notes(waiting, len(waiting), lost)
            elif self._signals is not None:
                signals, self._signals = self._signals, None
                yield signals
            elif self._sound:
                yield self._sound.popleft()
            elif (past := next(self.past, None)) is not None:
                self._past_step, frame = past
                yield frame
            elif self._frame is not None:
                newest, self._frame = self._frame, None
                known, self._past_step = self._past_step, None
                if known is None or self._step > known:
                    yield newest
            elif self._futures is not None:
                futures, self._futures = self._futures, None
                yield futures
            else:
                return


def refuse_constant(constant: str) -> None:
    """Python's reader takes NaN and Infinity, which are no JSON."""
    raise ValueError(constant)


def finite(value: float) -> float | None:
    """Return a number that JSON can carry."""
    return round(value, 4) if math.isfinite(value) else None
