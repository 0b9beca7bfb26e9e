"""Every number of the smooth tier at a moment: what is heard then of notes, steps and sound.

Runs on: signals process, or a thread of the replay. What nobody wants is not computed.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from engine.core.link import Link
from engine.core.messages import ALL_OFF, CLOCK, NOTE_OFF, NOTE_ON, stem_names
from engine.core.parameters import Live
from engine.feed.encoder import Encoder
from engine.feed.schema import Schema
from engine.feed.signals.catalogue import BAR, BAR_PULSE, BEAT, BEAT_PULSE, LINK_BAR, LINK_BEAT, OF_VOICE
from engine.feed.signals.notes import Notes
from engine.feed.signals.ranges import Falls, Ranges
from engine.feed.signals.sound import Sound
from engine.feed.signals.steps import Steps
from engine.feed.signals.words import Words
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline, TimelineReader

PULSE = 5.0  # how steeply a pulse falls: e^-5 at the next beat
AWAKE_S = 4.0  # after the last note the ranges learn on for so long
SESSION_S = 1.0  # after so long without a word there is no session of Ableton Link any more
LATENCY = (CLOCK.names or ()).index("latency_frames")
JUMP_S = 1.0  # a step of time that is none: a machine that slept, another clock


@dataclass
class Wants:
    """What somebody wants of the numbers."""

    levels: bool = False
    trails: bool = False
    spans: tuple[slice, ...] = field(default=())  # of the encoder's values


class Signals:
    """The numbers of a run: `advance` to a host time; `numbers` then holds them, in the order values, raw, trails, steps.

    Values and raw are laid out as the catalogue's signals, trails as its trails, steps as the values of a step's encoder.
    """

    def __init__(self, link: Link, schema: Schema, live: Live, rate_hz: float, room: int = 0) -> None:
        """`room`: how many values the steps of the largest network of a run have, where there are several."""
        self.catalogue = catalogue = schema.catalogue
        self.rate_hz = rate_hz
        self.frame = 0.0  # that is heard at the moment
        self.beat = 0.0  # of it
        count = len(catalogue)
        self.at_trails = 2 * count
        self.at_steps = self.at_trails + catalogue.trail_size
        self.numbers = np.zeros(self.at_steps + max(schema.size, room), np.float32)
        self.values, self.raw = self.numbers[:count], self.numbers[count : 2 * count]
        self.wants = Wants()
        self._link = link
        self._clock = link["clock"]
        self._timeline = TimelineReader(link["timeline"])
        self._events = link["events"].reader()
        self._waiting: deque[tuple[int, int, int, int, int]] = deque(maxlen=4096)  # notes that are not heard yet
        self._notes = Notes(catalogue.card, catalogue)
        self._steps = Steps(link["steps"], Encoder(schema), catalogue)
        tracks = catalogue.card.tracks[: len(catalogue.tracks)]
        pitched = [number for number, track in enumerate(tracks) if track.kind != "drums"]
        self.words = Words(link, live, [*pitched, len(catalogue.voices) - 1])
        self._ranges = Ranges(catalogue)
        names = [voice.rpartition("/")[2] for voice in catalogue.voices]
        self._sound = Sound(link, rate_hz, names, stem_names(catalogue.card))
        self._falls = Falls(catalogue)
        self._now_s = 0.0
        self._music_s = -1e9  # when there was music

    def adopt(self, link: Link, schema: Schema, first: int) -> None:
        """Another network plays from its step `first` in the ring on; `link`: the channels as that one has them.

        Its catalogue is the same. Who wants its activations says so anew.
        """
        self._steps = Steps(link["steps"], Encoder(schema), self.catalogue, first)
        self.wants.spans = ()  # they are places among the values of the other
        self.numbers[self.at_steps :] = 0.0

    def settle(self) -> None:
        """Do what has time until the next moment."""
        if self.wants.levels:
            self._sound.levels.settle()

    def advance(self, now_ns: int) -> bool:
        """Move on to a host time. Return whether there is anything: not before there is sound."""
        clock = self._clock.numbers()
        if clock is None:
            return False
        line = SampleClock(*clock[:3])
        now_s = now_ns * 1e-9
        passed_s = now_s - self._now_s
        if not 0 <= passed_s <= JUMP_S:
            passed_s = 0.0
        self._now_s = now_s
        self.frame = line.frame_at(now_ns) - clock[LATENCY]
        # Frame n is heard at `first_s` + n * ns_per_frame.
        first_s = now_s - self.frame * line.ns_per_frame * 1e-9
        beat = self._timeline.now()
        if beat is not None:
            beat = self._timeline.at(self.frame)
            self._tell_beat(beat)
        self._tell_session(now_ns, 4.0 if beat is None else beat.metre.bar)
        self._hear(first_s, line.ns_per_frame * 1e-9, now_s)
        if self._steps.look(first_s, line.ns_per_frame):
            self.words.step(self._steps.bits)
        self._steps.advance(now_s, passed_s, self.wants.spans)
        self._gather()
        self.words.look(beat, self.frame, self._notes)
        if beat is not None and beat.playing:
            self._music_s = now_s
        self._range(now_s, passed_s)
        return True

    def _tell_beat(self, line: BeatTimeline) -> None:
        self.beat = line.beat_at(self.frame)
        metre, place = line.metre, line.place(self.beat)
        beat, bar = place / metre.beat % 1.0, place / metre.bar % 1.0
        raw = self.raw
        raw[BEAT], raw[BAR] = beat, bar
        raw[BEAT_PULSE], raw[BAR_PULSE] = math.exp(-PULSE * beat), math.exp(-PULSE * bar * metre.beats)

    def _tell_session(self, now_ns: int, bar: float) -> None:
        """Say where the session of Ableton Link is now; its bars have the band's length, quarters."""
        said = self._link["ableton"].latest()
        passed_s = (now_ns - int(said["time_ns"])) * 1e-9 if said is not None else SESSION_S
        if said is None or passed_s >= SESSION_S:
            self.raw[LINK_BEAT] = self.raw[LINK_BAR] = 0.0
            return
        theirs = float(said["beat"]) + passed_s * float(said["tempo_bpm"]) / 60
        self.raw[LINK_BEAT], self.raw[LINK_BAR] = theirs % 1.0, theirs / bar % 1.0

    def _hear(self, first_s: float, frame_s: float, now_s: float) -> None:
        if self._events.is_behind():
            for event in self._events.read()[["frame", "kind", "track", "pitch", "velocity"]].tolist():
                if event[1] in (NOTE_ON, NOTE_OFF, ALL_OFF):
                    self._waiting.append(event)
        self._notes.fade(now_s, self.wants.trails)
        waiting = self._waiting
        while waiting and waiting[0][0] <= self.frame:
            frame, kind, track, pitch, velocity = waiting.popleft()
            self._notes.hear(kind, track, pitch, velocity, first_s + frame * frame_s, now_s)
            self._music_s = now_s
        self._notes.advance()

    def _gather(self) -> None:
        catalogue, raw, numbers = self.catalogue, self.raw, self.numbers
        voices = len(catalogue.voices) * len(OF_VOICE)
        raw[catalogue.notes : catalogue.notes + voices] = self._notes.values.ravel()
        raw[catalogue.steps : catalogue.levels] = self._steps.own
        raw[catalogue.steps + 3] = self._notes.energy
        if self.wants.levels:
            self._sound.advance(self.frame)
            raw[catalogue.levels :] = self._sound.levels.values.ravel()
        if self.wants.trails:
            numbers[self.at_trails : self.at_steps] = self._notes.trails
        for span in self.wants.spans:
            numbers[self.at_steps :][span] = self._steps.values[span]

    def _range(self, now_s: float, passed_s: float) -> None:
        fallen = self._falls.advance(self.raw, passed_s)
        self._ranges.map(fallen, self.raw, self.values, now_s, now_s - self._music_s < AWAKE_S)
