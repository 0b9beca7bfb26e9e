"""Lead: the voice that is heard above the others.

Runs on: audio process.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar

from pyo import Biquad, HarmTable, MidiAdsr, Osc, PyoObject, Sine

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import apart, beside, echo, loudness, mono, together


class Lead(Patch):
    """Singing lead: a saw with vibrato through a resonant filter, a softer one beside it, and an echo."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("cutoff", 100, 8000, 500, "Hz", "exp", "Where the filter rests, above the note"),
        Param("touch", 0, 10000, 5000, "Hz", doc="How far velocity opens it"),
        Param("resonance", 0.5, 8, 1.2, "Q", "exp", "Edge of the filter"),
        Param("width", 0, 1, 0.5, doc="Level of the second saw"),
        Param("vibrato", 0, 0.02, 0.003, doc="Depth, as a share of the pitch"),
        Param("echo", 0, 1, 0.22, doc="Level of the echoes"),
    )
    polyphony: ClassVar[int] = 4

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return two oscillators and a filter per voice, then the echo for all."""
        # Upper harmonics softer than a saw's, so that what folds back above 1 kHz stays faint.
        self._saw = HarmTable([math.cos(math.pi / 2 * (n - 1) / 20) / n for n in range(1, 21)], size=8192)
        self._soft = HarmTable([1, 0.5, 0.3, 0.15, 0.1, 0.06], size=8192)
        sway = Sine(5.3, mul=p.vibrato, add=1)

        def voice(note: Voice) -> PyoObject:
            pitch = note.pitch * sway
            held = MidiAdsr(note.velocity, attack=0.008, decay=0.5, sustain=0.75, release=0.22)
            loud = loudness(held) * 0.175
            middle = Biquad(Osc(self._saw, pitch), pitch + held * p.touch + p.cutoff, p.resonance, mul=loud)
            return together([middle, Osc(self._soft, pitch * 1.003, mul=loud)])

        middles, sides = apart(notes.each(voice))
        middle, side = mono(middles), mono(sides) * p.width
        return echo(beside(middle, side), time_s=0.402, feedback=0.35, level=p.echo)
