"""Counts where in the bar onsets lie: what the follower expects of drums and of melodies and chords.

Runs without torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.transport.onsets import FEATURES, Onsets
from engine.transport.rhythms import FILE, PLACES
from models.tempo.performances import Performance, read_drums, read_sheets


def count(performances: Iterable[Performance], bar: int, drums: bool) -> dict[str, np.ndarray]:
    """Return what performances of one metre show, P = PLACES * bar places.

    `following` (P, P): how often an onset at the second place follows one at the first; `features` (P, F, levels): how often
    each feature of an onset has each level there; `first` (P,): how often the first onset of all lies there.
    """
    size = PLACES * bar
    following = np.zeros((size, size))
    features = np.zeros((size, len(FEATURES[drums]), max(FEATURES[drums])))
    first = np.zeros(size)
    for performance in performances:
        first[round(performance.places[0] * PLACES) % size] += 1
        onsets = Onsets(drums)
        before = -1
        at: list[int] = []
        for (second, pitch, velocity), place in zip(performance.notes, performance.places, strict=True):
            if (found := onsets.add(second, int(pitch), int(velocity))) is not None:
                before = _take(found.levels, at, before, following, features)
                at = []
            at.append(round(place * PLACES) % size)
        _take(onsets.close().levels, at, before, following, features)
    return {"following": following, "features": features, "first": first}


def _take(levels: Sequence[int], at: list[int], before: int, following: np.ndarray, features: np.ndarray) -> int:
    place = at[len(at) // 2]
    if before >= 0:
        following[before, place] += 1
    features[place, range(len(levels)), levels] += 1
    return place


def main(argv: list[str] | None = None) -> int:
    """Write the rhythms that a follower expects."""
    parser = argparse.ArgumentParser(description="learn what a follower of the beat expects")
    parser.add_argument("--drums", type=Path, required=True, help="a collection like groove_midi")
    parser.add_argument("--sheets", type=Path, required=True, nargs="+", help="lead sheets")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args(argv)
    tables = {}
    drums = [p for p in read_drums(arguments.drums) if p.split == "train"]
    for name, table in count(drums, 4, drums=True).items():
        tables[f"drums4.{name}"] = table
    for bar in (4, 3):
        sheets = [p for path in arguments.sheets for p in read_sheets(path, 3, bar) if p.split == "train"]
        for name, table in count(sheets, bar, drums=False).items():
            tables[f"notes{bar}.{name}"] = table
        print(f"{bar} beats to a bar: {len(sheets)} performances of sheets")
    counts: dict[str, Any] = {name: table.astype(np.uint32) for name, table in tables.items()}
    np.savez_compressed(arguments.out, **counts)
    print(f"{len(drums)} of drums; {arguments.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
