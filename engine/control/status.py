"""How a jam goes at one moment: read from the link here alone; terminal, OSC, page and report each show some of it.

Runs on: main process (terminal, report), feed process and replay (OSC, page).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from engine.control.scene_view import SceneView, scene_view
from engine.core.care import ABSENT, SPARED, STATES, WELL
from engine.core.link import Link
from engine.core.parameters import Live
from engine.core.roles import PROCESSES
from engine.jam.chords import of_code
from engine.jam.modes import CLASSES
from engine.transport.outside import astray, share
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline

CLOCKS = {"link": "ableton", "midi": "midi_clock", "prodj": "prodj"}  # the ring of each source from outside
THERE_NS = 1.5e9
MOST_STANDING = 64  # moves of controls that are looked back on


class Spread(NamedTuple):
    """Median, 99th percentile and maximum of durations, in ms."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, record: np.void, what: str) -> Spread:
        """From the fields of a NETWORK_STATS record that begin with `what`."""
        return cls(*(float(record[f"{what}_{name}_ms"]) for name in cls._fields))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the music is, as musicians count it: bars and the beats of a bar from 1, beats and tempo as the metre has them."""

    bar: int  # in the count-in 0 or less
    beat: int
    tempo_bpm: float
    playing: bool
    begun: bool  # it has come past its count-in
    metre: str = "4/4"

    @classmethod
    def of(cls, line: BeatTimeline, clock: np.void | None, now_ns: int) -> Place:
        """Return where the line is at a host time; without a clock, where it began."""
        frame = line.frame if clock is None else SampleClock.of(clock).frame_at(now_ns)
        at = max(line.beat_at(frame), line.beat)
        metre = line.metre
        bar, into = divmod(line.place(at), metre.bar)
        beat = int(into / metre.beat) + 1
        return cls(int(bar) + 1, beat, line.counted_bpm, bool(line.playing), at >= line.began, metre.name)


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """What the network process counts, from NETWORK_STATS."""

    steps: int
    late_steps: int
    step_ms: Spread
    recomputed: int  # steps recomputed at their input deadline
    kept: int  # those of them whose new choice came too late
    recomputed_ms: Spread
    lookahead_ms: float
    listening: bool
    provider: str

    @classmethod
    def of(cls, record: np.void) -> NetworkFigures:
        """From a NETWORK_STATS record."""
        return cls(
            steps=int(record["steps"]),
            late_steps=int(record["late_steps"]),
            step_ms=Spread.of(record, "step"),
            recomputed=int(record["again_steps"]),
            kept=int(record["kept_steps"]),
            recomputed_ms=Spread.of(record, "again"),
            lookahead_ms=float(record["lead_ms"]),
            listening=bool(record["listening"]),
            provider=record["provider"].decode(errors="replace"),
        )


@dataclass(frozen=True, slots=True)
class SoundFigures:
    """What the audio process counts, from CLOCK; loads are shares of a block's time."""

    rate_hz: float
    dsp_mean: float
    dsp_max: float
    dsp_own_max: float
    xruns: int
    xruns_own: int
    midi_ignored: int
    notes_late: int
    device_lost: bool

    @classmethod
    def of(cls, record: np.void) -> SoundFigures:
        """From a CLOCK record."""
        return cls(
            rate_hz=float(record["rate_hz"]),
            dsp_mean=float(record["dsp_mean"]),
            dsp_max=float(record["dsp_max"]),
            dsp_own_max=float(record["dsp_own_max"]),
            xruns=int(record["xruns"]),
            xruns_own=int(record["xruns_own"]),
            midi_ignored=int(record["midi_ignored"]),
            notes_late=int(record["notes_late"]),
            device_lost=bool(record["device_lost"]),
        )


@dataclass(frozen=True, slots=True)
class Chords:
    """Names of the chord that is heard, that is expected a beat later, and that the band plays; empty where there is none."""

    heard: str = ""
    expected: str = ""
    played: str = ""
    chart: str = ""  # that is played by

    @classmethod
    def of(cls, chords: np.void | None, chart: np.void | None) -> Chords:
        """From records of CHORDS and CHART."""
        fields = ("heard", "expected", "played")
        names = [None if chords is None else of_code(*chords[name].tolist()) for name in fields]
        heard, expected, played = ("" if of is None else of.name for of in names)
        return cls(heard, expected, played, "" if chart is None else chart["text"].decode())


