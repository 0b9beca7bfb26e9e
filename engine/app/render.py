"""The offline render: the jam on a virtual clock, as fast as the machine goes.

Runs on: main process, one thread. The classes are those of the stage; only who calls them differs. The same arguments give the
same notes and the same bytes.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import mido
import numpy as np

from engine.app.offline_hosts import LONGEST_BLOCK_S, OfflineHosts
from engine.app.plugins import names_plugins
from engine.app.report import versions, write_json
from engine.app.song_render import Bars, about, backing_of, remarks
from engine.audio.engine import FADE_S, AudioEngine
from engine.core import contract
from engine.core.config import Config
from engine.core.contract import HOLD, PLAY, VELOCITY, Card
from engine.core.errors import ConfigError, SessionError
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, NOTE_ON, PLAYER
from engine.core.metre import CHOICES, Metre
from engine.core.parameters import Live
from engine.core.process import Spec
from engine.feed.feed import Feed, Positions
from engine.feed.schema import Schema
from engine.host.exchange import SIZE as EXCHANGE
from engine.jam import harmony
from engine.jam.backing import STEP as GIVEN
from engine.jam.chart import chords_of
from engine.jam.continuations import Asked, imagine, key_of, onsets_of, pitch_classes
from engine.jam.jam import Jam
from engine.jam.leader import FOLLOW, Leader
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.jam.performance import LOOKAHEAD, WATCH_S, Outcome, Performance
from engine.jam.settings import metre_of, set_defaults, track_of
from engine.jam.step import all_off
from engine.midi.file_source import FileSource
from engine.midi.song import second_at
from engine.network.runner import Runner
from engine.record.session import Recorder
from engine.transport.timeline import BeatTimeline

DEADLINE_S = 0.01  # how long before its sound a step's input deadline is; a number, not a measurement, so that renders agree
MOST_FUTURES = 1024
TAIL_BARS = 4  # the network plays on for so long after the player's last note
LONGEST_REST_S = 8.0  # a beat that stands for longer is taken for the end
RING_OUT_S = 3.0  # for the last notes to fade
DRAIN_FRAMES = 1024 * BLOCK  # at least so often the rings of sound, which hold a few seconds, are emptied


class Render:
    """One render, block by block: `run()` to the end."""

    def __init__(
        self,
        config: Config,
        source: Path,
        out: Path,
        bars: int | None = None,
        tempo_bpm: float | None = None,
        tail_bars: int = TAIL_BARS,
        part: str | None = None,
        backing: bool = False,
    ) -> None:
        path = config.network_path()
        card = contract.read_card(path)
        registry = registry_of(card)
        self._rate = config.audio.rate_hz
        hosted = names_plugins(config)
        layout = Layout.of(card, len(registry), stems=config.session.stems, exchange=EXCHANGE if hosted else 0)
        self.link = Link.create(layout) if hosted else Link.private(layout)
        with contextlib.ExitStack() as begun:  # what is let go of, whatever happens from here on
            begun.callback(self.link.close, unlink=True)
            self.live = Live(registry, self.link.values)
            set_defaults(self.live, config, card)
            leads = config.clock.source == FOLLOW
            # Who leads keeps the time of his file; else it lies on the transport's beat.
            own = {"start_frame": BLOCK} if leads else {"timeline": self.link["timeline"]}
            player = FileSource(source, self._rate, part=part, **own)
            self.song, self.chosen = player.song, player.chosen
            self.of_song = Bars(self.song, metre_of(config, card) if config.jam.metre else None)
            beat = None if leads else self.of_song.beat(self.song, tempo_bpm)
            if beat is not None:
                self.live.set("tempo", beat.read(0.0, 0.0).tempo_bpm)
            metre = self.of_song.metres[0][1]
            if metre.name in CHOICES:
                self.live.set("metre", CHOICES.index(metre.name))
            self.bars = bars or self.of_song.until(player.length_beats - self.song.pickup) + tail_bars
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SessionError(f"--out: {out} cannot be made ({error.strerror}); give a folder you may write") from error
            provider = "cpu" if config.network.provider == "auto" else config.network.provider
            self.runner = Runner(path, provider, config.network.threads)
            # A pickup is played in the count-in, which is as long as it is and has no click of its own.
            counted = _with_count_in(config, int(self.song.pickup > 0))
            self._engine = AudioEngine(
                self.link.view("audio"),
                registry,
                card,
                counted,
                self._rate,
                source=player,
                beat=beat,
                plugins_wait_s=LONGEST_BLOCK_S,
            )
            spec = Spec(layout, self.link.name, config, card, path)
            begun.callback(self._engine.close)
            self._hosts = OfflineHosts(self.link, spec, self._engine) if hosted else None
            if self._hosts is not None:
                begun.callback(self._hosts.close)
            click = self._engine.transport.on_click
            self._engine.transport.on_click = lambda down, level: self.live.get("metronome") > 0 and click(down, level)
            track = track_of(config, card)
            self.backing = backing_of(self.song, self.chosen, card, track) if backing else None
            chart = chords_of(config.jam.chart, metre)
            harmonies = harmony.of(config, card, track)
            network = self.link.view("network")
            self._notes = network.writer("notes")
            self._jam = Jam(self.runner, self.live, network, track, harmonies, self.backing, chart, metre)
            leader = Leader(path, card, track, self.live, network, self._rate) if leads else None
            self._performance = Performance(self._jam, network, card, self, leader)
            played_s = second_at(self.song.tempi, self.song.end) if leads else 0.0
            self._rest = _Rest((LONGEST_REST_S + played_s) * self._rate)
            self._counted = self.link["events"].reader(0)
            self._faults: list[str] = []
            schema = Schema(card, registry)
            self._recorder = Recorder(
                out, self.link.view("feed"), schema, self._rate, lambda _level, text: self._faults.append(text)
            )
            begun.callback(self._recorder.close)
            self._feed = Feed(self.link.view("feed"), schema, self._recorder.log, Positions())
            self._card = card
            self.heard = np.zeros((0, card.slots, len(card.channels)), np.float32)  # what sounded in each timestep
            self.notes_in = self.notes_backing = 0
            self.notes_out = {track.name: 0 for track in card.tracks}
            self._begun = begun.pop_all()

    def run(self) -> None:
        """Render all bars and the ring-out. Once only: whatever happens, plugins' processes and shared memory are let go of."""
        with self._begun:
            self._run()
        if self._faults:
            raise SessionError("; ".join(self._faults))

    def _run(self) -> None:
        steps = round(self.of_song.quarters(self.bars) * self._card.steps_per_beat)
        self.heard = np.zeros((steps, *self.heard.shape[1:]), np.float32)
        if self._hosts is not None:
            self._faults += self._hosts.wait_loaded()
        self.live.fire("transport.start")
        self._performance.run(steps)
        self._performance.listen(steps)
        self._jam.roll.fill(steps - 1, self.heard[-1])
        line = self.line
        end = line.frame_at(steps / self._card.steps_per_beat) if line.playing else self._engine.frame
        self._notes.push(all_off(round(end)))
        self._render_to(end + RING_OUT_S * self._rate)
        self._engine.release_all()
        self._render_to(self._engine.frame + 2 * FADE_S * self._rate)

    @property
    def line(self) -> BeatTimeline:
        """The beat as it is."""
        return self._engine.transport.line

    def _render_to(self, frame: float) -> None:
        while self._engine.frame < frame:
            self._next_block()
        self._account()

    def _next_block(self) -> None:
        self._render_block()
        if self._engine.frame % DRAIN_FRAMES == 0:
            self._recorder.drain()

    def _render_block(self) -> None:
        if self.backing is not None:
            self.backing.send(self._notes, self._engine.transport.line, self._engine.frame + BLOCK)
        self._engine.render_block()
        if self._hosts is not None:
            self._hosts.look_after()

    def _account(self) -> None:
        self._feed.advance(self._engine.frame)
        self._recorder.drain()
        self._count()

    # --- what a performance asks of its driver -----------------------------------------------------------------------------

    latency_frames = 0

    def now(self) -> float:
        """Frame of the block to be rendered next."""
        return self._engine.frame

    def now_ns(self) -> int:
        """Nothing is measured."""
        return 0

    def earliest(self) -> float:
        """The same: what is sent now sounds in the next block."""
        return self._engine.frame

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        """Seconds before its sound at which a step is looked at: in good time, and at its input deadline."""
        step_s = 60 / timeline.tempo_bpm / self._card.steps_per_beat
        return max(LOOKAHEAD * step_s, DEADLINE_S), DEADLINE_S

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        """Render up to there, or until the beat timeline changes; a beat that is stopped for good ends the render."""
        timeline = self.link["timeline"]
        seen, begun = timeline.count, self._engine.frame
        end = min(frame - before_s * self._rate, self._engine.frame + (WATCH_S if watchful else LONGEST_REST_S) * self._rate)
        while self._engine.frame < end and timeline.count == seen:
            self._next_block()
        self._account()
        stands = math.isinf(frame) and timeline.count == seen
        self._rest.take(self._engine.frame - begun if stands else 0)
        return self._engine.frame >= frame - before_s * self._rate

    def is_over(self) -> bool:
        """Whether the beat was stopped for good."""
        return self._rest.is_over

    def played(self, outcome: Outcome) -> None:
        """Keep what sounded in the step before."""
        if 0 < outcome.step <= len(self.heard):
            self.heard[outcome.step - 1] = self.runner.inputs["x"][0]

    def _count(self) -> None:
        tracks = list(self.notes_out)
        for event in self._counted.read():
            if event["kind"] != NOTE_ON:
                continue
            if event["track"] == PLAYER:
                self.notes_in += 1
            elif event["step"] == GIVEN:
                self.notes_backing += 1
            else:
                self.notes_out[tracks[event["track"]]] += 1


