"""The sounds that are always there: the instrument of last resort and the metronome.

Runs on: audio process.
"""

from __future__ import annotations

from types import SimpleNamespace

from pyo import CosTable, MidiAdsr, PyoObject, Sine, SineLoop, TrigEnv

from engine.audio.patch import Notes, Param, Patch

BEAT, DOWNBEAT = 0, 1  # the pitches of Click


class Plain(Patch):
    """Plain sine keys: plays when a patch cannot be loaded."""

    params = (Param("edge", 0, 0.3, 0.04, doc="how far the sine leans towards a sawtooth"),)

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return one enveloped sine per voice."""
        envelope = MidiAdsr(notes.velocity, attack=0.002, decay=0.3, sustain=0.5, release=0.15, mul=0.32)
        return SineLoop(notes.pitch, feedback=p.edge, mul=envelope).mix(2)


class Click(Patch):
    """Metronome: one short tone for the beat, a higher one for the downbeat."""

    params = (Param("hz", 200, 4000, 1000, "Hz", "exp", "pitch of the beat; the downbeat is a fifth higher"),)
    polyphony = 1

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return two tones of 30 ms."""
        self._fall = CosTable([(0, 0.0), (100, 1.0), (2000, 0.3), (8191, 0.0)])  # pyo does not keep a table alive
        beat, downbeat = notes.key(BEAT), notes.key(DOWNBEAT)
        tones = Sine(p.hz, mul=TrigEnv(beat.on, self._fall, 0.03, mul=beat.velocity)) + Sine(
            p.hz * 1.5, mul=TrigEnv(downbeat.on, self._fall, 0.03, mul=downbeat.velocity)
        )
        return (tones * 0.4).mix(2)
