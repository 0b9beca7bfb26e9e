"""Kills processes of a jam with kill -9, any of them at any moment, again and again, and measures what the music loses.

    python tests/system/kill_any.py                     # 200 times, some forty minutes
    python tests/system/kill_any.py --times 20 --seed 2

The jam has no device: its own clock asks for blocks, so that nothing but what is killed is in the way. What was rendered is
read from the shared memory, where it stays when its writer dies; at the end the recording is held against that.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.running import attach, choose
from engine.core.link import Link
from engine.core.messages import BLOCK
from engine.record.feed_file import STEP, FeedReader
from tests.system.rig import RATE, Jam, free_port, null_settings, wait_for
from tests.system.test_killed import assert_whole_midi

AUDIBLE = 1e-3
APART_S = 13.0  # from one kill to the next: so often, that no process has to rest
LIMIT_S = 30.0


@dataclass(frozen=True)
class Kill:
    """One kill. Times are counted from it."""

    of: str
    sound_gap_s: float  # of the sound that was rendered: from the last block before to the first after
    heard_s: float | None  # until there was sound again; None: it never ended
    back_s: float  # until the process did its own work again


def kill(jam: Jam, link: Link, name: str, chance: random.Random) -> Kill:
    """Kill one process at any moment and wait until all is as before."""
    time.sleep(APART_S * (0.8 + 0.4 * chance.random()))
    ring = link[{"audio": "clock", "network": "steps", "feed": "feed"}.get(name, f"alive.{name}")]
    pid = jam.pids()[name]
    blocks, begun_s = link["wave"].reader(link["wave"].count - 1), time.monotonic()  # the last that was whole before
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), LIMIT_S, "its end")
    count = ring.count
    heard_s = None
    if name == "audio":
        wait_for(lambda: ring.count > count and link["clock"].latest()["peak"] > AUDIBLE, LIMIT_S, "sound")
        heard_s = time.monotonic() - begun_s
    rendered = blocks.read()
    wait_for(lambda: ring.count > count + 1, LIMIT_S, f"the {name} process at work")
    back_s = time.monotonic() - begun_s
    jam.wait(lambda report: report["processes"][name].get("pid") not in (None, pid), LIMIT_S, f"word of the new {name}")
    rendered = np.concatenate([rendered, blocks.read()])
    gaps = np.diff(rendered["frame"]) - BLOCK
    return Kill(name, round(float(gaps.max(initial=0)) / RATE, 3), heard_s and round(heard_s, 3), round(back_s, 3))


def alive(pid: int) -> bool:
    """Whether a process does anything still."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def recorded(session: Path, frames: int, gaps_s: float) -> dict[str, Any]:
    """Hold what was recorded against what was rendered: `frames` up to the end, of which `gaps_s` are silent for no writer."""
    sound, _ = soundfile.read(session / "session.wav", dtype="float32", always_2d=True)
    assert np.isfinite(sound).all()
    assert_whole_midi(session / "session.mid", ())
    with FeedReader(session / "feed.bin") as feed:
        steps = [int(entry.step["step"]) for entry in feed if entry.kind == STEP and entry.step is not None]
    quiet = np.abs(sound[: len(sound) // BLOCK * BLOCK]).reshape(-1, BLOCK * 2).max(axis=1) == 0
    return {
        "recorded_s": round(len(sound) / RATE, 2),
        "rendered_s": round(frames / RATE, 2),
        "silent_blocks_s": round(float(quiet.sum()) * BLOCK / RATE, 2),
        "of_these_no_audio_process_s": round(gaps_s, 2),
        "steps_recorded": len(steps),
        "steps_doubled": len(steps) - len(set(steps)),
    }


def main() -> int:
    """Play, kill, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--of", action="append", metavar="PROCESS", help="kill these alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = ("jam.mode=solo", "parameters.density=2", "web.enabled=true", f"web.port={free_port()}")
        jam = Jam(Path(folder), *null_settings(), *settings, *arguments.set)
        try:
            jam.wait_playing(16, limit_s=120)
            link, _ = attach(choose(jam.process.pid))
            for number in range(arguments.times):
                name = chance.choice(arguments.of or sorted(jam.pids()))
                kills.append(kill(jam, link, name, chance))
                print(number + 1, kills[-1], f"load {os.getloadavg()[0]:.1f}", flush=True)
            frames = int(link["clock"].latest()["frame"])
            ended = jam.end()
            rests = jam.output.count("it is tried again in")
            found = recorded(jam.session, frames, sum(k.sound_gap_s for k in kills if k.of == "audio"))
        finally:
            jam.close()
    by: dict[str, Any] = {}
    for name in sorted({k.of for k in kills}):
        these = [k for k in kills if k.of == name]
        by[name] = {
            "kills": len(these),
            "sound_gap_s": spread([k.sound_gap_s for k in these]),
            "back_s": spread([k.back_s for k in these]),
        }
        if name == "audio":
            by[name]["heard_s"] = spread([k.heard_s for k in these if k.heard_s is not None])
    text = json.dumps({"kills": len(kills), "by": by, "rested": rests, "exit": ended, "recording": found}, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"kills": [asdict(k) for k in kills], "sum": json.loads(text)}, indent=1))
    return 0


def spread(values: list[float]) -> dict[str, float]:
    """Return the median and the largest."""
    return {"median": round(float(np.median(values)), 3), "max": round(max(values), 3)}


if __name__ == "__main__":
    sys.exit(main())
