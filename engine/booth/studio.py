"""Where the network goes on with what a visitor drew, and fills what he left free: one thread, one thing after the other.

Runs on: booth process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from engine.booth.sampling import Plan, filled, sample
from engine.core import contract
from engine.core.errors import AlgoritmoError
from engine.network.runner import Runner
from engine.store.clip import Music, music_of_roll

ON_BARS = 4  # that the network goes on with a drawing
WAITING = 24  # more than so many at once are asked to wait


class BusyError(AlgoritmoError):
    """Too many want something of the network at once."""


class Studio:
    """One network of a batch of one."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path
        self.card = contract.read_card(path)
        self._threads = threads
        self._runner: Runner | None = None
        self._pool = ThreadPoolExecutor(1, "booth-studio")
        self._waiting = 0
        self._lock = threading.Lock()

    def use(self, path: Path) -> None:
        """Let another network answer from now on. Raises NetworkError."""
        if path != self.path:
            card = contract.read_card(path)
            with self._lock:
                self.path, self.card, self._runner = path, card, None

    def close(self) -> None:
        """Let go of the network."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def go_on(self, drawn: Music, seed: int, controls: Mapping[str, float] | None = None) -> Music:
        """Return what was drawn with the other tracks beside it, and some bars more of all. Raises BusyError."""
        given = np.zeros((drawn.steps, len(self.card.tracks)), np.float32)
        for note in drawn.notes:
            given[:, note.track] = 1
        plan = filled(self.card, drawn, given, seed, controls or {})
        more = ON_BARS * 4 * self.card.steps_per_beat
        return await self._ask(Plan(plan.steps + more, seed, plan.controls, plan.given, plan.mask), drawn.tempo_bpm)

    async def fill(self, given: Music, cells: np.ndarray, seed: int, controls: Mapping[str, float] | None = None) -> Music:
        """Return the music with what is not given chosen by the network; `cells` (steps, T): 1 where it is given."""
        return await self._ask(filled(self.card, given, cells, seed, controls or {}), given.tempo_bpm)

    async def _ask(self, plan: Plan, tempo_bpm: float) -> Music:
        if self._waiting >= WAITING:
            raise BusyError("too many at once")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._sampled, plan, tempo_bpm)
        finally:
            self._waiting -= 1

    def _sampled(self, plan: Plan, tempo_bpm: float) -> Music:
        with self._lock:
            if self._runner is None:
                self._runner = Runner(self.path, "cpu", self._threads)
            (roll,) = sample(self._runner, [plan])
        return music_of_roll(self.card, roll, tempo_bpm)
