"""How near a jam's beat is to another program's in an Ableton Link session, steady and in a ramp; and who sets the tempo.

    python tests/system/link_phase.py [--steady SECONDS] [--joins N]

The jam's beat is the one that is heard: its timeline, its sample clock and its latency; the other's is read beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.running import attach, choose
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline
from tests.system.rig import Jam, null_settings, wait_for

LOOK_S = 0.01
RAMP = (60.0, 200.0, 16.0)  # bpm, bpm, seconds
JOINED_BPM = 97.0


class Peer:
    """Another program in the session."""

    def __init__(self, tempo_bpm: float) -> None:
        import aalink

        self.session = aalink.Link(tempo_bpm)

    async def join(self) -> None:
        """Join, as one should: half a second after it was made."""
        await asyncio.sleep(0.5)
        self.session.quantum = 4
        self.session.start_stop_sync_enabled = True
        self.session.enabled = True

    async def wait_for(self, what: Any, limit_s: float, name: str) -> None:
        """Return when `what()` is true."""
        end = time.monotonic() + limit_s
        while not what():
            assert time.monotonic() < end, f"{name}: not within {limit_s:g} s"
            await asyncio.sleep(0.02)


class Band:
    """A jam that runs, looked at through its channels."""

    def __init__(self, jam: Jam) -> None:
        running = wait_for(lambda: _running(jam.process.pid), 40, "the jam's channels")
        self.link, self.live = attach(running)

    @property
    def line(self) -> BeatTimeline | None:
        """The line that holds."""
        record = self.link["timeline"].latest()
        return None if record is None else BeatTimeline.of(record)

    def off_ms(self, peer: Peer, of: float = 4.0) -> float | None:
        """How far what is heard of the band lies from the peer's beat; within `of` beats. None where the look was too long."""
        clock, line = self.link["clock"].latest(), self.line
        before = time.perf_counter_ns()
        its = peer.session.beat
        after = time.perf_counter_ns()
        if clock is None or line is None or not line.playing or after - before > 100_000:
            return None
        frame = SampleClock.of(clock).frame_at((before + after) / 2) - float(clock["latency_frames"])
        if frame < line.frame:
            return None
        off = (line.place(line.beat_at(frame)) - its + of / 2) % of - of / 2
        return float(off * 60e3 / line.tempo_bpm)

    def close(self) -> None:
        """Let go of it."""
        self.link.close()


def _running(pid: int) -> Any:
    from engine.core.errors import AlgoritmoError

    try:
        return choose(pid)
    except AlgoritmoError:
        return None


@contextlib.contextmanager
def band(*settings: str) -> Iterator[Band]:
    """A jam without a device, whose beat is a Link session's."""
    with tempfile.TemporaryDirectory() as folder:
        jam = Jam(Path(folder), *null_settings(), "clock.source=link", *settings)
        try:
            found = Band(jam)
            yield found
            found.close()
            jam.end()
        finally:
            jam.close()


async def _gather(there: Band, peer: Peer, seconds: float, turn: bool = False) -> np.ndarray:
    begun, found = time.monotonic(), []
    while (passed := time.monotonic() - begun) < seconds:
        if turn:
            first, last, lasts = RAMP
            peer.session.tempo = first + (last - first) * passed / lasts
        if (off := there.off_ms(peer, 1.0)) is not None:
            found.append(abs(off))
        await asyncio.sleep(LOOK_S)
    return np.array(found)


def _say(what: str, off: np.ndarray) -> None:
    p50, p99 = np.percentile(off, [50, 99])
    sys.stdout.write(f"{what}: {len(off)} looks, p50 {p50:.3f} p99 {p99:.3f} max {off.max():.3f} ms\n")


async def _measure(there: Band, steady_s: float, joins: int) -> None:
    peer = Peer(JOINED_BPM)
    await peer.join()

    def plays() -> bool:
        line = there.line
        return peer.session.num_peers > 0 and line is not None and line.playing and bool(line.locked)

    await peer.wait_for(plays, 40, "a band in the session")
    await asyncio.sleep(6)
    bar = there.off_ms(peer)
    sys.stdout.write(f"bar lines apart: {'not read' if bar is None else f'{bar:.3f} ms'}\n")
    if steady_s:
        _say("steady", await _gather(there, peer, steady_s))
        peer.session.tempo = RAMP[0]
        await asyncio.sleep(6)
        _say(f"ramp {RAMP[0]:g} to {RAMP[1]:g} in {RAMP[2]:g} s", await _gather(there, peer, RAMP[2], turn=True))
    if joins:
        await _join(there, peer, joins)


async def _join(there: Band, peer: Peer, joins: int) -> None:
    """The band leaves and joins again: whether the session keeps its tempo."""
    names = there.live.registry["clock.source"].choices
    resets = 0
    for number in range(joins):
        there.live.set("clock.source", names.index("internal"))
        await peer.wait_for(lambda: peer.session.num_peers == 0, 10, "the band gone")
        wanted = 80.0 + number
        peer.session.tempo = wanted
        there.live.set("tempo", 150)
        there.live.set("clock.source", names.index("link"))
        await peer.wait_for(lambda: peer.session.num_peers == 1, 10, "the band back")
        await asyncio.sleep(1)
        resets += abs(peer.session.tempo - wanted) > 0.01
    sys.stdout.write(f"{joins} joins: the session's tempo was reset {resets} times\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steady", type=float, default=20.0)
    parser.add_argument("--joins", type=int, default=0)
    options = parser.parse_args()
    with band() as running:
        asyncio.run(_measure(running, options.steady, options.joins))
