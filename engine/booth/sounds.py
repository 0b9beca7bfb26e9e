"""The sound of clips as the engine makes it, for who would rather hear that than the notes; rendered when first asked for.

Runs on: booth process; rendering where its crew is, for pyo holds Python's lock for every block.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from engine.booth.crew import Crew
from engine.core.config import Config
from engine.core.errors import AlgoritmoError
from engine.store.clip import Music

KEPT = 128  # clips whose sound is kept: some 20 MB
WAITING = 64  # more than so many at once are turned away


def mp3_of(music: Music, config: Config) -> bytes:
    """Return a clip's sound as MP3, where the crew is: the engine's sound is loaded there alone. Raises AlgoritmoError."""
    from engine.audio.given import mp3

    return mp3(music, config)


class Sounds:
    """Renders clips and keeps them for a while."""

    def __init__(self, config: Config, crew: Crew) -> None:
        self._config, self._crew = config, crew
        self._kept: OrderedDict[int, asyncio.Future[bytes]] = OrderedDict()
        self._waiting = 0

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
        except (AlgoritmoError, OSError):
            self._kept.pop(clip, None)
            return None

    async def _rendered(self, music: Music) -> bytes:
        self._waiting += 1
        try:
            return await self._crew.run(mp3_of, music, self._config)
        finally:
            self._waiting -= 1
