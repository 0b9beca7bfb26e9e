"""Kills the network and the feed with kill -9 while a chord sounds, and measures what is heard of it and when they are back.

    python tests/system/jack_kill.py                    # each of them five times

The player's chord is all there is to hear (the tracks' levels are zero); the network's notes are read from the MIDI output,
where they leave at their frame. The largest step from one sample to the next is given beside that of the second before, for
the server loses blocks of its own: the recording tells what we put out all the while.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.system.jack_stand import TRACKS, Late, Stand, everything, jam_on, parser_of, stand, tell
from tests.system.rig import BLOCK, RATE, Jam, Stage, wait_for

CHORD = (60, 64, 67)
TEMPO = 112.0
PERIOD = 60 * RATE / TEMPO / 4  # frames of a timestep
QUIET = 0.02  # share of the loudest below which it counts as silence
ON_GRID = RATE // 100  # frames: a thread sends these notes by the clock, so some milliseconds more or less
OLD = RATE // 20  # frames within which the killed network's last notes may still leave
APART_S = 7.0  # from one kill to the next: a process that dies five times within a minute is given up
LIMIT_S = 20.0


@dataclass(frozen=True)
class Kill:
    """One kill: what was heard from it until everything was back, and how long that took."""

    of: str
    silence_ms: float  # the longest
    jump: float  # the largest from one sample to the next
    jump_before: float  # the same in the second before
    missed_ms: float  # what this bench's own client did not hear
    back_s: float  # until the network's first note on the grid, or the feed's first datagram
    late: Late


@dataclass
class Figures:
    """All kills; the worst and the median of each figure by what was killed."""

    kills: list[dict[str, Any]]
    recorded_silence_ms: float  # all the while, from a second after the chord was struck
    recorded_jump: float
    worst: dict[str, dict[str, float]]
    median: dict[str, dict[str, float]]


def silence_frames(sound: np.ndarray) -> int:
    """Return the longest run of frames in which `sound` (n, 2) is silent on both sides; what was missed (NaN) is none."""
    size = np.abs(sound).max(axis=1)
    quiet = np.concatenate([[False], size < QUIET * np.nanmax(size), [False]])
    turns = np.flatnonzero(np.diff(quiet.astype(int)))
    return int((turns[1::2] - turns[::2]).max(initial=0))


def jump(sound: np.ndarray) -> float:
    """Return the largest difference of two neighbouring samples of one side."""
    return round(float(np.nanmax(np.abs(np.diff(sound, axis=0)))), 4)


def off_grid(frames: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return how far frames lie from the places that the frames of `grid` lie on, less than half a timestep either way."""
    turns = np.exp(2j * np.pi * grid / PERIOD)
    phase = np.angle(turns.mean()) / (2 * np.pi) * PERIOD
    return (frames - phase + PERIOD / 2) % PERIOD - PERIOD / 2


def begun(stage: Stage, after: int) -> np.ndarray:
    """Return the frames of the network's notes since `after`."""
    return np.array([f for f, data in list(stage.received) if data[0] & 0xF0 == 0x90 and data[2] > 0 and f > after], float)


def kill_network(stage: Stage, pid: int) -> float:
    """Kill it; return the seconds until its first note on the grid of those before."""
    grid = begun(stage, stage.now - 10 * RATE)
    killed = stage.now
    os.kill(pid, signal.SIGKILL)

    def back() -> Any:
        new = begun(stage, killed + OLD)
        return new[np.abs(off_grid(new, grid)) <= ON_GRID]

    return float((wait_for(lambda: back().tolist(), LIMIT_S, "a note on the grid")[0] - killed) / RATE)


def kill_feed(receiver: socket.socket, pid: int) -> float:
    """Kill it; return the seconds until its first datagram."""
    begun_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _is_dead(pid), LIMIT_S, "its end")
    receiver.setblocking(False)
    try:
        while True:
            receiver.recv(65536)
    except BlockingIOError:
        receiver.settimeout(LIMIT_S)
    receiver.recv(65536)
    return time.monotonic() - begun_s


def _is_dead(pid: int) -> bool:
    """Whether it ended, even where nobody has asked for its exit status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill(the: Stand, jam: Jam, name: str, receiver: socket.socket) -> Kill:
    """Kill one process and listen until it is back."""
    stage = the.stage
    stage.wait_until(stage.now + round(APART_S * RATE))
    the.mark()
    begin, pid = stage.now, jam.pids()[name]
    back_s = kill_network(stage, pid) if name == "network" else kill_feed(receiver, pid)
    stage.wait_until(stage.now + RATE)
    before, after = stage.sound(begin - RATE, begin), stage.sound(begin, stage.now)
    jam.wait(lambda report: report["processes"][name]["pid"] != pid, LIMIT_S, f"word of the new {name} process")
    return Kill(
        of=name,
        silence_ms=round(silence_frames(after) / RATE * 1e3, 2),
        jump=jump(after),
        jump_before=jump(before),
        missed_ms=round(float(np.isnan(after[:, 0]).sum()) / RATE * 1e3, 1),
        back_s=round(back_s, 3),
        late=the.late(),
    )


def figures(kills: list[Kill], recording: np.ndarray) -> Figures:
    """Sum up; `recording` (n, 2) begins with silence."""
    size = np.abs(recording).max(axis=1)
    recording = recording[np.flatnonzero(size > 0.1 * size.max())[0] + RATE :]
    names = ("silence_ms", "jump", "jump_before", "missed_ms", "back_s")
    by = {of: {name: [getattr(k, name) for k in kills if k.of == of] for name in names} for of in {k.of for k in kills}}
    return Figures(
        kills=[asdict(k) for k in kills],
        recorded_silence_ms=round(silence_frames(recording) / RATE * 1e3, 2),
        recorded_jump=jump(recording),
        worst={of: {name: max(values) for name, values in found.items()} for of, found in by.items()},
        median={of: {name: float(np.median(values)) for name, values in found.items()} for of, found in by.items()},
    )


def main() -> None:
    """Set up, kill, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    own = (
        "jam.mode=solo",
        f"clock.tempo={TEMPO}",
        'midi.outputs=["virtual"]',
        "patches.player=pad",
        *(f"parameters.{track}.level=0" for track in TRACKS),
    )
    with stand() as the, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with jam_on(the, *everything(receiver.getsockname()[1]), *own, *arguments.set, notes=True) as jam:
            pressed = the.stage.now + RATE // 4
            the.stage.send((pressed + i * BLOCK, bytes((0x90, pitch, 100))) for i, pitch in enumerate(CHORD))
            kills = [kill(the, jam, name, receiver) for _ in range(arguments.times) for name in ("network", "feed")]
            # As it stands: the end of the jam would fade the chord out.
            recording, _ = soundfile.read(jam.session / "session.wav", dtype="float32", always_2d=True)
    late = sum((k.late for k in kills), Late(0, 0, 0, 0))
    tell(figures(kills, recording), late, arguments.json)


if __name__ == "__main__":
    main()
