"""The mixer: every instrument on a stereo bus of its own, through inserts, faders and sends to the master and the limiter.

Runs on: audio process (audio callback). pyo renders the buses; all that follows is done here, in NumPy.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from engine.audio.faders import Faders
from engine.audio.hosts import Hosts
from engine.audio.instrument import Instrument
from engine.audio.limiter import Limiter
from engine.audio.plain import BEAT, DOWNBEAT, Click
from engine.audio.plugins import PluginStrip
from engine.audio.processor import Chain, Processor
from engine.audio.server import boot, output_of
from engine.audio.stems import Stems
from engine.audio.track import Strip, Track
from engine.core.config import Config
from engine.core.link import Ring, Writer
from engine.core.messages import BLOCK, OUTPUTS, PLAYER, RETURNED
from engine.host.plugin import Moment
from engine.transport.timeline import BeatTimeline

LISTEN_BLOCKS = 4  # from listening to one track to listening to the next
SENDS = 2
_NOTHING: list[Strip | PluginStrip] = []


class Send:
    """An effect that every track can send a share of itself to; what it makes of that is added to the master."""

    def __init__(self, buses: int, rate_hz: float, chain: Chain) -> None:
        self.chain = chain
        self.faders = Faders(buses, rate_hz)
        self._block = np.zeros((BLOCK, OUTPUTS), np.float32)

    def add_to(self, out: np.ndarray, buses: np.ndarray) -> np.ndarray | None:
        """Add what returns, and return it; nothing while there is no effect."""
        if self.chain.is_idle:
            return None
        self.faders.mix(buses, self._block)
        self.chain.process(self._block)
        out += self._block
        return self._block

    def is_sound(self) -> bool:
        """Return whether what returned last can be a sound."""
        return bool(np.isfinite(self._block).all())


class Mixer:
    """All tracks: `mixer[track]` by the number in an EVENT, PLAYER for the player's own; and the metronome.

    A processor's latency is made up for: every other track of the network waits as long. The player never waits for anything
    but his own inserts.
    """

    def __init__(
        self,
        patches: Mapping[str, str],
        config: Config,
        rate_hz: float,
        on_fault: Callable[[str], None] = lambda _text: None,
        hosts: Hosts | None = None,
    ) -> None:
        """Boot pyo's server and build every instrument.

        `patches`: by the names of the network's tracks in their order, then of the player. `on_fault`: told what an effect did
        that was left out for it.
        """
        *tracks, player = patches
        self.hosts = hosts or Hosts(None, rate_hz, on_fault)
        # The limiter tells of what is no number; numpy's own words would keep the callback waiting for the terminal.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"engine\.audio\.")
        self._on_fault = on_fault
        buses = len(tracks) + 2
        self._server = boot(rate_hz, OUTPUTS * buses, config.jam.seed)
        self._process = self._server.process
        self._buses = output_of(self._server)
        self._faders = Faders(buses, rate_hz)
        self._inserts = [Chain(self._tell_fault) for _ in range(buses)]
        self._inserted: list[tuple[np.ndarray, Chain]] = []  # the buses that something is done to
        self._insert_block = np.zeros((BLOCK, OUTPUTS), np.float32)
        self.sends = [Send(buses, rate_hz, Chain(self._tell_fault)) for _ in range(SENDS)]
        self.master = Chain(self._tell_fault)
        self.limiter = Limiter(rate_hz, config.audio.ceiling_db)
        self.block = np.zeros((BLOCK, OUTPUTS), np.float32)
        self.tracks = [Track(name, bus, patches[name], self._aim) for bus, name in enumerate(tracks)]
        self.player = Track(player, len(tracks), patches[player], self._aim)
        self._moment = Moment()
        self._plugins: list[PluginStrip] = []  # that play or ring out
        self.metronome = Strip(Instrument("metronome", Click), len(tracks) + 1)
        self._faders.aim(len(tracks) + 1, 1.0, 1.0)
        self._stems: Stems | None = None
        self._returns: Writer | None = None
        self._returned = np.zeros(RETURNED["samples"].shape, np.float32)
        self._channels = list(self)
        self._turn = 0
        self.late = (0, 0)  # frames that the band, and the player, sound later than their notes

    def __getitem__(self, track: int) -> Track:
        return self.player if track == PLAYER else self.tracks[track]

    def __iter__(self) -> Iterator[Track]:
        yield from self.tracks
        yield self.player

    def numbered(self) -> list[tuple[int, Track]]:
        """Return every track with its number in an EVENT."""
        return [*enumerate(self.tracks), (PLAYER, self.player)]

    def click(self, downbeat: bool, level: float) -> None:
        """Sound the metronome, at a level 0..1."""
        self.metronome.instrument.note_on(DOWNBEAT if downbeat else BEAT, level)

    def listen(self) -> list[Strip | PluginStrip]:
        """Once a block: listen to the tracks in turn, so that what is silent may sleep. Return what is not needed any more."""
        self._turn += 1
        if self._turn % LISTEN_BLOCKS:
            return _NOTHING
        self._inserted = [entry for entry in self._inserted if not entry[1].is_idle]  # some wait no more
        channel = self._channels[self._turn // LISTEN_BLOCKS % len(self._channels)]
        return channel.listen(LISTEN_BLOCKS * len(self._channels))

    def publish_buses(self, writer: Writer, wanted: Ring | None = None) -> None:
        """From here on, publish each bus by itself too; with `wanted` while that has an odd number of records."""
        self._stems = Stems(self._faders, writer, wanted)

    def publish_returns(self, writer: Writer) -> None:
        """From here on, publish what comes back of the sends."""
        self._returns = writer

    def _publish(self, writer: Writer, frame: int, returned: list[np.ndarray | None]) -> None:
        for number, block in enumerate(returned):
            self._returned[:, OUTPUTS * number : OUTPUTS * (number + 1)] = 0.0 if block is None else block
        writer.push_bytes(frame.to_bytes(8, "little"), self._returned.reshape(-1).view(np.uint8).data)

    def render(self, frame: int, line: BeatTimeline | None = None) -> None:
        """Render the block that begins at `frame` into `block`, float32 (BLOCK, OUTPUTS). `line`: the beat, for plugins."""
        hosts = self.hosts
        if hosts.is_needed:
            hosts.begin(_moment(self._moment, frame, line))
            self._process()
            hosts.collect()
            for strip in self._plugins:
                strip.add()
        else:
            self._process()
        for bus, chain in self._inserted:
            if chain.only_waits:
                chain.process(bus)
            else:
                self._insert_block[:] = bus
                chain.process(self._insert_block)
                bus[:] = self._insert_block
        if self._stems is None or not self._stems.is_wanted:
            self._faders.mix(self._buses, self.block)
        else:
            self._stems.mix(self._buses, self.block)
            self._stems.publish(frame + self.master.latency_frames)
        returned = [send.add_to(self.block, self._buses) for send in self.sends]
        if self._returns is not None and any(block is not None for block in returned):
            self._publish(self._returns, frame + self.master.latency_frames, returned)
        self.master.process(self.block)
        if hosts.is_needed:
            hosts.end(self._moment)
        self.limiter.process(self.block)

    def insert(self, track: int, processor: Processor) -> None:
        """Put an effect behind those that a track has already."""
        self._inserts[self[track].bus].processors.append(processor)
        self.compensate()

    def chain(self, where: str) -> Chain:
        """Return what a track, "player", "send1", "send2" or "master" goes through."""
        if where == "master":
            return self.master
        if where in ("send1", "send2"):
            return self.sends[int(where[-1]) - 1].chain
        return self._inserts[next(track.bus for track in self if track.name == where)]

    def arrange(self, where: str, processors: Sequence[Processor]) -> None:
        """Let something go through these, in this order."""
        self.chain(where).arrange(processors)
        self.compensate()

    def bus(self, name: str) -> np.ndarray:
        """Return the bus of a track, or of the player, float32 (BLOCK, OUTPUTS): as it is when whoever looks is processed."""
        bus = next(track.bus for track in self if track.name == name)
        found: np.ndarray = self._buses[:, OUTPUTS * bus : OUTPUTS * (bus + 1)]
        return found

    def compensate(self) -> None:
        """Let the tracks of the network and the metronome wait for the slowest of them."""
        self._plugins = [strip for track in self for strip in track.strips if isinstance(strip, PluginStrip)]
        before = {track.bus: track.latency_frames for track in self}
        late = {
            bus: before.get(bus, 0) + chain.latency_frames for bus, chain in enumerate(self._inserts) if bus != self.player.bus
        }
        slowest = max(late.values())
        bus = self.player.bus
        self.late = (slowest, before.get(bus, 0) + self._inserts[bus].latency_frames)
        for bus, frames in late.items():
            self._inserts[bus].wait(slowest - frames, at_once=not self._turn)
        self._inserted = [
            (self._buses[:, OUTPUTS * bus : OUTPUTS * (bus + 1)], chain)
            for bus, chain in enumerate(self._inserts)
            if not chain.is_idle
        ]

    def broken(self) -> list[tuple[int, Track]]:
        """Return the tracks whose instruments go on with non-finite output. Where none does, effects that do are left out."""
        found = [(number, track) for number, track in self.numbered() if not track.is_sound()]
        if found:
            return found
        suspects = [chain for bus, chain in self._inserted if not np.isfinite(bus).all()]
        suspects += [send.chain for send in self.sends if not send.is_sound()]
        for chain in suspects or [self.master]:
            for processor in chain.processors:
                chain.drop(processor, ValueError("non-finite output"))
        return []

    def _tell_fault(self, name: str, error: Exception) -> None:
        self._on_fault(f"effect {name}: {error}; it is left out")

    def _aim(self, track: Track) -> None:
        left, right = track.gains
        self._faders.aim(track.bus, left, right)
        for send, share in zip(self.sends, track.sends, strict=True):
            send.faders.aim(track.bus, left * share, right * share)

    def fade(self) -> None:
        """Fade everything out for good: within GLIDE_S there is silence."""
        for track in self:
            track.set_fader(0.0)
        self._faders.aim(self.player.bus + 1, 0.0, 0.0)

    def close(self) -> None:
        """Take pyo's server down; nothing can be rendered afterwards."""
        self._server.stop()
        self._server.shutdown()


def _moment(moment: Moment, frame: int, line: BeatTimeline | None) -> Moment:
    """Write into `moment` where the music is at a frame."""
    moment.frame = frame
    if line is not None:
        moment.is_playing = bool(line.playing)
        moment.tempo_bpm = line.tempo_bpm
        moment.beat = max(line.beat_at(frame), line.beat) if line.playing else line.beat
        place = line.place(moment.beat)
        moment.bar = bars = math.floor(place / line.beats_per_bar)
        moment.bar_beat = moment.beat - (place - bars * line.beats_per_bar)
        moment.numerator, moment.denominator = line.numerator, line.denominator
    return moment
