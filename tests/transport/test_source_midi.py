"""A transport that another machine's MIDI clock leads: started, stopped, in its tempo and on its bars; alone where it dies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.core.config import source_names
from engine.transport.midi_clock import CONTINUE, PER_BEAT, POSITION, START, STOP, TICK
from engine.transport.sources import Selected
from tests.transport.conftest import RATE, Loop, rings


class Led(Loop):
    """A transport, and a machine that leads it: `song` is where the machine's song is, in beats."""

    def __init__(self, jitter_s: float = 0.0) -> None:
        self._jitter, self._rng = jitter_s * RATE, np.random.default_rng(11)
        self._next = 0.0  # frame of the machine's next tick
        self.ticks = 0
        self.song: float | None = None
        super().__init__(self._make)

    def _make(self, live: Any) -> Selected:
        live.set("clock.source", source_names().index("midi"))
        self.selected = Selected(live, RATE, rings())
        return self.selected

    def send(self, status: int, value: float = 0, port: str = "Deck") -> None:
        """Send a message now."""
        self.selected.hear(status, value, port, float(self.frame))
        self.transport.wake(self.frame)
        if status == START:
            self.song = 0.0

    def lead(self, seconds: float, tempo_bpm: float) -> None:
        """Let the machine's clock run for so long."""
        end = self.frame + seconds * RATE
        self._next = max(self._next, float(self.frame))
        while self.frame < end:
            while self._next <= self.frame:
                self.selected.hear(TICK, 0, "Deck", self._next + float(self._rng.uniform(-self._jitter, self._jitter)))
                if self.song is not None:
                    self.zero = self._next - self.song * 60 / tempo_bpm * RATE
                    self.song += 1 / PER_BEAT
                self._next += 60 / tempo_bpm / PER_BEAT * RATE
                self.ticks += 1
            self.blocks()

    def off_ms(self, tempo_bpm: float) -> float:
        """How far the band's beat lies from the machine's."""
        its = (self.frame - self.zero) * tempo_bpm / 60 / RATE
        off = (self.line.place(self.beat) - its + 2) % 4 - 2  # within the bar: bars are its bars
        return float(off * 60 / tempo_bpm * 1e3)


def test_it_begins_with_the_bar_of_the_other_and_keeps_with_it():
    loop = Led(jitter_s=0.002)
    loop.lead(2, 126)
    assert not loop.line.playing, "a clock alone starts nothing"
    loop.send(START)
    loop.lead(20, 126)
    assert loop.line.playing
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(126, rel=0.01)
    assert abs(loop.off_ms(126)) < 3
    begun = next(line for line in loop.lines if line.playing)
    assert begun.bar == 1
    its = (begun.frame - loop.zero) * 126 / 60 / RATE
    assert (its + 2) % 4 - 2 == pytest.approx(0, abs=0.02), "with one of its bar lines"


def test_a_ramp_is_gone_with_and_beats_never_go_back():
    loop = Led(jitter_s=0.001)
    loop.lead(1, 100)
    loop.send(START)
    for tempo in np.linspace(100, 140, 40):
        loop.lead(0.4, float(tempo))
    beats = [line.beat for line in loop.lines if line.playing]
    assert beats == sorted(beats)
    loop.lead(6, 140)
    its = (loop.song or 0) + (loop.frame - loop._next) * 140 / 60 / RATE
    off = (loop.beat - loop.line.bar_beat - its + 0.5) % 1 - 0.5
    assert abs(off) * 60 / 140 < 0.012


def test_stop_stops_at_once_and_continue_goes_on_with_a_bar():
    loop = Led()
    loop.lead(1, 120)
    loop.send(START)
    loop.lead(7.1, 120)
    loop.send(STOP)
    loop.seconds(0.1)
    assert not loop.line.playing
    loop.seconds(2)
    loop.send(POSITION, 32)  # two bars
    loop.send(CONTINUE)
    loop.song = 8.0
    loop.lead(8, 120)
    assert loop.line.playing
    assert abs(loop.off_ms(120)) < 3


def test_a_clock_that_dies_leaves_the_tempo_and_one_that_comes_back_leads_again():
    loop = Led()
    loop.lead(1, 132)
    loop.send(START)
    loop.lead(6, 132)
    before = loop.beat
    loop.seconds(5)
    assert loop.line.playing
    assert not loop.line.locked
    assert loop.beat - before == pytest.approx(5 * 132 / 60, rel=0.01)
    loop.lead(8, 128)
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(128, rel=0.01)


def test_of_two_clocks_the_first_leads():
    loop = Led()
    loop.lead(1, 120)
    loop.send(START)
    for _ in range(200):
        loop.lead(0.02, 120)
        loop.send(TICK, port="Another")
    loop.send(STOP, port="Another")
    loop.lead(0.2, 120)
    assert loop.line.playing
    assert loop.line.tempo_bpm == pytest.approx(120, rel=0.01)


def test_another_source_takes_over_at_the_same_tempo():
    loop = Led()
    loop.lead(1, 137)
    loop.send(START)
    loop.lead(6, 137)
    loop.live.set("clock.source", source_names().index("internal"))
    loop.seconds(3)
    assert loop.line.playing
    assert loop.line.tempo_bpm == pytest.approx(137, abs=0.2)


def test_a_song_position_in_mid_flight_moves_nothing():
    loop = Led()
    loop.lead(1, 120)
    loop.send(START)
    loop.lead(5, 120)
    bar = loop.line.bar_beat
    for sixteenths in (0, 7, 400, 16383):
        loop.send(POSITION, sixteenths)
        loop.lead(0.7, 120)
    assert loop.line.playing
    assert not loop.stops
    assert loop.line.bar_beat == bar
    assert abs(loop.off_ms(120)) < 3
    loop.send(STOP)
    loop.lead(1, 120)
    loop.send(CONTINUE)
    loop.song = round(4 * (loop.song or 0) - 4 * 2) / 4  # it stood for a second
    loop.lead(6, 120)
    assert abs(loop.off_ms(120)) < 25, "it goes on where it stopped, to the sixteenth nearest to it"


@pytest.mark.parametrize(("bpm", "part"), [(1000, 4), (15, 0.5)])
def test_of_a_clock_beyond_what_the_band_can_it_plays_a_part(bpm: float, part: float):
    loop = Led()
    loop.lead(1, 120)
    loop.send(START)
    loop.lead(4, 120)
    loop.lead(240 / bpm + 12, bpm)
    assert loop.line.playing
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(bpm / part, rel=0.02)
    loop.lead(12, 120)
    assert loop.line.tempo_bpm == pytest.approx(120, rel=0.01)
    beats = [line.beat for line in loop.lines if line.playing]
    assert beats == sorted(beats)


def test_a_clock_whose_ticks_go_back_in_time_never_takes_the_beat_back():
    loop = Led()
    loop.lead(1, 120)
    loop.send(START)
    loop.lead(4, 120)
    for _ in range(200):
        loop.selected.hear(TICK, 0, "Deck", loop.frame - float(loop._rng.uniform(0, RATE)))
        loop.blocks(7)
    assert loop.line.playing
    assert np.isfinite(loop.line.tempo_bpm)
    loop.seconds(2)
    loop.lead(12, 126)
    assert loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(126, rel=0.01)
    beats = [line.beat for line in loop.lines if line.playing]
    assert beats == sorted(beats)
