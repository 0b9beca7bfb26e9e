"""The rack: one instrument with its level for each track of the network, one for the player, and the metronome.

Runs on: audio process. `Rack.mend` builds on the control thread; everything else is called by the audio callback.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from pyo import Sig, SigTo

from engine.audio.limiter import RUNAWAY
from engine.audio.patch import Instrument, fault, load
from engine.audio.plain import BEAT, DOWNBEAT, Click, Plain
from engine.audio.voices import GLIDE_S, SILENT
from engine.core.config import Config
from engine.core.errors import PatchError
from engine.core.messages import PLAYER

BEND_SEMITONES = 2.0  # what the whole way of a pitch wheel does
LISTEN_BLOCKS = 4  # from listening to one channel to listening to the next
OPEN_BLOCKS = 32  # silent for so long, a hushed channel is opened again
SLEEP_BLOCKS = 4500  # ... and an instrument sleeps; 6 s at 48 kHz, longer than any echo waits to come back


class Strip:
    """An instrument on its way to the output, with a level that glides; asleep until its first note."""

    def __init__(self, instrument: Instrument, level: float) -> None:
        self.instrument = instrument
        instrument.sleep()
        self._fader = SigTo(level, GLIDE_S, level)
        self._out = Sig(instrument.sound, mul=self._fader).out()
        self._set = self._fader.getBaseObjects()[0].setValue
        self._raw = [base._getStream() for base in instrument.sound.getBaseObjects()]

    def set_level(self, level: float) -> None:
        """Glide to a level; 1 is as the patch made it."""
        self._set(level)

    def cut(self) -> None:
        """Leave the output at once: where the instrument puts out what is no number, a level of zero would not silence it."""
        self._out.stop()

    def size(self) -> float:
        """Return the size of the sample rendered last, before the level; NaN or infinite when the patch is broken."""
        return float(sum(abs(stream.getValue()) for stream in self._raw))


class Channel:
    """One place in the rack. What its patch does wrong silences it until the control thread has put in the plain instrument."""

    def __init__(self, name: str, patch: str) -> None:
        """Build the patch of this name, the plain one where that fails; `fault` says why."""
        self.name = name
        self.fault = ""
        self.sounding: dict[int, int] = {}  # pitch -> frame at which it began
        self.working = True
        self._level = 0.0
        self._open = True  # False: hushed, until the tail has died away
        self._quiet_blocks = 0
        self._bend_semitones = 0.0
        try:
            self._strip = Strip(_instrument(patch), 0.0)
        except PatchError as error:
            self.fault = str(error)
            self._strip = Strip(Instrument("plain", Plain), 0.0)

    @property
    def patch(self) -> str:
        """Name of the patch that plays."""
        return self._strip.instrument.name

    @property
    def held(self) -> list[int]:
        """Pitches of the voices that are held."""
        return self._strip.instrument.notes.held

    @property
    def is_bent(self) -> bool:
        """Whether the wheel is out of its middle."""
        return self._bend_semitones != 0.0

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

    def bend(self, amount: float) -> None:
        """Bend by -1..1 of the wheel's way."""
        self._bend_semitones = amount * BEND_SEMITONES
        self._strip.instrument.notes.bend(self._bend_semitones)

    def set_level(self, level: float) -> None:
        """Glide to a fader position 0..1; the gain is its square."""
        self._level = level * level
        if self._open:
            self._strip.set_level(self._level)

    def hush(self) -> None:
        """Free every voice and fade out, tails too; the next note or the end of the tail opens the channel again."""
        self._strip.instrument.notes.all_off()
        self._strip.set_level(0.0)
        self._open = False
        self._quiet_blocks = 0

    def fail(self, why: str) -> None:
        """Take the instrument out of the mix until it is mended."""
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
        self._strip.instrument.notes.bend(self._bend_semitones)
        self._strip.set_level(self._level if self._open else 0.0)
        return old

    def _unhush(self) -> None:
        self._open = True
        self._strip.set_level(self._level)


def _instrument(patch: str) -> Instrument:
    return Instrument(patch, load(patch))


class Rack:
    """All channels: `rack[track]` by the number in an EVENT, PLAYER for the player's own."""

    def __init__(self, tracks: Sequence[str], config: Config) -> None:
        self.player = Channel("player", config.patch_of("player"))
        self.tracks = [Channel(track, config.patch_of(track)) for track in tracks]
        self.metronome = Strip(Instrument("metronome", Click), 1.0)
        self.mended: deque[tuple[Channel, Strip]] = deque()  # built by the control thread, taken by the audio callback
        self._channels = list(self)
        self._turn = 0

    def __getitem__(self, track: int) -> Channel:
        return self.player if track == PLAYER else self.tracks[track]

    def __iter__(self) -> Iterator[Channel]:
        yield from self.tracks
        yield self.player

    def click(self, downbeat: bool, level: float) -> None:
        """Sound the metronome, at a level 0..1."""
        self.metronome.instrument.note_on(DOWNBEAT if downbeat else BEAT, level)

    def turn(self) -> Strip | None:
        """Once a block: listen to the channels in turn; take in what was mended and return what it replaces."""
        self._turn += 1
        if self._turn % LISTEN_BLOCKS == 0:
            channel = self._channels[self._turn // LISTEN_BLOCKS % len(self._channels)]
            channel.listen(LISTEN_BLOCKS * len(self._channels))
        if not self.mended:
            return None
        channel, strip = self.mended.popleft()
        return channel.replace(strip)

    def mend(self, channel: Channel) -> None:
        """Build the plain instrument in place of the one that failed. Control thread."""
        self.mended.append((channel, Strip(Instrument("plain", Plain), 0.0)))

    def fade(self) -> None:
        """Fade everything out for good: within GLIDE_S there is silence."""
        self.metronome.set_level(0.0)
        for channel in self:
            channel.set_level(0.0)