def _with_count_in(config: Config, bars: int) -> Config:
    return config.model_copy(update={"clock": config.clock.model_copy(update={"count_in": bars})})


class _Rest:
    """For how many frames the beat has stood still; after `longest` it is taken for the end."""

    def __init__(self, longest: float) -> None:
        self._longest, self._stood = longest, 0

    def take(self, frames: int) -> None:
        """So many more frames of it; 0 where it goes."""
        self._stood = self._stood + frames if frames else 0

    @property
    def is_over(self) -> bool:
        """Whether that is the end."""
        return self._stood >= self._longest


def render(
    config: Config,
    source: Path,
    out: Path,
    bars: int | None = None,
    tempo_bpm: float | None = None,
    part: str | None = None,
    backing: bool = False,
) -> dict[str, Any]:
    """Render what a MIDI file's player and the network play together into `out`; return the report, which is written there too.

    The file's tempo map is followed unless `tempo_bpm` is given. `part` is the player's, as for `choose_part`; with `backing`
    the other parts of the song are played as they are. Raises AlgoritmoError.
    """
    job = Render(config, source, out, bars, tempo_bpm, part=part, backing=backing)
    job.run()
    report = {
        "bars": job.bars,
        "network": job.runner.card.name,
        "mode": MODES[int(job.live.get("mode"))],
        "seed": int(job.live.get("seed")),
        "chart": config.jam.chart,
        "tempo_bpm": job.live.get("tempo"),
        "notes_in": job.notes_in,
        "notes_out": job.notes_out,
        "notes_backing": job.notes_backing,
        **about(job.song, job.of_song, job.chosen),
        "remarks": remarks(job.song, job.of_song, job.chosen, job.runner.card, MODES[int(job.live.get("mode"))], job.backing),
        "versions": versions(),
    }
    try:
        write_json(out / "report.json", report)
    except OSError as error:
        raise SessionError(f"{out / 'report.json'}: cannot be written ({error.strerror})") from error
    return report


