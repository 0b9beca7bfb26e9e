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

import numpy as np
import torch

from models.export import random_inputs
from models.festival.export import make_card, step
from models.festival.network import LAGS, Festival, Sizes, planar


def _milliseconds(call: Callable[[], object], times: int) -> dict[str, float]:
    call()
    taken = np.empty(times)
    for i in range(times):
        begun = time.perf_counter_ns()
        call()
        taken[i] = time.perf_counter_ns() - begun
    p50, p99 = np.percentile(taken * 1e-6, [50, 99])
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4)}


@torch.no_grad()
def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m models.eager")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    sizes = Sizes()
    model = Festival(sizes).eval()
    feed = random_inputs(make_card(model, {}), 1, np.random.default_rng(1))
    heard = planar(torch.from_numpy(feed["x"]))[None].repeat(1, 1, 1 + len(LAGS))  # (T=1, B=1, HEARD)
    position = torch.from_numpy(feed["position"])[None]
    state = torch.zeros(2, sizes.layers, 1, sizes.width)
    found = {
        "core_ms": _milliseconds(lambda: model.core(heard, position, state), 10 * args.steps),
        "step_ms": _milliseconds(lambda: step(model, feed), args.steps),
        "torch": torch.__version__,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
