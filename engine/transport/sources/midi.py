"""MIDI clock from outside: tempo and beat of another machine, that starts and stops the band.

Runs on: audio process, in the block loop. A start or a continue begins with the next bar line of the other machine that can
still be met; the band's bars are then its bars. Where its clock stops coming the band plays on at the same tempo, and is led
again as soon as it comes back.
"""

from __future__ import annotations

import math

from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.transport.midi_clock import CONTINUE, PER_BEAT, POSITION, START, STOP, TICK, MidiClock
from engine.transport.sources import Reading, Rings
from engine.transport.timeline import START_S

ASK_BEATS = 0.25  # so often it may answer otherwise
HASTE, MEET = 1.5, 0.25  # a beat is made up for in so many times a beat, by at most this share of the tempo
SIXTEENTH = 0.25  # beats, of a song position
SETTLED = PER_BEAT // 4  # ticks from which on a tempo is believed


class MidiSource:
    """Answers what comes over a MIDI input. `hear` takes its messages, with the frames at which they are heard."""

    def __init__(self, live: Live, rate_hz: float) -> None:
        self._live, self._rate = live, rate_hz
        self._clock = MidiClock()
        self._port = ""  # that leads; another's clock is left alone while it does
        self._heard = -math.inf  # frame of its last tick
        self._ticks = 0  # since the clock came, or came back
        self._position = 0.0  # beat at which a continue goes on
        self._plays: bool | None = None
        self._begins: float | None = None
        self._awaits = False  # told to play, and no bar line has been met yet
        self._tempo_bpm = self._own_bpm = live.get("tempo")

    def take_parameters(self, _frame: int) -> None:
        """A tempo that is set holds while there is no clock."""
        tempo_bpm = self._live.get("tempo")
        if tempo_bpm != self._own_bpm:
            self._own_bpm = self._tempo_bpm = tempo_bpm

    def hear(self, status: int, value: float, port: str, frame: float) -> None:
        """Take a message of a clock's; `value` is of a position, in sixteenths."""
        if port != self._port and frame - self._heard < self._rate and self._port:
            return  # two clocks: the one that led goes on leading until it has been silent for a second
        if status == TICK:
            if frame - self._heard > self._rate:
                self._ticks = 0
            self._port, self._heard = port, max(frame, self._heard)
            self._clock.tick(frame / self._rate)
            self._ticks += 1
        elif status in (START, CONTINUE):
            self._port = port
            self._clock.place(0.0 if status == START else self._position)
            self._plays, self._awaits = False, True
        elif status == STOP:
            self._plays, self._awaits = False, False
            here = self._clock.beat_at(frame / self._rate)
            self._position = max(0.0, math.floor((here or 0.0) / SIXTEENTH + 0.5) * SIXTEENTH)
        elif status == POSITION and not (self._plays or self._awaits):
            self._position = value * SIXTEENTH

    def read(self, frame: float, beat: float) -> Reading:
        """Return its tempo, bent so that the beats meet."""
        metre = of_choice(int(self._live.get("metre")))
        led = self._is_led(frame)
        bent = 1.0
        if led:
            self._tempo_bpm = (self._clock.tempo_bpm or self._tempo_bpm) / metre.tempo_beat
            if self._awaits and self._ticks >= SETTLED:
                self._meet_bar(frame, metre.bar)
            if math.isfinite(beat) and self._plays is not False:
                bent = self._meet(frame, beat, metre.tempo_beat)
        return Reading(
            self._tempo_bpm * bent,
            metre.numerator,
            metre.denominator,
            locked=led,
            playing=self._plays,
            until=beat + ASK_BEATS if math.isfinite(beat) else math.inf,
            groups=metre.code,
            begins=self._begins,
        )

    def _is_led(self, frame: float) -> bool:
        return self._ticks >= SETTLED and not self._clock.is_gone(frame / self._rate)

    def _meet_bar(self, frame: float, bar: float) -> None:
        """Begin with the first bar line of the other machine that can be met."""
        soon = self._clock.beat_at(frame / self._rate + START_S)
        tempo_bpm = self._clock.tempo_bpm
        if soon is None or tempo_bpm is None:
            return
        line = math.ceil(soon / bar - 1e-6) * bar
        self._begins = frame + (START_S + (line - soon) * 60 / tempo_bpm) * self._rate
        self._plays, self._awaits = True, False

    def _meet(self, frame: float, beat: float, of: float) -> float:
        """Return the factor on the tempo that brings the beat to the nearest one of the clock."""
        its = self._clock.beat_at(frame / self._rate)
        if its is None:
            return 1.0
        off = (its - beat + of / 2) % of - of / 2
        return 1 + min(max(HASTE * off, -MEET), MEET)

    def start(self) -> bool:
        """The other machine says when, while there is one; without a clock it begins as it is told."""
        return False


def make(live: Live, rate_hz: float, _rings: Rings) -> MidiSource:
    """Return the source."""
    return MidiSource(live, rate_hz)