@dataclass(frozen=True, slots=True)
class FeedFigures:
    """What the feed process counts, from FEED_STATS."""

    sent: int
    dropped: int
    rate_hz: float
    step_us: float
    recording: int  # 1: on, 0: off, 2: stopped by an error
    recorded_frames: int

    @classmethod
    def of(cls, record: np.void) -> FeedFigures:
        """From a FEED_STATS record."""
        return cls(
            sent=int(record["sent"]),
            dropped=int(record["dropped"]),
            rate_hz=float(record["rate_hz"]),
            step_us=float(record["step_us"]),
            recording=int(record["recording"]),
            recorded_frames=int(record["recorded_frames"]),
        )


@dataclass(frozen=True, slots=True)
class Outside:
    """How it is with a clock from outside."""

    name: str  # of the source
    there: bool  # whether something has come of it within the last moments
    tempo_bpm: float = 0.0  # its own, in quarters
    peers: int = 0  # others that take part
    jitter_ms: float = 0.0  # by how much what it says comes early or late, a standard deviation
    offset_ms: float | None = None  # how far the band's beat is heard after its nearest one

    @classmethod
    def of(cls, name: str, record: np.void | None, line: BeatTimeline | None, clock: np.void | None, now_ns: int) -> Outside:
        """From an OUTSIDE record, the line that holds, and the CLOCK record."""
        if record is None or now_ns - int(record["time_ns"]) > THERE_NS:
            return cls(name, there=False)
        tempo_bpm = float(record["tempo_bpm"])
        found = cls(name, True, round(tempo_bpm, 3), int(record["peers"]), round(float(record["jitter_ms"]), 3))
        if line is None or clock is None or not line.playing or not tempo_bpm:
            return found
        theirs = share(tempo_bpm, 1.0)
        its = (float(record["beat"]) + (now_ns - int(record["time_ns"])) * 1e-9 * tempo_bpm / 60) / theirs
        heard = SampleClock.of(clock).frame_at(now_ns) - float(clock["latency_frames"])
        off = astray(its, line.beat_at(heard), line.metre.tempo_beat)
        return replace(found, offset_ms=round(off * 60e3 * theirs / tempo_bpm, 3))


@dataclass(frozen=True, slots=True)
class Beat:
    """Where the beat comes from, and how it is with the player's own where that is followed."""

    source: str
    locked: bool  # False: it has lost what it follows, or has not found it
    waits: bool  # it begins as soon as the player's beat is found
    heard_bpm: float = 0.0  # the player's tempo, as the beat's; 0: none is found
    confidence: float = 0.0  # 0..1, of that
    outside: tuple[Outside, ...] = ()  # the clocks that can be followed, each as it is now

    @property
    def followed(self) -> Outside | None:
        """The clock from outside that is followed; None where the beat is the band's own, or the player's."""
        return next((outside for outside in self.outside if outside.name == self.source), None)

    @property
    def peers(self) -> int:
        """Others that take part in the session, or decks that play."""
        return 0 if self.followed is None else self.followed.peers

    @classmethod
    def of(cls, live: Live, line: BeatTimeline | None, heard: np.void | None, outside: tuple[Outside, ...]) -> Beat:
        """From the parameters, the line that holds, and the record of PLAYER_BEAT."""
        source = live.registry["clock.source"].text(live.get("clock.source"))
        follows = source == "follow"
        began = live.get("transport.start") > live.get("transport.stop")
        waits = follows and began and line is not None and not line.playing
        locked = line is not None and line.locked
        if not follows or heard is None or line is None or not heard["frames_per_beat"]:
            return cls(source, locked, waits, outside=outside)
        heard_bpm = 60 * line.rate_hz / float(heard["frames_per_beat"])
        return cls(source, locked, waits, heard_bpm, float(heard["confidence"]), outside)


