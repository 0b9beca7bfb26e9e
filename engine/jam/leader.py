"""The player as the leader: where his own beat and his bar lines are, from his notes, for the beat to follow him.

Runs on: network process, main thread, or the caller of the offline render. Between two timesteps, or while the beat stands.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from engine.core.config import source_names
from engine.core.contract import Card
from engine.core.link import Link
from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER, WARNING
from engine.core.metre import Metre, of_choice
from engine.core.parameters import Live
from engine.jam.downbeat import Downbeat, Played
from engine.transport.follower import Follower
from engine.transport.onsets import CRASHES, HATS, KICKS, SNARES, TOMS

FOLLOW = "follow"
REMEMBERED = 256  # notes
KIT_NOTES, AGAIN_NOTES = 8, 32  # after so many it is decided whether they are drums, and once more
SURE_BAR = 0.7  # from which on the bar line is believed
NETWORK = 0.1  # power of what the network says of it
NOT_FOUND_S = 12.0  # after so much playing without a beat he is told
KIT = frozenset(KICKS | SNARES | HATS | CRASHES | TOMS)


class Leader:
    """Takes the player's notes as they are heard, and tells the ring `player_beat`; idle unless `clock.source` is follow."""

    def __init__(self, path: Path, card: Card, player_track: str, live: Live, link: Link, rate_hz: float) -> None:
        self._path, self._track, self._live, self._link, self._rate = path, player_track, live, link, rate_hz
        self._is_kit = {track.name: track.kind for track in card.tracks}[player_track] == "drums"
        self._ring = link.writer("player_beat")
        self._number = source_names().index(FOLLOW)
        self._started = live.get("transport.start")
        self._metre = of_choice(int(live.get("metre")))
        self._judge: Downbeat | None = None
        self._warned = ""  # metre that he was warned of
        self._begin()

    @property
    def is_asked(self) -> bool:
        """Whether the beat follows him."""
        return int(self._live.get("clock.source")) == self._number

    def _begin(self) -> None:
        """Forget what was heard."""
        self._notes: list[list[float]] = []  # begin and end in seconds, pitch, velocity; in order
        self._new = 0  # of them the first that the follower has not heard
        self._heard_notes = 0
        self._is_drums = self._is_kit
        self._follower = self._following()
        self._line: object = None
        self._bar_beat = math.nan
        self._bar_confidence = 0.0
        self._found_at = math.nan  # second at which a beat was found
        self._told = False

    def _following(self) -> Follower:
        bar = beats_in(self._metre)
        return Follower(self._is_drums, round(bar) if bar.is_integer() else 4, self._metre.is_compound)

    # --- hearing -----------------------------------------------------------------------------------------------------------

    def hear(self, events: np.ndarray, latency_frames: int) -> None:
        """Keep what the player began and ended; it is thought about in `advance`."""
        if not self.is_asked:
            return
        for frame, _, kind, track, pitch, velocity, _ in events.tolist():
            if track != PLAYER:
                continue
            second = (frame - latency_frames) / self._rate
            if kind == NOTE_ON:
                self._notes.append([second, math.inf, pitch, velocity])
            elif kind == NOTE_OFF:
                for note in reversed(self._notes):
                    if note[2] == pitch:
                        note[1] = min(note[1], second)
                        break

    def advance(self, frame: float, stands: bool) -> None:
        """Think about what was heard up to a frame. While the beat `stands` there is time to ask the network too."""
        started, metre = self._live.get("transport.start"), of_choice(int(self._live.get("metre")))
        if started != self._started or metre != self._metre:
            if metre != self._metre:
                self._judge = None
            self._started, self._metre = started, metre
            if stands:
                self._begin()
        if not self.is_asked:
            if self._heard_notes:
                self._begin()
            return
        self._warn()
        if stands and self._judge is None and beats_in(self._metre).is_integer():
            self._judge = Downbeat(self._path, self._track, self._metre)  # while nobody plays: it takes a second to load
        self._follow(frame / self._rate)
        if self._follower.line is not self._line:
            self._line = self._follower.line
            if stands:
                self._find_bar()
            self._tell(frame, stands)
        elif stands and not self._told and self._notes and frame / self._rate - self._notes[0][0] > NOT_FOUND_S:
            self._told = True
            if self._follower.line is None:
                text = "no steady beat is found in what you play; pull clock.alone to begin at the set tempo"
                self._link.notice("network", WARNING, text)

    def _warn(self) -> None:
        """Say it once of a metre whose bars hold no whole number of beats: his bar line is nowhere to be found."""
        name = self._metre.name
        if name == self._warned or beats_in(self._metre).is_integer():
            return
        self._warned = name
        text = f"in {name} your bar line is not found, and your beat not surely: pull clock.alone to begin at the set tempo"
        self._link.notice("network", WARNING, text)

    def _follow(self, second: float) -> None:
        """Let the follower hear what is new; one more time from the beginning, where it turns out to be a drum kit."""
        for note in self._notes[self._new :]:
            self._follower.wait(note[0])
            self._follower.hear(note[0], int(note[2]), int(note[3]))
            self._heard_notes += 1
            if self._heard_notes in (KIT_NOTES, AGAIN_NOTES) and self._sounds_like_drums() != self._is_drums:
                self._is_drums = not self._is_drums
                self._follower = self._following()
                for past in self._notes[: self._new + 1]:
                    self._follower.wait(past[0])
                    self._follower.hear(past[0], int(past[2]), int(past[3]))
            self._new += 1
        self._follower.wait(second)
        if len(self._notes) > REMEMBERED:
            self._new -= len(self._notes) - REMEMBERED
            del self._notes[:-REMEMBERED]

    def _sounds_like_drums(self) -> bool:
        pitches = {int(note[2]) for note in self._notes}
        return self._is_kit or (pitches <= KIT and bool(pitches & KICKS) and bool(pitches & (SNARES | HATS)))

    # --- the bar -----------------------------------------------------------------------------------------------------------

    def _find_bar(self) -> None:
        """Weigh the places that a bar line can have: what the follower holds, and what the network finds likely."""
        follower = self._follower
        line, bar = follower.line, beats_in(self._metre)
        if line is None:
            return
        if math.isnan(self._found_at):
            self._found_at = line.second
        if not bar.is_integer():
            self._bar_beat, self._bar_confidence = round(line.beat), 1.0
            return
        weight = follower.bar_lines()
        nats = np.log(weight + 1e-9)
        assert self._judge is not None  # `advance` saw to it
        notes = [
            Played(line.beat_at(begin), line.beat_at(min(end, begin + 4 * line.period_s)), int(pitch), velocity / 127)
            for begin, end, pitch, velocity in self._notes
        ]
        nats += NETWORK * self._judge.judge(notes)
        share = np.exp(nats - nats.max())
        share /= share.sum()
        self._bar_beat, self._bar_confidence = float(share.argmax()), float(share.max())

    def _tell(self, frame: float, stands: bool) -> None:
        line = self._follower.line
        if line is None:
            self._ring.push((frame, 0.0, 0.0, 0.0, self._follower.confidence, 0.0, frame, 0))
            return
        waited = (line.second - self._found_at) / line.period_s / max(beats_in(self._metre), 1)
        patience = self._live.get("clock.patience")
        ready = stands and waited >= min(patience, 1 if self._bar_confidence >= SURE_BAR else patience)
        bar_beat = 0.0 if math.isnan(self._bar_beat) else self._bar_beat
        self._ring.push(
            (
                line.second * self._rate,
                line.beat,
                line.period_s * self._rate,
                bar_beat,
                self._follower.confidence,
                self._bar_confidence,
                self._follower.heard * self._rate,
                int(ready),
            )
        )


def beats_in(metre: Metre) -> float:
    """Beats of the tempo in a bar."""
    return metre.bar / metre.tempo_beat
