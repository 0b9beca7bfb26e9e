"""How a jam goes, read from the link."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.control import status
from engine.control.status import Outside, Place, snapshot
from engine.core.config import source_names
from engine.core.messages import CLOCK, NETWORK_STATS
from engine.jam.modes import CLASSES
from engine.transport.timeline import BeatTimeline

RATE = 48000
NOW_NS = 10_000_000_000
BLOCK_BEGAN = (RATE * 10, NOW_NS, 1e9 / RATE, RATE, 64, 0, 0.08, 0.2, 0.1, 5, 1, 0, 2, 3, 0.1, 0)


def place(now_s: float = 10, **line: float) -> Place:
    """Where a line of 120 bpm that begins at frame 0 is at 10 s, which is beat 20."""
    clock = np.zeros((), CLOCK)
    clock["frame"], clock["time_ns"], clock["ns_per_frame"] = BLOCK_BEGAN[:3]
    found = BeatTimeline(**{"frame": 0.0, "beat": 0.0, "tempo_bpm": 120.0, "rate_hz": RATE} | line)
    return Place.of(found, clock, int(now_s * 1e9))


@pytest.mark.parametrize(
    ("line", "bar", "beat"),
    [
        ({}, 6, 1),
        ({"bar_beat": 16.0}, 2, 1),  # bar 1 begins at beat 16
        ({"bar_beat": 19.0, "bar": 9}, 9, 2),
        ({"numerator": 3}, 7, 3),  # beat 20 is 6 bars of 3 and 2 beats
        ({"numerator": 6, "denominator": 8}, 7, 2),  # counted in dotted quarters
        ({"numerator": 7, "denominator": 8}, 6, 6),  # ... in eighths: 5 bars of 3.5 and 2.5
        ({"bar_beat": 24.0}, 0, 1),  # before bar 1
    ],
)
def test_bars_and_beats_are_counted_from_one_in_the_unit_of_the_metre(line, bar, beat):
    found = place(**line)
    assert (found.bar, found.beat) == (bar, beat)


def test_before_its_beginning_a_line_is_where_it_begins():
    assert (place(frame=RATE * 20.0).bar, place(frame=RATE * 20.0, beat=8.0).bar) == (1, 3)


def test_what_goes_on_is_one_word(link, live, monkeypatch):
    monkeypatch.setattr(status.time, "perf_counter_ns", lambda: NOW_NS)

    def doing():
        return snapshot(link, live).doing

    assert doing() == "starting"
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())
    assert doing() == "starting"
    link.writer("clock").push(BLOCK_BEGAN)
    stats = np.zeros((), NETWORK_STATS)
    assert doing() == "playing"  # the network has not spoken yet
    for mode in CLASSES:
        live.set("mode", mode.number)
        for stats["listening"], word in ((0, "answering"), (1, "listening")):
            link.writer("network").push(stats)
            assert doing() == (word if mode.takes_turns else "playing")
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE, began=24.0).record())
    assert doing() == "count-in"
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE, playing=False).record())
    assert doing() == "stopped"


def test_it_may_be_asked_four_times_a_second(link, live):
    link.writer("clock").push(BLOCK_BEGAN)
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())
    link.writer("network").push(np.zeros((), NETWORK_STATS))
    taken_s = []
    for _ in range(200):
        begun_s = time.thread_time()
        snapshot(link, live)
        taken_s.append(time.thread_time() - begun_s)
    assert np.median(taken_s) < 0.0025  # one per cent of a core


def test_a_clock_from_outside_is_told_with_how_far_the_band_is_from_it(link, live, monkeypatch):
    monkeypatch.setattr(status.time, "perf_counter_ns", lambda: NOW_NS)
    clock = list(BLOCK_BEGAN)
    clock[5] = 480  # it is heard 10 ms later
    link.writer("clock").push(tuple(clock))
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())
    live.set("clock.source", source_names().index("link"))
    assert snapshot(link, live).beat.followed == Outside("link", there=False)
    # Heard is beat 19.98; 100 ms ago theirs was 7.78, now it is 7.98.
    link.writer("ableton").push((NOW_NS - 100_000_000, 7.78, 120.0, 3, 1, 0.02, True))
    beat = snapshot(link, live).beat
    assert beat.peers == 3
    assert beat.followed == Outside("link", True, 120.0, 3, 0.02, 0.0)
    link.writer("ableton").push((NOW_NS, 8.0, 120.0, 3, 1, 0.02, True))
    assert snapshot(link, live).beat.followed.offset_ms == pytest.approx(10.0)
    link.writer("ableton").push((NOW_NS - 2_000_000_000, 4.0, 120.0, 3, 1, 0.02, True))
    assert not snapshot(link, live).beat.followed.there
    live.set("clock.source", source_names().index("internal"))
    assert snapshot(link, live).beat.followed is None
