"""Frames to the ticks of a MIDI file: the tempo as it was played, so that second n of the sound is second n of the file.

Runs on: feed process, recorder thread, or the caller of the offline render.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from engine.transport.timeline import BeatTimeline

TICKS = 960  # to a beat
_SLOWEST = 0xFFFFFF  # microseconds per beat that a tempo event can hold
_OFF_TICKS = 16  # a beat that has run away by so much is caught up with
_RECENT = 1024  # segments that are remembered: nobody asks for the tick of a frame further back


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of steady tempo: at `frame` it is tick `tick`, and a beat lasts `us_per_beat`."""

    frame: float
    tick: int
    us_per_beat: int


class TempoMap:
    """Frames to ticks. The seconds of a tick are always those of its frame; where the beat jumps, the tempo makes up for it.

    While the beat stands the ticks go on, for the sound does: the next start is a jump.
    """

    def __init__(self, rate_hz: float, tempo_bpm: float) -> None:
        self.rate_hz = rate_hz
        self.segments = [Segment(0.0, 0, _us(tempo_bpm))]
        self.lead_in: tuple[int, int] | None = None  # metre of the bar before the first beat, where there is one
        self.shift_beats = 0.0  # beats by which the file counts further than the timeline
        self._asked = 0.0  # latest frame whose tick was given away
        self._line: BeatTimeline | None = None

    @property
    def is_followed(self) -> bool:
        """Whether there is a line already."""
        return self._line is not None

    def _frames_per_tick(self, segment: Segment) -> float:
        return segment.us_per_beat * 1e-6 * self.rate_hz / TICKS

    def _place(self, frame: float) -> float:
        segment = next((s for s in reversed(self.segments) if s.frame <= frame), self.segments[0])
        return segment.tick + (frame - segment.frame) / self._frames_per_tick(segment)

    def tick_at(self, frame: float) -> int:
        """Tick of a frame."""
        self._asked = max(self._asked, frame)
        return max(round(self._place(frame)), 0)

    def tick_of(self, line: BeatTimeline) -> int:
        """Tick of the bar line that `line` counts from, or of where it begins, if that is later."""
        return max(round((line.bar_beat + self.shift_beats) * TICKS), self.place_of(line.frame))

    def place_of(self, frame: float) -> int:
        """Tick of a frame, which may come to lie elsewhere yet."""
        return max(round(self._place(frame)), 0)

    def follow(self, line: BeatTimeline) -> list[Segment]:
        """Take the line that was published next; return the segments that begin with it."""
        if not line.playing:
            return []
        last = self.segments[-1]
        bend = max(line.frame if self._line is not None else 0.0, self._asked, last.frame)
        if self._line is not None and line.tempo_bpm == self._line.tempo_bpm:
            here = max(line.frame, bend)
            if abs(self._wanted(line, here) - self._place(here)) < _OFF_TICKS:
                return []
        before = len(self.segments)
        self._line = line
        tick = math.ceil(self._place(bend) - 1e-6)
        frame = last.frame + (tick - last.tick) * self._frames_per_tick(last)
        self._join(Segment(frame, tick, _us(line.tempo_bpm)), line)
        found = self.segments[before:]
        del self.segments[:-_RECENT]
        return found

    def _wanted(self, line: BeatTimeline, frame: float) -> float:
        return (line.beat_at(frame) + self.shift_beats) * TICKS

    def _join(self, start: Segment, line: BeatTimeline) -> None:
        if abs(self._wanted(line, start.frame) - start.tick) < 2:
            self.segments.append(start)
            return
        # The beat is elsewhere: some time of another tempo leads there, so that bars lie on bars again. What lies before the
        # first beat becomes a short bar of its own, and the music begins with the next.
        if self._line_is_ahead(start, line):
            end = line.frame
            self.lead_in = _short_bar(start.tick / TICKS, start.tick / TICKS + (end - start.frame) / line.frames_per_beat)
            self.shift_beats = 4 * self.lead_in[0] / self.lead_in[1] - line.beat
        else:
            end = start.frame + line.frames_per_beat
            while round(self._wanted(line, end)) < start.tick + TICKS * 3 // 4:  # a slower tempo has coarser ticks
                self.shift_beats += line.beats_per_bar
        tick = round(self._wanted(line, end))
        us_per_beat = (end - start.frame) / self.rate_hz * 1e6 * TICKS / (tick - start.tick)
        bridge = Segment(start.frame, start.tick, min(max(round(us_per_beat), 1), _SLOWEST))
        self.segments.append(bridge)
        after = bridge.frame + (tick - bridge.tick) * self._frames_per_tick(bridge)
        self.segments.append(Segment(after, tick, start.us_per_beat))

    def _line_is_ahead(self, start: Segment, line: BeatTimeline) -> bool:
        return len(self.segments) == 1 and line.frame > start.frame

    def to_json(self) -> dict[str, Any]:
        """What `restore` needs to go on."""
        line = None if self._line is None else asdict(self._line)
        last = [[s.frame, s.tick, s.us_per_beat] for s in self.segments[-3:]]
        return {"segments": last, "shift": self.shift_beats, "asked": self._asked, "line": line}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `to_json` returned."""
        self.segments = [Segment(*s) for s in state["segments"]]
        self.shift_beats, self._asked = state["shift"], state["asked"]
        self._line = None if state["line"] is None else BeatTimeline(**state["line"])


def _short_bar(least: float, beats: float) -> tuple[int, int]:
    """The metre of a bar that lasts about so many beats: the coarsest that is within a sixth of it, more than `least`."""
    for denominator in (4, 8, 16, 32, 64):
        numerator = round(beats * denominator / 4)
        length = 4 * numerator / denominator
        if 0 < numerator < 256 and length > least and abs(length - beats) <= beats / 6:
            return numerator, denominator
    return min(math.floor(least * 16) + 1, 255), 64


def _us(tempo_bpm: float) -> int:
    return min(round(60e6 / tempo_bpm), _SLOWEST)
