"""Reads standard MIDI files as they are found, not only as they should be: what a sequencer plays, this reads.

Runs on: any process, before the music begins. A reader of its own because mido stops at the first meta event it does not like,
and symusic refuses most damaged files and mends the others without saying what was lost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.core.errors import MidiFileError

Meta = tuple[int, int, bytes]  # tick, kind, data

SEQUENCE_NAME, END_OF_TRACK, TEMPO, SMPTE_OFFSET, METRE, KEY = 0x03, 0x2F, 0x51, 0x54, 0x58, 0x59
SMPTE_BPM = 120  # beats are counted at this tempo in a file that counts film frames, as sequencers do
SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
_FRAMES_PER_S = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}
LARGEST_NUMBER = 0x0FFFFFFF  # of variable length, as the format allows it
_SYSTEM_LENGTH = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of messages that have no place in a file


@dataclass(slots=True)
class RawTrack:
    """One track chunk in its own order: channel messages and meta events with their ticks from the track's beginning."""

    messages: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int64))  # (n, 4): tick, status, two data bytes
    metas: list[Meta] = field(default_factory=list)
    end: int = 0  # tick
    cut: bool = False  # whether its bytes end in the middle of an event
    ended: bool = False  # whether it says that it ends
    remarks: list[str] = field(default_factory=list)  # what was mended or lost

    def cut_off(self) -> None:
        """Note that what should follow is missing."""
        self.cut = True
        self.remarks.append("is cut off; what came before is played")


@dataclass(slots=True)
class RawFile:
    """A MIDI file: `division` ticks to a quarter note, or where `frames_per_s` is not 0 to a second."""

    format: int
    division: float
    frames_per_s: float
    tracks: list[RawTrack]
    remarks: list[str]

    @property
    def ticks_per_quarter(self) -> float:
        """Ticks to a quarter note; a file that counts seconds has SMPTE_BPM of them to a minute."""
        return self.division * 60 / SMPTE_BPM if self.frames_per_s else self.division

    @property
    def cut(self) -> bool:
        """Whether a track is cut off."""
        return any(track.cut for track in self.tracks)


