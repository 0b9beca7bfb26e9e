"""Following a beat from outside: what the sources `link` and `prodj` have in common, and the MIDI clock in part.

Runs on: audio process, in the block loop. Where the others' beat is, a process of its own publishes; here that is read, and the
band's beat bent to it. Where the others fall silent the band plays on at the same tempo; when they come back they lead again
from one of their bar lines on.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from engine.core.config import source_names
from engine.core.link import Ring
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.transport.sources import Reading
from engine.transport.timeline import START_S

OUTSIDE = ("link", "midi", "prodj")  # sources of the beat that others keep
ASK_S = 0.02  # so often it may answer otherwise: what a ramp of the tempo changes between is not heard
HASTE, MEET = 8.0, 0.25  # a beat is made up for in so many times a beat, by at most this share of the tempo
NEAR_S = 5e-5  # what lies so near is met: a steady beat is one line
MET_S = 0.01  # ... and when it lies so near its bars can be taken over
ASTRAY = 0.25  # beats by which a bar line may be missed when it comes: the nearest beat is its beat
GRACE_S = 4.0  # so long a start waits for the others
COMMANDS = ("transport.start", "transport.continue", "transport.stop", "clock.realign")


class Others(NamedTuple):
    """Where the others are at a moment: in the beats that the band counts, which may be every second or fourth of theirs."""

    beat: float
    tempo_bpm: float
    changes: int
    bars: bool

    def next_bar(self, bar: float) -> float:
        """Return the beat of their next bar line."""
        return math.ceil(self.beat / bar - 1e-6) * bar

    def bar_at(self, beat: float, bar: float, of: float) -> float | None:
        """Return the band's beat where the others begin a bar; None while the beats do not lie on each other."""
        off = astray(self.beat, beat, of)
        if not self.bars or abs(off) * 60 / self.tempo_bpm > MET_S:
            return None
        return beat + off + self.next_bar(bar) - self.beat


def astray(its: float, beat: float, of: float) -> float:
    """Return how far the nearest beat of theirs lies ahead; `of`: quarters of a beat."""
    return (its - beat + of / 2) % of - of / 2


def share(tempo_bpm: float, before: float) -> float:
    """Return how many beats of theirs are one of the band's: 1, or the power of two by which their tempo can be played.

    `before`: what it was; the tempo must come well into the range before it is changed back.
    """
    if SLOWEST_BPM <= tempo_bpm / before <= FASTEST_BPM and (before == 1 or not _is_well_within(tempo_bpm)):
        return before
    found = 1.0
    while tempo_bpm / found > FASTEST_BPM:
        found *= 2
    while tempo_bpm / found < SLOWEST_BPM:
        found /= 2
    return found


def _is_well_within(tempo_bpm: float) -> bool:
    return 1.1 * SLOWEST_BPM <= tempo_bpm <= 0.9 * FASTEST_BPM


class Return:
    """Whether the others lead: at once when they are first heard, after a silence from one of their bar lines on."""

    def __init__(self) -> None:
        self.leads = False
        self._bar: float | None = None  # theirs in which they came back

    def lose(self) -> None:
        """They are silent."""
        self.leads, self._bar = False, None

    def take(self, others: Others, bar: float, at_once: bool) -> bool:
        """They are there; return whether they lead. `at_once`: nothing plays that a jump could be heard in."""
        if self.leads:
            return True
        here = math.floor(others.beat / bar + 1e-6)
        if self._bar is None:
            self._bar = here
        self.leads = at_once or here != self._bar
        return self.leads


