"""What a patch is: one class in one file of `patches/`, that makes a sound of voices and knobs.

Runs on: audio process. A patch is built on the control thread; its `note_on` is called from the audio callback.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from pyo import PyoObject

from engine.audio.voices import Notes, Voice

__all__ = ["Notes", "Param", "Patch", "Voice"]  # all that a patch's file needs


@dataclass(frozen=True)
class Param:
    """One knob of a patch. `curve`: linear or exp (for sliders)."""

    name: str
    minimum: float
    maximum: float
    default: float
    unit: str = ""
    curve: str = "linear"
    doc: str = ""


class Patch:
    """One instrument; the first line of a subclass's docstring is what a menu shows."""

    params: ClassVar[tuple[Param, ...]] = ()
    polyphony: ClassVar[int] = 8

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        """Return the sound: a PyoObject of 2 streams, without `.out()`; `p.<name>` is the SigTo of a declared Param.

        About -12 dBFS peak for one note at velocity 100. Everything is made here, once: nothing is made while it plays.
        """
        raise NotImplementedError("a patch must define build(self, notes, p)")

    def note_on(self, pitch: int, velocity: float) -> None:
        """Optional: called as a note begins (velocity 0..1), just before its block is rendered. Must be quick."""

    def free(self) -> None:
        """Optional: let go of what `build` opened (files, buffers)."""
