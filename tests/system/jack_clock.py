"""Measures the MIDI clock that a jam sends, as a JACK client receives it, and as the clock process sends it.

python tests/system/jack_clock.py                   # 20 s of a jam, and 20 s of the sending alone
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.core.link import Layout, Link
from engine.core.messages import CLOCK
from engine.core.realtime import SOUND, be_urgent
from engine.midi.clock_out import ClockOut, run
from engine.transport.midi_clock import TICK
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline
from tests.audio.conftest import card
from tests.system.rig import BLOCK, RATE, JackServer, Jam, Stage, jack_settings, wait_for

TEMPO = 120.0


def spread(values_ms: np.ndarray) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    found = np.percentile(values_ms, [50, 99, 100])
    return dict(zip(("p50_ms", "p99_ms", "max_ms"), (round(float(x), 3) for x in found), strict=True))


def received(seconds: float) -> dict[str, Any]:
    """A jam's clock as another JACK client hears it: how far each tick lies from where its beat is."""
    with tempfile.TemporaryDirectory() as folder:
        server = JackServer(Path(folder) / "jackd.log", urgent=True)
        jam = None
        try:
            server.wait_ready()
            stage = Stage(server)
            settings = (*jack_settings(), 'midi.clock.outputs=["virtual"]', f"clock.tempo={TEMPO}")
            jam = Jam(Path(folder), *settings, options=["--demo", "--duration", "600"], env=server.env)
            jam.wait_playing(8)

            def port() -> Any:
                return list(stage.client.get_ports("^Algoritmo", is_midi=True, is_output=True))

            stage.client.connect(wait_for(port, 20, "the clock's port")[0], stage._ear)
            stage.received.clear()
            time.sleep(seconds)
            ticks = np.array([frame for frame, data in stage.received if data[0] == TICK], float)
            jam.end()
            stage.close()
        finally:
            if jam is not None:
                jam.close()
            server.close()
    period = 60 / TEMPO / 24 * RATE
    numbers = np.round((ticks - ticks[0]) / period)
    off = ticks - numbers * period
    off -= np.median(off)
    lost = int(numbers[-1]) + 1 - len(ticks)
    return {"ticks": len(ticks), "lost_or_doubled": lost, "period_ms": 1e3 * BLOCK / RATE, **spread(np.abs(off) / RATE * 1e3)}


def sent(seconds: float) -> dict[str, Any]:
    """The sending alone: how late each tick's call is."""
    link = Link.private(Layout.of(card(), 4))
    record = np.zeros(1, CLOCK)[0]
    record["time_ns"], record["ns_per_frame"], record["rate_hz"] = time.perf_counter_ns(), 1e9 / RATE, RATE
    link.writer("clock").push(record)
    line = BeatTimeline(frame=4800.0, beat=0.0, tempo_bpm=TEMPO, rate_hz=RATE)
    link.writer("timeline").push(line.record())
    late: list[float] = []
    of = SampleClock.of(record)

    def note(message: object) -> None:
        if message == (TICK,):
            due_ns = of.time_at(line.frame_at(len(late) / 24))
            late.append((time.perf_counter_ns() - due_ns) * 1e-6)

    end_s = time.monotonic() + seconds

    def is_over(wait_s: float) -> bool:
        time.sleep(wait_s)
        return time.monotonic() > end_s

    def loop() -> None:
        be_urgent(SOUND)
        run(ClockOut(note), link["timeline"].reader(0), link["clock"].latest, 0.0, is_over)

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    return {"ticks": len(late), **spread(np.abs(np.array(late)))}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    words = parser.parse_args()
    sys.stdout.write(json.dumps({"sent": sent(words.seconds), "received": received(words.seconds)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
