"""What the player holds on every port and channel: keys, pedal, wheel, pressure, MPE zones; from messages to notes.

Runs on: audio process (audio callback). Each channel of each port is a lane: its wheel bends its notes and no others.
MPE: "MIDI Polyphonic Expression", The MIDI Association, M1-100-UM, version 1.0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND, PRESSURE
from engine.midi.message import (
    BEND_RANGE,
    DATA,
    DATA_FINE,
    EXPRESSION,
    MODULATION,
    MPE_ZONE,
    NO_CHANNEL,
    NO_PARAMETER,
    NOTES_OFF,
    NRPN,
    NRPN_FINE,
    PORTAMENTO,
    RESET_CONTROLLERS,
    RPN,
    RPN_FINE,
    SOFT,
    SOSTENUTO,
    SOUND_OFF,
    SUSTAIN,
    TIMBRE,
    Kind,
    MidiMessage,
)

RANGE_SEMITONES, MEMBER_RANGE_SEMITONES = 2.0, 48.0  # whole way of a wheel, of a finger, until RPN 0 says otherwise
LOWER, UPPER = 0, 15  # master channels of the two zones
TIMBRE_MIDDLE = 64
EVERY_NOTE = -1  # `number` of a pressure that is not of one key
NO_LIMIT: Mapping[str, float] = MappingProxyType({})
# What a controller that is held goes back to when its device is gone (RP-015, and MPE's timbre).
NEUTRAL = {MODULATION: 0, EXPRESSION: 127, PORTAMENTO: 0, SOSTENUTO: 0, SOFT: 0}


class Lane:
    """One channel of one port."""

    def __init__(self, number: int, master: Lane | None) -> None:
        """`number`: smallest that no other lane has. `master`: of the zone this channel is a member of."""
        self.number = number
        self.master = master
        self.down: set[int] = set()  # keys under a finger
        self.sustained: set[int] = set()  # let go, held by the pedal
        self.pitches: set[int] = set()  # notes that were begun here last and not elsewhere since
        self.pedal = False
        self.bend = 0.0  # -1..1 of `range`
        self.pressure = 0
        self.controls: dict[int, int] = {}  # those that go back to NEUTRAL, and the timbre
        self.range = RANGE_SEMITONES if master is None else MEMBER_RANGE_SEMITONES
        self.parameter = NO_PARAMETER  # the registered one that data entry means
        self.longest_s = 0.0  # a note that is held for longer is ended; 0: none is
        self.since: dict[int, float] = {}  # when each was struck last, in s

    @property
    def semitones(self) -> float:
        """How far its notes are bent."""
        own = self.bend * self.range
        return own if self.master is None else own + self.master.bend * self.master.range

    @property
    def span(self) -> float:
        """How far they may be, in semitones."""
        return self.range if self.master is None else self.range + self.master.range

    @property
    def timbre(self) -> int:
        """Controller 74, 0..127."""
        return self.controls.get(TIMBRE, TIMBRE_MIDDLE)

    @property
    def is_pedalled(self) -> bool:
        """Whether a key that is let go sounds on: the pedal of a zone's master holds all of the zone."""
        return self.pedal or (self.master is not None and self.master.pedal)

    def holds(self, pitch: int) -> bool:
        """Whether a note sounds because of this lane."""
        return pitch in self.down or pitch in self.sustained


class Played(NamedTuple):
    """What to do with the sound now. `kind`: of EVENT; `number`: pitch or controller; `value`: velocity, controller, pressure.

    A PITCH_BEND is read from the lane: it concerns the lane's `pitches`.
    """

    kind: int
    lane: Lane
    number: int = 0
    value: int = 0


