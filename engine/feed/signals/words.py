"""The music in words: tempo, metre, mode, whose turn it is, scene, key, section, and how surprising the last bar was.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from engine.core.link import Link
from engine.core.parameters import Live
from engine.feed.signals.notes import Notes
from engine.feed.signals.section import Sections
from engine.jam.chords import ROOTS
from engine.jam.modes import CLASSES
from engine.transport.timeline import BeatTimeline

Word = tuple[str | int | float, ...]

KEY_BARS = 8.0  # time constant over which a key is heard
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])  # Krumhansl and Kessler 1982
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def _profiles() -> np.ndarray:
    found = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    found -= found.mean(1, keepdims=True)
    normed: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return normed


_PROFILES = _profiles()  # (24, 12): major keys, then minor ones


def key_of(sounded: np.ndarray) -> tuple[int, float]:
    """Return the key of how much of each pitch class sounded, (12,), and how sure it is, 0..1.

    0..11 are major, 12..23 minor, -1 is none.
    """
    centred = sounded - sounded.mean()
    size = float(np.linalg.norm(centred))
    if size < 1e-9:
        return -1, 0.0
    fits = _PROFILES @ centred / size
    best, second = np.sort(fits)[[-1, -2]]
    return int(fits.argmax()), float(np.clip(max(best, 0) * min((best - second) / 0.1, 1.0), 0, 1))


def _scene(record: np.void | None) -> Word:
    """Return the name and the number of the scene in force, of a SCENES record."""
    number = 0 if record is None else int(record["now"])
    try:
        name = json.loads(record["text"])["names"][number - 1] if record is not None and number > 0 else ""
    except (ValueError, LookupError):
        name = ""
    return str(name), number


@dataclass(frozen=True, slots=True)
class Said:
    """What a word means: its address, OSC types, and what it is."""

    path: str
    types: str
    doc: str
    example: str


WORDS = (
    Said("/music/tempo", "f", "Tempo, beats per minute as they are counted", "112.0"),
    Said("/music/metre", "sii", "Metre as a person writes it; numerator and denominator", '"4/4" 4 4'),
    Said("/music/playing", "i", "1 while the beat goes, 0 while it stands", "1"),
    Said("/music/mode", "si", "How the network plays with the musician, and the number of that mode", '"accompany" 1'),
    Said("/music/turn", "si", "Whose turn it is: player 0, band 1, or both 2 where nobody waits", '"both" 2'),
    Said("/music/scene", "si", "The scene that plays, and its number; empty and 0 where there is none", '"Lift" 2'),
    Said(
        "/music/key",
        "sif",
        "Key of the last bars; 0 to 11 major, 12 to 23 minor, by semitones above C (-1: none is heard); how sure it is, 0 to 1",
        '"A minor" 21 0.8',
    ),
    Said(
        "/music/section",
        "siif",
        "Section of the piece: a letter, the same where it sounds as one before; its number among the letters; which section "
        "in a row it is; how like the bar is to it, 0 to 1",
        '"B" 1 3 0.91',
    ),
    Said("/music/energy", "f", "Notes a second of the last bar, each counted by its velocity", "6.2"),
    Said("/music/surprise", "f", "How unlikely the notes of the last bar were, bits a step", "14.2"),
)


class Words:
    """What is said of the music now; `values` by address."""

    def __init__(self, link: Link, live: Live, pitched: list[int]) -> None:
        """`pitched`: the voices whose pitches are pitches, which those of drums are not."""
        self.values: dict[str, Word] = {said.path: () for said in WORDS}
        self.changes = 0  # so often something was otherwise than before
        self._before: dict[str, Word] = {}
        self._live = live
        self._pitched = pitched
        self._heard: np.ndarray | None = None  # how often each note had begun when the bar began
        self._classes = np.zeros(12)
        self._bar: int | None = None
        self._bits: list[float] = []
        self._sections = Sections()
        self._rings = (link["network"], link["scenes"])
        self._looked: tuple[object, ...] = ()  # at what there was then

    def step(self, bits: float) -> None:
        """A step was chosen, so surprising."""
        self._bits.append(bits)

    def look(self, line: BeatTimeline | None, frame: float, notes: Notes) -> None:
        """Say how it is at a frame."""
        bar = None if line is None else math.floor(line.place(line.beat_at(frame)) / line.beats_per_bar)
        stats, scenes = (ring.count for ring in self._rings)
        now = (line, bar, stats, scenes, stats or self._live.get("mode"))
        if now == self._looked:
            return
        self._looked = now
        values = self.values
        if line is not None:
            metre = line.metre
            values["/music/tempo"] = (round(line.counted_bpm, 2),)
            values["/music/metre"] = (metre.name, metre.numerator, metre.denominator)
            values["/music/playing"] = (int(line.playing),)
            if line.playing and bar != self._bar:
                self._end_bar(notes, 240.0 / line.tempo_bpm * line.numerator / line.denominator)
                self._bar = bar
        self._tell_jam()
        if values != self._before:
            self._before = dict(values)
            self.changes += 1

    def _tell_jam(self) -> None:
        values = self.values
        stats, scenes = (ring.latest() for ring in self._rings)
        mode = int(stats["mode"]) if stats is not None else int(self._live.get("mode"))
        of = CLASSES[mode] if 0 <= mode < len(CLASSES) else None
        values["/music/mode"] = (of.name if of else "", mode)
        turn = 2
        if of is not None and of.takes_turns:
            turn = int(stats is None or not stats["listening"])
        values["/music/turn"] = (("player", "band", "both")[turn], turn)
        values["/music/scene"] = _scene(scenes)

    def _end_bar(self, notes: Notes, bar_s: float) -> None:
        values = self.values
        before, self._heard = self._heard, notes.heard.copy()
        if before is None:
            before = self._heard
        began = self._heard - before
        classes = np.zeros(12)
        for voice in self._pitched:
            classes += np.bincount(np.arange(began.shape[1]) % 12, began[voice], 12)
        self._classes = self._classes * math.exp(-1 / KEY_BARS) + classes
        key, sure = key_of(self._classes)
        name = "" if key < 0 else f"{ROOTS[key % 12]} {'major' if key < 12 else 'minor'}"
        values["/music/key"] = (name, key, round(sure, 3))
        values["/music/energy"] = (round(notes.energy, 3),)
        if self._bits:
            values["/music/surprise"] = (round(float(np.mean(self._bits)), 3),)
            self._bits.clear()
        section = self._sections.end_bar(classes, began.sum(1) / max(bar_s, 0.1))
        values["/music/section"] = (section.letter, section.kind, section.place, round(section.likeness, 3))
