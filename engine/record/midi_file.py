"""A MIDI file that is whole at every moment while it grows: type 1, the player and each track by name, the tempo as played.

Runs on: feed process, recorder thread, or the caller of the offline render. Each note is encoded once, when it is heard; a
version of the file is the bytes of the one before, what came since, and an ending, written beside it and then moved over it: so
days of music take no more memory than a second of it. Second n of the sound file is second n of this one.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.core.contract import Card
from engine.core.errors import SessionError
from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND, PLAYER, PRESSURE
from engine.core.metre import of_code
from engine.record.midi_track import DRUMS, Conductor, Track, variable
from engine.record.tempo_map import TICKS, Segment, TempoMap
from engine.transport.timeline import BeatTimeline

PIECE = 1 << 16  # bytes copied at a time
_OURS = b"\x7d"  # manufacturer's number for anybody's own use
_BEND_SEMITONES = 2  # the whole way of a bend wheel, where a file does not say otherwise


class MidiFile:
    """A growing MIDI file. `hear` takes what sounds, `write` brings the file on the disk up to date (raises OSError)."""

    def __init__(self, path: Path, card: Card, rate_hz: float, tempo_bpm: float) -> None:
        self.path = path
        self.position = 0  # in the ring of events: everything before is in the file; kept by the recorder
        self.tempo = TempoMap(rate_hz, tempo_bpm)
        self._metre = (card.beats_per_bar, 4)
        self._to_come: tuple[int, tuple[int, int]] | None = None  # tick at which another metre begins
        self._title = card.title or card.name
        self._before: BinaryIO | None = None  # the version on the disk
        self._conductor = self._begun()
        self._tracks = {PLAYER: Track("player", 0)}
        free = itertools.cycle(c for c in range(1, 16) if c != DRUMS)
        for number, track in enumerate(card.tracks):
            self._tracks[number] = Track(track.name, DRUMS if track.kind == "drums" else next(free))
        taken = {track.channel for track in self._tracks.values()}
        self._tracks[PLAYER].others = [channel for channel in range(16) if channel != DRUMS and channel not in taken]
        for named in self._tracks.values():
            named.add(0, _text(3, named.name))

    def _begun(self, metre: tuple[int, int] | None = None, segment: Segment | None = None) -> Conductor:
        """What is known from the start: name, metre and tempo."""
        conductor = Conductor()
        conductor.add(0, _text(3, self._title))
        conductor.add(0, _metre_event(*(metre or self._metre)))
        conductor.add(0, _tempo_event(segment or self.tempo.segments[0]))
        return conductor

    def resume(self) -> bool:
        """Go on with the version a killed process left; False when there is none. Raises SessionError when it is not ours."""
        try:
            self._before = self.path.open("rb")
        except FileNotFoundError:
            return False
        try:
            self._go_on_with(self._before)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            self.close()
            raise SessionError(f"{self.path}: is not a recording that could be continued ({error}); move it away") from error
        return True

    def _go_on_with(self, before: BinaryIO) -> None:
        chunks = list(_chunks(before))
        at, size = chunks[0]
        before.seek(at)
        conductor = before.read(size)
        state = _own_state(conductor)
        self.tempo.restore(state["tempo"])
        self.position = state["position"]
        self._metre = tuple(state["metre"])
        for track, (at, size), saved in zip(self._all(), chunks, state["tracks"], strict=True):
            if saved["bytes"] > size:
                raise ValueError("cut short")
            track.at = at
            if isinstance(track, Conductor):
                track.restore(conductor[: saved["bytes"]])
                continue
            track.data.clear()
            track.kept, track.tick = saved["bytes"], saved["tick"]
            track.sounding = {int(pitch): channel for pitch, channel in saved["sounding"]}
            track.ranges = {int(channel): whole for channel, whole in saved["ranges"]}

    def _all(self) -> list[Track]:
        return [self._conductor, *self._tracks.values()]

    def follow(self, lines: Iterable[BeatTimeline]) -> None:
        """Take the lines of the beat that were published, oldest first."""
        for line in lines:
            metre = (line.numerator, line.denominator)
            first = not self.tempo.is_followed
            self._change_metre(self.tempo.place_of(line.frame))
            segments = self.tempo.follow(line)
            if first:
                self._metre = metre
            if first and self.tempo.is_followed:
                at_once = bool(segments) and segments[0].tick == 0  # then nothing lies before it
                self._conductor = self._begun(self.tempo.lead_in, segments.pop(0) if at_once else None)
            for segment in segments:
                self._change_metre(segment.tick)
                self._conductor.add(segment.tick, _tempo_event(segment))
            if first and self.tempo.lead_in is not None:
                self._conductor.add(self.tempo.segments[-1].tick, _metre_event(*self._metre))
            # A metre is told before the bar line that it begins with; until there it can be taken back.
            self._to_come = None if metre == self._metre else (self.tempo.tick_of(line), metre)

    def _change_metre(self, tick: int) -> None:
        """Write the metre that was to come, if it has by now."""
        if self._to_come is not None and self._to_come[0] <= tick:
            at, self._metre = self._to_come
            self._to_come = None
            self._conductor.add(at, _metre_event(*self._metre))

    def hear(self, events: np.ndarray) -> None:
        """Take EVENT records of what sounded."""
        for event in events:
            kind, pitch = int(event["kind"]), int(event["pitch"]) & 0x7F
            tracks = self._concerned(kind, int(event["track"]))
            if not tracks:
                continue
            tick = self.tempo.tick_at(int(event["frame"]))
            for track in tracks:
                if kind == ALL_OFF:
                    for sounding in sorted(track.sounding):
                        _end(track, tick, sounding)
                elif kind == NOTE_OFF:
                    _end(track, tick, pitch)
                else:
                    _play(track, tick, event)

    def mark(self, frame: int, text: str) -> None:
        """Write a marker."""
        self._conductor.add(self.tempo.tick_at(frame), _text(6, text))

    def _concerned(self, kind: int, track: int) -> list[Track]:
        if kind not in (NOTE_ON, NOTE_OFF, ALL_OFF, CONTROL, PITCH_BEND, PRESSURE):
            return []
        if kind == ALL_OFF and track == PLAYER:
            return [t for number, t in self._tracks.items() if number != PLAYER]
        return [self._tracks[track]] if track in self._tracks else []

    def _put(self, out: BinaryIO, frame: int, final: bool) -> list[int]:
        """Write the file as it would be if all ended at `frame`; unless `final` it also tells how to go on.

        Return where in it the bytes of each track begin.
        """
        tick = max(self.tempo.tick_at(frame), *(t.tick for t in self._tracks.values()))
        self._change_metre(tick)
        tracks, places = self._all(), []
        head = (6).to_bytes(4, "big") + (1).to_bytes(2, "big") + len(tracks).to_bytes(2, "big") + TICKS.to_bytes(2, "big")
        out.write(b"MThd" + head)
        for track in tracks:
            end = track.ending(tick)
            if track is self._conductor and not final:
                end = b"\0" + self._state() + end
            out.write(b"MTrk" + (track.size + len(end)).to_bytes(4, "big"))
            places.append(out.tell())
            self._copy(track, out)
            out.write(track.data)
            out.write(end)
        return places

    def _copy(self, track: Track, out: BinaryIO) -> None:
        """Write what of a track is on the disk."""
        left = track.kept
        if left and self._before is not None:
            self._before.seek(track.at)
            while piece := self._before.read(min(left, PIECE)):
                out.write(piece)
                left -= len(piece)
        if left:
            raise OSError(errno.EIO, f"{self.path.name} is not as it was written")

    def _state(self) -> bytes:
        """A sequencer-specific event that holds what `resume` needs."""
        tracks = [
            {"bytes": t.size, "tick": t.tick, "sounding": sorted(t.sounding.items()), "ranges": [*t.ranges.items()]}
            for t in self._all()
        ]
        state = {"position": self.position, "tempo": self.tempo.to_json(), "metre": self._metre, "tracks": tracks}
        data = _OURS + json.dumps(state, separators=(",", ":")).encode()
        return b"\xff\x7f" + variable(len(data)) + data

    def write(self, frame: int, final: bool = False) -> None:
        """Put the version that ends at `frame` in the file's place, in one go."""
        new = self.path.with_suffix(".mid.new")
        with new.open("wb") as out:
            places = self._put(out, frame, final)
        self.close()  # not everywhere can a file that is open be replaced
        os.replace(new, self.path)
        self._before = self.path.open("rb")
        for track, at in zip(self._all(), places, strict=True):
            track.keep(at)

    def close(self) -> None:
        """Let go of the file; nothing can be written any more."""
        if self._before is not None:
            self._before.close()
            self._before = None

    @property
    def size(self) -> int:
        """Bytes of music so far."""
        return sum(t.size for t in self._tracks.values())


