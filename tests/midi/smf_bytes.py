"""Standard MIDI files made byte by byte, the damaged ones included."""

from __future__ import annotations

from collections.abc import Iterable

Event = tuple[int, bytes]  # delta in ticks, status and data


def variable(number: int) -> bytes:
    """A number of variable length."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.insert(0, 0x80 | number & 0x7F)
    return bytes(out)


def meta(kind: int, data: bytes = b"", delta: int = 0) -> Event:
    return delta, bytes((0xFF, kind)) + variable(len(data)) + data


def tempo(bpm: float, delta: int = 0) -> Event:
    return meta(0x51, round(60e6 / bpm).to_bytes(3, "big"), delta)


def metre(numerator: int, denominator: int, delta: int = 0) -> Event:
    return meta(0x58, bytes((numerator, denominator.bit_length() - 1, 24, 8)), delta)


def name(text: str | bytes) -> Event:
    return meta(0x03, text.encode() if isinstance(text, str) else text)


def notes(pitches: Iterable[int], channel: int = 0, length: int = 480, velocity: int = 90) -> list[Event]:
    """One after the other, each `length` ticks long."""
    found: list[Event] = []
    for pitch in pitches:
        found += [(0, bytes((0x90 | channel, pitch, velocity))), (length, bytes((0x80 | channel, pitch, 64)))]
    return found


def body(*events: Event | list[Event], end: bool = True) -> bytes:
    """The events of a track."""
    flat = [e for entry in events for e in (entry if isinstance(entry, list) else [entry])]
    return b"".join(variable(delta) + data for delta, data in [*flat, *([meta(0x2F)] if end else [])])


def chunk(data: bytes, kind: bytes = b"MTrk", told: int | None = None) -> bytes:
    return kind + (len(data) if told is None else told).to_bytes(4, "big") + data


def head(tracks: int, kind: int = 1, division: int = 480) -> bytes:
    return b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in ((6, 4), (kind, 2), (tracks, 2), (division, 2)))


def file(*tracks: list[Event], kind: int | None = None, division: int = 480) -> bytes:
    """A file as it should be."""
    number = kind if kind is not None else int(len(tracks) > 1)
    return head(len(tracks), number, division) + b"".join(chunk(body(track)) for track in tracks)
