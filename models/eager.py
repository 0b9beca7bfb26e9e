"""Times a timestep of the festival network in PyTorch, as it is written, for the bench to set beside the step graph.

    python -m models.eager --steps 30

Prints JSON: milliseconds of the recurrent layers alone, and of the whole step with its notes decided one after another.
The weights are fresh ones: they do not change how long it takes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from models.export import random_inputs
from models.festival.export import make_card, step
from models.festival.network import Festival, Sizes


def _milliseconds(taken_ns: list[int]) -> dict[str, float]:
    p50, p99 = np.percentile(np.asarray(taken_ns) * 1e-6, [50, 99])
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4)}


def _timed(call: Callable[..., Any], taken_ns: list[int]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        begun = time.perf_counter_ns()
        answer = call(*arguments)
        taken_ns.append(time.perf_counter_ns() - begun)
        return answer

    return timed


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m models.eager")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = Festival(Sizes()).eval()
    feed = random_inputs(make_card(model, {}), 1, np.random.default_rng(1))
    core_ns: list[int] = []
    step_ns: list[int] = []
    step(model, feed)  # the first one is slower than any other
    model.core = _timed(model.core, core_ns)  # type: ignore[method-assign]  # a stopwatch around it
    for _ in range(args.steps):
        _timed(step, step_ns)(model, feed)
    found = {"core_ms": _milliseconds(core_ns), "step_ms": _milliseconds(step_ns), "torch": torch.__version__}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