class Channels:
    """All lanes of a player. The same note held on two of them ends with the second.

    The sustain pedal is resolved: a key that is let go while the pedal is down ends when the pedal does. A note whose end was
    lost on the way ends when its key is struck again and let go, or when it is `overdue`.
    """

    def __init__(self, mpe: Sequence[str] = (), longest_s: Mapping[str, float] = NO_LIMIT) -> None:
        """`mpe`: parts of names of ports that are MPE keyboards without saying so, all channels one zone. `longest_s`: by parts
        of names of ports, how long a note may be held there."""
        self._mpe = [name.casefold() for name in mpe]
        self._longest_s = {name.casefold(): seconds for name, seconds in longest_s.items() if seconds > 0}
        self._ports: dict[str, dict[int, Lane]] = {}
        self._zones: dict[tuple[str, int], int] = {}  # (port, master channel) -> members
        self._begun_by: dict[int, Lane] = {}  # pitch -> the lane that has it in its `pitches`

    def take(self, message: MidiMessage, now_s: float = 0.0) -> list[Played]:
        """Take one message; return what it does. `now_s`: of any clock, for `overdue`."""
        if message.kind is Kind.GONE:
            return self._lose(message.port)
        found: list[Played] = []
        if message.channel == NO_CHANNEL or message.kind is Kind.PROGRAM:
            return found
        lane = self._lane(message.port, message.channel)
        number, value = message.number, int(message.value)
        if message.kind is Kind.NOTE_ON:
            self._key_down(lane, number, now_s)
            found.append(Played(NOTE_ON, lane, number, value))
        elif message.kind is Kind.NOTE_OFF:
            self._key_up(lane, number, found)
        elif message.kind is Kind.CONTROL:
            self._control(message, lane, found)
        elif message.kind is Kind.BEND:
            lane.bend = message.value
            self._bent(lane, found)
        elif message.kind is Kind.PRESSURE:
            lane.pressure = value
            found.append(Played(PRESSURE, lane, EVERY_NOTE, value))
        elif message.kind is Kind.KEY_PRESSURE:
            found.append(Played(PRESSURE, lane, number, value))
        return found

    def release(self) -> list[Played]:
        """Let go of everything, as if every port were gone (panic); return what that does."""
        return [played for lanes in self._ports.values() for played in self._let_go(lanes.values())]

    @property
    def is_guarded(self) -> bool:
        """Whether a note can be overdue."""
        return bool(self._longest_s)

    def overdue(self, now_s: float) -> list[Played]:
        """End what is held for longer than its port allows; return that."""
        found: list[Played] = []
        for lane in self._all():
            late = [pitch for pitch, since_s in lane.since.items() if now_s - since_s > lane.longest_s > 0]
            for pitch in late:
                lane.down.discard(pitch)
                lane.sustained.discard(pitch)
                self._end(lane, pitch, found)
        return found

    def held(self) -> set[int]:
        """Pitches that sound because somebody holds them."""
        return {pitch for lane in self._all() for pitch in lane.down | lane.sustained}

    # --- ports, channels, zones --------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[Lane]:
        for lanes in self._ports.values():
            yield from lanes.values()

    def _lane(self, port: str, channel: int) -> Lane:
        lanes = self._ports.get(port)
        if lanes is None:
            lanes = self._ports[port] = {}
            if any(name in port.casefold() for name in self._mpe):
                self._zones[port, LOWER] = 15
        lane = lanes.get(channel)
        if lane is None:
            leads = self._master(port, channel)
            master = None if leads is None else self._lane(port, leads)
            taken = {other.number for other in self._all()}
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            lane = lanes[channel] = Lane(free, master)
            lane.longest_s = next((limit for name, limit in self._longest_s.items() if name in port.casefold()), 0.0)
        return lane

    def _master(self, port: str, channel: int) -> int | None:
        """Return the channel that leads the zone this one is a member of."""
        if 0 < channel <= self._zones.get((port, LOWER), 0):
            return LOWER
        if UPPER > channel >= UPPER - self._zones.get((port, UPPER), 0):
            return UPPER
        return None

    def _members(self, lane: Lane) -> list[Lane]:
        return [other for other in self._all() if other.master is lane]

    def _set_zone(self, port: str, master: int, members: int, found: list[Played]) -> None:
        """Divide a port anew: what sounded on its channels ends, and all of it begins straight."""
        found += self._lose(port)
        other = UPPER if master == LOWER else LOWER
        zones = {master: min(members, 15), other: self._zones.get((port, other), 0)}
        zones[other] = max(min(zones[other], 14 - zones[master]), 0)
        self._ports[port] = {}
        for channel, size in zones.items():
            self._zones[port, channel] = size

    def _let_go(self, lanes: Collection[Lane]) -> list[Played]:
        """End all notes of a port; its wheels, pedals and pressures are as if nobody touched them."""
        found: list[Played] = []
        bent = [lane for lane in lanes if lane.semitones]
        for lane in lanes:
            lane.pedal = False
            lane.bend = 0.0
        for lane in lanes:
            self._end_all(lane, found)
        found += [Played(PITCH_BEND, lane) for lane in bent]
        for lane in lanes:
            if lane.pressure:
                lane.pressure = 0
                found.append(Played(PRESSURE, lane, EVERY_NOTE))
            self._neutral(lane, {**NEUTRAL, TIMBRE: TIMBRE_MIDDLE}, found)
        return found

    def _lose(self, port: str) -> list[Played]:
        """A port is gone. What it said of its zones is kept: it may come back and not say it again."""
        lanes = self._ports.get(port, {}).values()
        found = self._let_go(lanes)
        self._ports.pop(port, None)
        for lane in lanes:
            for pitch in lane.pitches:
                del self._begun_by[pitch]
        return found

    # --- keys and pedals ---------------------------------------------------------------------------------------------------

    def _key_down(self, lane: Lane, pitch: int, now_s: float) -> None:
        lane.down.add(pitch)
        lane.since[pitch] = now_s
        lane.sustained.discard(pitch)
        if lane.master is not None:  # a new finger does not bend what the one before it left ringing
            for ringing in lane.pitches - lane.down - lane.sustained:
                lane.pitches.remove(ringing)
                del self._begun_by[ringing]
        self._give(pitch, lane)

    def _give(self, pitch: int, lane: Lane) -> None:
        """A lane's wheel bends this note from now on."""
        before = self._begun_by.get(pitch)
        if before is not None:
            before.pitches.discard(pitch)
        self._begun_by[pitch] = lane
        lane.pitches.add(pitch)

    def _key_up(self, lane: Lane, pitch: int, found: list[Played]) -> None:
        if pitch not in lane.down:
            return
        lane.down.remove(pitch)
        if lane.is_pedalled:
            lane.sustained.add(pitch)
        else:
            self._end(lane, pitch, found)

    def _end(self, lane: Lane, pitch: int, found: list[Played]) -> None:
        """Report a note's end; where another lane still holds it, it is that one's."""
        lane.since.pop(pitch, None)
        holder = next((other for other in self._all() if other.holds(pitch)), None)
        if holder is None:
            found.append(Played(NOTE_OFF, lane, pitch))
        elif self._begun_by.get(pitch) is lane:
            self._give(pitch, holder)
            found.append(Played(PITCH_BEND, holder))

    def _end_all(self, lane: Lane, found: list[Played]) -> None:
        pitches = sorted(lane.down | lane.sustained)
        lane.down.clear()
        lane.sustained.clear()
        for pitch in pitches:
            self._end(lane, pitch, found)

    def _set_pedal(self, lane: Lane, down: bool, found: list[Played]) -> None:
        lane.pedal = down
        for each in () if down else (lane, *self._members(lane)):
            if not each.is_pedalled:
                pitches = sorted(each.sustained)
                each.sustained.clear()
                for pitch in pitches:
                    self._end(each, pitch, found)

    # --- wheels and controllers --------------------------------------------------------------------------------------------

    def _bent(self, lane: Lane, found: list[Played]) -> None:
        found += [Played(PITCH_BEND, each) for each in (lane, *self._members(lane))]

    def _control(self, message: MidiMessage, lane: Lane, found: list[Played]) -> None:
        number, value = message.number, int(message.value)
        if number == SUSTAIN:
            self._set_pedal(lane, value >= 64, found)
        elif number == RESET_CONTROLLERS:
            self._reset(lane, found)
        elif number == SOUND_OFF or number >= NOTES_OFF:
            for each in (lane, *self._members(lane)):
                self._end_all(each, found)
            if number == SOUND_OFF and not self.held():
                found.append(Played(ALL_OFF, lane))
        elif number in (DATA, DATA_FINE) and lane.parameter in (BEND_RANGE, MPE_ZONE):
            self._enter(message, lane, found)
        else:
            self._select(lane, number, value)
            if number in NEUTRAL or number == TIMBRE:
                lane.controls[number] = value
            found.append(Played(CONTROL, lane, number, value))

    def _select(self, lane: Lane, number: int, value: int) -> None:
        """Take the controllers that say which parameter data entry means."""
        if number == RPN:
            lane.parameter = lane.parameter & 0x7F | value << 7
        elif number == RPN_FINE:
            lane.parameter = lane.parameter & ~0x7F | value
        elif number in (NRPN, NRPN_FINE):
            lane.parameter = NO_PARAMETER

    def _enter(self, message: MidiMessage, lane: Lane, found: list[Played]) -> None:
        value = int(message.value)
        if lane.parameter == MPE_ZONE:
            if message.number == DATA and message.channel in (LOWER, UPPER):
                self._set_zone(message.port, message.channel, value, found)
            return
        of = [lane] if lane.master is None else self._members(lane.master)  # one member's range is that of all
        for each in of:
            each.range = value + each.range % 1 if message.number == DATA else each.range // 1 + min(value, 99) / 100
            if each.bend:
                found.append(Played(PITCH_BEND, each))

    def _reset(self, lane: Lane, found: list[Played]) -> None:
        self._set_pedal(lane, False, found)
        lane.bend, lane.parameter = 0.0, NO_PARAMETER
        self._bent(lane, found)
        if lane.pressure:
            lane.pressure = 0
            found.append(Played(PRESSURE, lane, EVERY_NOTE))
        self._neutral(lane, NEUTRAL, found)

    def _neutral(self, lane: Lane, values: dict[int, int], found: list[Played]) -> None:
        for number, value in values.items():
            if lane.controls.get(number, value) != value:
                lane.controls[number] = value
                found.append(Played(CONTROL, lane, number, value))
