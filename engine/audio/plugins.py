"""A plugin in its place in the mixer: as an insert, or as the instrument of a track.

Runs on: audio process (audio callback); made by the control thread. What a plugin makes of a block comes with the next one
(`host.py` tells why); that is declared like any latency, and the other tracks of the band wait as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np

from engine.audio.delay import Delay
from engine.audio.host import Unit
from engine.audio.voices import GLIDE_S, SILENT
from engine.core.messages import BLOCK, OUTPUTS
from engine.core.parameters import Parameter
from engine.host.plugin import MIDI, NOTE_CHOKE, NOTE_OFF, NOTE_ON, PARAMETER

BEND_SEMITONES = 2.0  # what a wheel means to a plugin, unless it was told otherwise
RING_BLOCKS = 15000  # a plugin that was replaced is faded out so long after its last note ended; 20 s


class Ramp:
    """A gain that goes to 0 or 1 in a straight line and never clicks."""

    def __init__(self, value: float, rate_hz: float) -> None:
        self.value = self.aim = value
        self._step = BLOCK / (GLIDE_S * rate_hz)
        self._line = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None] / BLOCK

    @property
    def is_moving(self) -> bool:
        """Whether it is not where it is to be."""
        return self.value != self.aim

    def next(self) -> np.ndarray:
        """Return the gains of the next block, float32 (BLOCK, 1)."""
        before = self.value
        self.value += min(max(self.aim - before, -self._step), self._step)
        gains: np.ndarray = self._line * np.float32(self.value - before) + np.float32(before)
        return gains


class PluginInsert:
    """A plugin as an effect; keeps `Processor`. While it is not there its input passes, as late as through the plugin."""

    def __init__(self, name: str, units: Sequence[Unit], rate_hz: float) -> None:
        """`units`: plugins one after the other in one process, which take one block together."""
        self.name = name
        self.parameters: Sequence[Parameter] = ()
        self._first, self._last = units[0], units[-1]
        self.units = tuple(units)
        self.side: np.ndarray | None = None  # bus that it listens to beside its own, float32 (BLOCK, OUTPUTS)
        self._wet = Ramp(0.0, rate_hz)
        self._silence = np.zeros((BLOCK, OUTPUTS), np.float32)
        self.latency_frames = self.declared_frames
        self._dry = Delay()
        self._dry.aim(self.latency_frames)
        self._passing = np.zeros((BLOCK, OUTPUTS), np.float32)

    @property
    def declared_frames(self) -> int:
        """What the plugins declare now, and the block that the way takes."""
        return BLOCK + sum(unit.latency_frames for unit in self.units)

    def settle(self) -> None:
        """Be as late as the plugins say that they are."""
        self.latency_frames = self.declared_frames
        self._dry.aim(self.latency_frames)

    def process(self, block: np.ndarray) -> None:
        """See Processor."""
        first, last = self._first, self._last
        dry = self._passing
        dry[:] = block
        self._dry.process(dry)
        here = all(unit.is_loaded and not unit.is_bypassed for unit in self.units)
        self._wet.aim = float(here)
        if here and self.side is not None:
            first.side[:] = self.side
        wet = last.sound if last.is_heard else self._silence
        if self._wet.is_moving:
            share = self._wet.next()
            np.multiply(block, share, out=first.given)  # what goes in has no edge either, which an echo would bring back
            np.multiply(wet, share, out=block)
            block += dry * (1 - share)
        elif self._wet.value:
            first.given[:] = block
            block[:] = wet
        else:
            first.given.fill(0.0)
            block[:] = dry

    def set(self, parameter_id: str, value: float) -> None:
        """See Processor; knobs are turned by `turner`."""

    def state(self) -> bytes:
        """See Processor."""
        return self._first.state

    def restore(self, state: bytes) -> None:
        """See Processor."""
        self._first.state = state


def turner(unit: Unit, index: int) -> Callable[[float], None]:
    """Return what turns one knob of a plugin. Audio callback."""
    key = unit.knobs[index].key

    def turn(value: float) -> None:
        unit.values[key] = value
        unit.events.append((0, PARAMETER, 0, 0, 0, index, value))

    return turn


class PluginNotes:
    """The notes that a plugin plays: what Track asks of `Notes`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._held: dict[int, None] = {}
        self._bent = 0
        self.offset = 0  # frames into the block that is rendered next

    @property
    def held(self) -> list[int]:
        """Pitches that are held, lowest first."""
        return sorted(self._held)

    def note_on(self, pitch: int, velocity: float) -> None:
        """Begin a note; `velocity` 0..1."""
        if pitch in self._held:
            self._say(NOTE_OFF, pitch, 0.0)
        self._held[pitch] = None
        self._say(NOTE_ON, pitch, velocity)

    def note_off(self, pitch: int) -> None:
        """Release a note."""
        if pitch in self._held:
            del self._held[pitch]
            self._say(NOTE_OFF, pitch, 0.0)

    def all_off(self) -> None:
        """Release every note, and let no pedal hold one."""
        for pitch in list(self._held):
            self.note_off(pitch)
        for controller in (64, 120, 123):
            self._unit.events.append((self.offset, MIDI, 0xB0, controller, 0, 0, 0.0))

    def choke(self) -> None:
        """End every note at once."""
        for pitch in self._held:
            self._say(NOTE_CHOKE, pitch, 0.0)
        self._held.clear()

    def note_bend(self, pitch: int, semitones: float) -> None:
        """Bend: of all notes, for a plugin has one wheel; the note that was bent last says how far."""
        del pitch
        value = min(max(round(semitones / BEND_SEMITONES * 8192), -8192), 8191)
        if value != self._bent:
            self._bent = value
            value += 8192
            self._unit.events.append((self.offset, MIDI, 0xE0, value & 127, value >> 7, 0, 0.0))

    def note_pressure(self, pitch: int, value: float) -> None:
        """Press one note, 0..1."""
        if pitch in self._held and value > 0:
            self._unit.events.append((self.offset, MIDI, 0xA0, pitch, round(value * 127), 0, 0.0))

    def note_timbre(self, pitch: int, value: float) -> None:
        """Move the finger of a note, 0..1; nothing for the middle, where every note begins."""
        if pitch in self._held and round(value * 127) != 64:
            self._unit.events.append((self.offset, MIDI, 0xB0, 74, round(value * 127), 0, 0.0))

    def listen(self, _blocks: int) -> None:
        """A plugin's voices sleep by themselves."""

    def _say(self, kind: int, pitch: int, velocity: float) -> None:
        self._unit.events.append((self.offset, kind, 0, pitch, 0, 0, velocity))


