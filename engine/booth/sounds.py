"""The sound of clips as the engine makes it, for who would rather hear that than the notes; rendered when first asked for.

Runs on: booth process; rendering in a process of its own, for pyo holds Python's lock for every block.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from engine.audio.given import mp3
from engine.core.config import Config
from engine.core.errors import AlgoritmoError
from engine.store.clip import Music

KEPT = 128  # clips whose sound is kept: some 20 MB
WAITING = 64  # more than so many at once are turned away
NICE = 19
T = TypeVar("T")


def _step_back() -> None:
    if hasattr(os, "nice"):
        os.nice(NICE)


class Sounds:
    """Renders one clip at a time."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: ProcessPoolExecutor | None = None
        self._kept: OrderedDict[int, asyncio.Future[bytes]] = OrderedDict()
        self._waiting = 0

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def of(self, clip: int, music: Music) -> bytes | None:
        """Return a clip's sound as MP3; None where it cannot be had now."""
        found = self._kept.get(clip)
        if found is None:
            if self._waiting >= WAITING:
                return None
            found = self._kept[clip] = asyncio.ensure_future(self._rendered(music))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        try:
            return await asyncio.shield(found)
        except (AlgoritmoError, OSError, BrokenProcessPool):
            self._kept.pop(clip, None)
            return None

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function in the process, after what is under way there."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _step_back)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def _rendered(self, music: Music) -> bytes:
        self._waiting += 1
        try:
            return await self.run(mp3, music, self._config)
        except BrokenProcessPool:
            self._pool = None
            raise
        finally:
            self._waiting -= 1