def _play(track: Track, tick: int, event: np.void) -> None:
    """Write what begins or moves."""
    kind, pitch, value = int(event["kind"]), int(event["pitch"]), int(event["velocity"]) & 0x7F
    channel = track.channel_of(int(event["step"]))
    if kind == NOTE_ON:
        _end(track, tick, pitch & 0x7F)
        track.add(tick, bytes((0x90 | channel, pitch & 0x7F, min(max(int(event["velocity"]), 1), 127))))
        track.sounding[pitch & 0x7F] = channel
    elif kind == CONTROL:
        track.add(tick, bytes((0xB0 | channel, pitch & 0x7F, value)))
    elif kind == PRESSURE:
        track.add(tick, bytes((0xD0 | channel, value) if pitch > 127 else (0xA0 | channel, pitch, value)))
    else:
        _bend(track, tick, channel, value or _BEND_SEMITONES, float(event["bend"]))


def _bend(track: Track, tick: int, channel: int, whole: int, bend: float) -> None:
    """Write a bend of -1..1 times `whole` semitones; first what they are, where whoever reads it would take it for less."""
    if track.ranges.get(channel, _BEND_SEMITONES) != whole:
        track.ranges[channel] = whole
        for number, value in ((101, 0), (100, 0), (6, whole), (38, 0), (101, 127), (100, 127)):  # RPN 0
            track.add(tick, bytes((0xB0 | channel, number, value)))
    steps = min(max(round(8192 + 8192 * bend), 0), 16383)
    track.add(tick, bytes((0xE0 | channel, steps & 0x7F, steps >> 7)))


