"""Instruments: what a patch is, the voices that play it, and the loader that finds it in `patches/`.

Runs on: audio process. Voices are played from the audio callback; patches are loaded and built by the control thread.
Everything here needs a pyo Server to have been booted, except `available` and `load`.
"""

from __future__ import annotations

import importlib.util
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pyo
from pyo import PyoObject, Sig, SigTo

from engine.audio.voices import GLIDE_S, Notes, Voice, made_after, may_sleep
from engine.core.errors import PatchError

# A patch is written against this one module.
__all__ = ["Instrument", "Notes", "Param", "Patch", "Voice", "available", "fault", "load"]

FOLDER = Path(__file__).resolve().parent.parent.parent / "patches"
_NOT_PATCHES = (str(Path(__file__).resolve().parent.parent), str(Path(pyo.__file__).parent), "<frozen")  # engine, pyo, import


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


class Instrument:
    """A patch that was built: its voices, its knobs and its sound.

    Whoever hears that it has long been silent may put it to sleep: then it costs next to nothing until its next note.
    """

    def __init__(self, name: str, patch: type[Patch]) -> None:
        """Build a patch of this class. Raises PatchError that names the line at fault."""
        self.name = name
        self.is_asleep = False
        before = Sig(0.0)
        try:
            self._patch = patch()
            self.notes = Notes(patch.polyphony)
            self.knobs = SimpleNamespace(**{k.name: SigTo(k.default, GLIDE_S, k.default) for k in patch.params})
            self.sound = self._patch.build(self.notes, self.knobs)
            if not isinstance(self.sound, PyoObject):
                raise TypeError(f"build() must return a PyoObject, not {type(self.sound).__name__}")
            if len(self.sound) != 2:
                raise TypeError(f"build() must return 2 streams, not {len(self.sound)}; .mix(2) or Pan makes two")
        except Exception as error:  # whatever a patch does wrong must not end the sound of the others
            raise PatchError(fault(name, error)) from error
        of_voices = {id(base) for voice in self.notes.voices() for base in voice.made}
        self._shared = [base for base in made_after(before) if id(base) not in of_voices]
        self._sleeps = may_sleep(self._shared)

    def listen(self, blocks: int) -> None:
        """Let voices that have fallen silent sleep, `blocks` blocks after the last time."""
        if not self.is_asleep:
            self.notes.listen(blocks)

    def sleep(self) -> None:
        """Stop computing, if the patch bears it; to be called when it puts out silence."""
        if self._sleeps and not self.is_asleep:
            self.is_asleep = True
            self._stop()

    def _stop(self) -> None:
        for base in self._shared:
            base.stop()
        for voice in self.notes.voices():
            voice.sleep()

    def _wake(self) -> None:
        self.is_asleep = False
        for base in self._shared:
            base.play()

    def note_on(self, pitch: int, velocity: float) -> None:
        """Begin a note; `velocity` 0..1. Raises whatever the patch's own note_on raises."""
        if self.is_asleep:
            self._wake()
        self._patch.note_on(pitch, velocity)
        self.notes.note_on(pitch, velocity)

    def free(self) -> None:
        """Stop for good and let the patch close what it opened.

        The object itself must be kept while the server runs: pyo's objects outlive the Python that made them, and go on reading
        tables that do not.
        """
        self._stop()
        try:
            self._patch.free()
        except Exception as error:  # as above
            raise PatchError(fault(self.name, error)) from error


def available(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the patches there are, by name: the files of `folder` that do not begin with an underscore."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def load(name: str, folder: Path = FOLDER) -> type[Patch]:
    """Read a patch's file, anew each time, and return its class; `name` is one of `available`, or the path of a .py file.

    Raises PatchError naming file, line and fault.
    """
    paths = available(folder)
    path = Path(name) if name.endswith(".py") else paths.get(name)
    if path is None or not path.is_file():
        raise PatchError(
            f"there is no patch {name!r}; give the path of a .py file, or one of {', '.join(paths) or 'none'} (in {folder})"
        )
    spec = importlib.util.spec_from_file_location(f"patches.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a patch's file may do anything
        raise PatchError(fault(name, error)) from error
    found = [
        c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Patch) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise PatchError(f"{path}: must define one class derived from Patch, and defines {len(found)}")
    return found[0]


def fault(name: str, error: BaseException) -> str:
    """Say where in the patch's own file the error came from."""
    if isinstance(error, SyntaxError):
        return f"patch {name}: {error.filename}:{error.lineno}: {error.msg}"
    places = traceback.extract_tb(error.__traceback__)
    place = next((p for p in reversed(places) if not p.filename.startswith(_NOT_PATCHES)), places[-1])
    return f"patch {name}: {place.filename}:{place.lineno}: {type(error).__name__}: {error}"
