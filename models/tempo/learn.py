"""Counts where in the bar onsets lie: what the follower expects of drums and of melodies and chords.

Runs without torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.metre import Metre
from engine.transport.onsets import FEATURES, Onsets
from engine.transport.rhythms import FILE, PLACES, name_of
from models.tempo.performances import FOUR, Performance, beats_in, read_bands, read_drums, read_sheets

FIVE = Metre(5, 4)
OF_SHEETS = (FOUR, Metre(3, 4))
OF_TUNES = (Metre(2, 4), Metre(6, 8), Metre(9, 8), Metre(12, 8))
OF_BANDS = (Metre(3, 4), FIVE, *OF_TUNES)  # their drums


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


def _read_all(paths: Iterable[Path], metre: Metre) -> Iterator[Performance]:
    for path in paths:
        yield from read_sheets(path, 3, metre)


def _of_bands(path: Path, metre: Metre, kind: str) -> Iterator[Performance]:
    return (p for p in read_bands(path, metre) if p.kind == kind)


def main(argv: list[str] | None = None) -> int:
    """Write the rhythms that a follower expects."""
    parser = argparse.ArgumentParser(description="learn what a follower of the beat expects")
    parser.add_argument("--drums", type=Path, required=True, help="a collection like groove_midi")
    parser.add_argument("--sheets", type=Path, required=True, nargs="+", help="lead sheets")
    parser.add_argument(
        "--tunes", type=Path, required=True, nargs="+", help="those of which 2/4, 6/8, 9/8 and 12/8 are learned"
    )
    parser.add_argument(
        "--bands", type=Path, required=True, help="bands with drums in other metres, see models/music/generated.py"
    )
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args(argv)
    played = {(True, FOUR): read_drums(arguments.drums)}
    played |= {(False, metre): _read_all(arguments.sheets, metre) for metre in OF_SHEETS}
    played |= {(False, metre): _read_all(arguments.tunes, metre) for metre in OF_TUNES}
    played |= {(True, metre): _of_bands(arguments.bands, metre, "drums") for metre in OF_BANDS}
    played |= {(False, FIVE): _of_bands(arguments.bands, FIVE, "melody")}
    counts: dict[str, Any] = {}
    for (drums, metre), performances in played.items():
        learned = [p for p in performances if p.split == "train"]
        name = name_of(drums, beats_in(metre), metre.is_compound)
        table = count(learned, beats_in(metre), drums)
        counts |= {f"{name}.{what}": counted.astype(np.uint32) for what, counted in table.items()}
        print(f"{metre.name}, {'drums' if drums else 'sheets'}: {len(learned)} performances")
    np.savez_compressed(arguments.out, **counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
