"""Synthesiser bass: the ground under everybody.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pyo import Biquad, HarmTable, MidiAdsr, MidiLinseg, Osc, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import loudness, stereo


class Bass(Patch):
    """Round synthesiser bass: a saw with a sine below it, through a filter that opens with the stroke."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("cutoff", 60, 2000, 400, "Hz", "exp", "Where the filter rests, above the note"),
        Param("stroke", 0, 6000, 2600, "Hz", doc="How far a hard stroke opens it"),
        Param("resonance", 0.5, 8, 0.9, "Q", "exp", "Edge of the filter"),
    )
    polyphony: ClassVar[int] = 3

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return one oscillator, filter and envelope per voice, in the middle of the stage."""
        # A saw of 40 harmonics (none folds back below 600 Hz) that leans on its fundamental.
        self._saw = HarmTable([1.4] + [0.8 / n for n in range(2, 41)], size=8192)

        level = p.resonance * -0.008 + 0.3472  # an edge that sings stands out by itself

        def voice(note: Voice) -> PyoObject:
            held = MidiAdsr(note.velocity, attack=0.004, decay=1.5, sustain=0.8, release=0.1)
            stroke = MidiLinseg(note.velocity, [(0, 0), (0.006, 1), (0.1, 0.45), (0.5, 0.15), (1.5, 0)], hold=4, mul=p.stroke)
            return Biquad(Osc(self._saw, note.pitch), note.pitch + stroke + p.cutoff, p.resonance, mul=loudness(held) * level)

        return stereo(notes.each(voice), width=0)
