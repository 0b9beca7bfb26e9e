"""Packets of Pro DJ Link that tell where a player's beat is, as Deep Symmetry's "DJ Link Packet Analysis" describes them.

Runs on: prodj process. Nothing here touches a socket; offsets are those of the packet's first byte.

Players and mixers broadcast a packet with each beat to port 50001. Which of them is the tempo master stands in their status,
which comes to port 50002, as a rule to those alone that say that they are a player themselves.
"""

from __future__ import annotations

from typing import NamedTuple

MAGIC = b"Qspt1WmJOL"
BEATS_PORT, STATUS_PORT = 50001, 50002
BEAT, PLAYER_STATUS, MIXER_STATUS = 0x28, 0x0A, 0x29  # kinds, in the byte after the magic
BEAT_SIZE, BEAT_REST = 0x60, 0x3C  # of a beat's packet: bytes, and those after the length
MIXER = 0x21  # its number; players have 1 to 6
MOST_DEVICE = 0x3F
NO_BPM = 0xFFFF  # no track, or one that was not analysed
UNCHANGED = 0x100000  # a pitch of +0 %
MASTER = 0x20  # of the flags
NOBODY = 0xFF
SHORTEST_PLAYER, SHORTEST_MIXER = 0xA0, 0x38  # bytes of a status that has all that is read here
SLOWEST_BPM, FASTEST_BPM = 10.0, 1000.0  # what a player can play at, at the widest pitch


class Beat(NamedTuple):
    """A beat begins."""

    device: int
    tempo_bpm: float  # as it is heard, the pitch counted in
    place: int  # 1..4, which beat of the bar; of a mixer it means nothing


class Status(NamedTuple):
    """What a player or a mixer says of itself about five times a second."""

    device: int
    is_master: bool
    yields_to: int  # device that is about to be the master instead; 0: none


def beat(data: bytes) -> Beat | None:
    """Return the beat that a packet from port 50001 tells; None where it tells none, or is not as it should be."""
    if len(data) != BEAT_SIZE or not data.startswith(MAGIC) or data[0x0A] != BEAT:
        return None
    device = data[0x21]
    if not 0 < device <= MOST_DEVICE or data[0x5F] != device or _number(data, 0x22, 2) != BEAT_REST:
        return None
    bpm, pitch, place = _number(data, 0x5A, 2), _number(data, 0x54, 4), data[0x5C]
    tempo_bpm = bpm / 100 * pitch / UNCHANGED
    if bpm == NO_BPM or not SLOWEST_BPM <= tempo_bpm <= FASTEST_BPM or not 1 <= place <= 4:
        return None
    return Beat(device, tempo_bpm, place)


def status(data: bytes) -> Status | None:
    """Return what a packet from port 50002 says of the tempo master; None where it says nothing, or is not as it should be."""
    if len(data) < SHORTEST_MIXER or not data.startswith(MAGIC):
        return None
    kind, device = data[0x0A], data[0x21]
    if not 0 < device <= MOST_DEVICE:
        return None
    if kind == MIXER_STATUS:
        return Status(device, bool(data[0x27] & MASTER), _other(data[0x36]))
    if kind == PLAYER_STATUS and len(data) >= SHORTEST_PLAYER:
        return Status(device, bool(data[0x89] & MASTER), _other(data[0x9F]))
    return None


def _other(device: int) -> int:
    return device if 0 < device <= MOST_DEVICE else 0


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
