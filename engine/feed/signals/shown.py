"""The smooth tiers for pages and OSCQuery: the numbers into a ring, while somebody looks.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import json

from engine.core.link import Link
from engine.feed.signals.signals import Signals, Wants

RATE_HZ = 60.0


class Shown:
    """Writes the rings `signals` and `words`."""

    def __init__(self, link: Link, signals: Signals, levels: bool = True) -> None:
        """`levels`: those of the sound are wanted."""
        self.rate_hz = RATE_HZ
        self.wants = Wants(levels=levels, trails=True)
        self._signals = signals
        self._numbers, self._words = link.writer("signals"), link.writer("words")
        self._said = b""

    def tick(self, _now_ns: int) -> None:
        """Write the numbers of this moment."""
        signals = self._signals
        record = self._numbers.slot()
        record["frame"], record["beat"] = signals.frame, signals.beat
        count = len(signals.values)
        record["values"][:count] = signals.values
        record["raw"][:count] = signals.raw
        record["trails"][: signals.at_steps - signals.at_trails] = signals.numbers[signals.at_trails : signals.at_steps]
        self._numbers.advance()
        said = json.dumps(signals.words.values).encode()
        if said != self._said:
            self._said = said
            self._words.push((said,))
