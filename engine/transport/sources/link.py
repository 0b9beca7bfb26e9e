"""The session of Ableton Link: its tempo, its beat, its bar lines; and where the switch is on, its start and stop.

Runs on: audio process, in the block loop. A process of its own takes part in the session (control/ableton_process.py) and
publishes where the session's beat is; here that is read, and the band's beat bent to it. Where the process falls silent the
band plays on at the same tempo.
"""

from __future__ import annotations

import math

from engine.core.config import source_names
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.transport.sources import Reading, Rings
from engine.transport.timeline import START_S

ASK_S = 0.02  # so often it may answer otherwise: what a ramp of the tempo changes between is not heard
HASTE, MEET = 8.0, 0.25  # a beat is made up for in so many times a beat, by at most this share of the tempo
NEAR_S = 5e-5  # what lies so near is met: a steady beat is one line
ASTRAY = 0.25  # beats by which a bar line may be missed when it comes: the nearest beat is its beat
SILENT_S = 1.0  # after so long without a word the process is gone
GRACE_S = 4.0  # so long a start waits for the session


class LinkSource:
    """Answers what the ring `ableton` says, for the moment at which a frame is heard."""

    def __init__(self, live: Live, rate_hz: float, rings: Rings) -> None:
        self._live, self._rate = live, rate_hz
        self._ring, self._clock = rings["ableton"], rings["clock"]
        self._plays: bool | None = None
        self._begins: float | None = None
        self._line = 0.0  # the session's beat at which it begins
        self._awaits = math.nan  # frame since which a bar line is waited for; not a number: none is
        self._told = True  # that it does not play, before it begins
        self._changes: int | None = None  # of the session, as they were seen last
        self._number = source_names().index("link")
        self._seen = {
            name: live.get(name) for name in ("transport.start", "transport.continue", "transport.stop", "clock.realign")
        }
        self._tempo_bpm = self._own_bpm = live.get("tempo")

    def take_parameters(self, _frame: int) -> None:
        """Begin anew with a bar line of the session, where that is asked for; a tempo that is set holds without a session."""
        if int(self._live.get("clock.source")) != self._number:
            self._changes = None
        tempo_bpm = self._live.get("tempo")
        if tempo_bpm != self._own_bpm:
            self._own_bpm = self._tempo_bpm = tempo_bpm
        for name, seen in self._seen.items():
            pulled = self._live.get(name)
            if pulled != seen:
                self._seen[name] = pulled
                self._obey(name)

    def _obey(self, command: str) -> None:
        """Know whether the band plays: the transport starts and stops it, whichever source is chosen."""
        if command != "clock.realign":
            self._plays, self._begins, self._awaits = command != "transport.stop", None, math.nan
        elif self._plays and int(self._live.get("clock.source")) == self._number:
            self._await()

    def start(self) -> bool:
        """Wait for the session's next bar line."""
        self._await()
        return True

    def _await(self) -> None:
        self._plays, self._begins, self._awaits, self._told = False, None, math.inf, False

    def read(self, frame: float, beat: float) -> Reading:
        """Return its tempo, bent so that the beats meet."""
        metre = of_choice(int(self._live.get("metre")))
        session = self._session_at(frame)
        bent, its_bpm = 1.0, self._tempo_bpm * metre.tempo_beat
        if session is not None:
            its, its_bpm, changes = session
            self._tempo_bpm = its_bpm / metre.tempo_beat
            self._follow(changes)
            self._keep_appointment(frame, its, its_bpm)
            if self._begins is None or frame >= self._begins:
                bent = self._meet(its, beat, metre.tempo_beat, its_bpm)
        self._begin(frame, session, metre.bar)
        return Reading(
            self._tempo_bpm * bent,
            metre.numerator,
            metre.denominator,
            locked=session is not None and SLOWEST_BPM <= its_bpm <= FASTEST_BPM,
            playing=self._plays,
            until=beat + ASK_S * its_bpm / 60 if math.isfinite(beat) else math.inf,
            groups=metre.code,
            begins=self._begins,
        )

    def _session_at(self, frame: float) -> tuple[float, float, int] | None:
        """Return beat, tempo and changes, as a frame is heard; None where there is no session."""
        said, clock = self._ring.numbers(), self._clock.numbers()
        if said is None or clock is None:
            return None
        (time_ns, its, tempo_bpm, _, changes), (first, began_ns, ns_per_frame, _, _, latency, *_) = said, clock
        if began_ns - time_ns > SILENT_S * 1e9:
            return None
        heard_ns = began_ns + (frame + latency - first) * ns_per_frame
        return its + (heard_ns - time_ns) * 1e-9 * tempo_bpm / 60, tempo_bpm, int(changes)

    def _follow(self, changes: int) -> None:
        """Start and stop with the session, where that is asked for: as it begins to, and as it ends."""
        before, self._changes = self._changes, changes
        if before is None or changes <= before or self._live.get("clock.startstop") <= 0:
            return
        if changes % 2 == 0:
            self._plays, self._awaits = False, math.nan
        elif not self._plays and math.isnan(self._awaits):
            self._await()

    def _begin(self, frame: float, session: tuple[float, float, int] | None, bar: float) -> None:
        """Begin with the first bar line of the session that can be met; without a session after a while."""
        if math.isnan(self._awaits):
            return
        if not self._told:  # the transport is told first that it stands
            self._told = True
            self._awaits = frame
            return
        if session is None and frame - self._awaits < GRACE_S * self._rate:
            return
        self._plays, self._awaits, self._begins = True, math.nan, None
        if session is not None:
            its, tempo_bpm, _ = session
            soon = its + START_S * tempo_bpm / 60
            self._line = math.ceil(soon / bar - 1e-6) * bar
            self._begins = frame + (START_S + (self._line - soon) * 60 / tempo_bpm) * self._rate

    def _keep_appointment(self, frame: float, its: float, tempo_bpm: float) -> None:
        """Wait for another bar line where the tempo was changed so much that the session's is not when it was to be."""
        if self._begins is not None and frame < self._begins + START_S * self._rate:
            there = its + (self._begins - frame) / self._rate * tempo_bpm / 60
            if abs(there - self._line) > ASTRAY:
                self._await()

    def _meet(self, its: float, beat: float, of: float, tempo_bpm: float) -> float:
        """Return the factor on the tempo that brings the beat to the nearest one of the session."""
        if not math.isfinite(beat):
            return 1.0
        off = (its - beat + of / 2) % of - of / 2
        if abs(off) * 60 / tempo_bpm < NEAR_S:
            return 1.0
        return 1 + min(max(HASTE * off, -MEET), MEET)


def make(live: Live, rate_hz: float, rings: Rings) -> LinkSource:
    """Return the source."""
    return LinkSource(live, rate_hz, rings)
