"""Pad: the air the others breathe.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pyo import ButLP, Freeverb, HarmTable, MidiAdsr, Osc, PyoObject, Sine

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import apart, beside, loudness, mono, together


class Pad(Patch):
    """Warm pad: a slowly opening saw in the middle, and a softer one beside it that drifts from ear to ear."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("brightness", 200, 8000, 3200, "Hz", "exp", "How far the filter opens at full velocity"),
        Param("drift", 0.05, 5, 0.6, "Hz", "exp", "How fast the second saw drifts"),
        Param("width", 0, 1, 0.5, doc="Level of the second saw"),
        Param("room", 0, 1, 0.25, doc="Share of reverberation"),
    )
    polyphony: ClassVar[int] = 6

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return the middle plus the drifting saw on the left, less it on the right: in mono nothing beats."""
        self._saw = HarmTable([1 / n for n in range(1, 25)], size=8192)  # folds back only above 1 kHz, faintly
        self._soft = HarmTable([1, 0.5, 0.3, 0.15, 0.1, 0.06], size=8192)
        breath = Sine(0.13, mul=p.brightness * 0.2, add=p.brightness)

        def voice(note: Voice) -> PyoObject:
            swell = MidiAdsr(note.velocity, attack=0.22, decay=2.0, sustain=0.8, release=1.1)
            loud = loudness(swell) * 0.135
            middle = ButLP(Osc(self._saw, note.pitch), swell * breath + note.pitch, mul=loud)
            return together([middle, Osc(self._soft, note.pitch + p.drift, mul=loud)])

        middles, sides = apart(notes.each(voice))
        middle, side = mono(middles), mono(sides) * p.width
        return Freeverb(beside(middle, side), size=0.82, damp=0.6, bal=p.room)
