"""Glass: struck bells that keep ringing.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pyo import HarmTable, MidiAdsr, MidiLinseg, Osc, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import echo, loudness, stereo


class Glass(Patch):
    """Struck glass: phase-modulated bells, spread over the stage."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("shine", 0, 0.45, 0.3, "cycles", doc="How bright a hard stroke is"),
        Param("ratio", 1, 8, 3.52, doc="Pitch of the modulator against the note: whole numbers are strings, others metal"),
        Param("echo", 0, 1, 0.3, doc="Level of the echoes"),
    )
    polyphony: ClassVar[int] = 8

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return two sines per voice, the upper bending the lower, and an echo for all."""
        self._sine = HarmTable([1], size=8192)  # pyo reads a table's memory without keeping the table alive

        def voice(note: Voice) -> PyoObject:
            # Ringing on after the key is up is what bells do: the release is almost as long as the fall.
            ring = MidiAdsr(note.velocity, attack=0.002, decay=3.0, sustain=0.0, release=1.2)
            stroke = MidiLinseg(note.velocity, [(0, 0), (0.003, 1), (0.1, 0.45), (0.5, 0.2), (2.0, 0)], hold=4, mul=p.shine)
            # Half a cycle on, because a phase below 0 or above 1 would be read outside the table.
            upper = Osc(self._sine, note.pitch * p.ratio, mul=stroke, add=0.5)
            return Osc(self._sine, note.pitch, phase=upper, mul=loudness(ring) * 0.37)

        return echo(stereo(notes.each(voice), width=0.5), time_s=0.268, feedback=0.4, level=p.echo)
