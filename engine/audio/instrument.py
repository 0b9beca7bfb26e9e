"""An instrument: a patch that was built, with its voices, its knobs and its sound.

Runs on: audio process. Built and freed by the control thread, played from the audio callback. Needs a pyo Server to have been
booted.
"""

from __future__ import annotations

from types import SimpleNamespace

from pyo import PyoObject, Sig, SigTo

from engine.audio.library import fault
from engine.audio.patch import Notes, Patch
from engine.audio.streams import let_go
from engine.audio.voices import GLIDE_S, made_after, may_sleep
from engine.core.errors import PatchError


class Instrument:
    """A patch that was built: its voices, its knobs and its sound.

    Whoever hears that it has long been silent may put it to sleep: then it costs next to nothing until its next note.
    """

    def __init__(self, name: str, patch: type[Patch]) -> None:
        """Build a patch of this class. Raises PatchError that names the line at fault."""
        self.name = name
        self.patch_class = patch
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
            for base in made_after(before):
                base.stop()
            raise PatchError(fault(name, error)) from error
        of_voices = {id(base) for voice in self.notes.voices() for base in voice.made}
        self._shared = [base for base in made_after(before) if id(base) not in of_voices]
        self._sleeps = may_sleep(self._shared)
        self._made = made_after(before, resting=True)
        marker = before.getBaseObjects()
        del before
        let_go(marker)

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
        """Stop for good, let the patch close what it opened, and give all memory back.

        Raises PatchError when the patch's own free fails.
        """
        self._stop()
        try:
            self._patch.free()
        except Exception as error:  # as above
            raise PatchError(fault(self.name, error)) from error
        finally:
            bases = self._made
            self.notes.forget()
            del self.sound, self.knobs, self.notes, self._shared, self._made
            self._patch.__dict__.clear()
            let_go(bases)  # tables go before what reads them, which is safe: nothing of it runs any more
