"""A recorded take as a studio wants it: notes at their frames, tempo and metre, chords, and the sound of each track.

Runs on: main process.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mido
import soundfile

from engine.core.errors import SessionError
from engine.core.messages import ALL_OFF, CHORD, NOTE_OFF, NOTE_ON, PLAYER
from engine.jam.chords import of_code
from engine.record.feed_file import NOTES, FeedReader
from engine.record.markers import FILE as MARKERS
from engine.record.markers import Marker, read_markers
from engine.record.session import FEED, MIDI, WAVE
from engine.record.stems import FOLDER as STEMS
from engine.record.tempo_map import TICKS

SHORTEST_FRAMES = 64  # a note that begins and ends in one block lasts for it


@dataclass(frozen=True, slots=True)
class Note:
    """One note: frames of the run, and velocity 1..127."""

    begin: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Tempo:
    """From this beat on, which lies at `frame`, it goes on at this tempo."""

    beat: float
    frame: float
    bpm: float


@dataclass(slots=True)
class Take:
    """What `read` found. Beats are quarter notes of session.mid, which begins with the sound."""

    folder: Path
    rate_hz: int
    frames: int  # length of session.wav
    tempos: list[Tempo]
    metres: list[tuple[float, int, int]]  # beat, numerator, denominator
    notes: dict[str, list[Note]]  # by track, the player's first
    chords: list[tuple[int, str]] = field(default_factory=list)  # frame from which on it is heard, and its name
    stems: dict[str, Path] = field(default_factory=dict)
    markers: list[Marker] = field(default_factory=list)  # chords among them

    def beat_at(self, frame: float) -> float:
        """Return the beat of a frame, to the exact frame."""
        at = self.tempos[max(bisect.bisect_right([t.frame for t in self.tempos], frame) - 1, 0)]
        return at.beat + (frame - at.frame) * at.bpm / 60 / self.rate_hz


def read(folder: Path) -> Take:
    """Read the folder of a session. Raises SessionError that names the file and what to do."""
    try:
        sound = soundfile.info(str(folder / WAVE))
    except (RuntimeError, OSError) as error:
        raise SessionError(f"{folder / WAVE}: cannot be read ({error}); give the folder of a session") from error
    rate_hz = int(sound.samplerate)
    try:
        conductor = mido.MidiFile(folder / MIDI).tracks[0]
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise SessionError(f"{folder / MIDI}: cannot be read ({error}); give the folder of a session") from error
    tempos, metres = _conducted(conductor, rate_hz)
    with FeedReader(folder / FEED) as feed:
        notes, chords = _played(feed, int(sound.frames))
    stems = {path.stem: path for path in sorted((folder / STEMS).glob("*.wav"))}
    # A take of an earlier version has no file of markers: its chords are in its feed.
    markers = read_markers(folder / MARKERS) or [Marker(frame, -1, "chord", name) for frame, name in chords]
    return Take(folder, rate_hz, int(sound.frames), tempos, metres, notes, chords, stems, markers)


def _conducted(conductor: mido.MidiTrack, rate_hz: int) -> tuple[list[Tempo], list[tuple[float, int, int]]]:
    """Return the tempo map, each tempo with the frame at which it begins, and the metres."""
    tempos: list[Tempo] = []
    metres: list[tuple[float, int, int]] = []
    tick, frame, us_per_beat = 0, 0.0, 500_000
    for message in conductor:
        tick += message.time
        frame += message.time * us_per_beat * 1e-6 * rate_hz / TICKS
        if message.type == "set_tempo":
            us_per_beat = int(message.tempo)
            tempo = Tempo(tick / TICKS, frame, 60e6 / us_per_beat)
            tempos = [*(t for t in tempos if t.beat < tempo.beat), tempo]
        elif message.type == "time_signature":
            metres = [*(m for m in metres if m[0] < tick / TICKS), (tick / TICKS, message.numerator, message.denominator)]
    return tempos or [Tempo(0.0, 0.0, 120.0)], metres or [(0.0, 4, 4)]


def _played(feed: FeedReader, frames: int) -> tuple[dict[str, list[Note]], list[tuple[int, str]]]:
    names = {PLAYER: "player"} | dict(enumerate(feed.tracks))
    notes: dict[str, list[Note]] = {name: [] for name in _ordered(feed.tracks)}
    chords: list[tuple[int, str]] = []
    sounding: dict[tuple[int, int], tuple[int, int]] = {}

    def end(track: int, pitch: int, frame: int) -> None:
        begun = sounding.pop((track, pitch), None)
        if begun is not None and track in names:
            last = max(frame, begun[0] + SHORTEST_FRAMES)
            notes[names[track]].append(Note(begun[0], last, pitch, begun[1]))

    for entry in feed:
        for event in entry.events if entry.kind == NOTES and entry.events is not None else ():
            kind, track, pitch, frame = (int(event[key]) for key in ("kind", "track", "pitch", "frame"))
            if kind == NOTE_ON:
                end(track, pitch, frame)
                sounding[track, pitch] = (frame, min(max(int(event["velocity"]), 1), 127))
            elif kind == NOTE_OFF:
                end(track, pitch, frame)
            elif kind == ALL_OFF:
                for of, held in [key for key in sounding if track in (PLAYER, key[0]) and key[0] != PLAYER]:
                    end(of, held, frame)
            elif kind == CHORD:
                chord = of_code(pitch, int(event["velocity"]))
                name = "-" if chord is None else chord.name
                if not chords or chords[-1][1] != name:
                    chords.append((frame, name))
    for track, pitch in list(sounding):
        end(track, pitch, frames)
    return {name: sorted(of, key=lambda note: (note.begin, note.pitch)) for name, of in notes.items()}, chords


def _ordered(tracks: Sequence[str]) -> Iterator[str]:
    yield "player"
    yield from (name for name in tracks if name != "player")
