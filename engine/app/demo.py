"""The bundled performance: 40 s of a player at a MIDI keyboard, written out as text and humanised.

Runs on: nothing live; `python -m engine.app.demo` writes demo.mid beside this file, the same bytes every time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo

PATH = Path(__file__).with_name("demo.mid")
TEMPO_BPM = 112
TICKS_PER_BEAT = 480
BEND_RANGE_SEMITONES = 2

# One bar of 4/4 per line, after its number: NOTES-LENGTH with the length in 16ths; + joins the notes of a chord, .. rests,
# ! is struck harder, ^ is scooped from below with the bend wheel. A line that ends in `ped` is played with the pedal down.
# Bars that are not written are rests: room for an answer.
SCORE = """
 0: E5-3! D5-1 C5-2 A4-2 G4-2 A4-4! ..-2
 1: C5-2 D5-2 E5-3! G5-1 E5-4 ..-4

 4: A5-3! G5-1 E5-2 D5-2 C5-2 D5-4! ..-2
 5: E5-2 C5-2 A4-3 G4-1 A4-6^ ..-2

 8: C5+E5-2! ..-1 C5+E5-1 D5+F5-4! B4+D5-2 ..-2 C5+E5-2 D5+F5-2
 9: E5+G5-6! D5+F5-2 B4+D5-4 ..-4

12: A3+E4+C5-4! E5-4 D5-4 C5-4 ped
13: F3+C4+A4-4! C5-4 F5-6! E5-2 ped
14: C3+G3+E5-4! G5-4 E5-4 D5-4 ped
15: G3+D4+B4-4! D5-4 G5-8! ped
16: E5-2 G5-2 A5-6^ G5-2 E5-2 D5-2
17: C5-3! D5-1 E5-4 D5-2 B4-2 G4-4
18: A3+E4+A4+C5+E5-10! ped
"""

_SEMITONE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TOKEN = re.compile(r"(\.\.|[A-G]\d(?:\+[A-G]\d)*)-(\d+)([!^]*)")


@dataclass(frozen=True, slots=True)
class Stroke:
    """Notes struck together, as written: times in 16ths from the beginning."""

    start: int
    length: int
    pitches: tuple[int, ...]
    accent: bool
    scoop: bool
    pedal: bool


def read(score: str = SCORE) -> list[Stroke]:
    """Return the strokes of a score in order of time. Raises ValueError naming the bar and what is wrong with it."""
    strokes = []
    for line in filter(None, map(str.strip, score.splitlines())):
        number, _, text = line.partition(":")
        tokens = text.split()
        pedal = tokens[-1] == "ped"
        at = 0
        for token in tokens[: len(tokens) - pedal]:
            match = _TOKEN.fullmatch(token)
            if match is None:
                raise ValueError(f"bar {number}: {token!r} is not NOTES-LENGTH, for example A3+E4-8!")
            notes, length, marks = match[1], int(match[2]), match[3]
            if notes != "..":
                pitches = tuple(12 * (int(n[1]) + 1) + _SEMITONE[n[0]] for n in notes.split("+"))
                strokes.append(Stroke(16 * int(number) + at, length, pitches, "!" in marks, "^" in marks, pedal))
            at += length
        if at > 16:
            raise ValueError(f"bar {number}: is {at} sixteenths long, and a bar has 16")
    return strokes


def perform(strokes: list[Stroke], seed: int = TEMPO_BPM) -> Iterator[tuple[int, Message]]:
    """Yield (tick, message) as a person plays them: a little early or late, unevenly loud, chords not quite together."""
    # Random.random alone is promised to be the same in every Python; so all chance comes from it.
    chance = Random(seed).random

    def about(spread: float) -> float:
        return (chance() + chance() - 1) * spread

    sixteenth = TICKS_PER_BEAT / 4
    for stroke in strokes:
        start = stroke.start * sixteenth + about(16)  # 16 ticks are 18 ms
        end = start + stroke.length * sixteenth * (0.88 + about(0.07))
        weight = 10 if stroke.start % 16 == 0 else 5 if stroke.start % 4 == 0 else 0
        for i, pitch in enumerate(stroke.pitches):
            on = max(0, round(start + i * (4 + about(3))))
            top = 6 * (i == len(stroke.pitches) - 1)
            yield on, Message("note_on", note=pitch, velocity=round(70 + weight + top + 14 * stroke.accent + about(7)))
            yield round(end + about(10)), Message("note_off", note=pitch, velocity=40)
        if stroke.scoop:
            yield from _scoop(round(start))
    yield from _pedalled(strokes)


def _scoop(tick: int) -> Iterator[tuple[int, Message]]:
    """The bend wheel let go from a semitone below, within a 16th, and a slow vibrato after it."""
    for i in range(13):
        yield tick - 2 + 9 * i, Message("pitchwheel", pitch=round(-8192 / BEND_RANGE_SEMITONES * (1 - i / 12) ** 2))
    for i in range(1, 17):
        yield tick + 240 + 15 * i, Message("pitchwheel", pitch=round(500 * ((0, 1, 0, -1)[i % 4])))


def _pedalled(strokes: list[Stroke]) -> Iterator[tuple[int, Message]]:
    """The pedal is caught just after each chord, and let go as its bar ends."""
    for bar in sorted({s.start // 16 for s in strokes if s.pedal}):
        begin = bar * 4 * TICKS_PER_BEAT
        last = max(s.start + s.length for s in strokes if s.start // 16 == bar)
        yield begin + 90, Message("control_change", control=64, value=127)
        yield last * TICKS_PER_BEAT // 4 - 20, Message("control_change", control=64, value=0)


def compose() -> MidiFile:
    """Return the performance; tick 0 is beat 0."""
    # What ends comes before what begins on the same tick: a note struck again must not be ended by its own forerunner.
    events = sorted(perform(read()), key=lambda event: (event[0], event[1].type == "note_on"))
    track = MidiTrack([MetaMessage("track_name", name="Player"), MetaMessage("set_tempo", tempo=bpm2tempo(TEMPO_BPM))])
    before = 0
    for tick, message in events:
        track.append(message.copy(time=tick - before))
        before = tick
    end = round(40 * TEMPO_BPM / 60 * TICKS_PER_BEAT)
    track.append(MetaMessage("end_of_track", time=end - before))
    return MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])


if __name__ == "__main__":
    compose().save(PATH)