def futures(
    config: Config,
    source: Path,
    out: Path,
    count: int,
    bars: int,
    tempo_bpm: float | None = None,
    onsets_per_beat: float | None = None,
    key: int | None = None,
    part: str | None = None,
) -> dict[str, Any]:
    """Let the network hear a MIDI file, then imagine `count` continuations of `bars` bars; best first.

    Each is written into `out` as a MIDI file, and all of them as futures.json, which is returned. What is not asked for is
    asked as it was heard. Raises AlgoritmoError.
    """
    if not 1 <= count <= MOST_FUTURES:
        raise ConfigError(f"--futures {count}: give a number from 1 to {MOST_FUTURES}")
    if key is not None and not 0 <= key <= 11:
        raise ConfigError(f"--key {key}: give a pitch class from 0 (C) to 11 (B)")
    job = Render(config, source, out, None, tempo_bpm, tail_bars=0, part=part)
    job.run()
    card = job.runner.card
    line = job.line
    position = math.floor(line.place(len(job.heard) / card.steps_per_beat) * card.steps_per_beat + 0.5)
    heard = job.heard
    began = onsets_of(heard)
    asked = Asked(
        float(began.sum()) * card.steps_per_beat / max(len(heard), 1) if onsets_per_beat is None else onsets_per_beat,
        key_of(pitch_classes(card, began)) if key is None else key,
    )
    controls = {c: job.live.get(c) for c in ("temperature", *(c.name for c in card.controls)) if c in job.live.registry}
    runner = Runner(config.network_path(), job.runner.provider, config.network.threads, batch=count)
    found = imagine(
        runner,
        job.runner.states(),
        heard[-1],
        position,
        bars * line.metre.steps(card.steps_per_beat),
        int(job.live.get("seed")),
        controls,
        asked,
        line.metre,
    )
    entries = []
    for place, notes in enumerate(found.notes):
        file = f"future-{place + 1:03d}.mid"
        to_midi(card, notes, line.tempo_bpm, line.metre).save(out / file)
        entries.append(
            {
                "file": file,
                "log_prob_per_step": float(found.log_prob[place]) / len(notes),
                "onsets_per_beat": float(found.onsets_per_beat[place]),
                "in_key": float(found.in_key[place]),
            }
        )
    report = {"bars": bars, "asked": {"onsets_per_beat": asked.onsets_per_beat, "key": asked.key}, "futures": entries}
    write_json(out / "futures.json", report)
    return report


