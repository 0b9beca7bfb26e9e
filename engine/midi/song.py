"""A MIDI file as music: its parts with their notes, and tempo, metre and pickup as all its tracks tell them together.

Runs on: any process, before the music begins. Times are in quarter notes from the beginning of the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.midi import smf
from engine.midi.message import NOTES_OFF, SOUND_OFF
from engine.midi.smf import RawFile, RawTrack

DRUMS = 9  # the channel that General MIDI plays drums on, counted from 0
DEFAULT_BPM = 120.0  # of a file that says none
NONSENSE_BPM = 1000.0  # a faster tempo is a damaged event and not music
LONGEST_GAP = 1024.0  # quarters of silence, or of one note: what lies beyond is a slip of whoever wrote the file
LARGEST_DENOMINATOR = 64

Metre = tuple[float, int, int]  # quarter at which it begins, numerator, denominator
Ints = np.ndarray


@dataclass(slots=True, frozen=True)
class Part:
    """What one track plays on one channel with one program; times in quarter notes."""

    name: str
    program: int
    drum: bool
    start: np.ndarray  # float64 (notes,), quarters
    end: np.ndarray  # float64 (notes,), quarters
    pitch: np.ndarray  # int64 (notes,)
    velocity: np.ndarray  # int64 (notes,)
    channel: int = 0  # counted from 0
    track: int = 0  # number of its track in the file, counted from 0


@dataclass(slots=True, frozen=True)
class Song:
    """A MIDI file in quarter notes: its parts that have notes, and its bars."""

    parts: tuple[Part, ...]
    metres: tuple[Metre, ...]  # as told, first at 0
    tempi: tuple[tuple[float, float], ...] = ((0.0, DEFAULT_BPM),)  # (quarter, bpm), first at 0
    length: float = 0.0  # quarters: at most a bar after the last note
    remarks: tuple[str, ...] = ()  # what was mended, ignored or lost
    skipped: float = 0.0  # quarters of silence at the file's beginning that the song begins after

    @property
    def end(self) -> float:
        """Last note's end, in quarters."""
        return max((float(p.end.max()) for p in self.parts), default=0.0)

    @property
    def played_metres(self) -> tuple[Metre, ...]:
        """The metres that bars can be counted in, each where it differs from the one before; 4/4 where none is told."""
        found: list[Metre] = []
        for metre in self.metres:
            if not _is_metre(metre):
                continue
            if found and found[-1][0] == metre[0]:
                found.pop()
            if not found or found[-1][1:] != metre[1:]:
                found.append(metre)
        return tuple(found) if found and found[0][0] == 0 else ((0.0, 4, 4), *found)

    @property
    def pickup(self) -> float:
        """Quarters before the first downbeat: told by a short first bar, or seen where the band begins together after it."""
        metres = self.played_metres
        if len(metres) > 1:
            (_, *first), (second, *following) = metres[:2]
            if math.isclose(second, _bar(*first)) and second < _bar(*following):
                return second
        return _unsaid_pickup(self.parts, _bar(*metres[0][1:]))


def _is_metre(metre: Metre) -> bool:
    return metre[1] > 0 and metre[2] <= LARGEST_DENOMINATOR


def _bar(numerator: int, denominator: int) -> float:
    """Quarters in a bar."""
    return numerator * 4 / denominator


def _unsaid_pickup(parts: Sequence[Part], bar: float) -> float:
    """Where most parts begin together, off the bar line and after another: as many quarters are a pickup.

    Only where long notes agree: more of their length begins at that place in the bar than at the bar line.
    """
    firsts = [float(p.start.min()) for p in parts]
    together = max(set(firsts), key=firsts.count, default=0.0)
    if (
        not 0 < together < bar
        or min(firsts) == together
        or firsts.count(together) < 2
        or 2 * firsts.count(together) < len(parts)
    ):
        return 0.0

    def weight(at: float) -> float:
        length = 0.0
        for part in parts:
            here = np.isclose((part.start - at) % bar, 0, atol=0.05) | np.isclose((part.start - at) % bar, bar, atol=0.05)
            length += float(np.minimum(part.end - part.start, bar)[here & ~np.bool_(part.drum)].sum())
        return length

    return together if weight(together) > 1.5 * weight(0.0) else 0.0


