"""The chart that is played by, as the page shows it.

Runs on: feed process, event loop thread.
"""

from __future__ import annotations

from typing import Any

from engine.core.link import Link
from engine.transport.timeline import TimelineReader

ORIGINS = ("configured", "typed", "kept", "nothing")  # of a chart, as the page is told


def chart_of(link: Link, timeline: TimelineReader) -> dict[str, Any]:
    """Return what is played by, as the page is told."""
    record = link["chart"].latest()
    if record is None:
        return {"text": "", "bars": [], "origin": ORIGINS[0], "loop_bars": 0, "bar": 4}
    text, beats = record["text"].decode(), max(int(record["beats"]), 1)
    bars = [bar.strip() for bar in text.strip("| ").split("|")] if text else []
    loop_bars, line = int(record["loop_beats"]) / beats, timeline.now()
    bar = beats if line is None else line.metre.bar
    return {"text": text, "bars": bars, "origin": ORIGINS[int(record["origin"])], "loop_bars": loop_bars, "bar": bar}
