"""The keyboards of the page's visitors: which messages pass, and the word that a visitor has vanished.

Runs on: feed process. What he held is let go by the player's hearing (`midi.channels`), as of any keyboard that is lost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.core.link import Writer
from engine.midi.message import BY_STATUS, Kind

# what plays: everything else of a visitor's keyboard stays with him
PLAYS = (Kind.NOTE_OFF, Kind.NOTE_ON, Kind.KEY_PRESSURE, Kind.CONTROL, Kind.PRESSURE, Kind.BEND)
EVERYBODY = 0  # no visitor has this number


def valid(message: object) -> tuple[int, ...] | None:
    """Return the two or three bytes of a message that may pass, or None."""
    if not isinstance(message, Sequence) or isinstance(message, str | bytes) or not 2 <= len(message) <= 3:
        return None
    # bool is an int to Python, not to MIDI
    if not all(type(part) is int for part in message):
        return None
    spec = BY_STATUS.get(message[0])
    if spec is None or spec.kind not in PLAYS or len(message) != 1 + spec.size:
        return None
    return tuple(message) if all(0 <= part <= 127 for part in message[1:]) else None


class Keyboards:
    """All keyboards that play over the page, each visitor's a port of his own; writes the ring `keys`."""

    def __init__(self, ring: Writer) -> None:
        """What the page before this one left held, if there was one, is let go."""
        self._ring = ring
        self._players: set[int] = set()
        self._push(EVERYBODY)

    def play(self, client: int, message: tuple[int, ...]) -> None:
        """Pass on one message of `client`, as `valid` returned it."""
        self._players.add(client)
        self._push(client, *message)

    def vanish(self, client: int) -> None:
        """Let go of everything that this client holds."""
        if client in self._players:
            self._players.remove(client)
            self._push(client)

    def has_played(self, client: int) -> bool:
        """Whether anything came from this client."""
        return client in self._players

    def _push(self, client: int, *message: int) -> None:
        self._ring.push((time.perf_counter_ns(), client, len(message), (*message, 0, 0, 0)[:3]))
