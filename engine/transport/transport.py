"""The transport: plays or stands, at a tempo, in a metre, somewhere in a bar; it publishes the beat timeline.

Runs on: audio process, in the block loop, or the caller of the offline render.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from engine.core.link import Writer
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.transport.sources import Reading, Source
from engine.transport.timeline import CLOSE, START_S, BeatTimeline

COUNT_IN_LEVEL = 0.8  # the count-in always sounds
SOFT = 0.4  # share of the level that a click between the strong beats has
MEET = 0.1  # share of the tempo by which the line is bent at most to meet the beat of a source that has its own
BEND = 0.25  # ... that a source bends by itself
LOOK_S = 0.01  # how often a source that starts and stops is asked while the beat stands


class Transport:
    """The beat as it is, `line`; `advance` has nothing to do for a block that ends before `due`.

    A change of tempo bends the line at the next timestep: what was sent for that one stays in time, and what comes after it has
    not been chosen. Start begins a bar 1 after the count-in; continue goes on where it stopped; rewind makes a bar 1 begin with
    the next beat. Beats only grow, and a bar 1 lies on a bar line: no timestep's number comes twice. A new metre begins on a
    bar line, and is published a timestep before, so that the step there is chosen in it.
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
            "transport.pause": self.pause,  # before those that it pulls
            "transport.start": self.start,
            "transport.stop": self.stop,
            "transport.continue": self.resume,
            "transport.rewind": self.rewind,
        }
        self._clicked = -math.inf  # beat of the last click
        self._click = self._bend = self._announce = self._until = math.inf  # beats at which something is next
        self._source_plays: bool | None = None
        last = ring.latest()
        self._has_stopped = last is not None
        self._seen = {name: 0.0 if last is None else live.get(name) for name in self._commands}
        if last is not None:
            self.line = BeatTimeline.of(last)
            self._before = self.line.metre
            return
        reading = source.read(0, -math.inf)  # as before its first beat
        metre = self._before = reading.metre
        line = BeatTimeline(0.0, -count_in_bars * metre.bar, _tempo(reading, metre), rate_hz, playing=False)
        self._publish(line.in_metre(metre, 0.0))

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

    def wake(self, frame: int) -> None:
        """The source has heard of something: ask it, though the beat may stand."""
        self._look(frame)
        self._plan(frame)

    def start(self, frame: int) -> None:
        """Count in, then play from bar 1; while it plays, begin a bar 1 with the next beat."""
        if self.line.playing:
            self.rewind(frame)
            return
        if self._source.start():
            self._look(frame)
            return
        line = self._on_bar_line(frame)
        count_in = self._count_in_bars * line.beats_per_bar
        one = max(line.beat + count_in, 0.0)  # a count-in that was left may have been the longer one
        self._go(frame, replace(line, beat=one - count_in, began=one, bar_beat=one, bar=1))

    def stop(self, frame: int) -> None:
        """Stand still, at once."""
        if self.line.playing:
            self._publish(replace(self.line, frame=float(frame), beat=self._beat_at(frame), playing=False))
            self._has_stopped = True
            self.on_stop(frame)

    def pause(self, _frame: int) -> None:
        """Stop where it plays, go on where it stands: everybody who looks sees the command that this is."""
        self._live.fire("transport.stop" if self.line.playing else "transport.continue")

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
        if not line.playing and line.beat < line.began - CLOSE:
            return  # bar 1 is what it will begin with, as it is
        if not line.playing:
            line = self._on_bar_line(frame)
            one = line.beat
            self._publish(replace(line, frame=float(frame), began=one, bar_beat=one, bar=1))
        elif (here := line.beat_at(frame)) >= line.began:  # before that, bar 1 is being counted in
            soon, beat = here + self._start_frames / line.frames_per_beat, line.metre.beat
            one = line.bar_beat + math.ceil((soon - line.bar_beat) / beat) * beat
            jump = line.bar_line(one) - one
            self._jump(frame, one, jump, 1)

    def _jump(self, frame: float, one: float, jump: float, bar: int) -> None:
        """Begin a bar of this number with a beat to come: so many beats are left out, for a bar line lies where bars end."""
        line = self.line
        here, left_out = line.beat_at(frame) + jump, line.left_out + jump
        self._before = line.metre
        self._publish(replace(line, frame=float(frame), beat=here, left_out=left_out, bar_beat=one + jump, bar=bar))

    def _move_bars(self, frame: float, reading: Reading) -> bool:
        """Let the bars begin where the source's do, from its next one on; return whether they did not."""
        line = self.line
        if reading.bar is None or not line.playing or reading.metre != line.metre:
            return False
        here, bar = line.beat_at(frame), line.beats_per_bar
        if here < max(line.began, line.bar_beat) - CLOSE:
            return False
        beat, soon = line.metre.beat, here + self._start_frames / line.frames_per_beat
        one = line.bar_beat + round((reading.bar - line.bar_beat) / beat) * beat
        one += max(math.ceil((soon - one) / bar), 0) * bar
        jump = line.bar_line(one) - one
        if jump < CLOSE:
            return False
        self._jump(frame, one, jump, line.bar + round((one + jump - line.bar_beat) / bar))
        return True

    def _on_bar_line(self, frame: int) -> BeatTimeline:
        """The line that stands, moved on to its next bar line, in the metre that is to be from there on."""
        one = self.line.bar_line(self.line.beat)
        line = replace(self.line, beat=one)
        reading = self._source.read(frame, one)
        if reading.metre_from is None and self._is_new(reading):
            line = line.in_metre(reading.metre, one)
        return line

    def _go(self, frame: int, line: BeatTimeline, begins: float | None = None) -> None:
        self._before = line.metre
        line = replace(line, tempo_bpm=_tempo(self._source.read(frame, line.beat), line.metre), playing=True)
        ahead = max(self._start_frames, self._lead_in_beats * line.frames_per_beat)
        self._publish(replace(line, frame=frame + ahead if begins is None else max(begins, frame)))

    def _enter(self, frame: int, reading: Reading) -> None:
        """The source begins to play: without a count-in, at the frame that it names or as soon as may be."""
        line = self._on_bar_line(frame)
        one = max(line.beat, 0.0)
        self._go(frame, replace(line, beat=one, began=one, bar_beat=one, bar=1), reading.begins)

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
            elif self._click <= self._next_turn:
                self._sound_click()
            else:
                self._turn(max(self._next_turn, self._beat_at(first)))
            self._plan(first)

    def _beat_at(self, frame: float) -> float:
        return max(self.line.beat_at(frame), self.line.beat)  # a line may be about to begin

    @property
    def _next_turn(self) -> float:
        return min(self._bend, self._announce, self._until)

    def _look(self, frame: int) -> None:
        """Ask the source now: a new tempo is for the next timestep on, or at once where that matters."""
        beat = self._beat_at(frame)
        reading = self._source.read(frame, beat)
        if reading.playing != self._source_plays:
            self._source_plays = reading.playing
            if reading.playing and not self.line.playing:
                self._enter(frame, reading)
            elif reading.playing is False:
                self.stop(frame)
        if self._move_bars(frame, reading):
            self._look(frame)
        elif reading.at_once and frame > self.line.frame:
            self._turn(beat)
        elif not self.line.playing:
            self._take(reading, self._standing(frame, reading))
        else:
            self._until, self._announce = reading.until, self._announced(reading, beat)
            changed = _tempo(reading, self._metre_at(beat)) != self.line.tempo_bpm or reading.beat is not None
            self._bend = self._next_step(beat) if changed else math.inf

    def _next_step(self, beat: float) -> float:
        return (math.floor(beat * self._steps_per_beat + CLOSE) + 1) / self._steps_per_beat

    def _standing(self, frame: float, reading: Reading) -> BeatTimeline:
        """The line that stands; before it ever went, as far before bar 1 as bars of the metre to be are counted in."""
        line = replace(self.line, frame=float(frame))
        if self._has_stopped or line.bar_beat != 0 or reading.metre_from is not None or not self._is_new(reading):
            return line
        self._before = reading.metre
        return replace(line.in_metre(reading.metre, 0.0), beat=-self._count_in_bars * reading.metre.bar)

    # --- metre -------------------------------------------------------------------------------------------------------------

    def _is_new(self, reading: Reading) -> bool:
        return reading.metre != self.line.metre and (reading.metre_from is not None or reading.metre.fits(self._steps_per_beat))

    def _metre_at(self, beat: float) -> Metre:
        """The metre that holds there: one that was announced begins with its bar line."""
        return self.line.metre if beat >= self.line.bar_beat - CLOSE else self._before

    def _announced(self, reading: Reading, beat: float) -> float:
        """Beat at which the metre that is to be is published; infinity where nothing is."""
        if reading.metre_from is not None or not self._is_new(reading):
            return math.inf
        return max(self._one(self.line, beat) - 1 / self._steps_per_beat, beat)

    def _one(self, line: BeatTimeline, beat: float) -> float:
        """The first bar line for which another metre can still be published a timestep before; not one of the count-in."""
        return max(line.bar_line(beat + 1 / self._steps_per_beat), line.began)

    def _in_new_metre(self, reading: Reading, line: BeatTimeline) -> BeatTimeline:
        """The line as it goes on where it begins, or with the bar line that is next, in the metre that is to be."""
        if not line.playing or not self._is_new(reading):
            return line
        one = self._one(line, line.beat) if reading.metre_from is None else reading.metre_from
        if reading.metre_from is None and line.beat < one - 1 / self._steps_per_beat - CLOSE:
            return line
        self._before = self._metre_at(line.beat)
        return line.in_metre(reading.metre, one)

    def _turn(self, beat: float) -> None:
        """Bend the line at a beat to what the source says there."""
        frame = self.line.frame_at(beat)
        reading = self._source.read(frame, beat)
        if reading.playing != self._source_plays:
            self._source_plays = reading.playing
            if reading.playing is False:
                self.stop(int(frame))
                return
        if self._move_bars(frame, reading):
            self._turn(self.line.beat)
            return
        self._take(reading, replace(self.line, frame=frame, beat=beat))
        self._until, self._announce = reading.until, self._announced(reading, beat)
        self._bend = math.inf if reading.beat is None else self._next_step(beat)
        if self._metre_at(beat).tempo_beat != self.line.metre.tempo_beat:
            self._bend = min(self._bend, self.line.bar_beat)

    def _take(self, reading: Reading, line: BeatTimeline) -> None:
        """Publish the line as a reading changes it where the line begins; nothing when it does not."""
        off = 0.0 if reading.beat is None else min(max(reading.beat - line.beat, -MEET), MEET)
        tempo_bpm = _tempo(reading, self._metre_at(line.beat)) * (1 + off)
        turned = replace(self._in_new_metre(reading, line), tempo_bpm=tempo_bpm, locked=reading.locked)
        if turned != replace(self.line, frame=turned.frame, beat=turned.beat):
            self._publish(turned)

    def _plan(self, first: int) -> None:
        """Find what is next, from the block on that begins at `first`."""
        if not self.line.playing:
            self.due = math.inf if self._source_plays is None else first + self._look_frames
            return
        self._click = self._next_click(self._beat_at(first))
        self.due = self.line.frame_at(min(self._click, self._next_turn))

    def _next_click(self, beat: float) -> float:
        line = self.line
        unit = line.metre.unit
        at = line.bar_beat + math.ceil((beat - line.bar_beat) / unit - CLOSE) * unit
        if at <= self._clicked + CLOSE:
            at += unit
        return at if at < line.began - CLOSE or self._live.get("metronome") > 0 else math.inf

    def _sound_click(self) -> None:
        line, self._clicked = self.line, self._click
        level = COUNT_IN_LEVEL if self._click < line.began - CLOSE else self._live.get("metronome")
        into_bar = (line.place(self._click) + CLOSE) % line.beats_per_bar
        is_strong = any(abs(into_bar - CLOSE - strong) < CLOSE for strong in line.metre.strong)
        self.on_click(into_bar < 2 * CLOSE, level if is_strong else SOFT * level)

    def follow_rate(self, frame: int, rate_hz: float) -> None:
        """Go on at another rate of the sound device from a frame on; the beat there is the one it was."""
        if rate_hz != self.line.rate_hz:
            self._publish(replace(self.line, frame=float(frame), beat=self.line.beat_at(frame), rate_hz=rate_hz))

    def _publish(self, line: BeatTimeline) -> None:
        self.line = line
        self._ring.push(line.record())


def _tempo(reading: Reading, metre: Metre) -> float:
    """Quarters a minute; a source that meets another's beat may be BEND past the ends of the range meanwhile."""
    lowest, highest = SLOWEST_BPM * (1 - BEND), FASTEST_BPM * metre.tempo_beat * (1 + BEND)
    return min(max(reading.tempo_bpm * metre.tempo_beat, lowest), highest)
