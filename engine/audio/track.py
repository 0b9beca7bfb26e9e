"""A track of the mixer: the instrument that plays it, its level, its place in the stereo picture.

Runs on: audio process. Instruments are built by the control thread; everything else is called by the audio callback.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pyo import Sig, SigTo

from engine.audio.instrument import Instrument
from engine.audio.library import fault, load
from engine.audio.limiter import RUNAWAY
from engine.audio.plain import Plain
from engine.audio.plugins import PluginNotes, PluginStrip
from engine.audio.streams import let_go
from engine.audio.voices import GLIDE_S, SILENT, Notes
from engine.core.errors import PatchError
from engine.core.knobs import is_plugin
from engine.core.messages import OUTPUTS

OPEN_BLOCKS = 32  # silent for so long, a hushed track is opened again
SLEEP_BLOCKS = 4500  # ... and an instrument sleeps; 6 s at 48 kHz, longer than any echo waits to come back


MOST_RINGING = 2  # instruments of one track that may ring out at a time
RING_BLOCKS = 15000  # an instrument that was replaced is faded out so long after its last note ended, if it still sounds; 20 s


class Strip:
    """An instrument on its way to a bus; asleep until its first note."""

    def __init__(self, instrument: Instrument, bus: int) -> None:
        self.instrument = instrument
        instrument.sleep()
        self._fader = SigTo(1.0, GLIDE_S, 1.0)
        self._out = Sig(instrument.sound, mul=self._fader).out(OUTPUTS * bus)
        self._fade = self._fader.getBaseObjects()[0].setValue
        self._raw = [base._getStream() for base in instrument.sound.getBaseObjects()]
        self._is_faded = False
        self._faded_blocks = 0
        self._quiet_blocks = 0
        self._ringing_blocks = 0

    @property
    def setters(self) -> dict[str, Callable[[float], None]]:
        """What turns each knob of the patch, by its name."""
        return {name: knob.getBaseObjects()[0].setValue for name, knob in vars(self.instrument.knobs).items()}

    def listen(self, blocks: int) -> int:
        """Hear, `blocks` blocks after the last time, for how many blocks there has been silence. Voices sleep by this."""
        self.instrument.listen(blocks)
        self._quiet_blocks = self._quiet_blocks + blocks if self.size() < SILENT else 0
        return self._quiet_blocks

    def has_rung_out(self, blocks: int) -> bool:
        """Hear, `blocks` blocks after the last time, whether an instrument that was replaced has come to its end."""
        if self._is_faded:
            self._faded_blocks += blocks
            return self._faded_blocks > blocks  # heard once before since then, so the glide is over
        quiet = self.listen(blocks)
        if self.instrument.notes.held:
            return False
        self._ringing_blocks += blocks
        if self._ringing_blocks >= RING_BLOCKS:
            self.fade()
        return quiet >= SLEEP_BLOCKS

    def fade(self) -> None:
        """Glide to silence for good."""
        self._is_faded = True
        self._fade(0.0)

    def free(self) -> None:
        """Stop for good and give all memory back; nothing may be played or heard any more. Raises PatchError."""
        self._out.stop()
        bases = [*self._fader.getBaseObjects(), *self._out.getBaseObjects()]
        del self._out, self._fader, self._fade, self._raw
        let_go(bases)
        self.instrument.free()

    def cut(self) -> None:
        """Leave the bus at once: where the instrument puts out what is no number, a gain of zero would not silence it."""
        self._out.stop()

    def size(self) -> float:
        """Return the size of the sample rendered last, before the fader; NaN or infinite when the patch is broken."""
        return float(sum(abs(stream.getValue()) for stream in self._raw))


@dataclass(slots=True)
class Knob:
    """One knob of the patch that plays: its place in the table of parameters, and what turns it."""

    place: int
    turn: Callable[[float], None]
    value: float = math.nan  # as it was turned last


class Track:
    """One track of the mixer. A patch that fails silences it until the control thread has put in the plain instrument."""

    def __init__(self, name: str, bus: int, patch: str, on_gains: Callable[[Track], None]) -> None:
        """Build the patch of this name, the plain one where that fails; `fault` says why. `on_gains`: its `gains` moved."""
        self.name = name
        self.wanted = patch
        self.bus = bus
        self.fault = ""
        self.sounding: dict[int, int] = {}  # pitch -> frame at which it began
        self.working = True
        self.sends = [0.0, 0.0]  # share of it that goes to each send
        self._on_gains = on_gains
        self._level = 0.0
        self._pan = 0.0
        self._silent = False
        self._open = True  # False: hushed, until the tail has died away
        self._hushed_blocks = 0
        self._ringing: list[Strip | PluginStrip] = []  # instruments that were replaced and still sound
        self.knobs: list[Knob] = []
        self.strip: Strip | PluginStrip
        try:
            # A plugin comes when its process has loaded it; until then plain keys play.
            self.strip = Strip(Instrument("plain", Plain) if is_plugin(patch) else Instrument(patch, load(patch)), bus)
        except PatchError as error:
            self.fault = str(error)
            self.strip = Strip(Instrument("plain", Plain), bus)

    @property
    def patch(self) -> str:
        """Name of the patch that plays."""
        return self.strip.instrument.name

    @property
    def held(self) -> list[int]:
        """Pitches of the voices that are held."""
        return self.strip.instrument.notes.held

    @property
    def notes(self) -> list[Notes | PluginNotes]:
        """The voices of all that may sound."""
        return [strip.instrument.notes for strip in self.strips]

    @property
    def latency_frames(self) -> int:
        """By which it is heard later than it is played."""
        return max((strip.latency_frames for strip in self.strips if isinstance(strip, PluginStrip)), default=0)

    @property
    def gains(self) -> tuple[float, float]:
        """Gain of the left and of the right side.

        The pan is a balance: the side that it turns away from fades by a cosine, the other stays as it is.
        """
        if self._silent or not self._open:
            return 0.0, 0.0
        left = math.cos(max(self._pan, 0.0) * math.pi / 2)
        right = math.cos(max(-self._pan, 0.0) * math.pi / 2)
        level = self._level * self._level
        return level * left, level * right

    def turn_knobs(self, numbers: np.ndarray) -> None:
        """Turn the patch's own knobs to the values of their parameters; they glide."""
        for knob in self.knobs:
            value = numbers[knob.place]
            if value != knob.value:
                knob.value = value
                knob.turn(float(value))

    def take_knobs(self, knobs: list[Knob]) -> None:
        """Turn the patch's knobs by other places in the table."""
        self.knobs = knobs

    def note_on(self, pitch: int, velocity: int, offset: int = 0) -> None:
        """Begin a note, `velocity` 1..127. A patch that raises is out from here on: `working` is False and `fault` says why.

        `offset`: frames into the block that is rendered next; a plugin begins exactly there, a patch with the block.
        """
        for strip in self._ringing:
            strip.instrument.notes.note_off(pitch)
        if not self.working:
            return
        if not self._open:
            self._unhush()
        try:
            self.strip.instrument.notes.offset = offset
            self.strip.instrument.note_on(pitch, velocity / 127)
        except Exception as error:  # whatever a patch does wrong must not end the sound of the others
            self.fail(fault(self.patch, error))

    def note_off(self, pitch: int, offset: int = 0) -> None:
        """Release a note, whichever instrument plays it; `offset` as in `note_on`."""
        for notes in self.notes:
            notes.offset = offset
            notes.note_off(pitch)

    def set_fader(self, level: float, pan: float = 0.0, silent: bool = False) -> None:
        """Glide to a fader position 0..1 (the gain is its square) and a pan -1..1; `silent`: mute."""
        self._level, self._pan, self._silent = level, pan, silent
        self._on_gains(self)

    def set_sends(self, first: float, second: float) -> None:
        """Glide to these shares of it for the two sends, 0..1."""
        self.sends = [first, second]
        self._on_gains(self)

    def hush(self) -> None:
        """Free every voice and fade out, tails too; the next note or the end of the tail opens the track again."""
        for notes in self.notes:
            notes.all_off()
        self._open = False
        self._hushed_blocks = 0
        self._on_gains(self)

    def fail(self, why: str) -> None:
        """Take the instrument out of the mix until it is replaced."""
        self.working = False
        self.fault = why
        self.strip.cut()

    def is_sound(self) -> bool:
        """Return whether what the instrument puts out can be a sound. One that was replaced and cannot is cut off."""
        for strip in self._ringing:
            if not strip.size() < RUNAWAY:
                strip.cut()
                strip.fade()
        return not self.working or self.strip.size() < RUNAWAY

    def listen(self, blocks: int) -> list[Strip | PluginStrip]:
        """Hear, `blocks` blocks after the last time, whether there is silence: then what was hushed is opened, and sleeps.

        Single voices sleep sooner. Returns the replaced instruments that have rung out.
        """
        done = [strip for strip in self._ringing if strip.has_rung_out(blocks)] if self._ringing else []
        for strip in done:
            self._ringing.remove(strip)
        instrument = self.strip.instrument
        if instrument.is_asleep and self._open:
            return done
        quiet_blocks = self.strip.listen(blocks)
        self._hushed_blocks += blocks
        if not self._open and min(quiet_blocks, self._hushed_blocks) >= OPEN_BLOCKS:
            self._unhush()
        if quiet_blocks >= SLEEP_BLOCKS and not self.sounding:
            instrument.sleep()
        return done

    def replace(self, strip: Strip | PluginStrip, knobs: list[Knob]) -> Strip | PluginStrip | None:
        """Begin every note on another instrument from here on; the old one rings out, or is returned where it is silent."""
        old, self.strip = self.strip, strip
        self.knobs = knobs
        worked, self.working = self.working, True
        if not worked or old.instrument.is_asleep:
            return old
        self._ringing.append(old)
        for surplus in self._ringing[:-MOST_RINGING]:
            surplus.fade()
        return None

    @property
    def strips(self) -> list[Strip | PluginStrip]:
        """All that may sound: those that ring out, and the one that plays."""
        return [*self._ringing, self.strip]

    def _unhush(self) -> None:
        self._open = True
        self._on_gains(self)
