"""A MIDI file as a keyboard: its bytes come to the same parser as a player's, at exact frames.

Runs on: audio process (audio callback) and the offline render; the file is read before either begins.
"""

from __future__ import annotations

from pathlib import Path

import mido

from engine.core.errors import MidiFileError
from engine.core.link import Ring
from engine.transport.timeline import BeatTimeline


class FileSource:
    """The notes of a MIDI file on a line over the sample clock.

    By default in the file's own tempo, its beginning at `start_frame`. With `tempo_bpm` the file's beats lie on a steady beat
    that begins at `start_frame`. With `grid`, the ring of GRID records, they lie on the network's beat, wherever it goes: the
    file's beginning is beat 0, and nothing is played before there is a beat.
    """

    def __init__(
        self, path: Path, rate_hz: float, start_frame: int = 0, tempo_bpm: float | None = None, grid: Ring | None = None
    ) -> None:
        """Read the file. Raises MidiFileError."""
        self._rate_hz = rate_hz
        self._ring = grid
        self._seen = 0  # records of the ring taken so far
        in_beats = grid is not None or tempo_bpm is not None
        messages, self.length_beats = _read(path)
        self._messages = [(beat if in_beats else second, data) for beat, second, data in messages]
        # In seconds the line is a beat of 60 bpm.
        self._line = None if grid is not None else BeatTimeline(start_frame, 0.0, tempo_bpm or 60.0, rate_hz)
        self._next: int | None = None

    def due(self, first_frame: int, end_frame: int) -> list[bytes]:
        """Return the messages before `end_frame` that were not returned yet; those before the first `first_frame`, never."""
        if self._ring is not None and self._ring.count != self._seen:
            self._follow(self._ring)
        if self._line is None:
            return []
        if self._next is None:
            start = self._line.beat_at(first_frame)
            self._next = next((i for i, (beat, _) in enumerate(self._messages) if beat >= start), len(self._messages))
        found = []
        while self._next < len(self._messages) and self._line.frame_at(self._messages[self._next][0]) < end_frame:
            found.append(self._messages[self._next][1])
            self._next += 1
        return found

    def _follow(self, ring: Ring) -> None:
        self._seen = ring.count
        record = ring.latest()
        if record is not None:
            self._line = BeatTimeline(float(record["frame"]), float(record["beat"]), float(record["tempo_bpm"]), self._rate_hz)


def _read(path: Path) -> tuple[list[tuple[float, float, bytes]], float]:
    """Return (beat, second, bytes) of every channel message in order of time, and the length in beats."""
    try:
        file = mido.MidiFile(path, clip=True)
        if file.type == 2:
            raise ValueError("its tracks are separate songs (type 2)")
        if file.ticks_per_beat <= 0:
            raise ValueError("it counts film frames instead of beats")
        merged = mido.merge_tracks(file.tracks)
    except OSError as error:
        raise MidiFileError(f"{path}: cannot be read ({error.strerror or error}); give the path of a MIDI file") from error
    except Exception as error:  # mido raises whatever its parser stumbles over
        raise MidiFileError(f"{path}: is not a MIDI file that can be played ({error or type(error).__name__})") from error
    messages = []
    ticks, seconds, us_per_beat = 0, 0.0, 500_000
    for message in merged:
        ticks += message.time
        seconds += message.time * us_per_beat * 1e-6 / file.ticks_per_beat
        if message.type == "set_tempo":
            us_per_beat = message.tempo
        elif not message.is_meta and message.type != "sysex":
            messages.append((ticks / file.ticks_per_beat, seconds, bytes(message.bytes())))
    return messages, ticks / file.ticks_per_beat
