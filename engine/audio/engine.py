"""The audio engine: from what the player and the network do to 64 frames of sound, block after block.

Runs on: audio process. `render_block` belongs to the audio callback (offline: to whoever renders); all it touches lives in this
object, and other threads only append to its deques or take from its queue. `run_pending` belongs to the control thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
from pyo import Server

from engine.audio.limiter import Limiter
from engine.audio.player import Player
from engine.audio.rack import Channel, Rack, Strip
from engine.core.config import Config
from engine.core.contract import Card
from engine.core.errors import PatchError
from engine.core.link import Link
from engine.core.messages import (
    ALL_OFF,
    BLOCK,
    CONTROL,
    ERROR,
    NOTE_OFF,
    NOTE_ON,
    OUTPUTS,
    PITCH_BEND,
    PLAYER,
    WARNING,
)
from engine.core.parameters import Live, Registry
from engine.midi.file_source import FileSource
from engine.midi.schedule import Event, Schedule, is_late
from engine.transport.sources import Source
from engine.transport.sources.internal import InternalSource
from engine.transport.transport import Transport

FADE_S = 0.03  # from `release_all` until there is silence: the glide of the levels and a block or two


@dataclass(frozen=True, slots=True)
class LogMessage:
    """For the control thread: tell the person at the terminal."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class RebuildTrack:
    """For the control thread: the patch of this channel failed, build another."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Free:
    """For the control thread: let go of an instrument that is not heard any more."""

    strip: Strip


class AudioEngine:
    """Renders the player's and the network's notes; `frame` is the first frame of the next block.

    Channels: reads `notes`, `keys` and the parameters; writes `events` and `wave`.
    """

    def __init__(
        self,
        link: Link,
        registry: Registry,
        card: Card,
        config: Config,
        rate_hz: float,
        source: FileSource | None = None,
        run_by_thread: bool = False,
        beat: Source | None = None,
    ) -> None:
        """Build the rack. `run_by_thread`: another thread calls `run_pending`; if not, every block does. `beat`: where the
        transport has it from, unless it is the tempo parameter.

        Raises ConfigError when midi.cc names what there is not. A patch that fails is told, not raised.
        """
        self.link = link
        self.rate_hz = rate_hz
        self.frame = 0
        self.notes_late = 0
        # The MIDI output's: called with every note of the network as it comes, and the ALL_OFFs.
        self.outlet: Callable[[Event], object] | None = None
        self.control: SimpleQueue[LogMessage | RebuildTrack | Free | None] = SimpleQueue()
        self._run_by_thread = run_by_thread
        self._live = Live(registry, link.values)
        self.player = Player(link["keys"].reader(), self._live, config, self, source)
        self._server = _boot(rate_hz, config.jam.seed)
        beat = beat or InternalSource(self._live, rate_hz, card.beats_per_bar)
        self.transport = Transport(link["timeline"], self._live, beat, rate_hz, card.steps_per_beat, config.clock.count_in)
        self.transport.on_stop = self._stop_network
        self._process = self._server.process
        self._view = _output_of(self._server)
        self._sound = self._view.reshape(-1).view(np.uint8).data
        self._rack = Rack([track.name for track in card.tracks], config)
        self.transport.on_click = self._rack.click
        self.limiter = Limiter(rate_hz, config.audio.ceiling_db)
        self._notes = link["notes"].reader()
        self._schedule = Schedule()
        self._deferred: list[tuple[int, int, int]] = []  # (track, step, pitch): ends in the block it began in, so one later
        self._levels = _level_indices(registry, card)
        self._panic = registry.index["panic"]
        self._panics = float(link.values.numbers[self._panic])
        self._numbers = b""  # the parameters as they were last seen
        self._wave, self._events = link["wave"], link["events"]
        self._muted: set[int] = set()
        self._closing = False  # asked to
        self._silent = False  # done
        self._broken_blocks = 0
        self._retired: list[Strip] = []  # see Instrument.free
        for channel in self._rack:
            if channel.fault:
                self.control.put(LogMessage(WARNING, f"{channel.fault}; the {channel.name} is played by plain keys"))

    # --- for other threads -------------------------------------------------------------------------------------------------

    def resume(self, last: np.void) -> None:
        """Take over from a process that died, with the CLOCK record it published last: end its notes, count on."""
        self.player.resume(int(last["notes_in"]), int(last["midi_ignored"]))
        self.notes_late = int(last["notes_late"])
        hanging: dict[tuple[int, int], int] = {}
        for event in self.link["events"].reader(0).read():
            if event["kind"] in (NOTE_ON, NOTE_OFF):
                key = (int(event["track"]), int(event["pitch"]))
                hanging.pop(key, None)
                if event["kind"] == NOTE_ON:
                    hanging[key] = int(event["step"])
        for (track, pitch), step in hanging.items():
            self._tell(int(last["frame"]), step, NOTE_OFF, track, pitch)

    def release_all(self) -> None:
        """End every note and fade out; FADE_S later there is silence for good. Any thread."""
        self._closing = True

    def run_pending(self, timeout_s: float = 0.0) -> bool:
        """Do one thing that a block asked for, waiting for it up to `timeout_s`; return whether there was one.

        None in the queue only ends the waiting.
        """
        try:
            order = self.control.get(timeout=timeout_s) if timeout_s > 0 else self.control.get_nowait()
        except Empty:
            return False
        if isinstance(order, LogMessage):
            self.link.notice("audio", order.level, order.text)
        elif isinstance(order, RebuildTrack):
            self._mend(order.channel)
        elif isinstance(order, Free):
            self._free(order.strip)
        return True

    def _mend(self, channel: Channel) -> None:
        self.link.notice("audio", WARNING, f"{channel.fault}; the {channel.name} is played by plain keys")
        try:
            self._rack.mend(channel)
        except PatchError as error:
            self.link.notice("audio", ERROR, f"{error}; the {channel.name} is silent")

    def _free(self, strip: Strip) -> None:
        self._retired.append(strip)
        try:
            strip.instrument.free()
        except PatchError as error:
            self.link.notice("audio", WARNING, str(error))

    def close(self) -> None:
        """Take pyo's server down; nothing can be rendered afterwards."""
        self._server.stop()
        self._server.shutdown()

    # --- one block ---------------------------------------------------------------------------------------------------------

    def render_block(self) -> memoryview:
        """Render BLOCK frames and advance `frame` by as many; return their bytes, float32 (BLOCK, OUTPUTS).

        They are good until the next call. What is done in every block avoids numpy for all but the limiter: see Ring.
        """
        end = self.frame + BLOCK
        numbers = self._live.values.bytes.tobytes()
        if numbers != self._numbers:
            self._numbers = numbers
            self._take_parameters()
        if self.transport.due < end:
            self.transport.advance(self.frame, end)
        if self._closing:
            self._fall_silent()
        else:
            replaced = self._rack.turn()
            if replaced is not None:
                self.control.put(Free(replaced))
            if self._deferred:
                self._end_deferred()
            self.player.hear(self.frame, end)
            self._play_network(end)
        self._process()
        self.limiter.process(self._view)
        if self.limiter.broken_blocks != self._broken_blocks:
            self._find_the_broken()
        self._wave.push_bytes(self.frame.to_bytes(8, "little"), self._sound)
        self.frame = end
        if not self._run_by_thread:
            while self.run_pending():
                pass
        return self._sound

    def _take_parameters(self) -> None:
        self.transport.take_parameters(self.frame)
        numbers = self._live.values.numbers
        for track, level, mute in self._levels:
            muted = mute >= 0 and numbers[mute] > 0
            self._rack[track].set_level(0.0 if muted else float(numbers[level]))
            if muted and track not in self._muted and self.outlet is not None:
                self.outlet(Event(self.frame, -1, ALL_OFF, track, 0, 0, 0.0))
            (self._muted.add if muted else self._muted.discard)(track)
        if numbers[self._panic] != self._panics:
            self._panics = float(numbers[self._panic])
            self._silence()

    def _silence(self) -> None:
        """Panic: end every note and free every voice, forget what was to come and what was held."""
        self._schedule.clear()
        self._deferred.clear()
        self.player.release()
        for track, channel in enumerate(self._rack.tracks):
            self._end_all(track, channel)
            channel.hush()
        self._end_all(PLAYER, self._rack.player)
        self._rack.player.hush()
        if self._rack.player.is_bent:
            self._rack.player.bend(0.0)
            self._tell(self.frame, -1, PITCH_BEND, PLAYER, 0)
        if self.outlet is not None:
            self.outlet(Event(self.frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0))

    def _fall_silent(self) -> None:
        """End every note, once; the levels glide to zero meanwhile and stay there."""
        if not self._silent:
            self._silent = True
            self._silence()
            self._rack.fade()

    def _find_the_broken(self) -> None:
        """Something that is no sound was put out and silenced: take out the instruments that go on doing so."""
        first = self._broken_blocks == 0
        self._broken_blocks = self.limiter.broken_blocks
        if first:
            self.control.put(LogMessage(WARNING, "a patch put out what is no sound; that block was silenced"))
        for track, channel in [*enumerate(self._rack.tracks), (PLAYER, self._rack.player)]:
            if not channel.is_sound():
                channel.fail(f"patch {channel.patch}: what it puts out is no sound any more")
                self._give_up(track, channel)

    def _give_up(self, track: int, channel: Channel) -> None:
        """End the notes of a channel whose patch failed, and have it mended."""
        self._end_all(track, channel)
        self.control.put(RebuildTrack(channel))

    # --- the player, as `player` asks for it -------------------------------------------------------------------------------

    def begin_player(self, pitch: int, velocity: int) -> None:
        """Begin a note of the player's."""
        self._begin(PLAYER, -1, pitch, velocity, self.frame)

    def end_player(self, pitch: int) -> None:
        """End a note of the player's."""
        self._end(PLAYER, -1, pitch, self.frame)

    def bend_player(self, bend: float) -> None:
        """Bend the player's notes by -1..1."""
        self._rack.player.bend(bend)
        self._tell(self.frame, -1, PITCH_BEND, PLAYER, 0, 0, bend)

    def tell_control(self, number: int, value: int) -> None:
        """Publish a controller of the player's."""
        self._tell(self.frame, -1, CONTROL, PLAYER, number, value)

    def hush_player(self) -> None:
        """Free every voice of the player's."""
        self._rack.player.hush()

    # --- the network -------------------------------------------------------------------------------------------------------

    def _stop_network(self, frame: int) -> None:
        """The beat stands still: the network's notes end, and what it had sent for later is dropped."""
        self._accept(Event(frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0))

    def _play_network(self, end: int) -> None:
        if self._notes.is_behind():
            for record in self._notes.read().tolist():
                self._accept(Event(*record))
        if len(self._schedule):
            for event in self._schedule.due(end):
                self._play(event, max(event.frame, self.frame))

    def _accept(self, event: Event) -> None:
        """Take one event of the network: into the schedule, and to the MIDI output."""
        if event.track >= len(self._rack.tracks) and event.track != PLAYER:
            return
        if is_late(event, self.frame):
            self.notes_late += 1
            return
        if event.kind == NOTE_ON and event.frame >= self.transport.stopped_at:
            return  # sent before the network heard of it
        self._schedule.put(event)
        if self.outlet is not None and not (event.kind == NOTE_ON and event.track in self._muted):
            self.outlet(event)

    def _play(self, event: Event, frame: int) -> None:
        if event.kind == NOTE_ON:
            self._begin(event.track, event.step, event.pitch, event.velocity, frame)
        elif event.kind == NOTE_OFF:
            self._end(event.track, event.step, event.pitch, frame)
        elif event.kind == ALL_OFF:
            tracks = range(len(self._rack.tracks)) if event.track == PLAYER else (event.track,)
            for track in tracks:
                for pitch in list(self._rack[track].sounding):
                    self._end(track, event.step, pitch, frame)

    # --- what begins and ends to sound -------------------------------------------------------------------------------------

    def _begin(self, track: int, step: int, pitch: int, velocity: int, frame: int) -> None:
        """Begin a note; one that sounds already is struck anew. Twice in one block it is one note."""
        channel = self._rack[track]
        began = channel.sounding.get(pitch)
        if began is not None and began < self.frame:
            self._tell(frame, step, NOTE_OFF, track, pitch)
        if began is None or began < self.frame:
            self._tell(frame, step, NOTE_ON, track, pitch, velocity)
        elif self._deferred:
            self._deferred = [d for d in self._deferred if (d[0], d[2]) != (track, pitch)]
        channel.sounding[pitch] = frame
        worked = channel.working
        channel.note_on(pitch, velocity)
        if worked and not channel.working:
            self._give_up(track, channel)

    def _end(self, track: int, step: int, pitch: int, frame: int) -> None:
        """End a note. One that begins in this very block lasts for it, or it would never be heard."""
        channel = self._rack[track]
        began = channel.sounding.get(pitch)
        if began is None:
            return
        if began >= self.frame:
            self._deferred.append((track, step, pitch))
            return
        del channel.sounding[pitch]
        channel.note_off(pitch)
        self._tell(frame, step, NOTE_OFF, track, pitch)

    def _end_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []
        for track, step, pitch in deferred:
            self._end(track, step, pitch, self.frame)

    def _end_all(self, track: int, channel: Channel) -> None:
        """End all notes of a channel now, those of this block too."""
        for pitch, began in list(channel.sounding.items()):
            channel.note_off(pitch)
            self._tell(max(began, self.frame), -1, NOTE_OFF, track, pitch)
        channel.sounding.clear()

    def _tell(self, frame: int, step: int, kind: int, track: int, pitch: int, velocity: int = 0, bend: float = 0.0) -> None:
        self._events.push((frame, step, kind, track, pitch, velocity, bend))


def _level_indices(registry: Registry, card: Card) -> list[tuple[int, int, int]]:
    """Return (track, index of its level, index of its mute or -1) of every channel."""
    found = [(i, registry.index[f"{t.name}.level"], registry.index[f"{t.name}.mute"]) for i, t in enumerate(card.tracks)]
    return [*found, (PLAYER, registry.index["player.level"], -1)]


def _boot(rate_hz: float, seed: int) -> Server:
    """Return a running pyo server that renders a block when told to."""
    server = Server(sr=rate_hz, nchnls=OUTPUTS, buffersize=BLOCK, duplex=0, audio="manual")
    server.setVerbosity(1)
    server.deactivateMidi()
    server.setGlobalSeed(1 + seed % (2**31 - 2))  # 0 would mean the time of day
    server.boot()
    return server.start()


def _output_of(server: Server) -> np.ndarray:
    """Return the server's output buffer as float32 (BLOCK, OUTPUTS), to be read after each `process()`."""
    address = ctypes.cast(int(server.getOutputAddr(), 16), ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(address, (BLOCK, OUTPUTS))
