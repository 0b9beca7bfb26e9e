"""Who is there, without knowing who: a random id of a day for each phone, a number that says no address, limits.

Runs on: booth process, event loop.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from datetime import date, datetime
from typing import Any

from engine.net.guard import Bucket, plain

_ID = re.compile(r"[0-9]{8}[0-9a-f]{16}")
ADDRESSES = 4096  # whose limits are kept
JOINS_HZ, JOINS = 100.0, 3000.0  # of one address: a venue's router may hide everybody behind one
VOTES_HZ, VOTES = 1000.0, 4000.0
DRAWINGS_HZ, DRAWINGS = 5.0, 100.0


def today() -> date:
    """Return the day."""
    return datetime.now().date()


def day_began_ms() -> int:
    """Return when it began, in ms since 1970."""
    return int(datetime.combine(today(), datetime.min.time()).timestamp() * 1000)


def visitor_of(given: str | None) -> str:
    """Return the id that a phone has of today, or a new one."""
    day = today().strftime("%Y%m%d")
    if given is not None and _ID.fullmatch(given) and given.startswith(day):
        return given
    return day + secrets.token_hex(8)


class Address:
    """The limits of one address; the address itself is kept nowhere else."""

    def __init__(self) -> None:
        self.joins = Bucket(JOINS_HZ, JOINS)
        self.votes = Bucket(VOTES_HZ, VOTES)
        self.drawings = Bucket(DRAWINGS_HZ, DRAWINGS)


class Crowd:
    """Tells addresses apart as long as it lives, and tells nobody which they are."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)  # drawn anew at each start and never kept
        self._since_ms = time.time_ns() // 1_000_000
        self._addresses: dict[int, Address] = {}

    def told(self) -> dict[str, Any]:
        """What other booths are told, for all of them to give an address the same number."""
        return {"since_ms": self._since_ms, "key": self._key.hex()}

    def agrees(self, since_ms: int, key: str) -> bool:
        """Number addresses as another booth does that has done so for longer; return False where this one has."""
        mine, its = (self._since_ms, self._key), (since_ms, bytes.fromhex(key))
        self._since_ms, self._key = min(mine, its)
        return its <= mine

    def number(self, address: str) -> int:
        """Return a number of an address, the same as long as the booth runs; no address can be found from it."""
        said = hashlib.blake2b(plain(address).encode(), key=self._key, digest_size=4).digest()
        return int.from_bytes(said, "big") & 0x7FFFFFFF

    def of(self, number: int) -> Address:
        """Return the limits of an address; of too many the oldest is forgotten."""
        if number not in self._addresses and len(self._addresses) >= ADDRESSES:
            self._addresses.pop(next(iter(self._addresses)))
        return self._addresses.setdefault(number, Address())
