"""How well the player's beat is found and followed: drums to a click, and lead sheets played with jitter and rubato.

    python -m models.tempo.evaluate --drums GROOVE_MIDI --sheets LEAD_SHEETS [--split test] [--network NETWORK.onnx]
    python -m models.tempo.evaluate --metre 6/8 --bands METRE_BANDS --sheets LEAD_SHEETS

Of each performance, from its first note on:
  lock      the share locked within 8 s: from some moment before that on, four beats in a row lie on four of his beats
  F         F-measure of the beats from 5 s on, 70 ms either way
  downbeat  of those locked, the share whose bar line is found: by the follower alone, and with the network asked
Beside it a steady beat at the usual tempo, at the best of 16 places in the beat (`steady`): what chance gives.

`--at-random` says how many of those who play without any beat are taken to have one.

Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.config import Config
from engine.core.metre import Metre, parse
from engine.jam.downbeat import Downbeat, Played
from engine.jam.leader import NETWORK
from engine.transport.follower import Follower
from models.tempo.performances import RANDOM, Performance, at_random, read_bands, read_drums, read_sheets

NEAR_S = 0.07
FROM_S, BY_S, IN_A_ROW = 5.0, 8.0, 4
LEAST_S = 12.0  # shorter performances are left out
STEADY_BPM = 108.0
AT_RANDOM = 12  # players of each kind
TRACKS = {"drums": "drums", "chords": "chords"}  # that the network hears him on; else the lead


@dataclass(frozen=True, slots=True)
class Result:
    """One performance."""

    kind: str
    f: float
    locked: bool
    steady_f: float
    steady_locked: bool
    bar: bool | None  # whether the follower's own bar line is right; None where it is not locked
    bar_asked: bool | None  # ... and with the network asked
    us_per_note: float


def f_measure(found: np.ndarray, beats: np.ndarray, begin: float) -> float:
    """Return the F-measure of found beats from a second on."""
    found, beats = found[found >= begin], beats[beats >= begin]
    if not len(beats) or not len(found):
        return 0.0
    nearest = np.abs(beats[None, :] - found[:, None])
    hit = {int(row.argmin()) for row in nearest if row.min() <= NEAR_S}
    return 2 * len(hit) / (len(found) + len(beats))


def is_locked(found: np.ndarray, beats: np.ndarray, by: float) -> bool:
    """Whether from some moment up to `by` on IN_A_ROW beats lie on as many beats in a row."""
    for first in range(len(found) - IN_A_ROW + 1):
        if found[first] > by:
            break
        row = found[first : first + IN_A_ROW]
        numbers = np.abs(beats[None, :] - row[:, None]).argmin(1)
        if (np.abs(beats[numbers] - row) <= NEAR_S).all() and (np.diff(numbers) == 1).all():
            return True
    return False


def beats_found(performance: Performance) -> tuple[np.ndarray, Follower | None, float]:
    """Return the beats as they are told while it is played, the follower BY_S after the first note, and us a note, of the
    processor's time."""
    follower = _follower(performance)
    found: list[float] = []
    last = -math.inf
    early: Follower | None = None
    spent = 0.0
    begun, now = float(performance.notes[0, 0]), float(performance.notes[0, 0])
    for second, pitch, velocity in performance.notes:
        if (line := follower.line) is not None:
            beat = max(math.ceil(line.beat_at(now) - 1e-9), last + 1)
            while (at := line.second + (beat - line.beat) * line.period_s) < second:
                found.append(max(at, now))
                last, beat = beat, beat + 1
        now = float(second)
        if early is None and second > begun + BY_S:
            early = _heard(performance, begun + BY_S)
        clock = time.process_time()
        follower.wait(now)
        follower.hear(now, int(pitch), int(velocity))
        spent += time.process_time() - clock
    return np.array(found), early, spent / len(performance.notes) * 1e6


def _follower(performance: Performance) -> Follower:
    return Follower(performance.kind == "drums", performance.bar, performance.metre.is_compound)


def _heard(performance: Performance, until: float) -> Follower:
    follower = _follower(performance)
    for second, pitch, velocity in performance.notes[performance.notes[:, 0] <= until]:
        follower.wait(float(second))
        follower.hear(float(second), int(pitch), int(velocity))
    return follower


def bars_found(performance: Performance, follower: Follower, judge: Downbeat | None) -> tuple[bool, bool] | None:
    """Return whether the bar line is right, and with the network asked; None where the beat is not."""
    line = follower.line
    if line is None:
        return None
    numbers = np.arange(len(performance.beats)) + performance.first
    true = float(np.interp(follower.heard, performance.beats, numbers))
    period = float(np.interp(follower.heard, performance.beats[:-1], np.diff(performance.beats)))
    off = line.beat_at(follower.heard) - true
    if abs(math.log2(period / line.period_s)) > 0.15 or abs(off - round(off)) * period > NEAR_S:
        return None
    begins = round(off) % performance.bar  # the line's number of a beat that begins a bar
    nats = np.log(follower.bar_lines() + 1e-9)
    alone = bool(nats.argmax() == begins)
    if judge is None:
        return alone, alone
    heard = performance.notes[performance.notes[:, 0] <= follower.heard]
    notes = [Played(line.beat_at(s), line.beat_at(s) + 0.9, int(p), v / 127) for s, p, v in heard]
    return alone, bool((nats + NETWORK * judge.judge(notes)).argmax() == begins)


