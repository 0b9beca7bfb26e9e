"""The player's own beat: it waits in silence until that is found, begins with his bar line and goes with him, within limits.

Runs on: audio process, in the block loop. Where his beat is, the network process hears, and tells in the ring `player_beat`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from engine.core.link import Ring
from engine.core.metre import Metre, of_choice
from engine.core.parameters import Live
from engine.transport.sources import Reading, Rings
from engine.transport.timeline import START_S

LOST_BEATS = 8.0  # after so long a rest the band is on its own
SURE = 0.2  # confidence from which on he is gone with
HASTE, MEET = 2.0, 0.25  # a beat is made up for in so many times a beat, by at most this share of the tempo
ASK_BEATS = 0.25  # so often it may answer otherwise


class _Heard(NamedTuple):
    """A PLAYER_BEAT record."""

    frame: float
    beat: float
    frames_per_beat: float
    bar_beat: float
    confidence: float
    bar_confidence: float
    heard: float
    ready: int

    def beat_at(self, frame: float) -> float:
        """His beat at a frame."""
        return self.beat + (frame - self.frame) / self.frames_per_beat


class FollowSource:
    """Answers the player's tempo and beat; while he cannot be followed, the tempo that it has."""

    def __init__(self, live: Live, rate_hz: float, heard: Ring) -> None:
        self._live, self._rate, self._ring = live, rate_hz, heard
        self._count = heard.count
        self._heard: _Heard | None = None
        self._begun_at = self._count  # records of before are of what was played before
        self._alone = live.get("clock.alone")
        self._plays: bool | None = None
        self._tempo_bpm = self._own_bpm = live.get("tempo")
        self._fell_in_bpm: float | None = None
        self._begins: float | None = None

    def take_parameters(self, frame: int) -> None:
        """Begin alone, where that is asked for; another tempo that is set is kept to until he is heard."""
        tempo_bpm = self._live.get("tempo")
        if tempo_bpm != self._own_bpm:
            self._own_bpm = self._tempo_bpm = tempo_bpm
        alone = self._live.get("clock.alone")
        if alone != self._alone:
            self._alone = alone
            if self._plays is False:
                self._fall_in(float(frame), None)

    def start(self) -> bool:
        """Wait for him."""
        self._plays, self._begins, self._fell_in_bpm = False, None, None
        self._begun_at = self._ring.count
        self._heard = None
        return True

    def read(self, frame: float, beat: float) -> Reading:
        """Return tempo and beat as the player has them."""
        self._hear()
        metre = of_choice(int(self._live.get("metre")))
        if self._plays is False and self._heard is not None and self._heard.ready:
            self._fall_in(frame, metre)
        followed = self._follows(frame)
        bent = self._meet(frame, beat, metre) if followed and self._plays is not False else 1.0
        return Reading(
            self._tempo_bpm * bent,
            metre.numerator,
            metre.denominator,
            locked=followed,
            playing=self._plays,
            until=beat + ASK_BEATS if math.isfinite(beat) else math.inf,
            groups=metre.code,
            begins=self._begins,
        )

    def _hear(self) -> None:
        if self._ring.count == self._count:
            return
        self._count = self._ring.count
        record = self._ring.latest()
        if record is None or self._count <= self._begun_at:
            return
        heard = _Heard(*record.item())
        self._heard = heard if heard.frames_per_beat > 0 else None

    def _fall_in(self, frame: float, metre: Metre | None) -> None:
        """Begin: with his next bar line, or at once where there is no beat of his."""
        self._plays, self._begins = True, None
        heard = self._heard
        if metre is None or heard is None:
            self._tempo_bpm = self._live.get("tempo")
            return
        self._fell_in_bpm = self._tempo_bpm = 60 * self._rate / heard.frames_per_beat
        bar = metre.bar / metre.tempo_beat
        soon = heard.beat_at(frame + START_S * self._rate)
        line = heard.bar_beat + math.ceil((soon - heard.bar_beat) / bar) * bar
        self._begins = heard.frame + (line - heard.beat) * heard.frames_per_beat

    def _follows(self, frame: float) -> bool:
        """Whether he can be gone with: he plays, his beat is known, and his tempo lies within the limits."""
        heard = self._heard
        if heard is None or heard.confidence < SURE or frame - heard.heard > LOST_BEATS * heard.frames_per_beat:
            return False
        return self._fell_in_bpm is None or self._is_within(60 * self._rate / heard.frames_per_beat)

    def _is_within(self, tempo_bpm: float) -> bool:
        assert self._fell_in_bpm is not None
        off = self._live.get("clock.range") / 100
        return self._fell_in_bpm * (1 - off) <= tempo_bpm <= self._fell_in_bpm * (1 + off)

    def _meet(self, frame: float, beat: float, metre: Metre) -> float:
        """Take up his tempo; return the factor on it that brings the beat to his nearest one."""
        heard = self._heard
        assert heard is not None
        strength = self._live.get("clock.strength")
        if strength <= 0:
            return 1.0
        if self._fell_in_bpm is None:  # it began alone: he is met where he is now
            self._fell_in_bpm = self._tempo_bpm
            if not self._follows(frame):
                return 1.0
        self._tempo_bpm += strength * (60 * self._rate / heard.frames_per_beat - self._tempo_bpm)
        his = (heard.beat_at(frame) - heard.bar_beat) * metre.tempo_beat
        off = (his - beat + metre.tempo_beat / 2) % metre.tempo_beat - metre.tempo_beat / 2
        return 1 + min(max(HASTE * strength * off, -MEET), MEET)


def make(live: Live, rate_hz: float, rings: Rings) -> FollowSource:
    """Return the source."""
    return FollowSource(live, rate_hz, rings["player_beat"])