def read_song(path: Path) -> Song:
    """Return the song in a MIDI file. Raises MidiFileError."""
    return song_of(smf.read_file(path))


def song_of(raw: RawFile) -> Song:
    """Return the song that a file's events make; it may be without a note."""
    remarks = list(raw.remarks)
    tpq = raw.ticks_per_quarter
    starts = beginnings(raw, remarks)
    builders = [_Notes(track, number, starts[number]) for number, track in enumerate(raw.tracks)]
    programs: dict[int, int] = {}
    for builder in builders:
        for channel, program in builder.said.items():
            programs.setdefault(channel, program)
    shift = _skip_silence(builders, round(4 * tpq), remarks)
    metas = [
        (max(tick + begin - shift, 0) / tpq, kind, data)
        for track, begin in zip(raw.tracks, starts, strict=True)
        for tick, kind, data in track.metas
    ]
    metas.sort(key=lambda meta: meta[0])
    metres = _metres(metas, remarks)
    bar = _bar(*next((m for m in reversed(metres) if _is_metre(m)), (0, 4, 4))[1:])
    last_tick = max((track.end + begin for track, begin in zip(raw.tracks, starts, strict=True)), default=0)
    told = max(last_tick - shift, 0) / tpq
    end = _close_notes(builders, told, bar, tpq, remarks)
    titled = raw.format == 0 and len(set(builders[0].channel.tolist())) > 1
    parts = [part for b in builders for part in b.parts("" if titled else _name(b.track), programs, tpq)]
    parts, end = _without_far_notes(parts, end, remarks)
    if not parts:
        remarks.append("it has no note")
    tempi = _tempi(metas, bool(raw.frames_per_s), remarks)
    return Song(tuple(parts), metres, tempi, end, tuple(remarks), shift / tpq)


def beginnings(raw: RawFile, remarks: list[str]) -> list[int]:
    """Tick at which each track begins: 0, or one after the other where each is a piece of its own (type 2)."""
    own = [any(kind in (smf.TEMPO, smf.METRE) for _, kind, _ in track.metas) for track in raw.tracks]
    if raw.format != 2 or sum(own) < 2:
        return [0] * len(raw.tracks)
    remarks.append(f"its {len(raw.tracks)} tracks are pieces of their own (type 2): they are taken one after the other")
    bar = 4 * raw.ticks_per_quarter
    begins, at = [], 0
    for track in raw.tracks:
        begins.append(at)
        at += math.ceil(math.ceil(track.end / bar - 1e-9) * bar)
    return begins


