"""Strings: a string machine with its ensemble.

Runs on: audio process.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar

from pyo import ButLP, HarmTable, MidiAdsr, Osc, PyoObject

from engine.audio.patch import Notes, Param, Patch, Voice
from patches._space import chorus, loudness, mono


class Strings(Patch):
    """String machine: one bowed saw per key, and two wandering ensembles."""

    params: ClassVar[tuple[Param, ...]] = (
        Param("brightness", 200, 10000, 3500, "Hz", "exp", "How far the filter opens at full velocity"),
        Param("ensemble", 0, 1, 0.6, doc="Depth of both ensembles"),
    )
    polyphony: ClassVar[int] = 8

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return a filtered oscillator per voice, then a slow and a fast chorus for all."""
        self._saw = HarmTable([math.cos(math.pi / 2 * (n - 1) / 24) / n for n in range(1, 25)], size=8192)

        def voice(note: Voice) -> PyoObject:
            bow = MidiAdsr(note.velocity, attack=0.09, decay=1.0, sustain=0.85, release=0.45)
            return ButLP(Osc(self._saw, note.pitch), bow * p.brightness + note.pitch, mul=loudness(bow) * 0.17)

        slow = chorus(mono(notes.each(voice)), p.ensemble, rate_hz=0.61, sway_s=0.0008)
        return chorus(slow, p.ensemble * 0.5, rate_hz=5.7, sway_s=0.0001)
