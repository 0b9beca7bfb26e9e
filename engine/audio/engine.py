"""The audio engine: from what the player and the network do to 64 frames of sound, block after block.

Runs on: audio process. `render_block` belongs to the audio callback (offline: to whoever renders); all it touches lives in this
object and those it holds. What takes time is done by `worker`, on the control thread; other threads only append to the player's
arrivals and to the worker's requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.audio.band import Band
from engine.audio.controls import Controls
from engine.audio.host import WAIT_S
from engine.audio.hosts import Hosts
from engine.audio.intake import Intake
from engine.audio.messages import Change, FreeInstrument, KeepController, LoadPatch, LogMessage, RebuildTrack, ReplaceInstrument
from engine.audio.mixer import Mixer
from engine.audio.player import Player
from engine.audio.rack import Rack
from engine.audio.sounding import Sounding
from engine.audio.switcher import Switcher
from engine.audio.track import Track
from engine.audio.worker import Worker
from engine.control.controllers import Controllers
from engine.core.config import Config
from engine.core.contract import Card
from engine.core.controllers import Place
from engine.core.link import Link
from engine.core.messages import (
    ALL_OFF,
    BLOCK,
    GIVEN_CHORD,
    NOTE_OFF,
    NOTE_ON,
    PLAYER,
    WARNING,
)
from engine.core.parameters import Live, Registry
from engine.jam.chords import made_of
from engine.midi.inputs import DrawnInput, KeysInput, MidiInput
from engine.midi.output import AT_ONCE
from engine.midi.schedule import Event
from engine.transport import sources
from engine.transport.midi_clock import TICK
from engine.transport.outside import OUTSIDE
from engine.transport.sources import Source
from engine.transport.transport import Transport

FADE_S = 0.03  # from `release_all` until there is silence: the glide of the levels and a block or two


class AudioEngine:
    """Renders the player's and the network's notes; `frame` is the first frame of the next block.

    Channels: reads `notes`, `keys`, `booth` and the parameters; writes `events`, `wave`, and `stems` where there is one.
    """

    def __init__(
        self,
        link: Link,
        registry: Registry,
        card: Card,
        config: Config,
        rate_hz: float,
        source: MidiInput | None = None,
        run_by_thread: bool = False,
        beat: Source | None = None,
        plugins_wait_s: float = WAIT_S,
        intake: Callable[[Link, Live], Intake] = Intake,
    ) -> None:
        """Build the mixer. `run_by_thread`: another thread runs the worker; if not, every block does. `beat`: where the
        transport has it from, unless it is the tempo parameter; its music begins a beat after the sound, so that each beat of
        the recording is one of the file's. `plugins_wait_s`: how long a block waits for plugins at most. `intake`: what makes
        that through which a block is told of the outside.

        Raises ConfigError when midi.cc names what there is not. A patch that fails is told, not raised.
        """
        self.rate_hz = rate_hz
        self.frame = 0
        self._run_by_thread = run_by_thread
        self._thru = config.midi.thru > 0
        live = Live(registry, link.values)  # the worker's, who declares; the block loop has what is held for it
        self.intake = intake(link, live)
        last = link["clock"].latest()
        self.intake.start(last is not None, rate_hz, 0 if last is None else int(last["frame"]))
        heard = self.intake.live
        self.worker = Worker(link, live, config)
        controllers = Controllers(heard, config, self.intake.link["learn"].reader(), self._tell, self._keep_controller, link)
        self.player = Player(controllers, config, rate_hz, self, self._tell)
        self.player.ports.on_heard = self.intake.hear
        self.player.add(KeysInput(self.intake.link["keys"].reader()))
        self.player.add(DrawnInput(link["booth"].reader()))
        if source is not None:
            self.player.add(source)
        self.mixer = Mixer(
            _patches(live, config, card),
            config,
            rate_hz,
            self._tell,
            Hosts(link, rate_hz, self.worker.tell, plugins_wait_s),
        )
        if "stems" in link:
            self.mixer.publish_buses(link.writer("stems"))
            self.mixer.publish_returns(link.writer("returns"))
        elif "buses" in link:
            self.mixer.publish_buses(link.writer("buses"), link["wanted"])
        self.rack = Rack(self.mixer, link, live, config, rate_hz, self.worker.tell)
        self._switcher = Switcher(self.intake.link, heard, self.worker, card.steps_per_beat)
        self.worker.begin(self.mixer, self.rack, self._switcher)
        self.intake.begin(-1)
        self._sound = self.mixer.block.reshape(-1).view(np.uint8).data
        lead_in_beats = 0 if beat is None else 1
        self._lead: sources.Lead | None = None
        if beat is None:
            selected = sources.Selected(heard, rate_hz, link)
            self._lead = sources.Lead(selected, link["clock"])
            beat = self.intake.source(selected)
        self.transport = Transport(
            link.writer("timeline"), heard, beat, rate_hz, card.steps_per_beat, config.clock.count_in, lead_in_beats
        )
        self.transport.on_stop = self._stop_network  # the band stands with the beat
        self.transport.on_click = self.mixer.click
        self._sounding = Sounding(self.mixer, link.writer("events"), self._rebuild)
        self.band = Band(self.intake.link, heard, self.mixer, self._sounding, lambda: self.transport.stopped_at)
        self._controls = Controls(registry, heard.values.numbers, self.mixer, self._load)
        self._panics = heard.get("panic")
        self._is_turned = True  # a parameter is another than in the block before
        self._wave = link.writer("wave")
        self._late = link.writer("late")
        self._was_late: tuple[int, int] | None = None
        self._leads = ("", True)  # the clock from outside, and whether it is there, as it was said last
        self._closing = False  # asked to
        self._silent = False  # done
        self._broken_blocks = 0

    # --- for other threads -------------------------------------------------------------------------------------------------

    def resume(self, last: np.void, events: np.ndarray) -> None:
        """Take over from a process that died: end the notes that still sound after these `events`, and count on.

        `last` is the CLOCK record it published last.
        """
        self.player.resume(int(last["notes_in"]), int(last["midi_ignored"]))
        self.band.late = int(last["notes_late"])
        hanging: dict[tuple[int, int], int] = {}
        for event in events:
            if event["kind"] in (NOTE_ON, NOTE_OFF):
                key = (int(event["track"]), int(event["pitch"]))
                hanging.pop(key, None)
                if event["kind"] == NOTE_ON:
                    hanging[key] = int(event["step"])
        for (track, pitch), step in hanging.items():
            self._sounding.tell(int(last["frame"]), step, NOTE_OFF, track, pitch)

    def go_on_at(self, frame: int, rate_hz: float) -> None:
        """In the place of a process that died: the sample clock is here by now."""
        self.intake.catch_up(self.frame, frame)
        self.frame = frame
        self.transport.follow_rate(frame, rate_hz)

    @property
    def peak(self) -> float:
        """Of the last block, 1.0 = full scale."""
        return self.mixer.limiter.peak

    def release_all(self) -> None:
        """End every note and fade out; FADE_S later there is silence for good. Any thread."""
        self._closing = True

    def close(self) -> None:
        """Let go of the plugins and take pyo's server down; nothing can be rendered afterwards."""
        self.rack.editors.close()
        self.mixer.hosts.close()
        self.mixer.close()

    # --- one block ---------------------------------------------------------------------------------------------------------

    def render_block(self) -> memoryview:
        """Render BLOCK frames and advance `frame` by as many; return their bytes, float32 (BLOCK, OUTPUTS).

        They are good until the next call. What is done in every block avoids numpy where it can: see Ring.
        """
        end = self.frame + BLOCK
        self._sounding.frame = self.frame
        self._is_turned |= self.intake.begin(self.frame)
        if self.intake.takes(bool(self.worker.replies) and not self._closing):
            self._take_replies()
        version = self.intake.values.version
        for begun in self._switcher.look(end, self.transport.line):
            self._replace(begun)
        if self._is_turned or version != self.intake.values.version:
            self._is_turned = False
            self._take_parameters()
        if self.transport.due < end:
            self.transport.advance(self.frame, end)
            self._say_who_leads()
        if self._closing:
            self._fall_silent()
        else:
            for rung_out in self.mixer.listen():
                self.worker.requests.put(FreeInstrument(rung_out))
                self.mixer.compensate()
            self._sounding.end_deferred()
            self.player.hear(self.frame, end)
            self.band.play(self.frame, end)
        if self.mixer.late != self._was_late:
            self._was_late = self.mixer.late
            self._late.push((self.frame, *self._was_late))
        self.mixer.render(self.frame, self.transport.line)
        if self.mixer.limiter.broken_blocks != self._broken_blocks:
            self._find_the_broken()
        self._wave.push_bytes(self.frame.to_bytes(8, "little"), self._sound)
        self.frame = end
        if not self._run_by_thread:
            while self.worker.run_pending():
                pass
        return self._sound

    def _say_who_leads(self) -> None:
        """Say so where a clock from outside is lost, and where it leads again."""
        line, source = self.transport.line, self.intake.live.registry["clock.source"].text(self.intake.live.get("clock.source"))
        if not line.playing or source not in OUTSIDE or (source, line.locked) == self._leads:
            return
        if not line.locked:
            self._tell(f"the clock {source} is not there: the beat goes on by itself at {line.counted_bpm:.1f} bpm")
        elif self._leads == (source, False):
            self._tell(f"the clock {source} leads again, at {line.counted_bpm:.1f} bpm")
        self._leads = (source, line.locked)

    def _take_replies(self) -> None:
        """Play on what the worker has built."""
        reply = self.worker.replies.popleft()
        if isinstance(reply, Change):
            reply.do()
        elif not self._switcher.keeps(reply):
            for place, value in reply.values:
                self.intake.values.write(place, value)
            self._replace(reply)

    def _replace(self, reply: ReplaceInstrument) -> None:
        self._is_turned = True
        replaced = reply.track.replace(reply.strip, reply.knobs)
        reply.track.turn_knobs(self.intake.values.numbers)
        self.mixer.compensate()
        if replaced is not None:
            self.worker.requests.put(FreeInstrument(replaced))

    def _take_parameters(self) -> None:
        self.transport.take_parameters(self.frame)
        if not self._closing:
            self.rack.turn(self.intake.values.numbers)
            self.band.mute(self._controls.turn(self.intake.values.numbers), self.frame)
            self.band.take_parameters(self.frame)
        panics = self.intake.live.get("panic")
        if panics != self._panics:
            self._panics = panics
            self._silence()

    def _silence(self) -> None:
        """Panic: end every note and free every voice, forget what was to come and what was held."""
        self.player.release()
        self._sounding.silence()
        self.band.silence(self.frame)

    def _fall_silent(self) -> None:
        """End every note, once; the levels glide to zero meanwhile and stay there."""
        if not self._silent:
            self._silent = True
            self.intake.close()
            self._silence()
            self.mixer.fade()

    def _find_the_broken(self) -> None:
        """Non-finite output was silenced: take out the instruments that go on with it."""
        if self._broken_blocks == 0:
            self._tell("a patch or an effect put out non-finite output; that block was silenced")
        self._broken_blocks = self.mixer.limiter.broken_blocks
        for number, track in self.mixer.broken():
            track.fail(f"patch {track.patch}: non-finite output")
            self._sounding.give_up(number, track)

    def _rebuild(self, track: Track) -> None:
        self.worker.requests.put(RebuildTrack(track))

    def _load(self, track: Track) -> None:
        self.worker.requests.put(LoadPatch(track))

    def _tell(self, text: str) -> None:
        self.worker.requests.put(LogMessage(WARNING, text))

    def _keep_controller(self, place: Place, parameter: str, takeover: bool, before: str) -> None:
        self.worker.requests.put(KeepController(place, parameter, takeover, before))

    # --- the player, as `player` asks for it -------------------------------------------------------------------------------

    def begin_player(self, lane: int, pitch: int, velocity: int) -> None:
        """Begin a note of the player's; at the MIDI output, where it goes through, at once."""
        self._sounding.begin(PLAYER, -1 - lane, pitch, velocity, self.frame)
        self.band.give_way(self.frame)
        if self._thru and self.band.outlet is not None:
            self.band.outlet(Event(AT_ONCE, -1, NOTE_ON, PLAYER, pitch, velocity, 0.0))

    def end_player(self, pitch: int) -> None:
        """End a note of the player's."""
        self._sounding.end(PLAYER, -1, pitch, self.frame)
        if self._thru and self.band.outlet is not None:
            self.band.outlet(Event(AT_ONCE, -1, NOTE_OFF, PLAYER, pitch, 0, 0.0))

    def steer_player(self, pitches: Sequence[int]) -> None:
        """The player's hand of chords holds these: the band goes to their chord."""
        sounding = np.bincount([pitch % 12 for pitch in pitches], minlength=12)
        root, quality = made_of(sounding, min(pitches)).code
        self._sounding.tell(self.frame, -1, GIVEN_CHORD, PLAYER, root, quality)

    def bend_player(self, pitch: int, semitones: float) -> None:
        """Bend one of the player's notes."""
        for notes in self.mixer.player.notes:
            notes.note_bend(pitch, semitones)

    def press_player(self, pitch: int, pressure: float) -> None:
        """Press one of the player's notes, 0..1."""
        for notes in self.mixer.player.notes:
            notes.note_pressure(pitch, pressure)

    def move_player(self, pitch: int, timbre: float) -> None:
        """Move the finger of one of the player's notes, 0..1."""
        for notes in self.mixer.player.notes:
            notes.note_timbre(pitch, timbre)

    def hush_player(self) -> None:
        """Free every voice of the player's."""
        self.mixer.player.hush()

    def lead_player(self, status: int, value: float, port: str, time_ns: int) -> None:
        """Take a message of another machine's clock, for the frame that is heard as it comes."""
        if self._lead is not None:
            self._lead.hear(status, value, port, time_ns, self.frame)
            if status != TICK:
                self.transport.wake(self.frame)

    def tell_player(self, lane: int, kind: int, number: int, value: int, bend: float) -> None:
        """Publish what the player did beside his notes."""
        self._sounding.tell(self.frame, -1 - lane, kind, PLAYER, number, value, bend)

    def _stop_network(self, frame: int) -> None:
        """The beat stands still: the network's notes end, and what it had sent for later is dropped."""
        self.band.accept(Event(frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0), self.frame)


def _patches(live: Live, config: Config, card: Card) -> dict[str, str]:
    """Return the patch that plays each track, then the player: what is asked for now, in the place of a process that died."""
    found = {}
    for name in (*(track.name for track in card.tracks), "player"):
        key = f"{name}.patch"
        found[name] = live.registry[key].text(live.get(key)) if key in live.registry else config.patch_of(name)
    return found
