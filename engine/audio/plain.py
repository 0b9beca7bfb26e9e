"""The instrument of last resort: plays when a patch cannot be loaded.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace

from pyo import MidiAdsr, PyoObject, SineLoop

from engine.audio.patch import Notes, Param, Patch


class Plain(Patch):
    """Plain sine keys."""

    params = (Param("edge", 0, 0.3, 0.04, doc="how far the sine leans towards a sawtooth"),)

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return one enveloped sine per voice."""
        envelope = MidiAdsr(notes.velocity, attack=0.002, decay=0.3, sustain=0.5, release=0.15, mul=0.32)
        return SineLoop(notes.pitch, feedback=p.edge, mul=envelope).mix(2)
