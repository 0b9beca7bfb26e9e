"""Gives a trained network memories of pitch classes, with weights of zero: it plays as before until it is trained on.

python -m models.biaxial.grow models/biaxial/biaxial.safetensors runs/grown.safetensors --recall 0.98 0.998
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.biaxial import recipe
from models.biaxial.network import BEAT_BITS, PITCH_CLASSES
from models.training.train import TrainingError, rewrite


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

    def grow(weights: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
        config = {**recipe.DEFAULTS, **meta["config"]}
        if config["recall"]:
            raise TrainingError(f"{args.old}: has memories already: {config['recall']}")
        shape, columns = recipe.shape_of(config), PITCH_CLASSES * len(args.recall)
        # The memories come before the bits of the beat; in the note axis, what is decided below follows those.
        ends = {"time_layers.0": BEAT_BITS, "note_layers.0": BEAT_BITS + shape.reach * shape.voices}
        for layer, before in ends.items():
            key = f"model.{layer}.weight_ih_l0"
            weights[key] = grown(weights[key], columns, before)
        return {**meta, "config": {**config, "recall": args.recall}}

    return rewrite(args.old, args.new, grow)


if __name__ == "__main__":
    sys.exit(main())
