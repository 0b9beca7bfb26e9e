"""Electric piano: what the player hears unless he chooses otherwise.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pyo import HarmTable, MidiAdsr, MidiLinseg, Osc, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import chorus, loudness, mono


class Keys(Patch):
    """Electric piano: warm when touched, barking when struck."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("bark", 0, 0.34, 0.3, "cycles", doc="How much brighter a hard stroke is"),
        Param("warmth", 0, 0.1, 0.09, "cycles", doc="Overtones of the tone that stays"),
        Param("chorus", 0, 1, 0.35, doc="Width and shimmer"),
    )
    polyphony: ClassVar[int] = 10

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return phase-modulated sines: the modulator has the note's pitch, with a trace of the tine, seven times higher."""
        # Attributes, because pyo reads a table's memory without keeping the table alive.
        self._tone = HarmTable([1], size=8192)
        self._hammer = HarmTable([1, 0, 0, 0, 0, 0, 0.12], size=8192)

        def voice(note: Voice) -> PyoObject:
            key = MidiAdsr(note.velocity, attack=0.003, decay=5.0, sustain=0.0, release=0.35)
            stroke = MidiLinseg(note.velocity, [(0, 0), (0.004, 1), (0.1, 0.45), (0.4, 0.15), (1.2, 0)], hold=4, mul=p.bark)
            # Both read from the same start at the same speed, so they stay in phase for ever and there is no DC.
            # Half a cycle on, because a phase below 0 or above 1 would be read outside the table.
            hammer = Osc(self._hammer, note.pitch, mul=key * p.warmth + stroke, add=0.5)
            return Osc(self._tone, note.pitch, phase=hammer, mul=loudness(key) * 0.25)

        return chorus(mono(notes.each(voice)), p.chorus)
