"""The transport: plays or stands, at a tempo, in a metre, somewhere in a bar; it publishes the beat timeline.

Runs on: audio process, in the block loop, or the caller of the offline render.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from engine.core.link import Writer
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.parameters import Live
from engine.transport.sources import Reading, Source
from engine.transport.timeline import START_S, BeatTimeline

COUNT_IN_LEVEL = 0.8  # the count-in always sounds
MEET = 0.1  # share of the tempo by which the line is bent at most to meet the beat of a source that has its own
LOOK_S = 0.01  # how often a source that starts and stops is asked while the beat stands
CLOSE = 1e-6  # beats; what is no further away is the same place


class Transport:
    """The beat as it is, `line`; `advance` has nothing to do for a block that ends before `due`.

    A change of tempo bends the line at the next timestep: what was sent for that one stays in time, and what comes after it has
    not been chosen. Start begins a bar 1 after the count-in; continue goes on where it stopped; rewind makes a bar 1 begin with
    the next beat. Beats only grow, and a bar 1 lies on a multiple of the bar: no timestep's number comes twice, and a number
    tells its place in the bar.
    """

    def __init__(
        self,
        ring: Writer,
        live: Live,
        source: Source,
        rate_hz: float,
        steps_per_beat: int,
        count_in_bars: int,
        lead_in_beats: int = 0,
    ) -> None:
        """Stand before the count-in; or, where the ring holds the line of a process that died, go on with it.

        `lead_in_beats`: silence before the first beat, if START_S is not longer.
        """
        self.due = -math.inf  # frame at which something is to be done next
        # Called with whether it is a downbeat, and the level 0..1.
        self.on_click: Callable[[bool, float], object] = lambda _downbeat, _level: None
        # Called with the frame from which on the beat stands still.
        self.on_stop: Callable[[int], object] = lambda _frame: None
        self._ring, self._live, self._source = ring, live, source
        self._start_frames, self._look_frames = START_S * rate_hz, LOOK_S * rate_hz
        self._lead_in_beats = lead_in_beats
        self._steps_per_beat = steps_per_beat
        self._count_in_bars = count_in_bars
        self._commands = {
            "transport.start": self.start,
            "transport.stop": self.stop,
            "transport.continue": self.resume,
            "transport.rewind": self.rewind,
        }
        self._clicked = -math.inf  # beat of the last click
        self._click = self._bend = self._until = math.inf  # beats at which something is next
        self._source_plays: bool | None = None
        last = ring.latest()
        self._has_stopped = last is not None
        self._seen = {name: 0.0 if last is None else live.get(name) for name in self._commands}
        if last is not None:
            self.line = BeatTimeline.of(last)
            return
        reading = source.read(0, -math.inf)  # as before its first beat
        bar = 4 * reading.numerator / reading.denominator
        self._publish(
            BeatTimeline(
                0.0,
                -count_in_bars * bar,
                _tempo(reading),
                rate_hz,
                playing=False,
                numerator=reading.numerator,
                denominator=reading.denominator,
            )
        )

    # --- commands ----------------------------------------------------------------------------------------------------------

    def take_parameters(self, frame: int) -> None:
        """A live parameter was changed or a trigger pulled: obey, from the block on that begins at `frame`."""
        self._source.take_parameters(frame)
        for name, command in self._commands.items():
            pulled = self._live.get(name)
            if pulled != self._seen[name]:
                self._seen[name] = pulled
                command(frame)
        self._look(frame)
        self._plan(frame)

    def start(self, frame: int) -> None:
        """Count in, then play from bar 1; while it plays, begin a bar 1 with the next beat."""
        if self.line.playing:
            self.rewind(frame)
            return
        count_in = self._count_in_bars * self.line.beats_per_bar
        one = self._bar_line(self.line.beat + count_in)
        self._go(frame, replace(self.line, beat=one - count_in, began=one, bar_beat=one, bar=1))

    def stop(self, frame: int) -> None:
        """Stand still, at once."""
        if self.line.playing:
            self._publish(replace(self.line, frame=float(frame), beat=self._beat_at(frame), playing=False))
            self._has_stopped = True
            self.on_stop(frame)

    def resume(self, frame: int) -> None:
        """Continue where it stopped; a count-in is begun anew."""
        if self.line.playing:
            return
        if self.line.beat < self.line.began:
            self.start(frame)
        else:
            self._go(frame, replace(self.line, began=self.line.beat))

    def rewind(self, frame: int) -> None:
        """Begin a bar 1 with the next beat; while it stands: with the beat at which it will go on."""
        line = self.line
        if not line.playing:
            one = self._bar_line(line.beat)
            self._publish(replace(line, frame=float(frame), beat=one, began=one, bar_beat=one, bar=1))
        elif (here := line.beat_at(frame)) >= line.began:  # before that, bar 1 is being counted in
            one = math.ceil(here + self._start_frames / line.frames_per_beat)
            jump = self._bar_line(one) - one
            left_out = line.left_out + jump
            self._publish(replace(line, frame=float(frame), beat=here + jump, left_out=left_out, bar_beat=one + jump, bar=1))

    def _bar_line(self, beat: float) -> float:
        """The first multiple of the bar at or after a beat."""
        bar = self.line.beats_per_bar
        return math.ceil((beat - CLOSE) / bar) * bar

    def _go(self, frame: int, line: BeatTimeline) -> None:
        line = replace(line, tempo_bpm=_tempo(self._source.read(frame, line.beat)), playing=True)
        ahead = max(self._start_frames, self._lead_in_beats * line.frames_per_beat)
        self._publish(replace(line, frame=frame + ahead))

    @property
    def stopped_at(self) -> float:
        """Frame from which on the beat stands; infinity while it plays, and before it ever did."""
        return self.line.frame if self._has_stopped and not self.line.playing else math.inf

    # --- time --------------------------------------------------------------------------------------------------------------

    def advance(self, first: int, end: int) -> None:
        """Do what is due before `end`; the block begins at `first`."""
        if self.due < first:  # nobody was there to do it
            self._plan(first)
        while self.due < end:
            if not self.line.playing:
                self._look(first)
            elif self._click <= min(self._bend, self._until):
                self._sound_click()
            else:
                self._turn(max(min(self._bend, self._until), self._beat_at(first)))
            self._plan(first)

    def _beat_at(self, frame: float) -> float:
        return max(self.line.beat_at(frame), self.line.beat)  # a line may be about to begin

    def _look(self, frame: int) -> None:
        """Ask the source now: a new tempo is for the next timestep on, or at once where that matters."""
        beat = self._beat_at(frame)
        reading = self._source.read(frame, beat)
        if reading.playing != self._source_plays:
            self._source_plays = reading.playing
            (self.start if reading.playing else self.stop)(frame)
        if reading.at_once and frame > self.line.frame:
            self._turn(beat)
        elif not self.line.playing:
            self._take(reading, replace(self.line, frame=float(frame)))
        else:
            self._until = reading.until
            changed = _tempo(reading) != self.line.tempo_bpm or reading.beat is not None
            self._bend = self._next_step(beat) if changed else math.inf

    def _next_step(self, beat: float) -> float:
        return (math.floor(beat * self._steps_per_beat + CLOSE) + 1) / self._steps_per_beat

    def _turn(self, beat: float) -> None:
        """Bend the line at a beat to what the source says there."""
        frame = self.line.frame_at(beat)
        reading = self._source.read(frame, beat)
        self._take(reading, replace(self.line, frame=frame, beat=beat))
        self._until = reading.until
        self._bend = math.inf if reading.beat is None else self._next_step(beat)

    def _take(self, reading: Reading, line: BeatTimeline) -> None:
        """Publish the line as a reading changes it where the line begins; nothing when it does not."""
        off = 0.0 if reading.beat is None else min(max(reading.beat - line.beat, -MEET), MEET)
        turned = replace(line, tempo_bpm=_tempo(reading) * (1 + off), locked=reading.locked)
        if (reading.numerator, reading.denominator) != (line.numerator, line.denominator):
            bars = math.ceil((line.beat - line.bar_beat) / line.beats_per_bar - CLOSE)
            turned = replace(
                turned,
                numerator=reading.numerator,
                denominator=reading.denominator,
                bar_beat=line.beat,
                bar=line.bar + bars,
            )
        if turned != line:
            self._publish(turned)

    def _plan(self, first: int) -> None:
        """Find what is next, from the block on that begins at `first`."""
        if not self.line.playing:
            self.due = math.inf if self._source_plays is None else first + self._look_frames
            return
        self._click = self._next_click(self._beat_at(first))
        self.due = self.line.frame_at(min(self._click, self._bend, self._until))

    def _next_click(self, beat: float) -> float:
        line = self.line
        unit = 4 / line.denominator
        at = line.bar_beat + math.ceil((beat - line.bar_beat) / unit - CLOSE) * unit
        if at <= self._clicked + CLOSE:
            at += unit
        return at if at < line.began - CLOSE or self._live.get("metronome") > 0 else math.inf

    def _sound_click(self) -> None:
        line, self._clicked = self.line, self._click
        level = COUNT_IN_LEVEL if self._click < line.began - CLOSE else self._live.get("metronome")
        into_bar = line.place(self._click) % line.beats_per_bar
        self.on_click(min(into_bar, line.beats_per_bar - into_bar) < CLOSE, level)

    def follow_rate(self, frame: int, rate_hz: float) -> None:
        """Go on at another rate of the sound device from a frame on; the beat there is the one it was."""
        if rate_hz != self.line.rate_hz:
            self._publish(replace(self.line, frame=float(frame), beat=self.line.beat_at(frame), rate_hz=rate_hz))

    def _publish(self, line: BeatTimeline) -> None:
        self.line = line
        self._ring.push(line.record())


def _tempo(reading: Reading) -> float:
    return min(max(reading.tempo_bpm, SLOWEST_BPM), FASTEST_BPM)
