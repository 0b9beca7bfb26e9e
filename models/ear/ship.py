"""Puts a trained ear in its place, with a card that tells what it was trained on and how well it hears.

    python -m models.ear.ship runs/ear/best.npz --data ../shared/data/openewld_leadsheets ... --command "python -m ..." \\
        --test ../shared/data/openewld_leadsheets ../shared/data/nottingham_jukedeck
    python -m models.ear.ship --test ...     # the shipped ear: its figures anew

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
    parser.add_argument("weights", nargs="?", type=Path, help="without them the figures of the shipped ones are renewed")
    parser.add_argument("--data", nargs="+", type=Path, help="what they were trained on")
    parser.add_argument("--test", nargs="+", type=Path, required=True, help="lead sheets to measure it on")
    parser.add_argument("--command", help="how they were trained")
    args = parser.parse_args()
    if args.weights is None:
        card = json.loads(CARD.read_text())
    elif not (args.data and args.command):
        parser.error("weights need --data and --command")
    else:
        shutil.copyfile(args.weights, recognition.WEIGHTS)
        recognition.shipped.cache_clear()
        card = card_of(args.data, args.command)
    card["figures"] = figures(args.test)
    CARD.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    print(f"{CARD}: {', '.join(card['figures'])}")


def card_of(data: Sequence[Path], command: str) -> dict[str, Any]:
    """What is told of an ear, but for its figures."""
    return {
        "name": "ear",
        "title": "Ear",
        "description": "hears which chord a player is at, and which comes next, from his notes and from what comes round",
        "licence": "GPL-3.0-or-later",
        "training": {
            "command": command,
            "sources": [{"name": p.resolve().name, "licence": KNOWN.get(p.resolve().name, "not stated")} for p in data],
        },
        "words": WORDS,
    }


if __name__ == "__main__":
    main()
