"""Packets of Pro DJ Link, made from the published description of the protocol: bytes as players and mixers send them."""

from __future__ import annotations

MAGIC = b"Qspt1WmJOL"


def _head(kind: int, name: str, subtype: int, device: int, rest: int) -> bytes:
    return MAGIC + bytes([kind]) + name.encode().ljust(20, b"\0") + bytes([1, subtype, device]) + rest.to_bytes(2, "big")


def beat(device: int, bpm: float, place: int, pitch: float = 0.0) -> bytes:
    """A beat begins; `pitch`: share by which the track is played faster."""
    until = [round(n * 60e3 / bpm) for n in (1, 2, 5 - place, 4, 9 - place, 8)]
    out = _head(0x28, "CDJ-2000nexus", 0, device, 0x3C) + b"".join(ms.to_bytes(4, "big") for ms in until) + b"\xff" * 0x18
    out += round(0x100000 * (1 + pitch)).to_bytes(4, "big") + b"\0\0" + round(bpm * 100).to_bytes(2, "big")
    return out + bytes([place, 0, 0, device])


def player_status(device: int, master: bool, yields_to: int = 0xFF, size: int = 0xD4) -> bytes:
    """What a player says of itself."""
    out = bytearray(_head(0x0A, "CDJ-2000nexus", 3, device, size - 0x24).ljust(size, b"\0"))
    out[0x89] = 0xC4 | (0x20 if master else 0)
    out[0x9F] = yields_to
    return bytes(out)


def mixer_status(master: bool, yields_to: int = 0xFF) -> bytes:
    """What a mixer says of itself."""
    out = bytearray(_head(0x29, "DJM-2000nexus", 0, 0x21, 0x14).ljust(0x38, b"\0"))
    out[0x27] = 0xF0 if master else 0xD0
    out[0x36] = yields_to
    return bytes(out)
