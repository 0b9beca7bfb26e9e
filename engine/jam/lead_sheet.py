"""The chords of a MusicXML lead sheet, bar by bar, with its repeats and endings as they are written.

Runs on: main process checks it, the network process plays by it. Of the score the first part that has chords counts.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from xml.etree import ElementTree

from engine.core.metre import Metre
from engine.jam.bars import MOST_TIMES, Bar

LARGEST_BYTES = 20_000_000  # of a score, unpacked
_ALTERED = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
# MusicXML's kinds, as charts write them.
KINDS = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "maj7",
    "minor-seventh": "m7", "diminished-seventh": "dim7", "half-diminished": "m7b5", "augmented-seventh": "aug",
    "major-minor": "m", "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "7", "major-ninth": "maj7",
    "minor-ninth": "m7", "dominant-11th": "7sus4", "major-11th": "maj7", "minor-11th": "m7", "dominant-13th": "7",
    "major-13th": "maj7", "minor-13th": "m7", "suspended-second": "sus2", "suspended-fourth": "sus4", "power": "5",
}  # fmt: skip


def bars_of(data: bytes, metre: Metre) -> list[Bar]:
    """Return the bars of a score (.mxl, .musicxml) with the words of a chart. Raises ValueError with all that is wrong."""
    try:
        score = ElementTree.fromstring(_unpacked(data))
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f"it is no MusicXML that can be read ({error})") from error
    part = next((part for part in score.findall("part") if part.find("measure/harmony") is not None), None)
    if part is None:
        raise ValueError("it has no part with chord symbols")
    reader = _Reader(metre)
    bars = reader.read(part)
    if reader.unknown:
        raise ValueError(*reader.unknown)
    if all(set(bar.words) == {"-"} for bar in bars):
        raise ValueError("it has no chord that sounds")
    return _begun(bars)


def _begun(bars: list[Bar]) -> list[Bar]:
    """Before the first chord there is none: it is there from the beginning."""
    first = next(word for bar in bars for word in bar.words if word != "-")
    bars = list(bars)
    if bars[0].words[0] == "-":
        bars[0] = bars[0]._replace(words=(first, *bars[0].words[1:]))
    return bars


class _Reader:
    """Reads the measures of a part; places in quarter notes from the bar's beginning."""

    def __init__(self, metre: Metre) -> None:
        self._metre = metre
        self._divisions = 1.0
        self._ending: frozenset[int] = frozenset()
        self.unknown: list[str] = []  # of the chords that cannot be read, which and where

    def read(self, part: ElementTree.Element) -> list[Bar]:
        found: list[Bar] = []
        for number, measure in enumerate(part.findall("measure"), 1):
            try:
                bar, length = self._bar(measure, number)
            except (ValueError, ArithmeticError) as error:
                raise ValueError(f"bar {number}: {error}") from error
            if number == 1 and 0 < length < self._metre.bar - 1e-6:
                continue  # a pickup: the music counts from the bar after it
            found.append(bar)
        return found

    def _bar(self, measure: ElementTree.Element, number: int) -> tuple[Bar, float]:
        now = end = 0.0
        words = ["-"] * self._metre.beats
        begins, times = False, 1
        ends_here = False
        for element in measure:
            length = float(element.findtext("duration") or 0) / self._divisions
            if element.tag == "attributes":
                self._attributes(element)
            elif element.tag == "harmony":
                at = now + float(element.findtext("offset") or 0) / self._divisions
                word = self._word(element, number)
                if word:
                    words[min(max(int(at / self._metre.beat + 1e-6), 0), len(words) - 1)] = word
            elif element.tag == "backup":
                now -= length
            elif element.tag == "forward" or (element.tag == "note" and element.find("chord") is None):
                now += length if element.find("grace") is None else 0
            elif element.tag == "barline":
                repeat, ending = element.find("repeat"), element.find("ending")
                if repeat is not None and repeat.get("direction") == "forward":
                    begins = True
                elif repeat is not None:
                    times = min(max(int(repeat.get("times") or 2), 2), MOST_TIMES)
                if ending is not None and ending.get("type") == "start":
                    self._ending = frozenset(map(int, re.findall(r"\d+", ending.get("number") or "")))
                elif ending is not None:
                    ends_here = True
            end = max(end, now)
        bar = Bar(_short(words), begins, times, self._ending)
        if ends_here:
            self._ending = frozenset()
        return bar, end

    def _word(self, harmony: ElementTree.Element, number: int) -> str:
        try:
            return _word(harmony)
        except ValueError as error:
            said = str(error) if not self.unknown else str(error).split(";")[0]  # what is understood is told once
            self.unknown.append(f"bar {number}: {said}")
            return ""

    def _attributes(self, element: ElementTree.Element) -> None:
        self._divisions = float(element.findtext("divisions") or self._divisions)
        if not self._divisions > 0:
            raise ValueError(f"{self._divisions:g} divisions to a quarter note")
        if element.find("time/beats") is None:
            return
        beats, kind = element.findtext("time/beats") or "", element.findtext("time/beat-type") or ""
        if sum(map(int, beats.split("+"))) * 4 / int(kind) != self._metre.bar:
            raise ValueError(f"it is in {beats}/{kind}, and {self._metre.name} is played; set jam.metre to {beats}/{kind}")


def _word(harmony: ElementTree.Element) -> str:
    """A chord as a chart writes it; empty for "no chord". Raises ValueError."""
    kind = (harmony.findtext("kind") or "").strip()
    if kind == "none":
        return ""
    if kind not in KINDS:
        raise ValueError(f"the chord {kind!r} is not known here; known are: {', '.join(KINDS)}")
    step, alter = harmony.findtext("root/root-step") or "", int(float(harmony.findtext("root/root-alter") or 0))
    if not re.fullmatch("[A-G]", step) or alter not in _ALTERED:
        raise ValueError("a chord has no root")
    return step + _ALTERED[alter] + KINDS[kind]


def _short(words: list[str]) -> tuple[str, ...]:
    """The same with as few words as a bar needs."""
    places = [place for place, word in enumerate(words) if word != "-"]
    if places and places == [n * len(words) // len(places) for n in range(len(places))]:
        return tuple(words[place] for place in places)
    return tuple(words) if places else ("-",)


def _unpacked(data: bytes) -> bytes:
    """The XML of a score; of a compressed one the file that the container names, else the first."""
    if data[:2] != b"PK":
        return _bounded(data[: LARGEST_BYTES + 1])
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith((".xml", ".musicxml"))]
            named = _named(archive) if "META-INF/container.xml" in names else []
            inner = [n for n in named if n in names] + [n for n in names if not n.startswith("META-INF")]
            if not inner:
                raise ValueError("there is no score in the archive")
            with archive.open(inner[0]) as stream:
                return _bounded(stream.read(LARGEST_BYTES + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"the archive cannot be read ({error})") from error


def _named(archive: zipfile.ZipFile) -> list[str]:
    with archive.open("META-INF/container.xml") as stream:
        container = ElementTree.fromstring(_bounded(stream.read(LARGEST_BYTES + 1)))
    return [str(e.get("full-path")) for e in container.iter() if e.tag.rpartition("}")[2] == "rootfile"]


def _bounded(score: bytes) -> bytes:
    if len(score) > LARGEST_BYTES:
        raise ValueError("the score is too large")
    return score
