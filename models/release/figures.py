"""Puts what `algoritmo evaluate --follow --json` measured into the card of a network that is shipped, under a name each.

algoritmo evaluate models/festival/festival.onnx --progression C,G,Am,F --seeds 8 --json melody.json
python -m models.release.figures models/festival/festival.onnx melody=melody.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engine.core.contract import read_card
from engine.core.errors import AlgoritmoError
from models.release.ship import add_figures

KEPT = ("takes", "seeds", "bars", "settings", "figures", "recovery")  # the figures of every take are left out


def figures_of(text: str) -> dict[str, Any]:
    """What of a report goes into a card. Raises ValueError."""
    try:
        found = json.loads(text)["follow"]
        return {key: _rounded(found[key]) for key in KEPT if key in found}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError("is no report of `algoritmo evaluate --follow --json`") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.release.figures", description="Put figures into a card.")
    parser.add_argument("network", type=Path, help="a step graph (.onnx)")
    parser.add_argument("reports", nargs="+", metavar="NAME=FILE", help="a report of evaluate --follow --json")
    args = parser.parse_args(argv)
    try:
        found = dict(read_card(args.network).figures.get("follow", {}))
        for report in args.reports:
            name, _, file = report.partition("=")
            try:
                found[name] = figures_of(Path(file).read_text())
            except ValueError as error:
                raise ValueError(f"{report}: {error}; write NAME=FILE") from error
        add_figures(args.network, {"follow": found})
    except (AlgoritmoError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.network}: follow: {', '.join(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
