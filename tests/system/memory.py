"""What each process of a jam has taken, over time and by its lives, and whether it grows.

Looked at is the anonymous memory: what is shared between the processes is allocated once, at the start, and only touched little
by little. A process takes more and more while it warms up, whatever it does later. So growth is told in one of two ways:

- of a life that goes on for long, from the samples after its first minutes: a line of least squares;
- where every life is short, because it is killed again and again, from samples of the same age: by how much more lives that
  begin later in the evening have taken when they are as old.

Both with a standard error, by the scatter of means over a minute, for samples next to each other are not independent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

SETTLED_S = 330.0  # of a life that goes on for long, the samples from here on count: 512 beats are remembered
LONG_S = 600.0  # ... and it is one, where these cover so much
AGE_S = 15.0  # lives are compared within stretches of so long
MEAN_S = 60.0  # for the error


@dataclass(frozen=True)
class Growth:
    """MB an hour, its standard error, and by what it is told: "long life", or "equal ages"."""

    mb_h: float
    error: float
    by: str

    def exceeds(self, mb_h: float) -> bool:
        """Whether it is more than that, and not by chance."""
        return self.mb_h - 2 * self.error > mb_h


def total_of(grown: Iterable[Growth]) -> Growth:
    """Return the growth of all processes together."""
    grown = list(grown)
    error = math.sqrt(sum(growth.error**2 for growth in grown))
    return Growth(round(sum(growth.mb_h for growth in grown), 2), round(error, 2), "sum")


def own_mb(pid: int) -> float:
    """Return the anonymous memory of a process in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:")) / 1e3


class Memory:
    """Takes samples with `look`; then `growth`."""

    def __init__(self) -> None:
        # By process and process id: when it was looked at, its age, MB.
        self.lives: dict[tuple[str, int], list[tuple[float, float, float]]] = {}

    def look(self, pids: dict[str, int]) -> None:
        """Take a sample of each process that is there."""
        for name, pid in pids.items():
            try:
                age_s, mb = time.time() - psutil.Process(pid).create_time(), own_mb(pid)
            except (psutil.Error, OSError, StopIteration):
                continue  # it died meanwhile
            self.lives.setdefault((name, pid), []).append((time.monotonic(), age_s, mb))

    def now(self) -> dict[str, float]:
        """Return the last sample of each process."""
        return {name: round(life[-1][2], 1) for (name, _), life in self.lives.items()}

    def growth(self) -> dict[str, Growth]:
        """Return how each process grows; one of which too little was seen is left out."""
        found = {}
        for name in {name for name, _ in self.lives}:
            growth = growth_of([np.array(life) for (of, _), life in self.lives.items() if of == name])
            if growth is not None:
                found[name] = growth
        return found


def growth_of(lives: list[np.ndarray]) -> Growth | None:
    """Return the growth of one process. `lives`: (n, 3) each, when, age, MB."""
    settled = [life[life[:, 1] >= SETTLED_S] for life in lives]
    settled = [life for life in settled if len(life) > 2 and np.ptp(life[:, 0]) >= LONG_S]
    if settled:
        parts, by = settled, "long life"
    elif len(lives) > 2:
        samples = np.concatenate(lives)
        bins = (samples[:, 1] // AGE_S).astype(int)
        parts, by = [samples[bins == one] for one in np.unique(bins)], "equal ages"
        parts = [part for part in parts if len(part) > 2]
    else:
        return None
    if not parts:
        return None
    t = np.concatenate([part[:, 0] - part[:, 0].mean() for part in parts])
    mb = np.concatenate([part[:, 2] - part[:, 2].mean() for part in parts])
    minutes = (np.concatenate([part[:, 0] for part in parts]) // MEAN_S).astype(int)
    spread = float(t @ t)
    if spread == 0 or len(np.unique(minutes)) < 3:
        return None
    slope = float(t @ mb) / spread
    rest = t * (mb - slope * t)
    by_minute = np.array([rest[minutes == minute].sum() for minute in np.unique(minutes)])
    error = float(np.sqrt(by_minute @ by_minute)) / spread
    return Growth(round(slope * 3600, 2), round(error * 3600, 2), by)