class _Notes:
    """The notes of one track."""

    def __init__(self, track: RawTrack, number: int, begin: int) -> None:
        self.track, self.number = track, number
        tick, status, first, second = track.messages.T
        tick = tick + begin
        kind, channel = status & 0xF0, status & 0xF
        is_note = kind < 0xA0
        is_on = is_note & (kind == 0x90) & (second > 0)
        key = channel << 7 | first
        self.said = {int(c): int(p) for c, p in zip(channel[kind == 0xC0][::-1], first[kind == 0xC0][::-1], strict=True)}
        ons = np.flatnonzero(is_on)
        self.start, self.pitch, self.velocity, self.channel = tick[ons], first[ons], second[ons], channel[ons]
        self.end = np.full(len(tick), -1)  # -1: not known yet
        silenced = (kind == 0xB0) & ((first == SOUND_OFF) | (first == NOTES_OFF))
        self._pair(
            np.flatnonzero(is_note), key, is_on, tick, {int(c): tick[silenced & (channel == c)] for c in channel[silenced]}
        )
        self.end = self.end[ons]
        self.program = np.full(len(ons), -1)  # -1: the track tells none before the note
        for number in self.said:
            changes = np.flatnonzero((kind == 0xC0) & (channel == number))
            here = np.flatnonzero(self.channel == number)
            place = np.searchsorted(changes, ons[here]) - 1
            self.program[here] = np.where(place >= 0, first[changes[place]], -1)

    def _pair(self, notes: Ints, key: Ints, is_on: Ints, tick: Ints, silenced: dict[int, Ints]) -> None:
        """Find the end of each note: of one key, first begun is first ended."""
        order = notes[np.argsort(key[notes], kind="stable")]
        keys, on = key[order], is_on[order]
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        groups = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(keys)))
        depth = np.cumsum(np.where(on, 1, -1))
        before = np.concatenate([[0], depth])[firsts]
        depth = depth - before[groups]
        lasts = np.append(firsts[1:], len(keys)) - 1
        # Where each of a key's notes has its end, the ends come in the order of the notes.
        whole = (np.minimum.reduceat(depth, firsts) >= 0) & (depth[lasts] == 0) if len(firsts) else np.zeros(0, bool)
        plain = whole[groups]
        self.end[order[plain & on]] = tick[order[plain & ~on]]
        for group in np.flatnonzero(~whole):
            own = order[firsts[group] : lasts[group] + 1]
            self._pair_one(own, is_on, tick, silenced.get(int(keys[firsts[group]]) >> 7))

    def _pair_one(self, own: Ints, is_on: Ints, tick: Ints, silenced: Ints | None) -> None:
        """The notes of one key that was not let go as often as it was struck: each ends with whatever comes next."""
        waiting: list[int] = []
        for index in own.tolist():
            if is_on[index]:
                waiting.append(index)
            elif waiting:
                self.end[waiting.pop(0)] = tick[index]
        if not waiting:
            return  # only ends without a note
        edges = np.unique(np.concatenate([tick[own], silenced if silenced is not None else tick[:0]]))
        ons = own[is_on[own]]
        place = np.searchsorted(edges, tick[ons], side="right")
        self.end[ons] = np.where(place < len(edges), edges[np.minimum(place, len(edges) - 1)], -1)

    def close(self, end: int) -> int:
        """End with the file what has no end; return how many notes that were."""
        open_ended = self.end < 0
        self.end = np.where(open_ended, np.maximum(end, self.start + 1), self.end)
        return int(open_ended.sum())

    def parts(self, name: str, programs: dict[int, int], tpq: float) -> list[Part]:
        """Return its parts by channel and program; a channel that is told none here has the program another track tells."""
        program = self.program.copy()
        for channel in set(self.channel.tolist()):
            fallback = 0 if channel in self.said else programs.get(channel, 0)
            program[(program < 0) & (self.channel == channel)] = fallback
        found = []
        for channel, played in sorted(set(zip(self.channel.tolist(), program.tolist(), strict=True))):
            own = (self.channel == channel) & (program == played)
            columns = self.start[own] / tpq, self.end[own] / tpq, self.pitch[own], self.velocity[own]
            found.append(Part(name, played, channel == DRUMS, *columns, channel, self.number))
        return found


def _skip_silence(builders: Sequence[_Notes], bar: int, remarks: list[str]) -> int:
    """Let the piece begin with the bar of its first note where that is far away; return by how many ticks."""
    first = min((int(b.start.min()) for b in builders if len(b.start)), default=0)
    shift = first // bar * bar
    if 4 * first <= LONGEST_GAP * bar or not bar:
        return 0
    remarks.append(f"{shift // bar} bars of silence at its beginning were left out")
    for builder in builders:
        builder.start -= shift
        builder.end[builder.end >= 0] -= shift
    return shift


def _close_notes(builders: Sequence[_Notes], told: float, bar: float, tpq: float, remarks: list[str]) -> float:
    """End the notes that have no end; return the piece's length in quarters: as told, at most a bar after its last note."""
    edges = [edge for b in builders for edge in (b.start, b.end) if len(edge)]
    last = max((int(edge.max()) for edge in edges), default=0) / tpq
    end = min(told, last + bar) if edges else min(told, LONGEST_GAP)
    if told > last + LONGEST_GAP and edges:
        remarks.append(f"it is told to end {told - last:.0f} beats after its last note: it ends a bar after it")
    unclosed = sum(b.close(round(end * tpq)) for b in builders)
    if unclosed:
        remarks.append(f"{unclosed} notes without an end: they end with the file")
    return end


