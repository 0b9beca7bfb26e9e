"""The beat timeline: beats as a line over the sample clock.

Runs on: every process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class BeatTimeline:
    """A line from frames to beats: at `frame` it is beat `beat`; beat 0 is the first downbeat."""

    frame: float
    beat: float
    tempo_bpm: float
    rate_hz: float

    @property
    def frames_per_beat(self) -> float:
        """Frames that one beat lasts."""
        return 60.0 * self.rate_hz / self.tempo_bpm

    def beat_at(self, frame: float) -> float:
        """Beat at a frame."""
        return self.beat + (frame - self.frame) / self.frames_per_beat

    def frame_at(self, beat: float) -> float:
        """Frame of a beat."""
        return self.frame + (beat - self.beat) * self.frames_per_beat

    def with_tempo(self, tempo_bpm: float, beat: float) -> BeatTimeline:
        """Return the line that bends at `beat` to a new tempo."""
        return replace(self, frame=self.frame_at(beat), beat=beat, tempo_bpm=tempo_bpm)
