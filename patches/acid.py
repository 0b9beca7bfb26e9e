"""Acid: one squelching voice.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pyo import DCBlock, HarmTable, MidiAdsr, MidiLinseg, MoogLP, Osc, Port, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import loudness, stereo


class Acid(Patch):
    """Acid bass: one voice that glides, through a ladder on the edge of singing."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("cutoff", 60, 3000, 180, "Hz", "exp", "Where the filter rests, above the note"),
        Param("accent", 0, 8000, 3200, "Hz", doc="How far a hard note opens it"),
        Param("resonance", 0, 1.2, 0.75, doc="Edge of the ladder"),
        Param("glide", 0.001, 0.3, 0.02, "s", "exp", "Time to slide from note to note"),
    )
    polyphony: ClassVar[int] = 1

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return one saw through a ladder filter."""
        self._saw = HarmTable([1 / n for n in range(1, 41)], size=8192)

        def voice(note: Voice) -> PyoObject:
            pitch = Port(note.pitch, p.glide, p.glide)
            held = MidiAdsr(note.velocity, attack=0.003, decay=0.5, sustain=0.85, release=0.06)
            accent = MidiLinseg(note.velocity, [(0, 0), (0.004, 1), (0.1, 0.45), (0.3, 0.12), (0.6, 0)], hold=4, mul=p.accent)
            ladder = MoogLP(Osc(self._saw, pitch), pitch + accent + p.cutoff, p.resonance)
            return DCBlock(ladder, mul=loudness(held) * 0.5)  # the ladder bends one side more than the other

        return stereo(notes.each(voice), width=0)
