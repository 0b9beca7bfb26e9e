"""Zones of keyboards: splits, layers, transposed and with another touch, and the hand that holds the chords.

Runs on: audio process (audio callback; offline: whoever renders).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.midi import Zone
from engine.midi.message import NO_CHANNEL, Kind, MidiMessage

TOUCH = {"linear": 1.0, "soft": 0.6, "hard": 1.7, "fixed": 0.0}  # exponent of the velocity
FIXED = 100
FEWEST = 2  # pitch classes of which a chord is made


class Zones:
    """Takes a message and says what is to be played of it. `hand`: the keys held in zones of chords, in no order."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = [(zone, zone.port.casefold(), f" zone {number}") for number, zone in enumerate(zones, 1)]
        self._velocities = {name: _velocities(name) for name in TOUCH}
        self._hand: dict[tuple[str, int, int], int] = {}  # by port, channel and key: the pitch
        self.is_new = False  # the hand has struck a key since this was looked at

    @property
    def hand(self) -> list[int]:
        """Pitches that the hand of chords holds."""
        return list(self._hand.values())

    def release(self) -> None:
        """Nothing is held any more (panic)."""
        self._hand.clear()

    def take(self, message: MidiMessage) -> Sequence[MidiMessage]:
        """Return what is to be played for a message; each zone has a port of its own, so that keys end where they began."""
        if not self._zones:
            return (message,)
        kind, found = message.kind, []
        if kind is Kind.GONE:
            self._hand = {key: pitch for key, pitch in self._hand.items() if key[0] != message.port}
        for zone, port, suffix in self._zones:
            if port not in message.port.casefold():
                continue
            if message.channel != NO_CHANNEL and zone.channels and message.channel + 1 not in zone.channels:
                continue
            played = message._replace(port=message.port + suffix)
            if kind in (Kind.NOTE_ON, Kind.NOTE_OFF, Kind.KEY_PRESSURE):
                pitch = message.number + zone.transpose
                if not (zone.low <= message.number <= zone.high and 0 <= pitch <= 127):
                    continue
                played = played._replace(number=pitch)
                if kind is Kind.NOTE_ON:
                    played = played._replace(value=self._velocities[zone.velocity][int(message.value)])
                if zone.to == "chords":
                    self._hold(kind, (message.port, message.channel, message.number), pitch)
            if zone.to == "player" or zone.sounds:
                found.append(played)
        return found

    def _hold(self, kind: Kind, key: tuple[str, int, int], pitch: int) -> None:
        if kind is Kind.NOTE_ON:
            self._hand[key] = pitch
            self.is_new = len({held % 12 for held in self._hand.values()}) >= FEWEST
        elif kind is Kind.NOTE_OFF:
            self._hand.pop(key, None)


def _velocities(name: str) -> list[int]:
    """Return what each velocity is with a touch."""
    if name == "fixed":
        return [FIXED] * 128
    return [max(round(127 * (value / 127) ** TOUCH[name]), 1) for value in range(128)]
