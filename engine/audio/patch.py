"""Instruments: what a patch is, the voices that play it, and the loader that finds it in `patches/`.

Runs on: audio process. Voices are played from the audio callback; patches are loaded and built by the control thread.
Everything here needs a pyo Server to have been booted, except `available` and `load`.
"""

from __future__ import annotations

import importlib.util
import math
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pyo
from pyo import Dummy, PyoObject, Sig, SigTo, Trig

from engine.core.errors import PatchError

FOLDER = Path(__file__).resolve().parent.parent.parent / "patches"
_NOT_PATCHES = (str(Path(__file__).resolve().parent.parent), str(Path(pyo.__file__).parent), "<frozen")  # engine, pyo, import
GLIDE_S = 0.02  # every level and parameter moves to its new value in this time, so that none clicks
SILENT = 1e-5  # -100 dBFS
VOICE_SLEEP_BLOCKS = 375  # half a second at 48 kHz
# Pyo objects whose play() begins something, and does not only go on: what has one is never put to sleep.
_BEGINNERS = {"Adsr_base", "Expseg_base", "Fader_base", "Linseg_base", "Metro_base", "Seq_base", "SfPlayer_base"}


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


class Voice:
    """One voice of a patch: what it plays as streams, each made when it is first asked for, and what was made of them.

    What is set here is heard from the first sample of the block that is rendered next.
    """

    def __init__(self) -> None:
        self.is_asleep = False
        self._quiet_blocks = 0
        self.made: list[Any] = []  # base objects that only this voice needs
        self._sounds: list[Any] = []  # the streams that come of them
        # The streams' setters; empty until the patch asks for the stream, so that drums that only use `key` pay nothing.
        self.set_hz: list[Callable[[float], None]] = []
        self.set_velocity: list[Callable[[float], None]] = []
        self.fire: list[Callable[[], None]] = []

    @cached_property
    def pitch(self) -> PyoObject:
        """Hz, pitch bend included; keeps its value after the note."""
        return _pitch([self])

    @cached_property
    def velocity(self) -> PyoObject:
        """0..1 while the note is held, else 0. The first sample of every note is 0: see Notes.velocity."""
        return _velocity([self], self.on)

    @cached_property
    def on(self) -> PyoObject:
        """A trigger: 1 on the first sample of a note, else 0."""
        return _on([self])

    def build(self, make: Callable[[Voice], PyoObject]) -> PyoObject:
        """Return what `make` makes of this voice, and remember all of it."""
        before = Sig(0.0)
        sound = make(self)
        if not isinstance(sound, PyoObject):
            raise TypeError(f"each() wants a PyoObject for every voice, not {type(sound).__name__}")
        made = _made_after(before)
        if _may_sleep(made):
            self.made += made
            self._sounds += [base._getStream() for base in sound.getBaseObjects()]
        return sound

    def listen(self, blocks: int) -> None:
        """Hear, `blocks` blocks after the last time, whether it has long been silent: then it sleeps. Not while it is held."""
        if self.is_asleep:
            return
        quiet = all(-SILENT < stream.getValue() < SILENT for stream in self._sounds)
        self._quiet_blocks = self._quiet_blocks + blocks if quiet else 0
        if self._quiet_blocks >= VOICE_SLEEP_BLOCKS:
            self.sleep()

    def sleep(self) -> None:
        """Stop computing."""
        if not self.is_asleep:
            self.is_asleep = True
            for base in self.made:
                base.stop()

    def note_on(self, hz: float, velocity: float) -> None:
        """Begin a note."""
        if self.is_asleep:
            self.is_asleep = False
            for base in self.made:
                base.play()
        self._quiet_blocks = 0
        for set_hz in self.set_hz:
            set_hz(hz)
        for set_velocity in self.set_velocity:
            set_velocity(velocity)
        for fire in self.fire:
            fire()

    def note_off(self) -> None:
        """Release the note."""
        for set_velocity in self.set_velocity:
            set_velocity(0.0)


def _pitch(voices: list[Voice]) -> PyoObject:
    streams = Sig([440.0] * len(voices))
    for voice, base in zip(voices, streams.getBaseObjects(), strict=True):
        voice.set_hz.append(base.setValue)
    return streams


def _velocity(voices: list[Voice], on: PyoObject) -> PyoObject:
    streams = Sig([0.0] * len(voices))
    for voice, base in zip(voices, streams.getBaseObjects(), strict=True):
        voice.set_velocity.append(base.setValue)
    return streams * (1 - on)


def _on(voices: list[Voice]) -> PyoObject:
    streams = Dummy([Trig().stop().getBaseObjects()[0] for _ in voices])  # a new Trig would fire at once
    for voice, base in zip(voices, streams.getBaseObjects(), strict=True):
        voice.fire.append(base.play)
    return streams