def evaluate(performances: Iterable[Performance], network: Path | None) -> list[Result]:
    """Return what became of each performance that is long enough."""
    judges: dict[tuple[str, Metre], Downbeat] = {}
    results = []
    for performance in performances:
        begun = float(performance.notes[0, 0])
        if performance.notes[-1, 0] - begun < LEAST_S:
            continue
        beats = performance.beats[performance.beats <= performance.notes[-1, 0] + NEAR_S]
        found, early, us = beats_found(performance)
        place = (TRACKS.get(performance.kind, "lead"), performance.metre)
        if network is not None and place not in judges:
            judges[place] = Downbeat(network, *place)
        locked = is_locked(found, beats, begun + BY_S)
        bars = None if early is None or not locked else bars_found(performance, early, judges.get(place))
        steady = [np.arange(begun + n * 60 / STEADY_BPM / 16, beats[-1], 60 / STEADY_BPM) for n in range(16)]
        best = max(steady, key=lambda row: f_measure(row, beats, begun + FROM_S))
        results.append(
            Result(
                performance.kind,
                f_measure(found, beats, begun + FROM_S),
                locked,
                f_measure(best, beats, begun + FROM_S),
                is_locked(best, beats, begun + BY_S),
                None if bars is None else bars[0],
                None if bars is None else bars[1],
                us,
            )
        )
    return results


def taken_for_a_beat() -> list[str]:
    """Return lines of text: of players at random, how many are locked to within RANDOM_S."""
    lines = []
    for drums in (False, True):
        for kind in RANDOM:
            locked = 0
            for number in range(AT_RANDOM):
                follower = Follower(drums, 4)
                for second, pitch, velocity in at_random(kind, number, drums).tolist():
                    follower.wait(second)
                    follower.hear(second, int(pitch), int(velocity))
                locked += follower.line is not None
            lines.append(f"{'drums' if drums else 'notes'}, {kind:12} {locked:3} of {AT_RANDOM}")
    return lines


def figures(results: list[Result]) -> dict[str, Any]:
    """Return the means of one kind."""
    bars = [r for r in results if r.bar is not None]
    mean = lambda values: round(float(np.mean(list(values))), 3) if results else 0.0  # noqa: E731
    return {
        "performances": len(results),
        "lock": mean(r.locked for r in results),
        "F": mean(r.f for r in results),
        "downbeat": round(sum(bool(r.bar) for r in bars) / max(len(bars), 1), 3),
        "downbeat_asked": round(sum(bool(r.bar_asked) for r in bars) / max(len(bars), 1), 3),
        "steady_lock": mean(r.steady_locked for r in results),
        "steady_F": mean(r.steady_f for r in results),
        "us_per_note": round(float(np.median([r.us_per_note for r in results])), 0) if results else 0.0,
    }


def main(argv: list[str] | None = None) -> int:
    """Print a table, and JSON where it is asked for."""
    parser = argparse.ArgumentParser(description="how well the player's beat is found and followed")
    parser.add_argument("--drums", type=Path, help="a collection like groove_midi")
    parser.add_argument("--sheets", type=Path, nargs="*", default=[], help="lead sheets")
    parser.add_argument("--bands", type=Path, help="bands in other metres, of which drums and melody are played")
    parser.add_argument("--metre", type=parse, default=Metre(), help="of sheets and bands")
    parser.add_argument("--split", default="test", choices=("train", "valid", "test"))
    parser.add_argument("--network", default="festival", help="that is asked for the bar line; empty: none")
    parser.add_argument("--at-random", action="store_true", help="of players without a beat alone")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.at_random:
        print("\n".join(taken_for_a_beat()))
        return 0
    network = Config.path_of(arguments.network, "--network") if arguments.network else None
    performances: list[Performance] = list(read_drums(arguments.drums)) if arguments.drums else []
    for path in arguments.sheets:
        performances += read_sheets(path, 3, arguments.metre)
    if arguments.bands:
        performances += read_bands(arguments.bands, arguments.metre)
    results = evaluate((p for p in performances if p.split == arguments.split), network)
    table = {kind: figures([r for r in results if r.kind == kind]) for kind in dict.fromkeys(r.kind for r in results)}
    names = list(next(iter(table.values()), {}))
    print(f"{arguments.split:8} " + " ".join(f"{name:>14}" for name in names))
    for kind, row in table.items():
        print(f"{kind:8} " + " ".join(f"{value:>14}" for value in row.values()))
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
