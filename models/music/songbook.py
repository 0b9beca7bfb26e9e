"""Reads chord sequences, one chord a beat, from Billboard annotations, MusicXML lead sheets and MIDI chord tracks.

A beat is a quarter in 4/4 and 2/4 and three eighths in 6/8 and 12/8; other metres are refused and counted. The same
song never stands on both sides of a split: songs are split by title and artist where these are known, and of
sequences that are equal in any key only the first is kept. Runs without torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from models.music.chord_symbols import (
    NO_CHORD,
    PITCHES,
    PLAYER,
    QUALITIES,
    SILENCE,
    Chord,
    Classes,
    name_notes,
    parse_harte,
    parse_kind,
)
from models.music.data import DAMAGED, LICENCES, SPLITS, Collection, Piece, shortened, split_of
from models.music.files import LEAD_SHEETS, MIDI, File, find_files
from models.music.musicxml import first_part
from models.music.representation import HELD, ONSET, Song, SongError, read_song

LEAST_BEATS = 16
BEATS = {"4/4": 4, "2/4": 2, "2/2": 4, "6/8": 2, "12/8": 4}  # metre -> beats in a bar
QUARTERS = {"4/4": 1.0, "2/4": 1.0, "2/2": 1.0, "6/8": 1.5, "12/8": 1.5}  # metre -> quarters in a beat


@dataclass(slots=True, frozen=True)
class ChordSong:
    """One song, one chord a beat."""

    name: str
    split: str
    chords: tuple[Chord, ...]
    position: np.ndarray  # int64 (beats,), counted from a downbeat, four to a bar


@dataclass(slots=True)
class Songbook:
    """What a set of paths gave."""

    songs: list[ChordSong] = field(default_factory=list)
    files: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sources: list[dict[str, str]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)  # by file: the reason, in full

    def refuse(self, name: str, error: SongError) -> None:
        """Count a file that cannot be used, and keep why."""
        self.refused[error.reason] += 1
        self.refusals[name] = str(error)

    def split(self, name: str) -> list[ChordSong]:
        """Songs of one split."""
        return [s for s in self.songs if s.split == name]

    def facts(self) -> dict[str, Any]:
        """Counts, for a card."""
        return {
            "sources": self.sources,
            "files": self.files,
            "used": len(self.songs),
            "refused": dict(self.refused.most_common()),
            "refused_files": self.refusals,
            "pieces": {s: len(self.split(s)) for s in SPLITS},
            "steps": {s: sum(len(x.chords) for x in self.split(s)) for s in SPLITS},
        }


def read_songs(paths: list[Path]) -> Songbook:
    """Read every file under `paths` that holds chords. Raises ValueError where there is none."""
    book = Songbook()
    seen: set[tuple[Chord, ...]] = set()
    for path in paths:
        name = path.resolve().name
        book.sources.append({"name": name, "licence": LICENCES.get(name, "not stated")})
        for file in _files(path):
            book.files += 1
            try:
                title, chords, position = _read(file)
                if len(chords) < LEAST_BEATS:
                    raise SongError(f"shorter than {LEAST_BEATS} beats")
                if (key := _in_any_key(chords)) in seen:
                    raise SongError("the same sequence as another")
            except SongError as error:
                book.refuse(str(path if path.name == file.name else path / file.name), error)
                continue
            except DAMAGED as error:
                why = SongError("unreadable", f"{type(error).__name__}: {error}")
                book.refuse(str(path if path.name == file.name else path / file.name), why)
                continue
            seen.add(key)
            song = ChordSong(file.name, split_of(title, None), tuple(chords), np.asarray(position, np.int64))
            book.songs.append(song)
    if not book.songs:
        reasons = ", ".join(f"{n} {r}" for r, n in book.refused.most_common()) or "there is no chord file"
        listed = "".join(f"\n  {line}" for line in shortened(book.refusals))
        raise ValueError(f"{', '.join(map(str, paths))}: nothing in it can be used: {reasons}{listed}")
    return book


def _files(path: Path) -> Iterator[File]:
    """The files of a collection that hold chords: of MIDI, only what lies in a folder `chords`, or all if none does."""
    found = list(find_files(path, ("salami_chords.txt", *LEAD_SHEETS, *MIDI)))
    midi = [f for f in found if f.is_called(*MIDI)]
    chords = [f for f in midi if "chords" in Path(f.name).parts]
    yield from (f for f in found if f not in midi)
    yield from chords or midi


def _read(file: File) -> tuple[str, list[Chord], list[int]]:
    """Title to split by, chords and positions of a file. Raises SongError."""
    if file.is_called(".txt"):
        return read_billboard(file.content().decode("utf-8", "replace"))
    if file.is_called(*LEAD_SHEETS):
        return (file.name, *read_musicxml(file.content()))
    return (file.name, *read_chord_track(read_song(file.content())))


def _in_any_key(chords: list[Chord]) -> tuple[Chord, ...]:
    """The sequence moved so that its first chord stands on C, without the silence at its ends."""
    sounding = [i for i, c in enumerate(chords) if c != SILENCE]
    if not sounding:
        raise SongError("no chords")
    first = chords[sounding[0]][0]
    return tuple((c[0] if c == SILENCE else (c[0] - first) % 12, c[1]) for c in chords[sounding[0] : sounding[-1] + 1])


def read_billboard(text: str) -> tuple[str, list[Chord], list[int]]:
    """Read a salami_chords.txt: bars between |, one, two or as many symbols as beats; "." goes on, (2/4) is one bar."""
    about = dict(re.findall(r"^# (title|artist|metre): *(.*)$", text, re.M))
    chords: list[Chord] = []
    position: list[int] = []
    bar, metre = 0, "4/4"
    for line in text.splitlines():
        if line.startswith("# metre:"):
            metre = line.partition(":")[2].strip()
        if line.startswith("#") or "|" not in line:
            continue
        again = re.search(r"\|[^|]*\bx(\d+)\b[^|]*$", line)
        for _ in range(int(again[1]) if again else 1):
            for cell in line.split("|")[1:-1]:
                now = _billboard_bar(cell, metre, chords[-1] if chords else SILENCE)
                position += range(4 * bar, 4 * bar + len(now))
                chords += now
                bar += 1
    if metre in ("6/8", "2/4"):  # two bars of two beats are one of four
        position = list(range(len(chords)))
    return f"{about.get('artist', '')} {about.get('title', '')}".strip().lower().replace("/", " "), chords, position


def _billboard_bar(cell: str, metre: str, last: Chord) -> list[Chord]:
    """One chord a beat of one bar. Raises SongError."""
    tokens = cell.split()
    if tokens and (own := re.fullmatch(r"\((\d+/\d+)\)", tokens[0])):
        metre, tokens = own[1], tokens[1:]
    beats = BEATS.get(metre)
    if beats is None:
        raise SongError("odd metre")
    tokens = [t for t in tokens if t not in ("*", "->")]
    if not tokens or beats % len(tokens):
        raise SongError("a bar that does not divide")
    out: list[Chord] = []
    for token in tokens:
        if token != ".":
            try:
                last = parse_harte(token)
            except ValueError as error:
                raise SongError("unknown chord symbol", str(error)) from error
        out += [last] * (beats // len(tokens))
    return out


def read_musicxml(data: bytes) -> tuple[list[Chord], list[int]]:
    """Read the chord symbols of a lead sheet (.mxl or .musicxml): chord at each beat of the first part."""
    part = first_part(data)
    try:
        events, bars, metre = _harmonies(part)
    except (ValueError, LookupError, ArithmeticError) as error:
        raise SongError("unreadable", str(error)) from error
    if metre not in BEATS:
        raise SongError("odd metre")
    if not events:
        raise SongError("no chords")
    beat, length = QUARTERS[metre], QUARTERS[metre] * BEATS[metre]
    origin = next((start for start, end in bars if abs(end - start - length) < 1e-6), 0.0)
    beats = round((bars[-1][1] - origin) / beat)
    return _sample([(round((at - origin) / beat), chord) for at, chord in events], beats)


def _harmonies(part: ElementTree.Element) -> tuple[list[tuple[float, Chord]], list[tuple[float, float]], str]:
    """Chord symbols (quarter, chord), bars (start, end in quarters) and the one metre. Raises SongError."""
    events: list[tuple[float, Chord]] = []
    bars: list[tuple[float, float]] = []
    metres: set[str] = set()
    start, divisions = 0.0, 1.0
    for measure in part.iter("measure"):
        now = end = start
        for element in measure:
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
                if not divisions > 0:
                    raise SongError("unreadable", f"{divisions:g} divisions to a quarter note")
                if element.find("time") is not None:
                    metres.add(f"{element.findtext('time/beats')}/{element.findtext('time/beat-type')}")
            elif element.tag == "harmony":
                step, alter = element.findtext("root/root-step") or "", element.findtext("root/root-alter") or "0"
                try:
                    chord = parse_kind(step, int(float(alter)), element.findtext("kind") or "")
                except ValueError as error:
                    raise SongError("unknown chord symbol", str(error)) from error
                events.append((now + float(element.findtext("offset") or 0) / divisions, chord))
            elif element.tag in ("note", "forward", "backup") and element.find("chord") is None:
                length = float(element.findtext("duration") or 0) / divisions
                now += -length if element.tag == "backup" else length
                end = max(end, now)
        bars.append((start, end))
        start = end
    if len(metres) != 1:
        raise SongError("more than one metre" if metres else "no metre")
    return events, bars, metres.pop()


def _sample(events: list[tuple[int, Chord]], beats: int) -> tuple[list[Chord], list[int]]:
    """Turn changes (beat, chord) into one chord a beat; the first bars without a chord are dropped whole."""
    first = min(beat for beat, _ in events)
    begin = max(first // 4 * 4, 0)
    out: list[Chord] = [SILENCE] * max(beats, 0)
    for beat, chord in sorted(events, key=lambda e: e[0]):
        if beat < len(out):
            out[max(beat, 0) :] = [chord] * (len(out) - max(beat, 0))
    return out[begin:], list(range(len(out) - begin))


def read_chord_track(song: Song) -> tuple[list[Chord], list[int]]:
    """Read the chord that sounds in the middle of each beat of a MIDI chord track, counted from the first chord on."""
    metres = {f"{n}/{d}" for _, n, d in song.metres}
    metre = metres.pop() if len(metres) == 1 else ""
    if metre not in BEATS:
        raise SongError("odd metre" if metre else "more than one metre")
    beat = QUARTERS[metre]
    parts = [part for part in song.parts if not part.drum]
    if not parts:
        raise SongError("no chords", "only drums")
    start = np.concatenate([p.start for p in parts])
    end = np.concatenate([p.end for p in parts])
    pitch = np.concatenate([p.pitch for p in parts])
    origin = float(start.min())
    chords: list[Chord] = []
    for index in range(round((float(end.max()) - origin) / beat)):
        middle = origin + (index + 0.5) * beat
        sounding = pitch[(start <= middle) & (end > middle)].tolist()
        if 0 < len(sounding) < 3 and not chords:
            raise SongError("not a chord track")
        # A rest between two chords is the first one dying away.
        chords.append(name_notes(sounding) if len(sounding) >= 2 else (chords[-1] if chords else SILENCE))
    return chords, list(range(len(chords)))


def read_rolls(paths: Sequence[Path], names: Sequence[str]) -> Collection:
    """The songs as rolls of the chord network's tracks, each chord in its voicing; `names` are its card's classes."""
    book = read_songs(list(paths))
    classes = Classes(list(dict.fromkeys(name.partition(":")[2] for name in names[1:])))
    voicings = classes.voicings() > 0
    out = Collection(files=book.files, used=len(book.songs), refused=book.refused, sources=book.sources, refusals=book.refusals)
    for song in book.songs:
        chords = np.asarray([classes.of(chord) for chord in song.chords])
        roll = np.zeros((len(chords), len(PITCHES) + len(PLAYER)), np.uint8)
        sounding = roll[:, : len(PITCHES)]
        sounding[voicings[chords]] = ONSET
        goes_on = np.flatnonzero(chords[1:] == chords[:-1]) + 1
        sounding[goes_on] = np.where(sounding[goes_on] != 0, HELD, 0)
        out.pieces.append(Piece(song.name, song.split, roll))
    return out


def qualities_of(songs: list[ChordSong], least_share: float = 0.0005) -> list[str]:
    """The qualities that make up at least `least_share` of the beats, in the order of QUALITIES; maj and min always."""
    count = Counter(quality for song in songs for root, quality in song.chords if root != NO_CHORD)
    least = least_share * sum(count.values())
    return [q for q in QUALITIES if q in ("maj", "min") or count[q] >= least]