def _end(track: Track, tick: int, pitch: int) -> None:
    if pitch in track.sounding:
        track.add(tick, bytes((0x80 | track.sounding.pop(pitch), pitch, 64)))


def _text(kind: int, text: str) -> bytes:
    data = text.encode("latin-1", "replace")
    return bytes((0xFF, kind)) + variable(len(data)) + data


def _tempo_event(segment: Segment) -> bytes:
    return b"\xff\x51\x03" + segment.us_per_beat.to_bytes(3, "big")


def _metre_event(numerator: int, denominator: int) -> bytes:
    """A time signature, with a click of the metronome for each of its beats."""
    return b"\xff\x58\x04" + bytes(
        (numerator, denominator.bit_length() - 1, round(24 * of_code(numerator, denominator).beat), 8)
    )


def _chunks(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each track's bytes begin, and how many there are."""
    whole = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(4) != b"MThd":
        raise ValueError("no MIDI file")
    at = 14
    while at < whole:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[4:], "big")
        if head[:4] != b"MTrk" or at + 8 + size > whole:
            raise ValueError("cut short")
        yield at + 8, size
        at += 8 + size


def _own_state(conductor: bytes) -> dict[str, Any]:
    at = conductor.rindex(_OURS + b'{"position"') + 1
    return dict(json.JSONDecoder().raw_decode(conductor[at:].decode("latin-1"))[0])
