"""Puts a trained ear in its place, with a card that tells what it was trained on and how well it hears.

    python -m models.ear.ship runs/ear/best.npz --data ../shared/data/openewld_leadsheets ... --command "python -m ..."

writes models/ear/ear.npz and models/ear/ear.json. The figures are those of models/evaluation/hearing.py on the test songs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.jam import recognition
from models.evaluation.hearing import ROWS, TEXTURES, measure, nothing, progressions, songs
from models.music.data import LICENCES

KNOWN = LICENCES | {"multitrack_free": "BSD-3-Clause, Artistic-1.0, CC-BY-4.0 or GPL-2.0, by song"}
CARD = recognition.WEIGHTS.with_suffix(".json")
WORDS = {
    "before": "before the beat's notes are known",
    "after": "with those of the beat's first step",
    "whole": "with all of the beat's",
    "expected": "a beat ahead",
    "new": "downbeats with another chord",
    "down": "downbeats",
    "beat": "beats",
    "root": "root right",
    "majmin": "root and third right",
    "tones": "share of the chord's tones that are right",
}


def figures(paths: Sequence[Path]) -> dict[str, Any]:
    """How well the shipped ear hears progressions in every texture, and the test songs' melodies."""
    found = measure([*progressions(), *songs(paths, "test"), *nothing()])
    whole: dict[str, Counter[str]] = {}
    for group, parts in found.items():
        for part, counts in parts.items():
            if group in TEXTURES:
                whole.setdefault(f"progressions, {part} time", Counter()).update(counts)
            elif part != "all":
                whole.setdefault(f"{group}, melodies alone", Counter()).update(counts)
    return {name: _shares(counts) for name, counts in whole.items()}


def _shares(counts: Counter[str]) -> dict[str, float | int]:
    found: dict[str, float | int] = {"beats": int(counts["whole beat of"])}
    for row in ROWS:
        of = counts[f"{row.rsplit(' ', 1)[0]} of"]
        if of:
            found[row] = round(float(counts[row]) / of, 4)
    return found


def main() -> None:
    """Console entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--test", nargs="+", type=Path, required=True, help="lead sheets to measure it on")
    parser.add_argument("--command", required=True, help="how it was trained")
    args = parser.parse_args()
    shutil.copyfile(args.weights, recognition.WEIGHTS)
    recognition.shipped.cache_clear()
    card = {
        "name": "ear",
        "title": "Ear",
        "description": "hears which chord a player is at, and which comes next, from his notes and from what comes round",
        "licence": "GPL-3.0-or-later",
        "training": {
            "command": args.command,
            "sources": [{"name": p.resolve().name, "licence": KNOWN.get(p.resolve().name, "not stated")} for p in args.data],
        },
        "words": WORDS,
        "figures": figures(args.test),
    }
    CARD.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    print(f"{CARD}: {', '.join(card['figures'])}")


if __name__ == "__main__":
    main()
