"""Uniform noise from a counter, so that a restart or a replay continues the same stream.

Runs on: network process.
"""

from __future__ import annotations

import numpy as np


def noise(seed: int, step: int, count: int) -> np.ndarray:
    """Return float32 (count,) in [0, 1), a function of (seed, step) alone: Philox keyed by the seed, counted by the step."""
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, step % 2**64]))
    return generator.random(count, dtype=np.float32)
