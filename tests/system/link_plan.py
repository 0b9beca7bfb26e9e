"""Ableton Link's own test plan, with another program in the session: each of its cases by its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from engine.core.messages import BLOCK
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline
from tests.system.link_phase import Band, Peer, band
from tests.system.rig import wait_for

pytest.importorskip("aalink")
pytestmark = [pytest.mark.system]

NEAR_MS = 10.0  # two programs on a busy machine; what is reached on a quiet one, link_phase.py measures
ONSET_MS = 3.0  # the plan's own tolerance


@pytest.fixture(scope="module")
def app() -> Iterator[Band]:
    """One band for all of them: it leaves the session at the end of each."""
    with band("clock.tempo=100", "clock.source=internal") as found:
        wait_for(lambda: plays(found), 150, "a band that plays")
        choose(found, "link")  # its process begins, and is there for all of them
        wait_for(lambda: found.link["ableton"].count > 0, 60, "a process that takes part")
        choose(found, "internal")
        yield found


def choose(app: Band, source: str) -> None:
    app.live.set("clock.source", app.live.registry["clock.source"].choices.index(source))


def plays(app: Band) -> bool:
    line = app.line
    return line is not None and bool(line.playing)


def in_sync(app: Band, hut: Peer, of: float = 4.0) -> bool:
    off = app.off_ms(hut, of)
    return plays(app) and app.line is not None and bool(app.line.locked) and off is not None and abs(off) < NEAR_MS


def lines(app: Band, since: int) -> list[BeatTimeline]:
    """All that were published since so many had been."""
    return list(map(BeatTimeline.of, app.link["timeline"].reader(max(since - 1, 0)).read()))


def is_continuous(found: list[BeatTimeline]) -> bool:
    """Whether the beat went on as it would have by the first line, without a jump; lines bend a little as clocks are read."""
    first, last = found[0], found[-1]
    no_jump = all(
        after.playing and after.left_out == before.left_out and abs(after.beat - before.beat_at(after.frame)) < 1e-6
        for before, after in pairwise(found)
    )
    return no_jump and abs(last.beat - first.beat_at(last.frame)) * 60e3 / first.tempo_bpm < NEAR_MS


def run(app: Band, case: Callable[[Peer], Awaitable[None]], tempo_bpm: float = 120.0) -> None:
    """Run one case with a peer that is there, and has not joined."""

    async def whole() -> None:
        hut = Peer(tempo_bpm)
        try:
            await case(hut)
        finally:
            hut.session.enabled = False
            choose(app, "internal")
            app.live.set("clock.startstop", 0)
            await asyncio.sleep(0.3)

    asyncio.run(whole())


async def meet(app: Band, hut: Peer) -> None:
    """Both join the session."""
    await hut.join()
    choose(app, "link")
    await hut.wait_for(lambda: hut.session.num_peers == 1, 30, "1 Link")


def test_tempo_5_and_beattime_1_alone_neither_tempo_nor_beat_changes(app: Band):
    async def case(hut: Peer) -> None:
        choose(app, "internal")
        await hut.wait_for(lambda: plays(app), 150, "a band that plays")
        app.live.set("tempo", 111)
        await asyncio.sleep(1)
        since = app.link["timeline"].count
        choose(app, "link")
        await hut.wait_for(
            lambda: app.line is not None and bool(app.line.locked) and app.link["ableton"].count > 20, 10, "Link"
        )
        await asyncio.sleep(3)
        assert app.live.get("tempo") == 111
        assert is_continuous(lines(app, since))
        app.live.set("tempo", 123)
        await asyncio.sleep(1)
        since = app.link["timeline"].count
        choose(app, "internal")
        await asyncio.sleep(1)
        assert app.live.get("tempo") == 123
        assert is_continuous(lines(app, since))

    run(app, case)


def test_tempo_1_changes_are_transmitted_both_ways(app: Band):
    async def case(hut: Peer) -> None:
        await meet(app, hut)
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")
        app.live.set("tempo", 88)
        await hut.wait_for(lambda: abs(hut.session.tempo - 88) < 1e-3, 10, "our tempo there")
        hut.session.tempo = 143.0
        await hut.wait_for(lambda: app.live.get("tempo") == 143.0, 10, "its tempo here")
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync at another tempo")

    run(app, case)


def test_tempo_2_and_3_neither_joining_nor_loading_changes_the_sessions_tempo(app: Band):
    async def case(hut: Peer) -> None:
        app.live.set("tempo", 100)
        await meet(app, hut)
        await hut.wait_for(lambda: app.live.get("tempo") == 130.0, 10, "the session's tempo here")
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")
        app.live.set("metre", app.live.registry["metre"].choices.index("6/8"))  # another piece
        await hut.wait_for(lambda: abs(app.live.get("tempo") - 130 / 1.5) < 0.02, 10, "its tempo as it is counted now")
        app.live.set("metre", app.live.registry["metre"].choices.index("4/4"))
        await hut.wait_for(lambda: app.live.get("tempo") == 130.0, 10, "its tempo as it was")
        assert hut.session.tempo == pytest.approx(130, abs=1e-3)
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")

    run(app, case, 130.0)


@pytest.mark.parametrize(("bpm", "part"), [(20.0, 1), (999.0, 4)])
def test_tempo_4_it_stays_in_sync_at_the_ends_of_the_range(app: Band, bpm: float, part: int):
    async def case(hut: Peer) -> None:
        await meet(app, hut)
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")
        hut.session.tempo = bpm

        def follows() -> bool:
            line, off = app.line, app.off_ms(hut, 1.0) if part == 1 else _apart_ms(app, hut, part)
            fast = line is not None and abs(line.tempo_bpm * part / bpm - 1) < 0.02
            return fast and off is not None and abs(off) < NEAR_MS

        await hut.wait_for(follows, 30, "in sync")

    run(app, case)


def _apart_ms(app: Band, hut: Peer, part: int) -> float | None:
    """How far a beat of ours lies from every so-manieth of theirs."""
    clock, line = app.link["clock"].latest(), app.line
    its, now_ns = hut.session.beat, time.perf_counter_ns()
    if clock is None or line is None:
        return None
    frame = SampleClock.of(clock).frame_at(now_ns) - float(clock["latency_frames"])
    return float((line.beat_at(frame) - its / part + 0.5) % 1 - 0.5) * 60e3 / line.tempo_bpm


def test_beattime_2_another_who_joins_does_not_move_the_beat(app: Band):
    async def case(hut: Peer) -> None:
        choose(app, "link")
        await hut.wait_for(lambda: app.line is not None and bool(app.line.locked), 10, "a session of its own")
        await asyncio.sleep(1)
        since = app.link["timeline"].count
        await hut.join()
        await hut.wait_for(lambda: hut.session.num_peers == 1, 30, "1 Link")
        await asyncio.sleep(2)
        assert is_continuous(lines(app, since))
        assert in_sync(app, hut)

    run(app, case, 77.0)


def test_startstopstate_1_and_2_both_start_and_stop_together(app: Band):
    async def case(hut: Peer) -> None:
        app.live.set("clock.startstop", 1)
        await meet(app, hut)
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")
        app.live.fire("transport.stop")
        await hut.wait_for(lambda: not plays(app) and not hut.session.playing, 10, "our stop there")
        hut.session.playing = True
        await hut.wait_for(lambda: plays(app) and in_sync(app, hut), 20, "their start here, on a bar line")
        hut.session.playing = False
        await hut.wait_for(lambda: not plays(app), 10, "their stop here")
        app.live.fire("transport.start")
        await hut.wait_for(lambda: hut.session.playing, 10, "our start there")
        await hut.wait_for(lambda: in_sync(app, hut), 20, "on a bar line")

    run(app, case)


def test_audioengine_1_what_is_heard_lies_on_the_sessions_beat(app: Band):
    async def case(hut: Peer) -> None:
        for name in app.live.registry.tracks:
            app.live.set(f"{name}.mute", 1)
        app.live.set("metronome", 1)
        await meet(app, hut)
        await hut.wait_for(lambda: in_sync(app, hut), 20, "in sync")
        await asyncio.sleep(1)  # what still rang has died away
        wave = app.link["wave"].reader()
        await asyncio.sleep(3)
        its, now_ns = hut.session.beat, time.perf_counter_ns()
        blocks, clock = wave.read(), app.link["clock"].latest()
        assert clock is not None
        off_ms = []
        for frame in _onsets(blocks):
            heard_ns = SampleClock.of(clock).time_at(frame + float(clock["latency_frames"]))
            beat = its + (heard_ns - now_ns) * 1e-9 * hut.session.tempo / 60
            off_ms.append(abs((beat + 0.5) % 1 - 0.5) * 60e3 / hut.session.tempo)
        assert len(off_ms) >= 4
        assert np.median(off_ms) < ONSET_MS
        app.live.set("metronome", 0)

    run(app, case)


def _onsets(blocks: np.ndarray) -> list[int]:
    """Frames at which a sound begins after silence, of `wave` records."""
    loud = np.abs(blocks["samples"]).max(axis=2).reshape(-1) > 0.003
    first, quiet = int(blocks[0]["frame"]), 2400
    found: list[int] = []
    for at in np.flatnonzero(loud).tolist():
        if at >= quiet and not loud[at - quiet : at].any():
            found.append(first + at)
    assert len(loud) == BLOCK * len(blocks)
    return found
