"""OSC 1.0 on the wire: messages and bundles as bytes, vectors straight from NumPy.

Runs on: feed process. Built for many floats at once (python-osc takes a thousand times as long for a vector, and is what the
tests compare with); what comes in from outside is read in packets.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

IMMEDIATELY = b"\0\0\0\0\0\0\0\1"  # the timetag that every receiver understands
BUNDLE = b"#bundle\0"
DATAGRAM = 1472  # largest payload that crosses Ethernet and Wi-Fi in one piece, and that every known receiver takes
_NTP_EPOCH_S = 2208988800  # seconds from 1900 to 1970

Argument = int | float | str | bytes | bool


def string(text: str) -> bytes:
    """Return a string as OSC writes it: ended by a zero byte and filled up to four."""
    data = text.encode()
    return data + bytes(4 - len(data) % 4)


def head(address: str, tags: str) -> bytes:
    """Return what precedes the arguments: the address and the type tags."""
    return string(address) + string("," + tags)


def message(address: str, *arguments: Argument) -> bytes:
    """Return one message; an int too large for `i` goes as `h`. Raises ValueError for one that `h` cannot hold either."""
    tags, data = "", b""
    for argument in arguments:
        tag, encoded = _argument(argument)
        tags += tag
        data += encoded
    return head(address, tags) + data


def _argument(value: Argument) -> tuple[str, bytes]:
    if isinstance(value, bool):
        return ("T" if value else "F"), b""
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return "i", struct.pack(">i", value)
        if -(2**63) <= value < 2**63:
            return "h", struct.pack(">q", value)
        raise ValueError(f"{value} does not fit an OSC integer")
    if isinstance(value, float):
        return "f", struct.pack(">f", value)
    if isinstance(value, str):
        return "s", string(value)
    return "b", struct.pack(">i", len(value)) + value + bytes(-len(value) % 4)


def vector(address: str, values: np.ndarray) -> bytes:
    """Return one message of pure floats; `values` is any real array, (n,)."""
    return head(address, "f" * len(values)) + values.astype(">f4").tobytes()


def bundle(elements: Iterable[bytes], timetag: bytes = IMMEDIATELY) -> bytes:
    """Return a bundle of messages (or bundles)."""
    return b"".join((BUNDLE, timetag, *(struct.pack(">i", len(e)) + e for e in elements)))


def timetag(unix_ns: int) -> bytes:
    """Return the NTP timetag of a wall-clock time, in nanoseconds since 1970."""
    seconds, nanoseconds = divmod(unix_ns, 1_000_000_000)
    return struct.pack(">II", (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF, (nanoseconds << 32) // 1_000_000_000)
