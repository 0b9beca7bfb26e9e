"""The beat timeline: beats as a line over the sample clock, and how it is read from its ring.

Runs on: every process. Only the audio process writes it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from engine.core.link import Ring
from engine.core.metre import Metre, of_code

CLOSE = 1e-6  # beats; what is no further away is the same place
START_S = 0.1  # from a command to the first beat: so early the network hears of a step that it is to play


@dataclass(frozen=True, slots=True)
class BeatTimeline:
    """A line from frames to beats: from `frame` on, where it is beat `beat`, until the next line begins.

    Beats are quarter notes in every metre and never go back: bar 1 is where `bar_beat` says that it is. While stopped the beat
    stands still.
    """

    frame: float
    beat: float
    tempo_bpm: float
    rate_hz: float
    playing: bool = True
    began: float = 0.0  # beat it was set going at; before it is the count-in
    left_out: float = 0.0  # beats that jumps left out while it played: a step is so many further on than it was before
    bar_beat: float = 0.0  # beat of a bar line ...
    bar: int = 1  # ... and the number of the bar that begins there
    numerator: int = 4
    denominator: int = 4
    locked: bool = True  # False: its source has lost the beat it follows, and counts on
    groups: int = 0  # Metre.code

    @classmethod
    def of(cls, record: np.void) -> BeatTimeline:
        """From a TIMELINE record."""
        return cls(*record.item())

    def record(self) -> tuple[float | int | bool, ...]:
        """Return it as a TIMELINE record, in field order."""
        return (
            self.frame,
            self.beat,
            self.tempo_bpm,
            self.rate_hz,
            self.playing,
            self.began,
            self.left_out,
            self.bar_beat,
            self.bar,
            self.numerator,
            self.denominator,
            self.locked,
            self.groups,
        )

    @property
    def frames_per_beat(self) -> float:
        """Frames that one beat lasts."""
        return 60.0 * self.rate_hz / self.tempo_bpm

    @property
    def beats_per_bar(self) -> float:
        """Beats (quarter notes) of one bar."""
        return 4 * self.numerator / self.denominator

    @property
    def metre(self) -> Metre:
        """Its metre."""
        return of_code(self.numerator, self.denominator, self.groups)

    @property
    def counted_bpm(self) -> float:
        """The tempo as it is counted: quarters a minute, or dotted ones where those are the beats."""
        return self.tempo_bpm / self.metre.tempo_beat

    def beat_at(self, frame: float) -> float:
        """Beat at a frame."""
        return self.beat + (frame - self.frame) / self.frames_per_beat if self.playing else self.beat

    def frame_at(self, beat: float) -> float:
        """Frame of a beat; infinity while stopped."""
        return self.frame + (beat - self.beat) * self.frames_per_beat if self.playing else math.inf

    def place(self, beat: float) -> float:
        """Return the beat as counted from bar 1: its whole bars lie on the bars, before bar 1 it is negative."""
        return (self.bar - 1) * self.beats_per_bar + beat - self.bar_beat

    def bar_line(self, beat: float) -> float:
        """Return the first bar line at or after a beat."""
        bar = self.beats_per_bar
        return self.bar_beat + math.ceil((beat - self.bar_beat - CLOSE) / bar) * bar

    def in_metre(self, metre: Metre, one: float) -> BeatTimeline:
        """Return the line in another metre from the bar line `one` on; its bars are counted on."""
        bars = math.ceil((one - self.bar_beat) / self.beats_per_bar - CLOSE)
        return replace(
            self,
            bar_beat=one,
            bar=self.bar + bars,
            numerator=metre.numerator,
            denominator=metre.denominator,
            groups=metre.code,
        )

    def with_tempo(self, tempo_bpm: float, beat: float) -> BeatTimeline:
        """Return the line that bends at `beat` to a new tempo."""
        return replace(self, frame=self.frame_at(beat), beat=beat, tempo_bpm=tempo_bpm)


class TimelineReader:
    """The line that holds, and those before it for what sounded earlier. Owned by one thread."""

    def __init__(self, ring: Ring) -> None:
        self._reader = ring.reader(0)
        self._lines: deque[BeatTimeline] = deque(maxlen=ring.capacity)

    def now(self) -> BeatTimeline | None:
        """Return the line as it was published last, None before there is one."""
        if self._reader.is_behind():
            self._lines.extend(map(BeatTimeline.of, self._reader.read()))
        return self._lines[-1] if self._lines else None

    def at(self, frame: float) -> BeatTimeline:
        """Return the line that held at a frame; of what is older than all that is remembered, the oldest.

        One that sets the beat going is in force as soon as it is known: a note may be early for its first beat.
        """
        for line, before in pairwise(reversed(self._lines)):
            early = START_S * line.rate_hz if line.playing and not before.playing else 0.0
            if frame >= line.frame - early:
                return line
        return self._lines[0]

    def split(self, events: np.ndarray) -> Iterator[tuple[BeatTimeline, np.ndarray]]:
        """Yield EVENT records in their order, with the line that held when they sounded. There must be a line."""
        newest = self._lines[-1]
        frames = events["frame"].tolist() if len(events) else []
        if not frames or min(frames) >= newest.frame:  # as nearly always
            yield newest, events
            return
        begin = 0
        lines = [self.at(frame) for frame in frames]
        for end in range(1, len(lines) + 1):
            if end == len(lines) or lines[end] is not lines[begin]:
                yield lines[begin], events[begin:end]
                begin = end
