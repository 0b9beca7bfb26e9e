"""A track of the mixer: the instrument that plays it, its level, its place in the stereo picture.

Runs on: audio process. Instruments are built by the control thread; everything else is called by the audio callback.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pyo import Sig

from engine.audio.instrument import Instrument
from engine.audio.library import fault, load
from engine.audio.limiter import RUNAWAY
from engine.audio.plain import Plain
from engine.audio.voices import SILENT, Notes
from engine.core.errors import PatchError
from engine.core.messages import OUTPUTS

OPEN_BLOCKS = 32  # silent for so long, a hushed track is opened again
SLEEP_BLOCKS = 4500  # ... and an instrument sleeps; 6 s at 48 kHz, longer than any echo waits to come back


class Strip:
    """An instrument on its way to a bus; asleep until its first note."""

    def __init__(self, instrument: Instrument, bus: int) -> None:
        self.instrument = instrument
        instrument.sleep()
        self._out = Sig(instrument.sound).out(OUTPUTS * bus)
        self._raw = [base._getStream() for base in instrument.sound.getBaseObjects()]

    def cut(self) -> None:
        """Leave the bus at once: where the instrument puts out what is no number, a gain of zero would not silence it."""
        self._out.stop()

    def size(self) -> float:
        """Return the size of the sample rendered last, before the fader; NaN or infinite when the patch is broken."""
        return float(sum(abs(stream.getValue()) for stream in self._raw))


class Track:
    """One track of the mixer. A patch that fails silences it until the control thread has put in the plain instrument."""

    def __init__(self, name: str, bus: int, patch: str, on_gains: Callable[[Track], None]) -> None:
        """Build the patch of this name, the plain one where that fails; `fault` says why. `on_gains`: its `gains` moved."""
        self.name = name
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
        self._quiet_blocks = 0
        try:
            self._strip = Strip(Instrument(patch, load(patch)), bus)
        except PatchError as error:
            self.fault = str(error)
            self._strip = Strip(Instrument("plain", Plain), bus)

    @property
    def patch(self) -> str:
        """Name of the patch that plays."""
        return self._strip.instrument.name

    @property
    def held(self) -> list[int]:
        """Pitches of the voices that are held."""
        return self._strip.instrument.notes.held

    @property
    def notes(self) -> Notes:
        """Its voices."""
        return self._strip.instrument.notes

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

    def note_on(self, pitch: int, velocity: int) -> None:
        """Begin a note, `velocity` 1..127. A patch that raises is out from here on: `working` is False and `fault` says why."""
        if not self.working:
            return
        if not self._open:
            self._unhush()
        try:
            self._strip.instrument.note_on(pitch, velocity / 127)
        except Exception as error:  # whatever a patch does wrong must not end the sound of the others
            self.fail(fault(self.patch, error))

    def note_off(self, pitch: int) -> None:
        """Release a note."""
        self._strip.instrument.notes.note_off(pitch)

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
        self._strip.instrument.notes.all_off()
        self._open = False
        self._quiet_blocks = 0
        self._on_gains(self)

    def fail(self, why: str) -> None:
        """Take the instrument out of the mix until it is replaced."""
        self.working = False
        self.fault = why
        self._strip.cut()

    def is_sound(self) -> bool:
        """Return whether what the instrument puts out can be a sound."""
        return not self.working or self._strip.size() < RUNAWAY

    def listen(self, blocks: int) -> None:
        """Hear, `blocks` blocks after the last time, whether there is silence: then what was hushed is opened, and sleeps.

        Single voices sleep sooner.
        """
        instrument = self._strip.instrument
        if instrument.is_asleep and self._open:
            return
        instrument.listen(blocks)
        self._quiet_blocks = self._quiet_blocks + blocks if self._strip.size() < SILENT else 0
        if not self._open and self._quiet_blocks >= OPEN_BLOCKS:
            self._unhush()
        if self._quiet_blocks >= SLEEP_BLOCKS and not self.sounding:
            instrument.sleep()

    def replace(self, strip: Strip) -> Strip:
        """Play on another instrument from here on; return the old one."""
        old, self._strip = self._strip, strip
        self.working = True
        return old

    def _unhush(self) -> None:
        self._open = True
        self._on_gains(self)
