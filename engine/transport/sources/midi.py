"""MIDI clock from outside: tempo and beat of another machine, that starts and stops the band.

Runs on: audio process, in the block loop. A start or a continue begins with the next bar line of the other machine that can
still be met; the band's bars are then its bars. Where its clock stops coming the band plays on at the same tempo, and is led
again from one of its bar lines on when it comes back.
"""

from __future__ import annotations

import math

from engine.core.link import Ring, Writer
from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.transport.midi_clock import CONTINUE, PER_BEAT, POSITION, START, STOP, TICK, MidiClock
from engine.transport.outside import Others, Return, astray, share
from engine.transport.sources import Reading, Rings
from engine.transport.timeline import START_S

ASK_BEATS = 0.25  # so often it may answer otherwise
HASTE, MEET = 1.5, 0.25  # a beat is made up for in so many times a beat, by at most this share of the tempo
SIXTEENTH = 0.25  # beats, of a song position
SETTLED = PER_BEAT // 4  # ticks from which on a tempo is believed
TELLS = PER_BEAT // 4  # ticks after which it is told how it is with the clock


class MidiSource:
    """Answers what comes over a MIDI input. `hear` takes its messages, with the frames at which they are heard."""

    def __init__(self, live: Live, rate_hz: float, samples: Ring, told: Writer | None = None) -> None:
        """`samples`: the ring of CLOCK records; `told`: where it is told how it is with the clock, for who looks."""
        self._live, self._rate = live, rate_hz
        self._samples, self._told = samples, told
        self._clock = MidiClock()
        self._return, self._share = Return(), 1.0
        self._knows_bars = False  # a start or a position said where they are
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
            if self._ticks % TELLS == 0:
                self._tell()
        elif status in (START, CONTINUE):
            self._port = port
            self._clock.place(0.0 if status == START else self._position)
            self._plays, self._awaits, self._knows_bars = False, True, True
        elif status == STOP:
            self._plays, self._awaits = False, False
            here = self._clock.beat_at(frame / self._rate)
            self._position = max(0.0, math.floor((here or 0.0) / SIXTEENTH + 0.5) * SIXTEENTH)
        elif status == POSITION and not (self._plays or self._awaits):
            self._position = value * SIXTEENTH

    def _tell(self) -> None:
        """Tell where its beat is."""
        samples, beat = self._samples.numbers(), self._clock.beat_at(self._heard / self._rate)
        if self._told is None or samples is None or beat is None:
            return
        first, began_ns, ns_per_frame, _, _, latency, *_ = samples
        heard_ns = int(began_ns + (self._heard + latency - first) * ns_per_frame)
        jitter_ms, tempo_bpm = self._clock.jitter_ms, self._clock.tempo_bpm or 0.0
        self._told.push((heard_ns, beat, tempo_bpm, 1, 0, jitter_ms, self._knows_bars))

    def read(self, frame: float, beat: float) -> Reading:
        """Return its tempo, bent so that the beats meet."""
        metre = of_choice(int(self._live.get("metre")))
        others = self._others_at(frame)
        stands = self._plays is False or not math.isfinite(beat)
        bent, bar = 1.0, None
        if others is None:
            self._return.lose()
        elif self._return.take(others, metre.bar, stands or self._awaits):
            self._tempo_bpm = others.tempo_bpm / metre.tempo_beat
            if self._awaits:
                self._meet_bar(frame, others, metre.bar)
            if math.isfinite(beat) and self._plays is not False:
                bent = self._meet(others, beat, metre.tempo_beat)
                bar = others.bar_at(beat, metre.bar, metre.tempo_beat) if self._begins is None or frame > self._begins else None
        return Reading(
            self._tempo_bpm * bent,
            metre.numerator,
            metre.denominator,
            locked=self._return.leads,
            playing=self._plays,
            until=beat + ASK_BEATS if math.isfinite(beat) else math.inf,
            groups=metre.code,
            begins=self._begins,
            bar=bar,
        )

    def _others_at(self, frame: float) -> Others | None:
        """Return where the other machine is; None where there is no clock."""
        time_s, tempo_bpm = frame / self._rate, self._clock.tempo_bpm
        beat = self._clock.beat_at(time_s)
        if self._ticks < SETTLED or self._clock.is_gone(time_s) or tempo_bpm is None or beat is None:
            return None
        self._share = share(tempo_bpm, self._share)
        return Others(beat / self._share, tempo_bpm / self._share, 0, self._knows_bars)

    def _meet_bar(self, frame: float, others: Others, bar: float) -> None:
        """Begin with the first bar line of the other machine that can be met."""
        soon = others.beat + START_S * others.tempo_bpm / 60
        line = math.ceil(soon / bar - 1e-6) * bar
        self._begins = frame + (START_S + (line - soon) * 60 / others.tempo_bpm) * self._rate
        self._plays, self._awaits = True, False

    @staticmethod
    def _meet(others: Others, beat: float, of: float) -> float:
        """Return the factor on the tempo that brings the beat to the nearest one of the clock."""
        return 1 + min(max(HASTE * astray(others.beat, beat, of), -MEET), MEET)

    def start(self) -> bool:
        """The other machine says when, while there is one; without a clock it begins as it is told."""
        return False


def make(live: Live, rate_hz: float, rings: Rings) -> MidiSource:
    """Return the source."""
    return MidiSource(live, rate_hz, rings["clock"], rings.writer("midi_clock"))
