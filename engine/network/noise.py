"""Uniform noise from a counter, so that a restart or a replay continues the same stream.

Runs on: network process.
"""

from __future__ import annotations

import numpy as np


def noise(seed: int, step: int, count: int, stream: int = 0) -> np.ndarray:
    """Return float32 (count,) in [0, 1), a function of (seed, step, stream) alone: Philox keyed by the seed.

    `stream` tells those apart who draw for the same step, so that what one draws says nothing about the other.
    """
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, stream, step % 2**64]))
    return generator.random(count, dtype=np.float32)
