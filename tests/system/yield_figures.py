"""How soon the network falls silent: when the player begins in its turn, punches in on a track, or panics.

    python tests/system/yield_figures.py [--times N]

A jam on a JACK server without a card. Frames are those of the events: from the player's note, or from when a switch was set, to
the end of the last of the network's notes; a block has 64.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from engine.transport.sample_clock import SampleClock
from tests.system.link_phase import Band
from tests.system.rig import JackServer, Jam, Stage, jack_settings

WITHIN_S = 0.3


class Watched(Band):
    """A jam, and which of the network's notes sound."""

    def begin(self) -> None:
        """Look from here on."""
        self.events = self.link["events"].reader()
        self.sounding: dict[tuple[int, int], int] = {}

    def look(self) -> np.ndarray:
        """Take what sounded."""
        found = self.events.read()
        for event in found:
            key = (int(event["track"]), int(event["pitch"]))
            if event["kind"] == NOTE_ON and event["track"] != PLAYER:
                self.sounding[key] = int(event["frame"])
            elif event["kind"] == NOTE_OFF:
                self.sounding.pop(key, None)
        return found

    def wait_sounding(self, limit_s: float, track: int | None = None) -> bool:
        """Wait until the network holds a note."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            self.look()
            if any(track in (None, of) for of, _ in self.sounding):
                return True
            time.sleep(0.002)
        return False

    def frame(self) -> float:
        """The frame that is rendered now."""
        return SampleClock.of(self.link["clock"].latest()).frame_at(time.perf_counter_ns())


def ended(found: np.ndarray, begun: set[tuple[int, int]], since: float, tracks: set[int] | None = None) -> float | None:
    """Frames from `since` to the last end of a note of the network's that had begun before; `begun`: what sounded at first."""
    ends = []
    for event in found[found["track"] != PLAYER]:
        key, frame = (int(event["track"]), int(event["pitch"])), int(event["frame"])
        if event["kind"] == NOTE_ON and frame < since:
            begun.add(key)
        elif event["kind"] == NOTE_OFF and key in begun:
            begun.discard(key)
            if frame >= since - BLOCK and (tracks is None or key[0] in tracks):
                ends.append(frame - since)
    return max(ends) if ends else None


def measure(band: Watched, stage: Stage, times: int) -> dict[str, list[float]]:
    """Return the frames of each way."""
    modes = band.live.registry["mode"].choices
    found: dict[str, list[float]] = {"trade": [], "punch": [], "panic": []}
    band.live.set("mode", modes.index("trade"))
    band.begin()
    while len(found["trade"]) < times:
        for pitch in (60, 64, 67, 72):
            now = stage.now + 2400
            stage.send([(now, bytes((0x90, pitch, 90))), (now + 4800, bytes((0x80, pitch, 0)))])
            stage.wait_until(now + 4800)
        band.look()
        band.sounding.clear()
        if not band.wait_sounding(12):
            continue
        now, begun = stage.now + 4 * BLOCK, set(band.sounding)
        stage.send([(now, bytes((0x90, 62, 90))), (now + 2400, bytes((0x80, 62, 0)))])
        time.sleep(WITHIN_S)
        events = band.look()
        mine = [int(e["frame"]) for e in events if e["kind"] == NOTE_ON and e["track"] == PLAYER and e["pitch"] == 62]
        if mine and (frames := ended(events, begun, mine[0])) is not None:
            found["trade"].append(frames)
    band.live.set("mode", modes.index("solo"))
    for way, tracks in (("punch", {1}), ("panic", None)):
        while len(found[way]) < times:
            if not band.wait_sounding(20, 1):
                break
            frame, begun = band.frame(), set(band.sounding)
            if way == "punch":
                band.live.set("bass.punch", 1)
            else:
                band.live.fire("panic")
            time.sleep(WITHIN_S)
            if (frames := ended(band.look(), begun, frame, tracks)) is not None:
                found[way].append(frames)
            band.live.set("bass.punch", 0)
            time.sleep(1)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=12)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        server = JackServer(Path(folder) / "jackd.log", urgent=True)
        jam = None
        try:
            server.wait_ready()
            stage = Stage(server)
            jam = Jam(Path(folder), *jack_settings(), "clock.tempo=160", "parameters.rest=0.5", env=server.env)
            band = Watched(jam)
            jam.wait_playing(2)
            stage.connect_to_jam()
            found = measure(band, stage, times)
            band.close()
            jam.end()
            stage.close()
        finally:
            if jam is not None:
                jam.close()
            server.close()
    for way, frames in found.items():
        told = f"median {np.median(frames):.0f}, most {max(frames):.0f} frames" if frames else "none"
        sys.stdout.write(f"{way}: {len(frames)} times, {told}\n")


if __name__ == "__main__":
    main()