class Notes:
    """The voices of one patch, all made before the first note.

    A new note takes the voice that has its pitch already, else the voice released longest ago, else the oldest one.
    A patch makes its sound voice by voice with `each`, which costs least, or of all at once from `pitch`, `velocity`, `on`.
    """

    def __init__(self, polyphony: int) -> None:
        self.polyphony = polyphony
        self._bend_semitones = 0.0
        self._key_of: dict[int, Notes] = {}
        self._keys: list[Notes] = []
        self._voices = [Voice() for _ in range(polyphony)]
        self._pitches = [-1] * polyphony  # what each voice played last
        self._rank = [(False, i) for i in range(polyphony)]  # per voice: held?, when it was begun or released
        self._moment = polyphony

    def each(self, make: Callable[[Voice], PyoObject]) -> list[PyoObject]:
        """Return what `make` makes of each voice. Half a second after a released voice has fallen silent, all of it sleeps.

        So what it makes must be of use to that voice alone, and must not sound again by itself after so long a silence.
        """
        return [voice.build(make) for voice in self._voices]

    @cached_property
    def pitch(self) -> PyoObject:
        """`polyphony` streams, Hz, pitch bend included; keeps its value after the note."""
        return _pitch(self._voices)

    @cached_property
    def velocity(self) -> PyoObject:
        """`polyphony` streams: 0..1 while the note is held, else 0.

        The first sample of every note is 0, so that MidiAdsr and its like start again.
        """
        return _velocity(self._voices, self.on)

    @cached_property
    def on(self) -> PyoObject:
        """`polyphony` trigger streams: 1 on the first sample of a note, else 0."""
        return _on(self._voices)

    def key(self, *pitches: int) -> Notes:
        """Return one voice that answers only to these MIDI pitches and starts again with each: a drum, a choke group."""
        voice = Notes(1)
        self._key_of.update(dict.fromkeys(pitches, voice))
        self._keys.append(voice)
        return voice

    @property
    def held(self) -> list[int]:
        """The pitches whose voices are held now, lowest first."""
        own = [pitch for pitch, (held, _) in zip(self._pitches, self._rank, strict=True) if held]
        return sorted(own + [pitch for voice in self._keys for pitch in voice.held])

    def note_on(self, pitch: int, velocity: float) -> None:
        """Begin a note; `velocity` 0..1."""
        if pitch in self._key_of:
            self._key_of[pitch].note_on(pitch, velocity)
            return
        if pitch in self._pitches:
            voice = self._pitches.index(pitch)
        else:
            voice = min(range(self.polyphony), key=self._rank.__getitem__)
            self._pitches[voice] = pitch
        self._mark(voice, True)
        self._voices[voice].note_on(_hz(pitch + self._bend_semitones), velocity)

    def note_off(self, pitch: int) -> None:
        """Release a note; nothing happens when its voice was taken by another."""
        if pitch in self._key_of:
            self._key_of[pitch].note_off(pitch)
        elif pitch in self._pitches:
            voice = self._pitches.index(pitch)
            if self._rank[voice][0]:
                self._mark(voice, False)
                self._voices[voice].note_off()

    def all_off(self) -> None:
        """Release every voice."""
        for pitch in self.held:
            self.note_off(pitch)

    def bend(self, semitones: float) -> None:
        """Bend all notes, those that sound and those to come."""
        self._bend_semitones = semitones
        for voice, pitch in zip(self._voices, self._pitches, strict=True):
            if pitch >= 0:
                for set_hz in voice.set_hz:
                    set_hz(_hz(pitch + semitones))
        for key in self._keys:
            key.bend(semitones)

    def voices(self) -> Iterator[Voice]:
        """All voices, those of `key` too."""
        yield from self._voices
        for key in self._keys:
            yield from key.voices()

    def listen(self, blocks: int) -> None:
        """Let the voices that are released hear whether they may sleep, `blocks` blocks after the last time."""
        for voice, (held, _) in zip(self._voices, self._rank, strict=True):
            if not held:
                voice.listen(blocks)
        for key in self._keys:
            key.listen(blocks)

    def _mark(self, voice: int, held: bool) -> None:
        self._moment += 1
        self._rank[voice] = (held, self._moment)


def _hz(pitch: float) -> float:
    return 440.0 * math.exp2((pitch - 69.0) / 12.0)


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
        self._shared = [base for base in _made_after(before) if id(base) not in of_voices]
        self._sleeps = _may_sleep(self._shared)

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


def _may_sleep(made: list[Any]) -> bool:
    return _BEGINNERS.isdisjoint(type(base).__name__ for base in made)


def _made_after(marker: PyoObject) -> list[Any]:
    """Return the objects that play and were made after this one; those that nothing in Python refers to any more, too."""
    first = marker.getBaseObjects()[0]._getStream().getId()
    streams = [stream for stream in marker.getServer().getStreams() if stream.getId() > first and stream.isPlaying()]
    return [stream.getStreamObject() for stream in streams]


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
