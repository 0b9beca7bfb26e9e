"""Which pieces an update of training hears: drawn by their length, the same for the same update, process and order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw(lengths: Sequence[int], count: int, update: int, rank: int, order: int) -> tuple[np.ndarray, np.random.Generator]:
    """Return the numbers of `count` pieces, and the generator for what else is chosen of them.

    Every step of the music is as likely to be heard as any other. `order` tells runs apart: one that goes on from another
    takes the next.
    """
    rng = np.random.default_rng([update, rank, order])
    share = np.asarray(lengths, np.float64)
    return rng.choice(len(share), count, p=share / share.sum()), rng
