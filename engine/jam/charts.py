"""The chart that is played by: the configuration's, one that is typed while it plays, or what was just played.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from engine.core.link import Link
from engine.core.messages import CHART, CONFIGURED, INFO, KEPT, NOTHING_TO_KEEP, TYPED, WARNING
from engine.core.parameters import Live
from engine.jam.chart import of_text, read, relaid, text_of
from engine.jam.chords import Chord
from engine.jam.following import Following

SURE_BEATS = 8  # for so long another loop than the chart's comes round before it is said
REMEMBERED_BEATS = 512  # of what was heard
ROUNDS = 3  # of a place in what comes round the chord is kept that it had most often in so many of the last rounds


class Charts:
    """Gives the ear its chart: for each timestep `look`, and `settle` when it has passed.

    Channels: reads `charts`, writes `chart` and `chords`.
    """

    def __init__(self, following: Following, live: Live, link: Link, chart: Sequence[Chord] = ()) -> None:
        """`chart`: the chord of each beat, in the metre that `following` is in."""
        self._following, self._ear = following, following.ear
        self._live, self._link = live, link
        self._typed = link["charts"].reader()
        self._kept = live.get("keep")
        self._record = np.zeros((), CHART)
        self._beats: deque[tuple[int, Chord | None]] = deque(maxlen=REMEMBERED_BEATS)  # place, chord
        self._other = (0, 0)  # what comes round that the chart does not fit, and the beat since which it does
        self._coming: str | None = None  # to be played by from the next timestep on
        self._begin(chart, CONFIGURED)

    @property
    def since(self) -> int:
        """Timestep before which everything is forgotten."""
        return int(self._record["since"])

    def play(self, text: str) -> None:
        """Play by this chart from the next timestep on, laid out in its metre; an empty one: by ear."""
        self._coming = text

    def look(self, beat: int) -> None:
        """Take up what was typed or is to be kept; `beat` counts up from timestep to timestep."""
        if self._coming is not None:
            self._begin(read(self._coming, self._bar)[0], TYPED)
            self._coming = None
        for record in self._typed.read():
            beats, faults = read(record["text"].decode(), self._bar)
            if not faults:  # who took it from a person has told him of those
                self._begin(beats, TYPED)
        kept = self._live.get("keep")
        if kept != self._kept:
            self._kept = kept
            self._keep()
        self._compare(beat)

    def take_metre(self) -> None:
        """The steps lie in another metre from here on: the chart was laid out anew."""
        if self._record["beats"] == self._bar:
            return
        self._beats.clear()
        self._record["text"] = text_of(self._ear.chart, self._bar).encode()
        self._publish()

    def settle(self) -> None:
        """A timestep has passed."""
        place = self._following.beat
        if self._beats and self._beats[-1][0] == place:
            self._beats.pop()
        self._beats.append((place, self._ear.now))

    def tell_chords(self) -> None:
        """The chord that is heard, expected or played is another."""
        self._link.writer("chords").push(self._following.told)

    def forget(self, step: int) -> None:
        """What was heard before a timestep is forgotten; the chart stays."""
        self._beats.clear()
        self._record["since"] = step
        self._publish()

    def recall(self, record: np.void) -> None:
        """Go on by the chart that a process that died had published."""
        self._record["since"] = record["since"]
        beats = of_text(record["text"].decode(), int(record["beats"]))
        self._begin(relaid(beats, int(record["beats"]), self._bar), int(record["origin"]))

    def _begin(self, beats: Sequence[Chord], origin: int) -> None:
        self._ear.play_by(beats)
        self._record["text"] = text_of(beats, self._bar).encode()
        self._record["origin"], self._record["loop_beats"] = origin, 0
        self._other = (0, 0)
        self._publish()

    @property
    def _bar(self) -> int:
        return self._following.metre.beats

    def _publish(self) -> None:
        self._record["beats"] = self._bar
        self._link.writer("chart").push(self._record)

    def _keep(self) -> None:
        played = self._played()
        if played:
            self._begin(played, KEPT)
            self._link.notice("network", INFO, f"kept: {text_of(played, self._bar)}")
            return
        self._record["origin"] = NOTHING_TO_KEEP
        self._publish()
        self._link.notice("network", WARNING, "nothing comes round yet that could be kept: play it twice, then keep it")

    def _played(self) -> list[Chord]:
        """The chords of what comes round, one a beat, from where bar 1 falls on; nothing where nothing does."""
        period = self._ear.rounds.period
        last = list(self._beats)[-ROUNDS * period :] if period else []
        found: list[Chord] = []
        for at in range(period):
            heard = [chord for place, chord in last if place % period == at and chord is not None]
            if not heard and not found:
                return []
            found.append(max(reversed(heard), key=heard.count) if heard else found[-1])
        return found

    def _compare(self, beat: int) -> None:
        """Say it once where something else comes round than the chart is long."""
        chart, rounds = self._ear.chart, self._ear.rounds
        period = rounds.period if chart and rounds.sure > 0 and rounds.period % self._least() else 0
        if period != self._other[0]:
            self._other = (period, beat)
        if not period or self._record["loop_beats"] == period or beat - self._other[1] < SURE_BEATS:
            return
        self._record["loop_beats"] = period
        self._publish()
        text = f"the chart has {_bars(len(chart), self._bar)} and you repeat {_bars(period, self._bar)}: the chart is kept to"
        self._link.notice("network", WARNING, text)

    def _least(self) -> int:
        """Beats after which the chart itself comes round, which may be before its end."""
        chart = self._ear.chart
        for beats in range(self._bar, len(chart), self._bar):
            if len(chart) % beats == 0 and chart == chart[:beats] * (len(chart) // beats):
                return beats
        return len(chart)


def _bars(beats: int, beats_per_bar: int) -> str:
    count = beats / beats_per_bar
    return "1 bar" if count == 1 else f"{count:g} bars"
