"""The session of Ableton Link: its tempo, its beat, its bar lines; and where the switch is on, its start and stop.

Runs on: audio process, in the block loop. A process of its own takes part in the session (control/ableton_process.py).
"""

from __future__ import annotations

from engine.core.parameters import Live
from engine.transport.outside import OutsideSource
from engine.transport.sources import Rings


class LinkSource(OutsideSource):
    """Answers what the ring `ableton` says."""

    starts = "clock.startstop"


def make(live: Live, rate_hz: float, rings: Rings) -> LinkSource:
    """Return the source."""
    return LinkSource(live, rate_hz, rings["ableton"], rings["clock"], "link")
