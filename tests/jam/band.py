"""The shipped band in the real loop, without sound: what it played, by track, in beats from bar 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.core.contract import read_card
from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from tests.jam.test_performance import RATE, Hall

FESTIVAL = Path(__file__).parents[2] / "models/festival/festival.onnx"
CARD = read_card(FESTIVAL)
TRACKS = [track.name for track in CARD.tracks]
PITCHED = [track.name for track in CARD.tracks if track.kind != "drums"]
BEATS = 4
BEGIN, LENGTH, PITCH, VELOCITY = range(4)  # columns of notes
Turn = tuple[str, float | str] | str  # a parameter that is set, or a trigger that is pulled


class Band(Hall):
    """`bars` bars from bar 1. `player`: his notes as (beat, beats, pitch, velocity); `turns`: what is turned, by beat."""

    def __init__(
        self,
        bars: int,
        mode: str = "solo",
        player: Iterable[tuple[float, float, int, int]] = (),
        turns: Mapping[float, Sequence[Turn]] | None = None,
        **values: float | str,
    ) -> None:
        """`values`: parameters to begin with, a point in their names written as two underlines."""
        super().__init__(FESTIVAL, {}, mode)
        for name, value in values.items():
            self.turn((name.replace("__", "."), value))
        his = [(beat, NOTE_ON, pitch, velocity) for beat, _, pitch, velocity in player]
        his += [(beat + beats, NOTE_OFF, pitch, 0) for beat, beats, pitch, _ in player]
        self.his = sorted(his, key=lambda event: (event[0], event[1] == NOTE_ON))
        self.turns = sorted((turns or {}).items())
        self.end = 2**62
        self.live.fire("transport.start")
        self.transport.take_parameters(0)
        self.performance.run(bars * CARD.steps_per_bar)
        for _ in range(RATE // 2 // BLOCK):
            self.block()

    def turn(self, what: Turn) -> None:
        if isinstance(what, str):
            self.live.fire(what)
        else:
            self.live.set(what[0], self.live.registry[what[0]].parse(str(what[1])))

    def block(self) -> None:
        line = self.transport.line
        if line.playing:
            end = line.place(line.beat_at(self.frame + BLOCK))
            while self.turns and self.turns[0][0] < end:
                for what in self.turns.pop(0)[1]:
                    self.turn(what)
            while self.his and self.his[0][0] < end:
                beat, kind, pitch, velocity = self.his.pop(0)
                frame = round(line.frame_at(beat + line.bar_beat))
                self.link.writer("events").push((frame, -1, kind, PLAYER, pitch, velocity, 0.0))
        super().block()

    @property
    def notes(self) -> dict[str, np.ndarray]:
        """What each track played: (n, 4)."""
        line = self.transport.line
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in TRACKS}
        down: dict[tuple[int, int], tuple[float, int]] = {}
        for event in self.heard:
            beat = line.place(line.beat_at(event.frame))
            if event.kind == NOTE_ON:
                down[event.track, event.pitch] = (beat, event.velocity)
            elif (begun := down.pop((event.track, event.pitch), None)) is not None:
                found[TRACKS[event.track]].append((begun[0], beat - begun[0], event.pitch, begun[1]))
        for (track, pitch), (beat, velocity) in down.items():
            found[TRACKS[track]].append((beat, 1.0, pitch, velocity))
        return {name: np.asarray(sorted(notes), float).reshape(-1, 4) for name, notes in found.items()}

    def pitched(self) -> np.ndarray:
        """All notes that are no drums."""
        notes = self.notes
        return np.concatenate([notes[name] for name in PITCHED])

    def every(self) -> np.ndarray:
        """All notes."""
        return np.concatenate(list(self.notes.values()))

    def cells(self, begin: float, beats: float) -> set[tuple[str, int, int]]:
        """What begins in some beats, by track, timestep from the first of them, and pitch."""
        return {
            (name, round((note[BEGIN] - begin) * CARD.steps_per_beat), int(note[PITCH]))
            for name, notes in self.notes.items()
            for note in notes
            if begin - 0.12 <= note[BEGIN] < begin + beats - 0.12
        }

    def like(self, one: float, other: float, beats: float) -> float:
        """Share of what begins in two stretches that begins in both."""
        first, second = self.cells(one, beats), self.cells(other, beats)
        return len(first & second) / max(len(first | second), 1)


def tune(bars: int, chords: str = "C G Am F", velocity: int | Sequence[int] = 90) -> list[tuple[float, float, int, int]]:
    """A player's melody, a chord a bar; `velocity` of all bars, or of each in turn."""
    tones = {"C": (72, 76, 79), "G": (79, 83, 86), "Am": (81, 84, 88), "F": (77, 81, 84)}
    names = chords.split()
    loud = [velocity] * bars if isinstance(velocity, int) else [velocity[bar % len(velocity)] for bar in range(bars)]
    rhythm = ((0, 1, 0), (1, 0.5, 1), (1.5, 0.5, 2), (2, 1, 1), (3, 0.5, 2), (3.5, 0.5, 0))
    return [
        (bar * BEATS + at, 0.9 * beats, tones[names[bar % len(names)]][tone], loud[bar])
        for bar in range(bars)
        for at, beats, tone in rhythm
    ]