class OutsideSource:
    """Answers what a ring of OUTSIDE records says, for the moment at which a frame is heard."""

    silent_s = 1.0  # after so long without a word nobody is there any more
    starts = ""  # switch: whether they start and stop the band and are started and stopped by it

    def __init__(self, live: Live, rate_hz: float, said: Ring, clock: Ring, name: str) -> None:
        """`clock`: the ring of CLOCK records; `name`: of the source, as the parameter has it."""
        self._live, self._rate = live, rate_hz
        self._ring, self._clock = said, clock
        self._number = source_names().index(name)
        self._return = Return()
        self._was_chosen, self._since = self._is_chosen, 0  # number of the first record that counts
        self._share = 1.0
        self._plays: bool | None = None
        self._begins: float | None = None
        self._line = 0.0  # their beat at which it begins
        self._awaits = math.nan  # frame since which a bar line is waited for; not a number: none is
        self._told = True  # that it does not play, before it begins
        self._changes: int | None = None  # of theirs, as they were seen last
        self._seen = {name: live.get(name) for name in COMMANDS}
        self._tempo_bpm = self._own_bpm = live.get("tempo")

    @property
    def _is_chosen(self) -> bool:
        return int(self._live.get("clock.source")) == self._number

    def take_parameters(self, _frame: int) -> None:
        """Begin anew with a bar line of theirs, where that is asked for; a tempo that is set holds while nobody leads."""
        chosen = self._is_chosen
        if chosen != self._was_chosen:  # what was said before is of another time
            self._was_chosen, self._since, self._changes = chosen, self._ring.count, None
            self._return.lose()
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
        elif self._plays and self._is_chosen:
            self._await()

    def start(self) -> bool:
        """Wait for their next bar line."""
        self._await()
        return True

    def _await(self) -> None:
        self._plays, self._begins, self._awaits, self._told = False, None, math.inf, False

    def read(self, frame: float, beat: float) -> Reading:
        """Return their tempo, bent so that the beats meet."""
        metre = of_choice(int(self._live.get("metre")))
        others = self._others_at(frame)
        bent, bar = 1.0, None
        if others is None:
            self._return.lose()
        elif self._return.take(others, metre.bar, not self._plays or not math.isfinite(beat)):
            self._tempo_bpm = others.tempo_bpm / metre.tempo_beat
            self._follow(others.changes)
            self._keep_appointment(frame, others)
            if self._begins is None or frame >= self._begins:
                bent = self._meet(others, beat, metre.tempo_beat)
                bar = others.bar_at(beat, metre.bar, metre.tempo_beat) if math.isfinite(beat) else None
        self._begin(frame, others, metre.bar)
        return Reading(
            self._tempo_bpm * bent,
            metre.numerator,
            metre.denominator,
            locked=self._return.leads,
            playing=self._plays,
            until=beat + ASK_S * self._tempo_bpm * metre.tempo_beat / 60 if math.isfinite(beat) else math.inf,
            groups=metre.code,
            begins=self._begins,
            bar=bar,
        )

    def _others_at(self, frame: float) -> Others | None:
        """Return where they are as a frame is heard; None where nobody is there."""
        said, clock = self._ring.numbers(), self._clock.numbers()
        if said is None or clock is None or self._ring.count <= self._since:
            return None
        (time_ns, its, tempo_bpm, _, changes, _, bars), (first, began_ns, ns_per_frame, _, _, latency, *_) = said, clock
        if began_ns - time_ns > self.silent_s * 1e9 or not tempo_bpm > 0:
            return None
        self._share = share(tempo_bpm, self._share)
        heard_ns = began_ns + (frame + latency - first) * ns_per_frame
        here = its + (heard_ns - time_ns) * 1e-9 * tempo_bpm / 60
        return Others(here / self._share, tempo_bpm / self._share, int(changes), bool(bars))

    def _follow(self, changes: int) -> None:
        """Start and stop with the others, where that is asked for: as they begin to, and as they end."""
        before, self._changes = self._changes, changes
        if before is None or changes <= before or not self.starts or self._live.get(self.starts) <= 0:
            return
        if changes % 2 == 0:
            self._plays, self._awaits = False, math.nan
        elif not self._plays and math.isnan(self._awaits):
            self._await()

    def _begin(self, frame: float, others: Others | None, bar: float) -> None:
        """Begin with the first bar line of theirs that can be met; without any of them after a while."""
        if math.isnan(self._awaits):
            return
        if not self._told:  # the transport is told first that it stands
            self._told = True
            self._awaits = frame
            return
        if others is None and frame - self._awaits < GRACE_S * self._rate:
            return
        self._plays, self._awaits, self._begins = True, math.nan, None
        if others is not None:
            soon = others.beat + START_S * others.tempo_bpm / 60
            self._line = math.ceil(soon / bar - 1e-6) * bar
            self._begins = frame + (START_S + (self._line - soon) * 60 / others.tempo_bpm) * self._rate

    def _keep_appointment(self, frame: float, others: Others) -> None:
        """Wait for another bar line where the tempo was changed so much that theirs is not when it was to be."""
        if self._begins is not None and frame < self._begins + START_S * self._rate:
            there = others.beat + (self._begins - frame) / self._rate * others.tempo_bpm / 60
            if abs(there - self._line) > ASTRAY:
                self._await()

    def _meet(self, others: Others, beat: float, of: float) -> float:
        """Return the factor on the tempo that brings the beat to the nearest one of theirs."""
        if not math.isfinite(beat):
            return 1.0
        off = astray(others.beat, beat, of)
        if abs(off) * 60 / others.tempo_bpm < NEAR_S:
            return 1.0
        return 1 + min(max(HASTE * off, -MEET), MEET)
