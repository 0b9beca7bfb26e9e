"""Gives a trained network memories of pitch classes, with weights of zero: it plays as before until it is trained on.

python -m models.biaxial.grow models/biaxial/biaxial.safetensors runs/grown.safetensors --recall 0.98 0.998
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from models.biaxial import recipe
from models.biaxial.network import BEAT_BITS, PITCH_CLASSES
from models.train import TrainingError, read_tensors, write_tensors


def grown(weight: Tensor, columns: int, before: int) -> Tensor:
    """`weight` (4H, K) with `columns` columns of zeros `before` its end."""
    head, tail = weight[:, : weight.shape[1] - before], weight[:, weight.shape[1] - before :]
    return torch.cat([head, weight.new_zeros(len(weight), columns), tail], 1)


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.biaxial.grow", description="Add memories of pitch classes.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--recall", type=float, nargs="+", required=True, help="share of each that is left after a step")
    args = parser.parse_args(argv)
    try:
        tensors, meta = read_tensors(args.old)
        config = {**recipe.DEFAULTS, **meta["config"]}
        if config["recall"]:
            raise TrainingError(f"{args.old}: has memories already: {config['recall']}")
        shape, columns = recipe.shape_of(config), PITCH_CLASSES * len(args.recall)
        # The memories come before the bits of the beat; in the note axis, what is decided below follows those.
        ends = {"time_layers.0": BEAT_BITS, "note_layers.0": BEAT_BITS + shape.reach * shape.voices}
        for layer, before in ends.items():
            key = f"model.{layer}.weight_ih_l0"
            tensors[key] = grown(tensors[key], columns, before)
        weights = {k: v for k, v in tensors.items() if k.startswith("model.")}
        args.new.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(args.new, weights, {**meta, "config": {**config, "recall": args.recall}})
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
