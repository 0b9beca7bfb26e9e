"""OSC packets that come in: every type tag of OSC 1.0 and 1.1, read with suspicion.

Runs on: feed process. Nothing here raises, whatever the bytes are. What is wrong with one message of a bundle costs that
message; the others are returned beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.net.osc import BUNDLE

LARGEST = 4096  # bytes of a datagram that is looked at
DEEPEST = 4  # bundles within bundles, and arrays within arrays
MOST_MESSAGES = 256  # in one datagram
LONGEST_ADDRESS = 128


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its address (or pattern) and its arguments.

    i h become int; f d float; s S (symbols) and c str; b bytes; T F bool; N None; an array a list; I, t, r and m an Other.
    """

    address: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is no message, or more than is taken; `address` where it could be read."""

    reason: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """An argument that is neither a number nor a word: I (impulse), t (NTP time), r (RGBA colour), m (MIDI message)."""

    tag: str
    data: bytes = b""

    def __str__(self) -> str:
        return f"{self.tag}:{self.data.hex()}" if self.data else self.tag


class _FaultError(Exception):
    """Why a message cannot be read."""


_FIXED = {"i": ">i", "h": ">q", "f": ">f", "d": ">d"}
_WITHOUT_DATA = {"T": True, "F": False, "N": None, "I": Other("I")}
_OTHERS = {"t": 8, "r": 4, "m": 4}  # bytes of each


def read(data: bytes) -> list[Message | Malformed]:
    """Return what is in a datagram, in its order; an OSC bundle's timetags are not looked at."""
    if len(data) > LARGEST:
        return [Malformed(f"longer than {LARGEST} bytes")]
    found: list[Message | Malformed] = []
    for part in _parts(data, 0):
        if len(found) == MOST_MESSAGES:
            found.append(Malformed(f"more than {MOST_MESSAGES} messages"))
            break
        found.append(part if isinstance(part, Malformed) else _message(part))
    return found


def _parts(data: bytes, depth: int) -> Iterator[bytes | Malformed]:
    """Yield the messages in a packet, as bytes, and what is wrong with its bundles."""
    if not data.startswith(BUNDLE):
        yield data
        return
    if depth == DEEPEST:
        yield Malformed(f"more than {DEEPEST} bundles within one another")
        return
    at = len(BUNDLE) + 8
    if len(data) < at:
        yield Malformed("a bundle without a timetag")
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if at + size > len(data):  # where the next one begins cannot be known
            yield Malformed("a bundle whose sizes do not fit")
            return
        yield from _parts(data[at : at + size], depth + 1)
        at += size


def _message(data: bytes) -> Message | Malformed:
    address = ""
    try:
        raw, at = _string(data, 0)
        address = _address(raw)
        if at == len(data):  # a message may leave out the type tags when it has no arguments
            return Message(address)
        raw, at = _string(data, at)
        tags = raw.decode("ascii", "replace")
        if not tags.startswith(","):
            raise _FaultError("type tags that do not begin with a comma")
        arguments, at = _arguments(tags[1:], data, at)
        if at != len(data):
            raise _FaultError("arguments that do not fit the type tags")
        return Message(address, tuple(arguments))
    except _FaultError as error:
        return Malformed(str(error), address)


def _address(raw: bytes) -> str:
    try:
        address = raw.decode()
    except UnicodeDecodeError:
        raise _FaultError("an address that is not UTF-8") from None
    if not address.startswith("/") or len(address) > LONGEST_ADDRESS or not address.isprintable():
        raise _FaultError(f"no address of at most {LONGEST_ADDRESS} characters")
    return address


def _arguments(tags: str, data: bytes, at: int) -> tuple[list[Any], int]:
    """Return what the type tags mean, and where it ends."""
    stack: list[list[Any]] = [[]]
    for tag in tags:
        if tag == "[":
            if len(stack) > DEEPEST:
                raise _FaultError(f"more than {DEEPEST} arrays within one another")
            stack.append([])
        elif tag == "]":
            if len(stack) == 1:
                raise _FaultError("an array that ends and did not begin")
            array = stack.pop()
            stack[-1].append(array)
        else:
            value, at = _argument(tag, data, at)
            stack[-1].append(value)
    if len(stack) > 1:
        raise _FaultError("an array that does not end")
    return stack[0], at


def _argument(tag: str, data: bytes, at: int) -> tuple[Any, int]:
    if tag in _WITHOUT_DATA:
        return _WITHOUT_DATA[tag], at
    if tag in _FIXED:
        kind = _FIXED[tag]
        return struct.unpack(kind, _piece(data, at, struct.calcsize(kind)))[0], at + struct.calcsize(kind)
    if tag in ("s", "S"):
        raw, end = _string(data, at)
        return raw.decode(errors="replace"), end
    if tag == "b":
        size = int.from_bytes(_piece(data, at, 4), "big")
        return _piece(data, at + 4, size), at + 4 + size + -size % 4
    if tag == "c":
        number = int.from_bytes(_piece(data, at, 4), "big")
        return chr(number) if number <= 0x10FFFF else "\ufffd", at + 4
    if tag in _OTHERS:
        return Other(tag, _piece(data, at, _OTHERS[tag])), at + _OTHERS[tag]
    raise _FaultError(f"a type tag that OSC does not have: {tag!r}")  # how long its argument is cannot be known


def _piece(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise _FaultError("arguments that do not fit the type tags")
    return data[at : at + size]


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes up to the next zero, and where what follows its padding begins."""
    end = data.find(0, at)
    after = end + 4 - (end - at) % 4
    if end < 0 or after > len(data):
        raise _FaultError("a string that does not end")
    return data[at:end], after
