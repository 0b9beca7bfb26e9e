"""The voices of a patch: what each plays as streams, and which voice a note takes.

Runs on: audio process. Voices are made by the control thread and played from the audio callback; a pyo Server has been booted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from pyo import Dummy, PyoObject, Sig, SigTo, Trig

from engine.audio.streams import let_go

GLIDE_S = 0.02  # every level and parameter moves to its new value in this time, so that none clicks
SILENT = 1e-5  # -100 dBFS
VOICE_SLEEP_BLOCKS = 375  # half a second at 48 kHz
# Pyo objects whose play() begins something, and does not only go on: what has one is never put to sleep.
_BEGINNERS = {"Adsr_base", "Expseg_base", "Fader_base", "Linseg_base", "Metro_base", "Seq_base", "SfPlayer_base"}


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
        self.set_pressure: list[Callable[[float], None]] = []
        self.set_timbre: list[Callable[[float], None]] = []

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

    @cached_property
    def pressure(self) -> PyoObject:
        """0..1: how hard the key is pressed after its note began, where the keyboard tells."""
        return _expression([self.set_pressure])

    @cached_property
    def timbre(self) -> PyoObject:
        """0..1: where on its key the finger lies (controller 74 of an MPE keyboard); 0.5 is the middle."""
        return _expression([self.set_timbre], 0.5)

    def build(self, make: Callable[[Voice], PyoObject]) -> PyoObject:
        """Return what `make` makes of this voice, and remember all of it."""
        before = Sig(0.0)
        sound = make(self)
        if not isinstance(sound, PyoObject):
            raise TypeError(f"each() wants a PyoObject for every voice, not {type(sound).__name__}")
        made = made_after(before)
        marker = before.getBaseObjects()
        del before
        let_go(marker)
        if may_sleep(made):
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

    def forget(self) -> None:
        """Let go of all streams; nothing may be played any more."""
        self.made.clear()
        self._sounds.clear()

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


def _expression(setters: list[list[Callable[[float], None]]], neutral: float = 0.0) -> PyoObject:
    streams = SigTo([neutral] * len(setters), GLIDE_S, neutral)
    for of_voice, base in zip(setters, streams.getBaseObjects(), strict=True):
        of_voice.append(base.setValue)
    return streams


class Notes:
    """The voices of one patch, all made before the first note.

    A new note takes the voice that has its pitch already, else the voice released longest ago, else the oldest one.
    A patch makes its sound voice by voice with `each`, which costs least, or of all at once from `pitch`, `velocity`, `on`.
    """

    offset = 0  # frames into the block; plugins alone begin there

    def __init__(self, polyphony: int) -> None:
        self.polyphony = polyphony
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

    @cached_property
    def pressure(self) -> PyoObject:
        """`polyphony` streams: see Voice.pressure."""
        return _expression([voice.set_pressure for voice in self._voices])

    @cached_property
    def timbre(self) -> PyoObject:
        """`polyphony` streams: see Voice.timbre."""
        return _expression([voice.set_timbre for voice in self._voices], 0.5)

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
        self._voices[voice].note_on(_hz(pitch), velocity)

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

    def note_bend(self, pitch: int, semitones: float) -> None:
        """Bend the one note that was begun last at this pitch, until it begins anew."""
        of = self._of(pitch)
        if of is not None:
            notes, voice = of
            for set_hz in notes._voices[voice].set_hz:
                set_hz(_hz(pitch + semitones))

    def note_pressure(self, pitch: int, value: float) -> None:
        """Press one note, 0..1."""
        of = self._of(pitch)
        if of is not None:
            notes, voice = of
            for set_pressure in notes._voices[voice].set_pressure:
                set_pressure(value)

    def note_timbre(self, pitch: int, value: float) -> None:
        """Move the finger of one note, 0..1."""
        of = self._of(pitch)
        if of is not None:
            notes, voice = of
            for set_timbre in notes._voices[voice].set_timbre:
                set_timbre(value)

    def _of(self, pitch: int) -> tuple[Notes, int] | None:
        """Return the voice that played a pitch last."""
        notes = self._key_of.get(pitch, self)
        return (notes, notes._pitches.index(pitch)) if pitch in notes._pitches else None

    def voices(self) -> Iterator[Voice]:
        """All voices, those of `key` too."""
        yield from self._voices
        for key in self._keys:
            yield from key.voices()

    def forget(self) -> None:
        """Let go of all streams; nothing may be played any more."""
        for voice in self.voices():
            voice.forget()

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


def may_sleep(made: list[Any]) -> bool:
    """Return whether all of these pyo objects only go on when they play again."""
    return _BEGINNERS.isdisjoint(type(base).__name__ for base in made)


def made_after(marker: PyoObject, resting: bool = False) -> list[Any]:
    """Return the objects that play and were made after this one; those that nothing in Python refers to any more, too.

    `resting`: and those that do not play.
    """
    first = marker.getBaseObjects()[0]._getStream().getId()
    streams = [stream for stream in marker.getServer().getStreams() if stream.getId() > first]
    return [stream.getStreamObject() for stream in streams if resting or stream.isPlaying()]
