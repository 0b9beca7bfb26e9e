"""A MIDI file as a keyboard: a MidiInput whose messages come at exact frames.

Runs on: audio process (audio callback) and the offline render; the file is read before either begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import MidiFileError
from engine.core.link import Ring
from engine.midi import smf
from engine.midi.message import NO_CHANNEL, Kind, MidiMessage, message_of
from engine.midi.player_part import choose_part, performance
from engine.midi.song import second_at, song_of
from engine.transport.timeline import BeatTimeline

PORT = "file"  # what a file is called as a port


class FileSource:
    """The player's part of a MIDI file on a line over the sample clock.

    By default in the file's own tempo, its beginning at `start_frame`. With `tempo_bpm` the file's beats lie on a steady beat
    that begins at `start_frame`. With `timeline`, the ring of TIMELINE records, they lie on the transport's beat, wherever it
    goes: beat `bar_one` of the file is the first of the transport's bar 1, every time that one begins; by default its first
    downbeat, so that a pickup lies in the count-in.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: float,
        start_frame: int = 0,
        tempo_bpm: float | None = None,
        timeline: Ring | None = None,
        bar_one: float | None = None,
        part: str | None = None,
        again: bool = False,
    ) -> None:
        """Read the file; `part` as for `choose_part`; `again`: after its last bar it begins anew. Raises MidiFileError."""
        self._ring = timeline
        self._seen = 0  # records of the ring taken so far
        raw = smf.read_file(path)
        self.song = song_of(raw)
        if not self.song.parts and raw.cut:
            raise MidiFileError(f"{path}: is cut off before its first note; get the file again")
        self.chosen = choose_part(self.song, part)
        self.ignored = 0
        found = performance(raw, self.song, self.chosen.parts)
        if timeline is None and tempo_bpm is None:
            found = [(second_at(self.song.tempi, beat), data) for beat, data in found]
        read = [(at, message_of(data, PORT)) for at, data in found]
        self._messages = [(at, message) for at, message in read if message is not None]
        _, beats, unit = self.song.played_metres[0]
        bar = beats * 4 / unit
        bars = math.ceil((self.song.length - self.song.pickup) / bar)
        self._period = bars * bar if again and self._messages else 0.0  # beats; 0: once
        self._bar_one = self.song.pickup if bar_one is None else bar_one
        self._origin = 0.0 if timeline is None else math.nan  # beat of the line at which the file begins
        self._again = 0.0  # beats by which it has begun anew since then
        # In seconds the line is a beat of 60 bpm.
        self._line = BeatTimeline(start_frame, 0.0, tempo_bpm or 60.0, rate_hz, playing=timeline is None)
        self._next: int | None = None
        self._began = False  # something was played since the line began or jumped

    @property
    def length_beats(self) -> float:
        """How long the piece is, at most a bar longer than its last note."""
        return self.song.length

    def due(self, first_frame: int, end_frame: int) -> Sequence[MidiMessage]:
        """Return the messages before `end_frame` that were not returned yet; those before the first `first_frame`, never."""
        found = self._follow(self._ring) if self._ring is not None and self._ring.count != self._seen else []
        line, messages = self._line, self._messages
        if not line.playing:
            return found
        if self._next is None:
            start = line.beat_at(first_frame) - self._origin
            self._again = max(start // self._period, 0) * self._period if self._period else 0.0
            start -= self._again
            self._next = next((i for i, (beat, _) in enumerate(messages) if beat >= start), len(messages))
        while self._next < len(messages):
            if line.frame_at(self._origin + self._again + messages[self._next][0]) >= end_frame:
                break
            found.append(messages[self._next][1])
            self._next += 1
            self._began = True
            if self._period and self._next == len(messages):
                self._next, self._again = 0, self._again + self._period
        return found

    def _follow(self, ring: Ring) -> list[MidiMessage]:
        """Take the newest line; return what lets go of all that is down where the beat stops or jumps."""
        self._seen = ring.count
        record = ring.latest()
        assert record is not None  # there is one more than before
        self._line = line = BeatTimeline.of(record)
        origin = line.bar_beat - self._bar_one if line.bar == 1 else self._origin
        jumps = origin != self._origin
        if jumps:
            self._origin, self._next = origin, None
        if (line.playing and not jumps) or not self._began:
            return []
        self._began = False
        return [MidiMessage(0, PORT, NO_CHANNEL, Kind.GONE)]
