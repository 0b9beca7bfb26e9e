"""The player's hearing: from what is played on keyboards, pages and files to his notes, their bends and his knobs.

Runs on: audio process (audio callback; offline: whoever renders).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.control.controllers import Controllers
from engine.core.config import Config
from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND, PRESSURE
from engine.midi.channels import EVERY_NOTE, Channels, Lane, Played
from engine.midi.inputs import MidiInput, PortInput
from engine.midi.loops import Loops
from engine.midi.message import STATUS, TIMBRE, Kind, MidiMessage
from engine.midi.zones import Zones

_LEADS = frozenset((Kind.CLOCK, Kind.START, Kind.CONTINUE, Kind.STOP, Kind.SONG_POSITION))
GUARD_S = 0.25  # how often held notes are looked at
EVERY_PITCH = 255  # `pitch` of a PRESSURE that is not of one key


class PlayerSound(Protocol):
    """What the player's messages sound on: his track of the engine. `lane` counts the channels of his keyboards from 0."""

    def begin_player(self, lane: int, pitch: int, velocity: int) -> None:
        """Begin a note, `velocity` 1..127."""

    def end_player(self, pitch: int) -> None:
        """End a note."""

    def bend_player(self, pitch: int, semitones: float) -> None:
        """Bend the note of this pitch."""

    def press_player(self, pitch: int, pressure: float) -> None:
        """Press the note of this pitch, 0..1."""

    def move_player(self, pitch: int, timbre: float) -> None:
        """Move the finger of this note, 0..1."""

    def hush_player(self) -> None:
        """Free every voice."""

    def lead_player(self, status: int, value: float, port: str, time_ns: int) -> None:
        """Take a message of another machine's clock: its status byte, the sixteenths of a position, when it came."""

    def steer_player(self, pitches: Sequence[int]) -> None:
        """The hand that holds the chords has struck these."""

    def tell_player(self, lane: int, kind: int, number: int, value: int, bend: float) -> None:
        """Publish an EVENT that is no note."""


class Player:
    """Takes what comes from any number of inputs, in their order; what `controllers` takes for itself is not played."""

    def __init__(
        self,
        controllers: Controllers,
        config: Config,
        rate_hz: float,
        sound: PlayerSound,
        tell: Callable[[str], object] = lambda _text: None,
    ) -> None:
        """`tell` is told of notes that were held for too long."""
        self.notes_in = 0
        self.ports = PortInput()
        self._inputs: list[MidiInput] = [self.ports]
        self._ignored_before = 0
        self._sound = sound
        self._controllers = controllers
        self._rate_hz = rate_hz
        self.loops: Loops | None = None  # what the MIDI output sends, where there is one
        self._zones = Zones(config.midi.zones)
        self._channels = Channels([str(name) for name in config.midi.mpe], config.midi.longest_note_s)
        self._tell = tell
        self._guard_frame = 0  # when held notes are looked at next

    def add(self, source: MidiInput) -> None:
        """Listen to one more input; before the first block."""
        self._inputs.append(source)

    def resume(self, notes_in: int, ignored: int) -> None:
        """Count on from where a process that died had counted."""
        self.notes_in, self._ignored_before = notes_in, ignored

    @property
    def ignored(self) -> int:
        """Bytes that were no MIDI."""
        return self._ignored_before + sum(source.ignored for source in self._inputs)

    def release(self) -> None:
        """Let go of all keys, pedals and wheels (panic)."""
        self._zones.release()
        for played in self._channels.release():
            self._play(played)

    def hear(self, frame: int, end: int) -> None:
        """Play what is due in the block from `frame` to `end`."""
        for source in self._inputs:
            for message in source.due(frame, end):
                self._hear(message, frame / self._rate_hz)
        if self._channels.is_guarded and frame >= self._guard_frame:
            self._guard_frame = frame + round(GUARD_S * self._rate_hz)
            self._end_overdue(frame / self._rate_hz)

    def _end_overdue(self, now_s: float) -> None:
        overdue = self._channels.overdue(now_s)
        for played in overdue:
            self._play(played)
        if pitches := [str(played.number) for played in overdue if played.kind == NOTE_OFF]:
            notes = "note" if len(pitches) == 1 else "notes"
            self._tell(f"{notes} {', '.join(pitches)}: held for longer than midi.longest_note_s allows, and ended")

    def _hear(self, message: MidiMessage, now_s: float) -> None:
        if message.kind in _LEADS:
            self._sound.lead_player(STATUS[message.kind], message.value, message.port, message.time_ns)
            return
        if self.loops is not None and self.loops.comes_back(message):
            return
        if self._controllers.take(message, now_s):
            return
        for one in self._zones.take(message):
            for played in self._channels.take(one, now_s):
                self._play(played)
        if self._zones.is_new:
            self._zones.is_new = False
            self._sound.steer_player(self._zones.hand)

    def _play(self, played: Played) -> None:
        kind, lane, number, value = played
        if kind == NOTE_ON:
            self.notes_in += 1
            self._sound.begin_player(lane.number, number, value)
            self._sound.bend_player(number, lane.semitones)
            self._sound.press_player(number, lane.pressure / 127)
            self._sound.move_player(number, lane.timbre / 127)
        elif kind == NOTE_OFF:
            self._sound.end_player(number)
        elif kind == PITCH_BEND:
            self._bend(lane)
        elif kind == PRESSURE:
            for pitch in lane.pitches if number == EVERY_NOTE else (number,):
                self._sound.press_player(pitch, value / 127)
            self._sound.tell_player(lane.number, PRESSURE, EVERY_PITCH if number == EVERY_NOTE else number, value, 0.0)
        elif kind == CONTROL:
            for pitch in lane.pitches if number == TIMBRE else ():
                self._sound.move_player(pitch, value / 127)
            self._sound.tell_player(lane.number, CONTROL, number, value, 0.0)
        elif kind == ALL_OFF:
            self._sound.hush_player()

    def _bend(self, lane: Lane) -> None:
        semitones = lane.semitones
        for pitch in lane.pitches:
            self._sound.bend_player(pitch, semitones)
        whole = min(max(math.ceil(lane.span), 1), 127)
        self._sound.tell_player(lane.number, PITCH_BEND, 0, whole, semitones / whole)