def to_midi(card: Card, notes: np.ndarray, tempo_bpm: float, metre: Metre) -> mido.MidiFile:
    """Return a MIDI file of notes (steps, S, C), one track for each of the network's."""
    file = mido.MidiFile(ticks_per_beat=480)
    ticks = 480 // card.steps_per_beat
    pitches = card.slot_pitches()
    for number, (track, slots) in enumerate(zip(card.tracks, card.track_slices().values(), strict=True)):
        channel = 9 if track.kind == "drums" else number if number < 9 else number + 1
        timed: list[tuple[int, int, int, int]] = []  # tick, 0 off or 1 on, pitch, velocity
        for slot in range(slots.start, slots.stop):
            plays = notes[:, slot, PLAY] > 0.5
            begins = np.flatnonzero(plays & (notes[:, slot, HOLD] < 0.5))
            for begin in begins.tolist():
                end = begin + 1
                while end < len(notes) and plays[end] and notes[end, slot, HOLD] > 0.5:
                    end += 1
                velocity = round(127 * float(notes[begin, slot, VELOCITY])) if notes.shape[2] > VELOCITY else 90
                timed += [
                    (begin * ticks, 1, int(pitches[slot]), min(max(velocity, 1), 127)),
                    (end * ticks, 0, int(pitches[slot]), 0),
                ]
        line = mido.MidiTrack([mido.MetaMessage("track_name", name=track.name)])
        if number == 0:
            line.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm)))
            line.append(mido.MetaMessage("time_signature", numerator=metre.numerator, denominator=metre.denominator))
        now = 0
        for tick, on, pitch, velocity in sorted(timed):
            kind = "note_on" if on else "note_off"
            line.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        file.tracks.append(line)
    return file