def _without_far_notes(parts: list[Part], end: float, remarks: list[str]) -> tuple[list[Part], float]:
    """Leave out what lies behind a silence, and the rest of a note, that is longer than any music's."""
    if not parts:
        return parts, end
    start = np.sort(np.concatenate([p.start for p in parts]))
    long = sum(int((p.end - p.start > LONGEST_GAP).sum()) for p in parts)
    gaps = np.flatnonzero(np.diff(start) > LONGEST_GAP)
    if not long and not len(gaps):
        return parts, end
    until = float(start[gaps[0]]) if len(gaps) else math.inf
    lost = int((start > until).sum())
    if lost:
        remarks.append(f"{lost} notes after {LONGEST_GAP:.0f} beats of silence were left out")
    if long:
        remarks.append(f"{long} notes longer than {LONGEST_GAP:.0f} beats were cut to that")
    kept = []
    for part in parts:
        here = part.start <= until
        if here.any():
            ends = np.minimum(part.end, part.start + LONGEST_GAP)[here]
            columns = (part.start[here], ends, part.pitch[here], part.velocity[here])
            kept.append(Part(part.name, part.program, part.drum, *columns, part.channel, part.track))
    return kept, min(end, max(float(p.end.max()) for p in kept) + 4)


def _metres(metas: Iterable[tuple[float, int, bytes]], remarks: list[str]) -> tuple[Metre, ...]:
    metres: list[Metre] = []
    for at, kind, data in metas:
        if kind == smf.METRE and len(data) >= 2:
            metre = (at, data[0], 1 << data[1])
            if not _is_metre(metre):
                remarks.append(f"the metre {metre_name(metre)} at beat {at:g} makes no sense and is ignored")
            metres.append(metre)
    return tuple(metres) if metres and metres[0][0] == 0 else ((0.0, 4, 4), *metres)


def metre_name(metre: Metre) -> str:
    """A metre as a person reads it."""
    _, numerator, denominator = metre
    return f"{numerator}/{denominator}" if denominator <= 256 else f"{numerator}/2^{denominator.bit_length() - 1}"


def _tempi(metas: Iterable[tuple[float, int, bytes]], in_seconds: bool, remarks: list[str]) -> tuple[tuple[float, float], ...]:
    """The tempo map in the order of time, of one moment the last; what the transport cannot do is told."""
    found: dict[float, float] = {0.0: DEFAULT_BPM}
    for at, kind, data in metas:
        if kind != smf.TEMPO or in_seconds:
            continue
        us = int.from_bytes(data[:3], "big") if len(data) >= 3 else 0
        bpm = 60e6 / us if us else math.inf
        if bpm > NONSENSE_BPM:
            remarks.append(f"a tempo of {us} us a beat at beat {at:g} makes no sense and is ignored")
            continue
        legal = min(max(bpm, SLOWEST_BPM), FASTEST_BPM)
        if abs(legal - bpm) > 0.001 * bpm:
            remarks.append(f"{bpm:.4g} bpm at beat {at:g} is played at {legal:g}: {SLOWEST_BPM:g} to {FASTEST_BPM:g} can be")
        found[at] = legal
    ordered = sorted(found.items())
    return (ordered[0], *(b for a, b in pairwise(ordered) if a[1] != b[1]))


def _name(track: RawTrack) -> str:
    return next((decode(data) for _, kind, data in track.metas if kind == smf.SEQUENCE_NAME), "")


def decode(data: bytes) -> str:
    """Text of a MIDI file, which does not say how it is written: UTF-8, else Japanese where it looks so, else Western."""
    data = data.strip(b"\0 ")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        text = ""
    # An accented letter followed by another reads as one rare sign: kana, or no Western letter at all, tell the two apart.
    kana = any("\u3040" <= c <= "\u30ff" for c in text)
    han = all("\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef" or not c.isalpha() for c in text)
    if text and (kana or han) and not any("\uff61" <= c <= "\uff9f" for c in text):
        return text
    return (
        data.decode("cp1252", "replace")
        if not any(b in data for b in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
        else data.decode("latin-1")
    )


def second_at(tempi: Sequence[tuple[float, float]], quarter: float) -> float:
    """Return the time of a quarter note on a tempo map, in seconds from the beginning."""
    seconds = 0.0
    for (start, bpm), (end, _) in pairwise([*tempi, (math.inf, 0.0)]):
        if quarter <= end:
            return seconds + (quarter - start) * 60 / bpm
        seconds += (end - start) * 60 / bpm
    return seconds