@dataclass(frozen=True, slots=True)
class Care:
    """What is the matter with the processes, and what is done without; nothing, where all is well."""

    ailing: dict[str, str] = field(default_factory=dict)  # by process: slow, stopped, hung, begun anew
    spared: tuple[str, ...] = ()  # of care.SPARED
    why: str = ""

    @classmethod
    def of(cls, care: np.void | None, spared: np.void | None) -> Care:
        """From records of CARE and SPARED."""
        states = [] if care is None else care["states"].tolist()
        ailing = {name: STATES[state] for name, state in zip(PROCESSES, states, strict=False) if state not in (ABSENT, WELL)}
        if spared is None:
            return cls(ailing)
        less = tuple(what for number, what in enumerate(SPARED) if int(spared["what"]) >> number & 1)
        return cls(ailing, less, spared["why"].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Devices:
    """What sounds and is played on: names of the audio device and of MIDI ports; `waits`: ports that are not there."""

    audio: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: np.void | None) -> Devices:
        """From a record of DEVICES."""
        if record is None:
            return cls()
        told = json.loads(record["text"])
        return cls(told["audio"], tuple(told["inputs"]), tuple(told["outputs"]), tuple(told["waits"]))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a jam goes; a part is None until its process has published."""

    mode: str
    takes_turns: bool  # whether this mode listens and answers by turns
    tempo_bpm: float  # as it is set; the beat's own stands in `place`
    seed: int
    place: Place | None
    network: NetworkFigures | None
    sound: SoundFigures | None
    feed: FeedFigures | None
    chords: Chords = Chords()
    beat: Beat = Beat("internal", locked=True, waits=False)
    care: Care = Care()
    devices: Devices = Devices()
    scenes: SceneView = field(default_factory=SceneView)

    @property
    def doing(self) -> str:
        """What goes on: starting, stopped, waits for your beat, count-in, listening, answering or playing."""
        if self.place is None or self.sound is None:
            return "starting"
        if not self.place.playing:
            return "waits for your beat" if self.beat.waits else "stopped"
        if not self.place.begun:
            return "count-in"
        if not self.takes_turns or self.network is None:
            return "playing"
        return "listening" if self.network.listening else "answering"


def standing(link: Link) -> dict[str, tuple[float, float]]:
    """Return where MIDI controls stand that are not followed, for they have not come to their parameters: shares of the range
    of control and parameter, by the parameter's id; the one that was moved last is the last."""
    ring = link["takeover"]
    found: dict[str, tuple[float, float]] = {}
    for name, _, at, to, waits in ring.reader(max(ring.count - MOST_STANDING, 0)).read().tolist():
        found.pop(name.decode(errors="replace"), None)
        if waits:
            found[name.decode(errors="replace")] = (round(at, 3), round(to, 3))
    return found


def snapshot(link: Link, live: Live) -> Snapshot:
    """Return how the jam on this link goes now: a copy of ten records, cheap enough to be asked many times a second."""
    clock, timeline, network, feed = (link[name].latest() for name in ("clock", "timeline", "network", "feed"))
    mode = CLASSES[int(live.get("mode"))]
    line = None if timeline is None else BeatTimeline.of(timeline)
    now_ns = time.perf_counter_ns()
    outside = tuple(Outside.of(name, link[ring].latest(), line, clock, now_ns) for name, ring in CLOCKS.items())
    return Snapshot(
        mode=mode.name,
        takes_turns=mode.takes_turns,
        tempo_bpm=live.get("tempo"),
        seed=int(live.get("seed")),
        place=None if line is None else Place.of(line, clock, now_ns),
        beat=Beat.of(live, line, link["player_beat"].latest(), outside),
        network=None if network is None else NetworkFigures.of(network),
        sound=None if clock is None else SoundFigures.of(clock),
        feed=None if feed is None else FeedFigures.of(feed),
        chords=Chords.of(link["chords"].latest(), link["chart"].latest()),
        care=Care.of(link["care"].latest(), link["spared"].latest()),
        devices=Devices.of(link["devices"].latest()),
        scenes=scene_view(link),
    )
