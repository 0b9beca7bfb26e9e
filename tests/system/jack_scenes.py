"""Scenes, networks, patches and sources of the beat changed while a whole jam plays through a JACK server: what is heard of it.

    python tests/system/jack_scenes.py             # 24 changes, a bar apart; a minute and a half
    python tests/system/jack_scenes.py --rounds 20

The shipped networks festival and biaxial play by turns, and patches and the clock's source are changed in between. Looked at:
late timesteps, late blocks, timesteps doubled or lost, where each scene began, the largest step from one sample to the next
within 100 ms after a change against that in the bars around it, and 10 ms of silence there.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.running import attach, running
from engine.core.link import Link
from engine.core.messages import PLAYS
from engine.core.parameters import Live
from engine.transport.sample_clock import SampleClock
from tests.system.jack_stand import everything, jam_on, parser_of, stand, tell
from tests.system.rig import RATE, wait_for

TEMPO = 150
BAR_S = 4 * 60 / TEMPO
AFTER_S = 0.1  # of a change is looked at
SET = f"""
format = 1
[[scene]]
name = "Band"
network = "festival"
patches.lead = "lead"
patches.bass = "bass"
parameters.tempo = {TEMPO}
parameters.mode = "solo"
parameters.lead.level = 0.8
[[scene]]
name = "Band with other sounds"
network = "festival"
patches.lead = "glass"
patches.bass = "acid"
parameters.lead.level = 0.6
parameters.temperature = 1.2
[[scene]]
name = "Piano"
network = "biaxial"
parameters.piano.level = 0.9
"""


@dataclass
class Figures:
    """Over all changes."""

    changes: int
    late_steps: int
    xruns_own: int  # blocks that by themselves took longer than they last
    steps_doubled_or_lost: int
    off_the_bar_line: int
    largest_jump_after: float  # of full scale, from one sample to the next, within AFTER_S of a change
    largest_jump_around: float  # in the two bars before and after, without that
    higher_than_around: int  # changes after which it is larger than around that very change
    silences: int  # changes after which there are 10 ms of silence


def change(name: str, link: Link, live: Live) -> float:
    """Make one change and return the frame at which it took effect."""
    live.refresh()
    if name.startswith("scene"):
        before = link["switched"].latest()
        number = 0 if before is None else int(before["number"])
        live.set("scene.go", int(name[-1]))

        def plays() -> np.void | None:
            last = link["switched"].latest()
            return last if last is not None and int(last["number"]) > number and int(last["state"]) == PLAYS else None

        return float(wait_for(plays, 30, name)["frame"])
    if name == "patch":
        parameter = live.registry["pad.patch"]
        words = [parameter.choices.index(word) for word in ("pad", "strings")]
        live.set("pad.patch", words[live.get("pad.patch") == words[0]])
    else:
        sources = live.registry["clock.source"].choices
        live.set("clock.source", sources.index("internal" if live.get("clock.source") else "midi"))
    clock = link["clock"].latest()
    assert clock is not None
    return SampleClock.of(clock).frame_at(time.perf_counter_ns())


def jumps(sound: np.ndarray, frames: list[float]) -> tuple[list[float], list[float], int]:
    """Return the largest step from one sample to the next after each change, that around it, and changes with silence."""
    steps = np.abs(np.diff(sound, axis=0)).max(axis=1)
    masked = steps.copy()
    for frame in frames:
        masked[int(frame) - 64 : int(frame + AFTER_S * RATE)] = 0
    after = [float(steps[int(f) - 64 : int(f + AFTER_S * RATE)].max()) for f in frames]
    around = [float(masked[int(max(f - 2 * BAR_S * RATE, 0)) : int(f + 2 * BAR_S * RATE)].max()) for f in frames]
    window = RATE // 100
    silent = 0
    for frame in frames:
        piece = np.abs(sound[int(frame) : int(frame + AFTER_S * RATE)])
        pieces = piece[: len(piece) // window * window].reshape(-1, window * sound.shape[1]).max(axis=1)
        silent += bool((pieces < 1e-4).any())
    return after, around, silent


def wrong_steps(link: Link) -> int:
    """Return timesteps that were published twice, or are missing between two that were, per network and stretch of playing."""
    wrong = 0
    for ring in ("steps", "steps.1"):
        numbers = np.asarray(link[ring].reader(0).read()["step"], np.int64)
        apart = np.diff(numbers)
        wrong += int((apart < 1).sum()) + int(((apart > 1) & (apart < 8)).sum())  # a bar and more: the other one played
    return wrong


def main() -> None:
    """Set up, change, measure, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="of six changes each")
    arguments = parser.parse_args()
    with stand() as the:
        path = the.folder / "set.toml"
        path.write_text(SET)
        with jam_on(
            the, *everything(), "scenes.networks=biaxial", f"scenes.set={path}", "scenes.begin=1", *arguments.set
        ) as jam:
            there = wait_for(
                lambda: [one for one in running() if one.pid == jam.process.pid], 10, "the jam among those that run"
            )
            link, live = attach(there[0])
            wait_for(lambda: int(link["playing"].latest()["loaded"]) == 3, 60, "both networks loaded")
            the.mark()
            time.sleep(2 * BAR_S)
            late, own = int(link["network"].latest()["late_steps"]), int(link["clock"].latest()["xruns_own"])
            frames, off = [], 0
            for _ in range(arguments.rounds):
                for name in ("scene 2", "patch", "scene 3", "clock", "scene 1", "clock"):
                    frames.append(change(name, link, live))
                    beat = float(link["switched"].latest()["beat"])
                    off += name.startswith("scene") and abs(beat / 4 - round(beat / 4)) > 1e-6
                    time.sleep(BAR_S)
            wrong = wrong_steps(link)
            time.sleep(2 * BAR_S)
            late, own = int(link["network"].latest()["late_steps"]) - late, int(link["clock"].latest()["xruns_own"]) - own
            blocks = the.late()
            link.close()
            jam.end(limit_s=40)
            sound, _ = soundfile.read(jam.session / "session.wav", dtype="float32", always_2d=True)
        after, around, silent = jumps(sound, frames)
    higher = sum(one > other for one, other in zip(after, around, strict=True))
    figures = Figures(len(frames), late, own, wrong, off, max(after), max(around), higher, silent)
    tell(figures, blocks, arguments.json)


if __name__ == "__main__":
    main()
