"""Who wants the smooth tiers, as the signals process is told it; and what it says, for pages and OSCQuery.

Runs on: feed process and replay, event loop.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import numpy as np

from engine.core.link import Link
from engine.core.messages import RECEIVERS
from engine.core.osc_section import Target as TargetConfig
from engine.feed.schema import Schema

MOST = 64  # receivers that asked for themselves


class Audience:
    """Everybody who is not in the configuration: receivers that subscribed, pages, listeners of OSCQuery."""

    def __init__(self, link: Link, schema: Schema) -> None:
        """`schema`: of the network whose numbers they are."""
        self.schema = schema
        self._link = link
        self._receivers: dict[Hashable, TargetConfig] = {}
        self._lookers: dict[Hashable, bool] = {}  # and whether they want levels
        self._said = self._text()
        self._words: dict[str, list[Any]] = {}
        self._words_count = 0
        self._numbers: np.void | None = None
        self._count = 0

    def look(self, who: Hashable, levels: bool = True) -> None:
        """Somebody looks: `numbers` and `words` are kept up to date until all have left; `levels`: those of the sound too."""
        self._lookers[who] = levels
        self._tell()

    def leave(self, who: Hashable) -> None:
        """He looks no longer."""
        self._lookers.pop(who, None)
        self._tell()

    def ask(self, who: Hashable, target: TargetConfig) -> None:
        """Somebody asks for datagrams. Raises ValueError when too many have."""
        if who not in self._receivers and len(self._receivers) >= MOST:
            raise ValueError(f"{MOST} have asked for the smooth tiers already")
        self._receivers[who] = target
        self._tell()

    def forget(self, who: Hashable) -> None:
        """He is sent to no longer."""
        if self._receivers.pop(who, None) is not None:
            self._tell()

    def _text(self) -> bytes:
        receivers = [json.loads(target.model_dump_json(exclude_defaults=True)) for target in self._receivers.values()]
        said = {"shown": bool(self._lookers), "levels": any(self._lookers.values()), "receivers": receivers}
        return json.dumps(said, separators=(",", ":")).encode()

    def _tell(self) -> None:
        text = self._text()
        if text != self._said and len(text) <= RECEIVERS["text"].itemsize:
            self._said = text
            self._link.writer("receivers").push((text,))

    def numbers(self) -> np.void | None:
        """Return the newest record of the ring `signals`, None where there is none."""
        ring = self._link["signals"]
        if ring.count != self._count:
            self._count, self._numbers = ring.count, ring.latest()
        return self._numbers

    def words(self) -> dict[str, list[Any]]:
        """Return what is said of the music: the arguments of each address."""
        ring = self._link["words"]
        if ring.count != self._words_count:
            self._words_count = ring.count
            record = ring.latest()
            if record is not None:
                self._words = {path: word for path, word in json.loads(record["text"]).items() if word}
        return self._words
