"""Makes tracks busier or quieter for good, where alone the network plays less or more of them than its music has.

    python -m models.festival.balance models/festival/festival.safetensors --by pad=0.15 --data FOLDER... --out runs/balanced

`--by` adds to the log-odds of every strike of a track: 0.7 doubles them. Whatever plays with it follows, so look at the whole
afterwards (`algoritmo evaluate --solo 100`). Writes best.safetensors and the step graph into --out.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path

from models.festival.network import WIDTHS
from models.music.representation import ROLES
from models.training.average import Weights, add_where, write_run
from models.training.train import TrainingError

BIAS = "head.direct.bias"  # plays of all slots, then holds


def balanced(weights: Weights, by: dict[str, float]) -> Weights:
    """The weights with so much added to the log-odds of a strike of each track. Raises TrainingError at an unknown track."""
    unknown = by.keys() - set(ROLES)
    if unknown:
        raise TrainingError(f"--by: there is no {', '.join(sorted(unknown))}; the tracks are {', '.join(ROLES)}")
    bias = weights[BIAS].clone()
    for part, track in zip(bias[: sum(WIDTHS)].split(WIDTHS), ROLES, strict=True):
        part += by.get(track, 0.0)
    return {**weights, BIAS: bias}


def _amount(text: str) -> tuple[str, float]:
    track, _, amount = text.partition("=")
    try:
        value = float(amount)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}: give a track and a number, such as pad=0.15")
    return track, value


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m models.festival.balance", description="Make tracks busier or quieter.")
    parser.add_argument("weights", type=Path, help="best.safetensors of a run")
    parser.add_argument("--by", type=_amount, nargs="+", required=True, metavar="TRACK=LOG_ODDS")
    add_where(parser)
    args = parser.parse_args(arguments)
    command = "python -m models.festival.balance " + shlex.join(arguments)
    return write_run("festival", lambda weights: balanced(weights, dict(args.by)), command, args)


if __name__ == "__main__":
    sys.exit(main())
