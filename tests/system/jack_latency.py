"""Measures note-on to first sample on a JACK server of its own, to the frame.

    python tests/system/jack_latency.py                 # the whole jam, 500 notes
    python tests/system/jack_latency.py --alone         # the audio process and nothing else

A client sends a note-on at frame f into the MIDI port and looks for the first sample at frame g that is not silence. The
server's log tells who was late: its own timer (the machine), an idle control client, this bench's client, or one of ours.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.system.jack_stand import TRACKS, Late, Stand, audio_on, everything, jam_on, parser_of, stand, tell
from tests.system.rig import BLOCK, RATE, Jam, Stage

HEARD = 1e-5  # -100 dBFS: more than this is no silence
PATIENCE = RATE // 4  # frames after which a note counts as lost


@dataclass
class Figures:
    """Frames from note-on to first sample."""

    notes: int
    lost: int
    lost_without_xrun: int
    median: float
    p99: float
    maximum: float
    late_steps: int | None  # None: there was no network
    restarts: int | None  # of our processes: a new one is not connected, and all after it is lost

    @classmethod
    def of(cls, latencies: list[int], lost: int, unexcused: int, late_steps: int | None, restarts: int | None) -> Figures:
        """Sum up what was measured."""
        median, p99, maximum = np.percentile(latencies, [50, 99, 100]) if latencies else [float("nan")] * 3
        return cls(len(latencies) + lost, lost, unexcused, median, p99, maximum, late_steps, restarts)


def measure(stage: Stage, notes: int, seed: int = 0) -> tuple[list[int], int, int]:
    """Return the latency of each note heard, in frames, how many were lost, and how many of those without an xrun."""
    rng = np.random.default_rng(seed)
    latencies, lost, unexcused = [], 0, 0
    for _ in range(notes):
        frame = stage.now + 10 * BLOCK + int(rng.integers(BLOCK))
        pitch, xruns = int(rng.integers(48, 84)), stage.xruns
        stage.send([(frame, bytes((0x90, pitch, 100))), (frame + 2400, bytes((0x80, pitch, 0)))])
        stage.wait_until(frame + PATIENCE)
        sent = stage.sent[-2][0]
        sound = np.nan_to_num(np.abs(stage.sound(sent, sent + PATIENCE)).max(axis=1))
        loud = np.flatnonzero(sound > HEARD)
        if len(loud):
            latencies.append(int(loud[0]))
        else:
            lost += 1
            unexcused += stage.xruns == xruns
        _wait_for_silence(stage)
    return latencies, lost, unexcused


def _wait_for_silence(stage: Stage) -> None:
    while True:
        end = stage.now
        if np.nan_to_num(np.abs(stage.sound(end - 16 * BLOCK, end))).max() < HEARD:
            break
        stage.wait_until(end + 16 * BLOCK)
    stage.forget()


def figures(the: Stand, notes: int, jam: Jam | None) -> tuple[Figures, Late]:
    """Measure so many notes."""
    the.mark()
    before = jam.report["late_steps"] if jam else 0
    measured = measure(the.stage, notes)
    late_steps = jam.report["late_steps"] - before if jam else None
    restarts = sum(jam.report["restarts"].values()) if jam else None
    return Figures.of(*measured, late_steps, restarts), the.late()


def main() -> None:
    """Set up, measure, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--alone", action="store_true", help="the audio process without network and feed")
    arguments = parser.parse_args()
    settings = [*everything(), *(f"parameters.{t}.mute=true" for t in TRACKS), *arguments.set]
    with stand() as the, contextlib.ExitStack() as ending:
        jam: Jam | None = None
        if arguments.alone:
            ending.enter_context(audio_on(the, *settings))
        else:
            jam = ending.enter_context(jam_on(the, *settings))
        time.sleep(1.0)
        found, late = figures(the, arguments.notes, jam)
    tell(found, late, arguments.json)


if __name__ == "__main__":
    main()