def read_file(path: Path) -> RawFile:
    """Return what a file holds. Raises MidiFileError, which says why nothing of it can be played and what to do."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MidiFileError(f"{path}: cannot be read ({error.strerror or error}); give the path of a MIDI file") from error
    try:
        return parse(data)
    except MidiFileError as error:
        raise MidiFileError(f"{path}: {error}") from error


def parse(data: bytes) -> RawFile:
    """Return what the bytes of a file hold, also where they lie in a RIFF envelope. Raises MidiFileError without a name."""
    start = data.find(b"MThd", 0, 4096)  # after a RIFF or MacBinary head, if there is one
    if start < 0:
        raise MidiFileError(f"is not a MIDI file ({_likeness(data)}); give one that begins with MThd")
    head = data[start + 8 : start + 14]
    length = int.from_bytes(data[start + 4 : start + 8], "big")
    if len(head) < 6 or length < 6:
        raise MidiFileError("is cut off within its head; get the file again")
    kind, told, division, frames_per_s = *_head(head), 0.0
    if division & 0x8000:
        frames = 256 - (division >> 8)
        frames_per_s = _FRAMES_PER_S.get(frames, float(frames))
        ticks = (division & 0xFF) * frames_per_s
    else:
        ticks = float(division)
    if not ticks:
        raise MidiFileError("has 0 ticks to a beat, so no note has a time; export it again from the program that made it")
    remarks: list[str] = []
    tracks = _tracks(data, start + 8 + length, remarks)
    if not tracks:
        raise MidiFileError("has no track in it; export it again from the program that made it")
    if told != len(tracks):
        remarks.append(f"its head tells of {told} tracks, {len(tracks)} are there")
    if frames_per_s:
        remarks.append(f"it counts film frames, not beats: taken as {SMPTE_BPM} bpm")
    return RawFile(kind, ticks, frames_per_s, tracks, remarks)


def _head(head: bytes) -> tuple[int, int, int]:
    kind, tracks, division = struct.unpack(">HHH", head)
    return kind, tracks, division


def _likeness(data: bytes) -> str:
    """What the bytes are instead of a MIDI file, as far as that is seen at a glance."""
    if not data:
        return "it is empty"
    begin = data[:256].lstrip().lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    known = {b"\0\5\x16\7": "a companion file of macOS", b"PK": "a zip archive", b"<?xml": "XML", b"\x1f\x8b": "a gzip file"}
    return next((f"it is {name}" for magic, name in known.items() if data.startswith(magic)), "its beginning is another")


def _tracks(data: bytes, at: int, remarks: list[str]) -> list[RawTrack]:
    """Read the track chunks from `at` on; others are passed over."""
    tracks: list[RawTrack] = []
    while at + 8 <= len(data):
        begin, end = at + 8, at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] != b"MTrk":
            # A chunk of another kind, or the remains of a length that was wrong: the next track tells.
            at = end if _is_chunk(data, end) else data.find(b"MTrk", at + 1)
            if at < 0:
                break
            continue
        is_right = _is_chunk(data, end)
        if not is_right:
            following = data.find(b"MTrk", begin)
            end = len(data) if following < 0 else following
        track = _read_track(data[begin:end])
        if not (is_right or track.ended or track.cut):
            track.cut_off()
        remarks += [f"track {len(tracks) + 1}: {remark}" for remark in track.remarks]
        tracks.append(track)
        at = end
    return tracks


def _is_chunk(data: bytes, at: int) -> bool:
    """Whether a chunk may begin at `at`: the file ends there, or four letters follow."""
    return at == len(data) or (at < len(data) and len(data) - at >= 8 and data[at : at + 4].isalnum())


def _read_track(data: bytes) -> RawTrack:
    """Read a track's events until it says that it ends, or its bytes do."""
    track = RawTrack()
    messages: list[int] = []  # flat: half as long as a tuple for each
    metas = track.metas
    at, end = 0, len(data)
    tick = status = clipped = stray = 0
    try:
        while at < end:
            delta = data[at]
            at += 1
            if delta & 0x80:
                delta &= 0x7F
                while True:
                    byte = data[at]
                    at += 1
                    delta = delta << 7 | byte & 0x7F
                    if byte < 0x80:
                        break
            tick += delta & LARGEST_NUMBER
            byte = data[at]
            if byte < 0xF0:
                if byte & 0x80:
                    status = byte
                    at += 1
                elif not status:
                    track.remarks.append("its bytes make no event from the beginning on; it is left out")
                    break
                first = data[at]
                if 0xC0 <= status < 0xE0:
                    second = 0
                    at += 1
                else:
                    second = data[at + 1]
                    at += 2
                if (first | second) & 0x80:
                    first, second, clipped = min(first, 127), min(second, 127), clipped + 1
                messages += (tick, status, first, second)
                continue
            at += 1
            if byte == 0xFF:
                kind = data[at]
                size, at = _variable(data, at + 1)
                if kind == END_OF_TRACK:
                    track.ended = True
                    break
                if at + size > end:
                    raise IndexError
                metas.append((tick, kind, data[at : at + size]))
                at += size
            elif byte in (0xF0, 0xF7):
                size, at = _variable(data, at)
                at += size
                if at > end:
                    raise IndexError
            else:
                at += _SYSTEM_LENGTH.get(byte, 0)
                stray += 1
        else:
            if at > end:
                raise IndexError
    except IndexError:
        track.cut_off()
    track.messages, track.end = np.asarray(messages, np.int64).reshape(-1, 4), tick
    if clipped:
        track.remarks.append(f"values above 127 in {clipped} events were taken as 127")
    if stray:
        track.remarks.append(f"{stray} events that have no place in a file were passed over")
    return track


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length and the place after it."""
    number = 0
    while True:
        byte = data[at]
        at += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number & LARGEST_NUMBER, at
