"""The keyboards of the page's visitors: which messages pass, and which keys must be let go when a visitor vanishes.

Runs on: feed process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from engine.core.link import Ring

# short channel messages that play: note off, note on, control, pitch bend; all of three bytes
NOTE_OFF, NOTE_ON, CONTROL, BEND = 0x80, 0x90, 0xB0, 0xE0
SUSTAIN = 64


def valid(message: object) -> tuple[int, int, int] | None:
    """Return the three bytes of a message that may pass, or None."""
    if not isinstance(message, Sequence) or isinstance(message, str | bytes) or len(message) != 3:
        return None
    # bool is an int to Python, not to MIDI
    if not all(type(part) is int for part in message):
        return None
    status, first, second = message
    if status & 0xF0 not in (NOTE_OFF, NOTE_ON, CONTROL, BEND) or not 0x80 <= status <= 0xFF:
        return None
    return (status, first, second) if 0 <= first <= 127 and 0 <= second <= 127 else None


class Keyboards:
    """All keyboards that play over the page, merged into the ring `keys`.

    A key ends when the last client that holds it lets go: two visitors on one key do not cut each other off.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._holders: dict[tuple[int, int], set[int]] = {}  # (channel, pitch) -> clients
        self._pedals: dict[int, set[int]] = {}  # channel -> clients
        self._bent: dict[int, int] = {}  # channel -> client that moved its pitch wheel last

    def play(self, client: int, message: tuple[int, int, int]) -> None:
        """Pass on one message of `client`, as `valid` returned it."""
        status, first, second = message
        kind, channel = status & 0xF0, status & 0x0F
        if kind == NOTE_ON and second > 0:
            self._holders.setdefault((channel, first), set()).add(client)
        elif kind in (NOTE_OFF, NOTE_ON):
            if not _let_go(self._holders, (channel, first), client):
                return
        elif kind == CONTROL and first == SUSTAIN:
            if second >= 64:
                self._pedals.setdefault(channel, set()).add(client)
            elif not _let_go(self._pedals, channel, client):
                return
        elif kind == BEND:
            self._bent[channel] = client
        self._push(status, first, second)

    def vanish(self, client: int) -> None:
        """Let go of every key, pedal and pitch wheel that only this client still held."""
        for channel in [c for c, who in self._pedals.items() if client in who]:
            self.play(client, (CONTROL | channel, SUSTAIN, 0))
        for channel, pitch in [key for key, who in self._holders.items() if client in who]:
            self.play(client, (NOTE_OFF | channel, pitch, 0))
        for channel in [c for c, who in self._bent.items() if who == client]:
            self._push(BEND | channel, 0, 64)
            del self._bent[channel]

    def held(self, client: int) -> int:
        """Number of keys this client holds."""
        return sum(client in who for who in self._holders.values())

    def _push(self, status: int, first: int, second: int) -> None:
        self._ring.push((time.perf_counter_ns(), 3, (status, first, second)))


def _let_go(holders: dict[Any, set[int]], key: Any, client: int) -> bool:
    """Take a client from a key's holders; return whether nobody holds it any more."""
    who = holders.get(key)
    if who is None:
        return True
    who.discard(client)
    if who:
        return False
    del holders[key]
    return True
