"""The players of a Pro DJ Link network: tempo and beat of the master deck, or of the one that is chosen.

Runs on: audio process, in the block loop. A process of its own listens to them (control/prodj_process.py). Players start and
stop for many reasons: the band does neither with them.
"""

from __future__ import annotations

from engine.core.parameters import Live
from engine.transport.outside import OutsideSource
from engine.transport.sources import Rings


class ProDjSource(OutsideSource):
    """Answers what the ring `prodj` says."""

    silent_s = 0.3  # it is written as long as a deck plays


def make(live: Live, rate_hz: float, rings: Rings) -> ProDjSource:
    """Return the source."""
    return ProDjSource(live, rate_hz, rings["prodj"], rings["clock"], "prodj")