class PluginInstrument:
    """A plugin as the instrument of a strip: what Track asks of `Instrument`."""

    is_asleep = False  # its process goes on

    def __init__(self, name: str, unit: Unit) -> None:
        self.name = name
        self.notes = PluginNotes(unit)
        self.knobs = SimpleNamespace()

    def note_on(self, pitch: int, velocity: float) -> None:
        """Begin a note."""
        self.notes.note_on(pitch, velocity)

    def sleep(self) -> None:
        """Its process goes on."""


class PluginStrip:
    """A plugin, and those that it goes through in the same process, on their way to a bus: what Track asks of `Strip`."""

    def __init__(
        self, name: str, units: Sequence[Unit], bus: np.ndarray, rate_hz: float, on_free: Callable[[], object]
    ) -> None:
        """`bus`: float32 (BLOCK, OUTPUTS). `on_free`: called on the control thread when it is not needed any more."""
        self.units = tuple(units)
        self._bus = bus
        self.instrument = PluginInstrument(name, units[0])
        self._last = units[-1]
        self._gain = Ramp(1.0, rate_hz)
        self._on_free = on_free
        self._quiet_blocks = 0
        self._ringing_blocks = 0

    @property
    def latency_frames(self) -> int:
        """What the plugins declare, and the block that the way takes."""
        way = 0 if self.units[0].prompt else BLOCK
        return way + sum(unit.latency_frames for unit in self.units)

    @property
    def setters(self) -> dict[str, Callable[[float], None]]:
        """Its knobs are the rack's."""
        return {}

    def add(self) -> None:
        """Add what came back in this block to its bus."""
        last = self._last
        if not last.is_heard:
            return
        if self._gain.is_moving:
            self._bus += last.sound * self._gain.next()
        elif self._gain.value:
            self._bus += last.sound

    def listen(self, blocks: int) -> int:
        """See Strip."""
        self._quiet_blocks = self._quiet_blocks + blocks if self._is_silent() else 0
        return self._quiet_blocks

    def has_rung_out(self, blocks: int) -> bool:
        """See Strip."""
        if self._gain.aim == 0.0:
            return not self._gain.is_moving
        quiet = self.listen(blocks)
        if self.instrument.notes.held:
            return False
        self._ringing_blocks += blocks
        if self._ringing_blocks >= RING_BLOCKS:
            self.fade()
        return quiet >= RING_BLOCKS // 20

    def fade(self) -> None:
        """Glide to silence for good."""
        self._gain.aim = 0.0

    def cut(self) -> None:
        """Be silent at once."""
        self._gain.aim = self._gain.value = 0.0

    def free(self) -> None:
        """Let go of the plugins. Control thread."""
        self._on_free()

    def size(self) -> float:
        """See Strip; the host's guard lets nothing through that is no sound."""
        return 0.0

    def _is_silent(self) -> bool:
        """Whether the sample that came last is none, as far as it can be told: the process may be at the next one by now."""
        if not self._last.is_heard:
            return True
        left, right = map(float, self._last.sound[-1])
        return abs(left) + abs(right) < SILENT
