"""A rehearsal: the engine's own performance loop with a player of notes and without any sound, far faster than a render.

What the audio process does with notes is done here as it does it: what is due sounds, what is replaced or withdrawn does not,
and what sounded is told to the network. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.core.config import Config
from engine.core.link import Layout, Link
from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.jam.chart import chords_of
from engine.jam.jam import Jam
from engine.jam.parameters import registry_of
from engine.jam.performance import LOOKAHEAD, WATCH_S, Outcome, Performance
from engine.jam.settings import set_defaults
from engine.midi.schedule import Event, Schedule
from engine.network.runner import Runner
from engine.transport.sources.internal import InternalSource
from engine.transport.timeline import BeatTimeline
from engine.transport.transport import Transport

RATE_HZ, BLOCK_FRAMES = 48000, 128
DEADLINE_S = 0.01  # before its sound, at which a step is chosen for the last time; as in a render
Notes = np.ndarray  # (n, 4): start and end in beats from bar 1, pitch, velocity


class Rehearsal:
    """The driver of one performance: `run` it, then read `heard` and `listened`."""

    latency_frames = 0

    def __init__(self, config: Config, runner: Runner, player: Notes, turns: Mapping[float, tuple[str, float]] = {}) -> None:
        """`player`: what is played on time to it; `turns`: parameters and values, by the beat they are turned at."""
        card = runner.card
        registry = registry_of(card)
        self.link = Link.private(Layout.of(card, len(registry)))
        self.live = Live(registry, self.link.values)
        set_defaults(self.live, config)
        source = InternalSource(self.live, RATE_HZ)
        self._transport = Transport(self.link.writer("timeline"), self.live, source, RATE_HZ, card.steps_per_beat, 0)
        runner.neutral()
        runner.reset()
        chart = chords_of(config.jam.chart, Metre(card.beats_per_bar, 4))
        self.jam = Jam(runner, self.live, self.link, config.jam.track, chart=chart)
        self.performance = Performance(self.jam, self.link, card, self)
        self._card, self._schedule = card, Schedule()
        self._sent = self.link["notes"].reader(0)
        self._down: dict[tuple[int, int], tuple[float, int]] = {}
        self._found: dict[int, list[tuple[float, float, int, int]]] = {}
        begins = [(start, NOTE_ON, round(pitch), round(velocity)) for start, _, pitch, velocity in player.tolist()]
        ends = [(end, NOTE_OFF, round(pitch), 0) for _, end, pitch, _ in player.tolist()]
        self._keys = sorted(begins + ends, key=lambda key: (key[0], key[1]))  # an end comes before a beginning
        self._turns = sorted(turns.items())
        self._frame = 0
        self.listened: list[bool] = []  # by step: whether the network did
        self.notices: list[str] = []

    def run(self, bars: int) -> dict[str, Notes]:
        """Play so many bars; returns what sounded, by track, and the player's under `player`."""
        self.live.fire("transport.start")
        self._transport.take_parameters(0)
        steps = bars * self._card.steps_per_bar
        self.performance.run(steps)
        self.performance.listen(steps)
        end = self._beat(self._frame)
        for track, pitch in list(self._down):
            self._end(track, pitch, end)
        names = dict(enumerate(track.name for track in self._card.tracks)) | {PLAYER: "player"}
        return {names[track]: np.asarray(sorted(notes), float) for track, notes in self._found.items()}

    def _beat(self, frame: float) -> float:
        return self._transport.line.beat_at(frame)

    def _block(self) -> None:
        end = self._frame + BLOCK_FRAMES
        line = self._transport.line
        while self._turns and line.frame_at(self._turns[0][0]) < end:
            self.live.set(*self._turns.pop(0)[1])
            self._transport.take_parameters(self._frame)
        self._transport.advance(self._frame, end)
        for record in self._sent.read().tolist():
            self._schedule.put(Event(*record))
        while self._keys and (frame := line.frame_at(self._keys[0][0])) < end:
            _, kind, pitch, velocity = self._keys.pop(0)
            self._sound(Event(max(round(frame), self._frame), -1, kind, PLAYER, pitch, velocity, 0.0))
        for event in self._schedule.due(end):
            self._sound(event._replace(frame=max(event.frame, self._frame)))
        self._frame = end

    def _sound(self, event: Event) -> None:
        if event.kind == ALL_OFF:
            for track, pitch in [key for key in self._down if key[0] != PLAYER and event.track in (PLAYER, key[0])]:
                self._sound(Event(event.frame, -1, NOTE_OFF, track, pitch, 0, 0.0))
        elif event.kind in (NOTE_ON, NOTE_OFF):
            beat = self._beat(event.frame)
            sounded = (event.track, event.pitch) in self._down
            if sounded:
                self._end(event.track, event.pitch, beat)
            if event.kind == NOTE_ON:
                self._down[event.track, event.pitch] = beat, event.velocity
            if sounded or event.kind == NOTE_ON:
                self.link.writer("events").push(tuple(event))

    def _end(self, track: int, pitch: int, beat: float) -> None:
        begun, velocity = self._down.pop((track, pitch))
        self._found.setdefault(track, []).append((begun, beat, pitch, velocity))

    # --- what a performance asks of its driver -----------------------------------------------------------------------------

    def now(self) -> float:
        """Frame of the block that comes next."""
        return self._frame

    def now_ns(self) -> int:
        """Nothing is measured."""
        return 0

    def earliest(self) -> float:
        """The same: what is sent now sounds in the next block."""
        return self._frame

    def looks_s(self, timeline: BeatTimeline) -> tuple[float, ...]:
        """Seconds before its sound at which a step is looked at."""
        return max(LOOKAHEAD * 60 / timeline.tempo_bpm / self._card.steps_per_beat, DEADLINE_S), DEADLINE_S

    def wait(self, frame: float, before_s: float, watchful: bool = False) -> bool:
        """Let blocks pass up to there, WATCH_S of them where it is watchful."""
        due = frame - before_s * RATE_HZ
        end = min(due, self._frame + (WATCH_S if watchful else 1.0) * RATE_HZ)
        while self._frame < end:
            self._block()
        return self._frame >= due

    def is_over(self) -> bool:
        """Never before its last step."""
        return False

    def played(self, _outcome: Outcome) -> None:
        """Keep whether it listened."""
        self.listened.append(self.jam.listening)
