"""Averages the weights of a run with those it began with, and measures what came of it.

    python -m models.training.average festival runs/mine/best.safetensors --with models/festival/festival.safetensors \
        --share 0.5 --data FOLDER... --out runs/mine-averaged

What a network learned last and what it knew before are often both kept on the way between the two. `--share` is that of
the later weights; parameters that are new in the later run, and those whose names hold a word of `--keep`, are taken whole.
Writes best.safetensors and the step graph into --out.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.training.train import (
    TrainingError,
    export_best,
    load_recipe,
    load_weights,
    read_tensors,
    runs_of,
    validate,
    write_tensors,
)

Weights = dict[str, Tensor]


def weights_of(tensors: Weights) -> Weights:
    """The network's own tensors of a checkpoint."""
    return {k.removeprefix("model."): v.float() for k, v in tensors.items() if k.startswith("model.")}


def average(later: Weights, earlier: Weights, share: float, keep: Sequence[str] = ()) -> Weights:
    """`share` of the later weights and the rest of the earlier ones. Raises TrainingError where their shapes differ."""
    out = {}
    for name, value in later.items():
        if name not in earlier or any(word in name for word in keep):
            out[name] = value
        elif earlier[name].shape != value.shape:
            raise TrainingError(f"{name} is {tuple(value.shape)} in one and {tuple(earlier[name].shape)} in the other")
        else:
            out[name] = share * value + (1 - share) * earlier[name]
    return out


def write_run(name: str, change: Callable[[Weights], Weights], command: str, args: argparse.Namespace) -> int:
    """Change the weights of the run args.weights and write them into args.out, measured, as a run of their own.

    `args` holds what `add_where` asks for as well. Returns the exit code.
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        tensors, meta = read_tensors(args.weights)
        weights = change(weights_of(tensors))
        recipe = load_recipe(name)
        config = {**recipe.DEFAULTS, **meta["config"]}
        model = recipe.build(config)
        load_weights(model, weights, str(args.weights))
        data = recipe.dataset(args.data, {**config, "seed": meta["seed"]}, args.cache)
        found = validate(recipe, model, data, torch.device("cpu"))
        meta |= {"before": runs_of(meta), "best": found, "best_update": 0, "seconds": 0.0, "history": []}
        args.out.mkdir(parents=True, exist_ok=True)
        changed = {f"model.{k}": v for k, v in weights.items()}
        write_tensors(args.out / "best.safetensors", changed, meta | {"command": command})
        export_best(name, recipe, args.out / "best.safetensors", args.out / f"{name}.onnx")
    except (TrainingError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{found:.4f} nats/step on the validation split; wrote {args.out}")
    return 0


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add what `write_run` reads."""
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="measured on the validation split of this")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m models.training.average", description="Average a run with what it began with."
    )
    parser.add_argument("network", help="festival, biaxial ...")
    parser.add_argument("weights", type=Path, help="best.safetensors of the later run")
    parser.add_argument("--with", dest="earlier", type=Path, required=True, help="weights it began with")
    parser.add_argument("--share", type=float, default=0.5, help="of the later weights (%(default)s)")
    parser.add_argument("--keep", nargs="*", default=[], metavar="WORD", help="take parameters with these in their names whole")
    add_where(parser)
    args = parser.parse_args(arguments)

    def change(later: Weights) -> Weights:
        return average(later, weights_of(read_tensors(args.earlier)[0]), args.share, args.keep)

    return write_run(args.network, change, "python -m models.training.average " + shlex.join(arguments), args)


if __name__ == "__main__":
    sys.exit(main())
