"""Between the booth and a jam: which key it is in, and a drawing that is played in it, as the player's part.

Runs on: booth process, event loop. Writes the ring `booth`; nothing of the jam waits for it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from engine.core.contract import Card
from engine.core.link import Link
from engine.core.messages import NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.core.segment import claim
from engine.jam.continuations import key_of
from engine.jam.parts import TAKEOVER, punch_of
from engine.jam.successor import order
from engine.midi.message import Kind
from engine.store.clip import Music
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline, TimelineReader

AHEAD_BEATS = 1.5  # so early the audio process gets what it is to play: this process goes after every other
LOOK_S = 0.05
FADE = 0.7  # of what was heard in each second, for the key
FIRST_S = 0.4  # before a bar line: what begins later waits for the next


@dataclass(frozen=True, slots=True)
class Begun:
    """A drawing begins on the stage: in so many seconds, at this tempo."""

    in_s: float
    tempo_bpm: float


class Stage:
    """A jam that runs, as the booth sees it."""

    def __init__(
        self, link: Link, live: Live, card: Card, track: str, network: Path | None = None, is_own: bool = False
    ) -> None:
        """`track`: the one that the player's notes belong to. `network`: the one that the jam began with. `is_own`: the booth
        is the jam's own child, for which others leave it alone.
        """
        self._is_own = is_own
        self.network = network  # that plays, or was asked for
        self._link, self._live, self._track = link, live, track
        self._names = [one.name for one in card.tracks]
        self._drums = {at for at, one in enumerate(card.tracks) if one.kind == "drums"}
        self._events = link["events"].reader()
        self._timeline = TimelineReader(link["timeline"])
        self._classes = np.zeros(12)
        self._key = 0
        self._claim: IO[bytes] | None = None
        self._asked = 0  # number of the network that was asked for last

    @property
    def is_ours(self) -> bool:
        """Whether this booth may give the jam something, for each ring has one writer: the jam's own booth, where it has one;
        else the first that asks, until it ends.
        """
        if self._claim is None and self._link.name and (self._is_own or self._link["alive.booth"].count == 0):
            self._claim = claim(self._link.name)
        return self._claim is not None or not self._link.name

    def leave(self) -> None:
        """Let another booth have the jam."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def succeed(self, path: Path) -> bool:
        """Ask for a network to play from the next bar line on; return whether it could be asked for. Raises AlgoritmoError."""
        if not self.is_ours:
            return False
        self._asked = order(self._link, path)
        self.network = path
        return True

    @property
    def succeeded(self) -> tuple[int, str] | None:
        """What became of the network that was asked for: REFUSED with why, or SUCCEEDS with its file; None: nothing yet."""
        last = self._link["succeeded"].latest()
        if last is None or int(last["serial"]) != self._asked:
            return None
        return int(last["state"]), last["text"].decode(errors="replace")

    @property
    def key(self) -> int:
        """Pitch class of the major key that the band is in, as it sounds; C as long as nothing did."""
        return self._key

    @property
    def tempo_bpm(self) -> float:
        """The tempo of the jam."""
        line = self._timeline.now()
        return float(self._live.get("tempo")) if line is None else line.tempo_bpm

    @property
    def plays(self) -> bool:
        """Whether the beat goes on, somebody renders it, and no other booth gives it what visitors draw."""
        line, clock = self._timeline.now(), self._link["clock"].latest()
        alive = line is not None and line.playing and clock is not None and self.is_ours
        return alive and clock is not None and time.perf_counter_ns() - int(clock["time_ns"]) < 1e9

    def hear(self) -> None:
        """Take what sounded since; called about once a second."""
        self._classes *= FADE
        for event in self._events.read():
            if event["kind"] == NOTE_ON and event["track"] not in self._drums and event["track"] != PLAYER:
                self._classes[int(event["pitch"]) % 12] += 1
        if self._classes.sum() > 4:
            self._key = key_of(self._classes)

    def _frame(self) -> float:
        clock = self._link["clock"].latest()
        if clock is None:
            return 0.0
        now = SampleClock.of(clock)
        return now.frame + (time.perf_counter_ns() - now.time_ns) / now.ns_per_frame

    def _next_bar(self, line: BeatTimeline) -> float:
        soon = line.beat_at(self._frame() + FIRST_S * line.rate_hz)
        return line.bar_line(soon)

    async def play(self, music: Music, began: asyncio.Future[Begun]) -> None:
        """Play a drawing from the next bar line on, as the player's part; return when it has ended.

        `began` is set as soon as it is known when it begins. Cancelled, what was not handed over is not played.
        """
        line = self._timeline.now()
        if line is None or not line.playing or not self.is_ours:
            return
        one = self._next_bar(line)
        began.set_result(Begun((line.frame_at(one) - self._frame()) / line.rate_hz, line.tempo_bpm))
        per_beat = music.steps_per_beat
        waiting = sorted(music.notes)
        tracks = {music.tracks[note.track] for note in waiting}
        with self._given(tracks & set(self._names)):
            while waiting:
                now = self._timeline.now()
                if now is None or not now.playing:
                    return
                until = now.beat_at(self._frame()) + AHEAD_BEATS
                while waiting and one + waiting[0].step / per_beat <= until:
                    note = waiting.pop(0)
                    begin, end = (one + at / per_beat for at in (note.step + note.offset, note.step + note.steps))
                    self._push(now.frame_at(begin), Kind.NOTE_ON, note.pitch, note.velocity)
                    self._push(now.frame_at(end) - 1, Kind.NOTE_OFF, note.pitch, 0)
                await asyncio.sleep(LOOK_S)
            while (now := self._timeline.now()) is not None and now.playing:
                if now.beat_at(self._frame()) >= one + music.steps / per_beat - 0.25:
                    break
                await asyncio.sleep(LOOK_S)

    @contextmanager
    def _given(self, tracks: set[str]) -> Iterator[None]:
        """Have these tracks be the visitor's meanwhile; then the network has them again, and goes on within a bar."""
        punches = [punch_of(name) for name in sorted(tracks) if name != self._track or len(tracks) > 1]
        mine = [name for name in punches if self._live.get(name) == 0]
        takeover = self._live.get(TAKEOVER.id)
        for name in mine:
            self._live.set(name, 1)
        try:
            yield
        finally:
            for name in mine:
                self._live.set(name, 0)
            if takeover > 1:
                self._live.set(TAKEOVER.id, 1)  # one bar of silence, and the band has his part
                asyncio.get_running_loop().call_later(4 * 60 / self.tempo_bpm * 2.5, self._live.set, TAKEOVER.id, takeover)

    def _push(self, frame: float, kind: Kind, pitch: int, velocity: int) -> None:
        if math.isfinite(frame):
            status = 0x90 if kind is Kind.NOTE_ON else 0x80
            self._link.writer("booth").push((max(math.floor(frame), 0), 3, (status, pitch, velocity)))
