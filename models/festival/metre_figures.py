"""Measures a trained festival network in every metre: nats per step of the whole bands of a split, no chord told.

    python -m models.festival.metre_figures WEIGHTS --data PATH... [--split valid] [--card NETWORK.onnx]

While it trains its figure is that of all metres together, which hangs on how much there is of each. Into the card go both: the
figure of 4/4, which all earlier networks have, and that of each metre.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from models.festival import recipe
from models.festival.expression_figures import batches
from models.festival.network import Festival
from models.music.data import SPLITS, Piece, read_band
from models.music.grid import FOUR, GRIDS
from models.release.ship import add_figures
from models.training.train import Recipe, TrainingError, load_trained


@torch.no_grad()
def measure(model: Festival, pieces: Sequence[Piece]) -> dict[str, dict[str, Any]]:
    """Nats per step and what they are over, by metre, of the pieces that tell of all tracks."""
    found = {}
    for grid in GRIDS:
        some = [p for p in pieces if p.metre == grid and not p.unknown]
        told = [recipe.loss(model, batch, {})[:2] for batch, _ in batches(some)]
        if steps := sum(int(s) for _, s in told):
            nats = sum(float(n) for n, _ in told) / steps
            found[grid.name] = {"nats_per_step": round(nats, 4), "steps": steps, "pieces": len(some)}
    return found


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.festival.metre_figures", description="Measure every metre.")
    parser.add_argument("weights", type=Path, help="a best.safetensors of a festival run")
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="valid")
    parser.add_argument("--card", type=Path, help="write the figures into the card of this network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    as_recipe: Recipe = recipe
    try:
        model, _, _ = load_trained(as_recipe, args.weights)
        data = read_band(args.data, args.cache)
    except (TrainingError, FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    assert isinstance(model, Festival)
    found = measure(model, [recipe.tidy(p) for p in data.split(args.split)])
    for name, figures in found.items():
        print(
            f"in {name:5} {figures['nats_per_step']:.4f} nats a step over {figures['steps']} steps of {figures['pieces']} bands"
        )
    if args.card:
        own = {f"{args.split}_nats_per_step": found[FOUR.name]["nats_per_step"]} if FOUR.name in found else {}
        add_figures(args.card, {**own, f"{args.split}_by_metre": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
