"""Gives a festival network from before the voicing its units, which say nothing yet: it plays as before until it is trained on.

python -m models.festival.grow OLD.safetensors runs/grown.safetensors
algoritmo train festival --from runs/grown.safetensors --data FOLDER... --updates 3000 --decay 1 --lr 0.001
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import torch

from models.festival import recipe
from models.train import TrainingError, read_tensors, write_tensors

NEW = ("head.voicing", "head.likely")


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m models.festival.grow", description="Add the units of the voicing.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the weights towards the units (%(default)s)")
    args = parser.parse_args(arguments)
    try:
        tensors, meta = read_tensors(args.old)
        weights = {k: v for k, v in tensors.items() if k.startswith("model.")}
        if any(k.startswith(f"model.{NEW[0]}") for k in weights):
            raise TrainingError(f"{args.old}: has a voicing already")
        config = {**recipe.DEFAULTS, **meta["config"]}
        torch.manual_seed(args.seed)
        weights |= {f"model.{k}": v for k, v in recipe.build(config).state_dict().items() if k.startswith(NEW)}
        about = {"command": meta["command"], "updates": meta["best_update"], "seconds": round(meta["seconds"])}
        meta |= {"config": config, "before": [*meta.get("before", []), about], "best_update": 0, "seconds": 0.0, "history": []}
        args.new.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(args.new, weights, meta | {"command": "python -m models.festival.grow " + shlex.join(arguments)})
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
