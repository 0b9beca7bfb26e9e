"""Reads MusicXML lead sheets as songs of two parts: the melody as lead, the chord symbols as held chords.

Repeats are not played out. A pickup written as a short first bar begins the song. Runs without torch.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

import numpy as np

from models.music.chord_symbols import BASS, CLOSE, NO_CHORD, QUALITIES, Chord, parse_kind
from models.music.representation import Part, Song, SongError

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LARGEST_SCORE_BYTES = 20_000_000  # of one score, unpacked


@dataclass(slots=True)
class _Sheet:
    """What is gathered of a part while its bars are read; times in quarters."""

    notes: list[list[float]] = field(default_factory=list)  # start, end, pitch
    chords: list[tuple[float, Chord]] = field(default_factory=list)
    metres: list[tuple[float, int, int]] = field(default_factory=list)
    bars: list[tuple[float, float]] = field(default_factory=list)
    tied: dict[int, list[float]] = field(default_factory=dict)  # pitch -> the note that goes on


def read_lead_sheet(data: bytes) -> Song:
    """Parse a lead sheet (.mxl or .musicxml). Raises SongError with the reason."""
    part = first_part(data)
    sheet = _Sheet()
    try:
        _read_bars(part, sheet)
    except (ValueError, LookupError, ArithmeticError) as error:
        raise SongError("unreadable", str(error)) from error
    if not sheet.metres:
        raise SongError("no metre")
    if not sheet.notes:
        raise SongError("no notes")
    if not sheet.chords:
        raise SongError("no chords")
    melody = _part("lead", [(a, b, round(p)) for a, b, p in sheet.notes])
    return Song((melody, _part("chords", list(_voiced(sheet)))), _with_pickup(sheet))


def first_part(data: bytes) -> ElementTree.Element:
    """Return the first part of a score, packed or plain. Raises SongError."""
    try:
        part = _part_of(ElementTree.fromstring(_score(data)))
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # a damaged text, or one of an unknown encoding
        raise SongError("unreadable", str(error)) from error
    if part is None:
        raise SongError("unreadable", "no part")
    return part


def _part_of(score: ElementTree.Element) -> ElementTree.Element | None:
    """The first part; of a score that is ordered by measures it is put together."""
    if score.tag != "score-timewise":
        return score.find("part")
    part = ElementTree.Element("part")
    for measure in score.iter("measure"):
        own = measure.find("part")
        if own is not None:
            part.append(copy := ElementTree.Element("measure"))
            copy.extend(own)
    return part if len(part) else None


def _score(data: bytes) -> bytes:
    """The XML of a score, unpacked where it is compressed: the file that the container names, else the first."""
    if data[:2] != b"PK":
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            inner = [n for n in names if n.lower().endswith((".xml", ".musicxml")) and not n.startswith("META-INF")]
            inner = [n for n in _named_by_container(archive) if n in names] + inner
            if not inner:
                raise SongError("unreadable", "no score in the archive")
            with archive.open(inner[0]) as stream:
                score = stream.read(LARGEST_SCORE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise SongError("unreadable", str(error)) from error
    if len(score) > LARGEST_SCORE_BYTES:
        raise SongError("unreadable", "the score is too large")
    return score


def _named_by_container(archive: zipfile.ZipFile) -> list[str]:
    try:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
    except (KeyError, ElementTree.ParseError):
        return []
    return [str(e.get("full-path")) for e in container.iter() if e.tag.rpartition("}")[2] == "rootfile"]


def _read_bars(part: ElementTree.Element, sheet: _Sheet) -> None:
    start, divisions = 0.0, 1.0
    for measure in part.iter("measure"):
        now = end = start
        onset = start  # of the last note, for those that sound with it
        for element in measure:
            length = float(element.findtext("duration") or 0) / divisions
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
                if not divisions > 0:
                    raise SongError("unreadable", f"{divisions:g} divisions to a quarter note")
                if element.find("time") is not None:
                    beats, kind = element.findtext("time/beats") or "", element.findtext("time/beat-type") or ""
                    if not beats:
                        raise SongError("no metre")
                    sheet.metres.append((start, sum(map(int, beats.split("+"))), int(kind)))
            elif element.tag == "harmony":
                sheet.chords.append((now + float(element.findtext("offset") or 0) / divisions, _symbol(element)))
            elif element.tag == "backup":
                now -= length
            elif element.tag == "forward":
                now += length
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("chord") is None:
                    onset, now = now, now + length
                _take_note(element, onset, onset + length, sheet)
            end = max(end, now)
        sheet.bars.append((start, end))
        start = end


def _symbol(element: ElementTree.Element) -> Chord:
    step, alter = element.findtext("root/root-step") or "", element.findtext("root/root-alter") or "0"
    try:
        return parse_kind(step, int(float(alter)), element.findtext("kind") or "")
    except ValueError as error:
        raise SongError("unknown chord symbol", str(error)) from error


def _take_note(element: ElementTree.Element, start: float, end: float, sheet: _Sheet) -> None:
    """Add a note, or make the one it is tied to longer."""
    pitched = element.find("pitch")
    if pitched is None or end <= start:
        return
    alter = round(float(pitched.findtext("alter") or 0))
    pitch = 12 * (int(pitched.findtext("octave") or 4) + 1) + _STEPS[pitched.findtext("step") or "C"] + alter
    ties = {tie.get("type") for tie in element.findall("tie")}
    if "stop" in ties and pitch in sheet.tied:
        note = sheet.tied.pop(pitch)
        note[1] = end
    else:
        note = [start, end, float(pitch)]
        sheet.notes.append(note)
    if "start" in ties:
        sheet.tied[pitch] = note


def _voiced(sheet: _Sheet) -> Iterator[tuple[float, float, int]]:
    """Each chord in close position over its root, until the next one or the end."""
    changes = sorted(sheet.chords, key=lambda c: c[0])
    ends = [*(at for at, _ in changes[1:]), sheet.bars[-1][1]]
    for (start, (root, quality)), end in zip(changes, ends, strict=True):
        if root == NO_CHORD or end <= start:
            continue
        tones = {(root + i) % 12 for i in QUALITIES[quality]}
        for pitch in (BASS[root], *(p for p in CLOSE if p % 12 in tones)):
            yield start, end, pitch


def _with_pickup(sheet: _Sheet) -> tuple[tuple[float, int, int], ...]:
    """The metres, a short first bar as one of its own: the music counts from the bar after it."""
    (start, beats, kind), (_, end) = sheet.metres[0], sheet.bars[0]
    if start == 0 and 0 < end < beats * 4 / kind - 1e-6 and len(sheet.bars) > 1:
        sixteenths = max(round(end * 4), 1)
        rest = [m for m in sheet.metres[1:] if m[0] > end + 1e-6]
        return (0.0, sixteenths, 16), (end, beats, kind), *rest
    return (0.0, beats, kind), *sheet.metres[1:]


def _part(name: str, notes: list[tuple[float, float, int]]) -> Part:
    start, end, pitch = (np.asarray(column) for column in zip(*notes, strict=True))
    return Part(name, 0, False, start.astype(float), end.astype(float), pitch.astype(np.int64), np.full(len(notes), 80))
