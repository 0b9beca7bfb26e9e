"""What sounds: begins and ends notes on the tracks, and publishes each that did.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.audio.mixer import Mixer
from engine.audio.track import Track
from engine.core.link import Writer
from engine.core.messages import NOTE_OFF, NOTE_ON


class Sounding:
    """The notes that sound now. Channel: writes `events`. `frame` is the first frame of the block that is rendered next."""

    def __init__(self, mixer: Mixer, events: Writer, on_failure: Callable[[Track], None]) -> None:
        """`on_failure`: called when a patch raised as a note began."""
        self.frame = 0
        self._mixer = mixer
        self._events = events
        self._on_failure = on_failure
        self._deferred: list[tuple[int, int, int]] = []  # (track, step, pitch): ends in the block it began in, so one later

    def begin(self, track: int, step: int, pitch: int, velocity: int, frame: int) -> None:
        """Begin a note; one that sounds already is struck anew. Twice in one block it is one note."""
        channel = self._mixer[track]
        began = channel.sounding.get(pitch)
        if began is not None and began < self.frame:
            self.tell(frame, step, NOTE_OFF, track, pitch)
        if began is None or began < self.frame:
            self.tell(frame, step, NOTE_ON, track, pitch, velocity)
        elif self._deferred:
            self._deferred = [d for d in self._deferred if (d[0], d[2]) != (track, pitch)]
        channel.sounding[pitch] = frame
        worked = channel.working
        channel.note_on(pitch, velocity, frame - self.frame)
        if worked and not channel.working:
            self.give_up(track, channel)

    def end(self, track: int, step: int, pitch: int, frame: int) -> None:
        """End a note. One that begins in this very block lasts for it, or it would never be heard."""
        channel = self._mixer[track]
        began = channel.sounding.get(pitch)
        if began is None:
            return
        if began >= self.frame:
            self._deferred.append((track, step, pitch))
            return
        del channel.sounding[pitch]
        channel.note_off(pitch, frame - self.frame)
        self.tell(frame, step, NOTE_OFF, track, pitch)

    def end_deferred(self) -> None:
        """End what was to end in the block it began in."""
        if self._deferred:
            deferred, self._deferred = self._deferred, []
            for track, step, pitch in deferred:
                self.end(track, step, pitch, self.frame)

    def end_track(self, track: int, step: int, frame: int) -> None:
        """End all notes of a track at a frame."""
        for pitch in list(self._mixer[track].sounding):
            self.end(track, step, pitch, frame)

    def silence(self) -> None:
        """End every note of every track now, those of this block too, and fade their tails."""
        self._deferred.clear()
        for track, channel in self._mixer.numbered():
            self._end_now(track, channel)
            channel.hush()

    def give_up(self, track: int, channel: Track) -> None:
        """End the notes of a track whose patch failed."""
        self._end_now(track, channel)
        self._on_failure(channel)

    def _end_now(self, track: int, channel: Track) -> None:
        for pitch, began in list(channel.sounding.items()):
            channel.note_off(pitch)
            self.tell(max(began, self.frame), -1, NOTE_OFF, track, pitch)
        channel.sounding.clear()

    def tell(self, frame: int, step: int, kind: int, track: int, pitch: int, velocity: int = 0, bend: float = 0.0) -> None:
        """Publish an event."""
        self._events.push((frame, step, kind, track, pitch, velocity, bend))
