"""Gives a festival network of an earlier release what it lacks, which says nothing until it is trained: it plays as before.

python -m models.festival.grow OLD.safetensors runs/grown.safetensors
algoritmo train festival --from runs/grown.safetensors --data FOLDER... --updates 3000 --decay 1 --lr 0.001
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.festival import recipe
from models.training.train import TrainingError, rewrite, runs_of


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m models.festival.grow", description="Add the units of a later release.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the weights towards new units (%(default)s)")
    args = parser.parse_args(arguments)

    def grow(weights: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
        config = {**recipe.DEFAULTS, **meta["config"]}
        torch.manual_seed(args.seed)
        new = {f"model.{k}": v for k, v in recipe.build(config).state_dict().items()}
        if all(k in weights and weights[k].shape == v.shape for k, v in new.items()):
            raise TrainingError(f"{args.old}: lacks nothing")
        for name, value in new.items():
            old = weights.get(name, value)
            if len(old.shape) == 2:  # of inputs that are new it hears nothing yet
                old = F.pad(old, (0, value.shape[1] - old.shape[1]))
            weights[name] = old
        command = "python -m models.festival.grow " + shlex.join(arguments)
        run = {"command": command, "before": runs_of(meta), "best_update": 0, "seconds": 0.0, "history": []}
        return meta | run | {"config": config}

    return rewrite(args.old, args.new, grow)


if __name__ == "__main__":
    sys.exit(main())
