"""Pluck: a short bright string.

Runs on: audio process.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar

from pyo import Biquad, HarmTable, MidiAdsr, MidiLinseg, Osc, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import echo, loudness, stereo


class Pluck(Patch):
    """Plucked string: its overtones die first."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("brightness", 500, 16000, 7000, "Hz", "exp", "Overtones of a hard pluck"),
        Param("body", 100, 4000, 900, "Hz", "exp", "Where they stop falling, above the note"),
        Param("echo", 0, 1, 0.25, doc="Level of the echoes"),
    )
    polyphony: ClassVar[int] = 8

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return an oscillator per voice through a filter that closes at once, and an echo for all."""
        # Plucked at a fifth of its length, a string lacks every fifth overtone.
        self._string = HarmTable([math.sin(math.pi * n / 5) / n for n in range(1, 21)], size=8192)

        def voice(note: Voice) -> PyoObject:
            tone = MidiAdsr(note.velocity, attack=0.002, decay=2.2, sustain=0.0, release=0.25)
            pick = MidiLinseg(note.velocity, [(0, 0), (0.002, 1), (0.05, 0.5), (0.2, 0.2), (0.9, 0)], hold=4, mul=p.brightness)
            return Biquad(Osc(self._string, note.pitch), note.pitch + pick + p.body, q=0.9, mul=loudness(tone) * 0.3)

        return echo(stereo(notes.each(voice), width=0.5), time_s=0.402, feedback=0.3, level=p.echo)
