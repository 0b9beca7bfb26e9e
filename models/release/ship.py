"""Puts a finished run in its place: step graph, weights beside it, and the test figures in the card.

    python -m models.release.ship biaxial runs/biaxial-jsb/best.safetensors models/biaxial/biaxial-jsb.onnx \
        --test ../shared/data/poly_splits/JSB_Chorales.npz

writes models/biaxial/biaxial-jsb.onnx, a picture of its state beside it, and models/biaxial/biaxial-jsb.safetensors, from which
training can go on (--from).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import read_card
from engine.core.errors import AlgoritmoError
from models.evaluation.evaluate import read_for
from models.graph.playing import nats, open_network
from models.release.portrait import complete, some_music, write_card
from models.training.train import TrainingError, export_best, load_recipe, read_tensors, write_tensors

LARGEST_WEIGHTS_BYTES = 8_000_000


def add_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write figures into the card of the step graph at `path`, beside those it has."""
    write_card(path, figures={**read_card(path).figures, **figures})


def held_out(path: Path, data: list[Path], split: str, cache: Path) -> dict[str, Any]:
    """Nats per step of the network at `path` on a split of the data in its own metre, through its own graph."""
    graph = open_network(path)
    own = (graph.card.beats_per_bar, graph.card.steps_per_beat)
    pieces = [p for p in read_for(graph.card, data, cache).split(split) if not graph.card.hears_metre or p.metre == own]
    if not pieces:
        raise ValueError(f"{', '.join(map(str, data))}: no piece is in the split {split}")
    found = np.concatenate([n.sum(1) for n in nats(graph, [p.roll for p in pieces])])
    return {f"{split}_nats_per_step": round(float(found.mean()), 4), f"{split}_steps": len(found)}


def ship_weights(weights: Path, path: Path) -> None:
    """Copy the weights of a run; those of a large network in half precision, which is what its step graph holds as well."""
    if weights.stat().st_size <= LARGEST_WEIGHTS_BYTES:
        shutil.copyfile(weights, path)
        return
    tensors, meta = read_tensors(weights)
    write_tensors(path, {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}, meta)


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.release.ship", description="Put a finished run in its place.")
    parser.add_argument("network", help="biaxial, chords ...")
    parser.add_argument("weights", type=Path, help="best.safetensors of the run")
    parser.add_argument("path", type=Path, help="where the step graph goes")
    parser.add_argument("--test", nargs="+", type=Path, metavar="DATA", help="measure the held-out splits of this data")
    parser.add_argument("--splits", nargs="+", default=["test"], help="which (%(default)s)")
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    args = parser.parse_args(argv)
    try:
        export_best(args.network, load_recipe(args.network), args.weights, args.path)
        for split in args.splits if args.test else []:
            figures = held_out(args.path, args.test, split, args.cache)
            add_figures(args.path, figures)
            print(f"{args.path}: {figures}")
        if args.test:
            complete(args.path, some_music(read_card(args.path), args.test, args.cache))
        ship_weights(args.weights, args.path.with_suffix(".safetensors"))
    except (AlgoritmoError, TrainingError, FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
