"""The rack as the page shows it: what stands where, and what could.

Runs on: feed process, event loop thread.
"""

from __future__ import annotations

import json
from typing import Any

from engine.audio import effects
from engine.core.link import Link
from engine.host import board
from engine.host.catalogue import Catalogue, cache_file

MOST_OFFERED = 200  # plugins that the page lists


class RackView:
    """`told` is the message `rack`; `is_new` says whether it is another than was told last."""

    def __init__(self, link: Link) -> None:
        self._ring = link["rack"]
        self._count = -1
        self._stamp = -1.0
        self._offered: list[dict[str, str]] = []

    @property
    def is_new(self) -> bool:
        """Whether something has changed since `told` was read."""
        return self._ring.count != self._count

    def told(self) -> dict[str, Any]:
        """Return what stands where, the effects there are, and the plugins that are none that play notes."""
        self._count = self._ring.count
        record = self._ring.latest()
        rack = {"where": [], "places": []} if record is None else json.loads(record["text"])
        return rack | {"effects": [*effects.names(), *(about.path for about in board.abouts())], "plugins": self._plugins()}

    def _plugins(self) -> list[dict[str, str]]:
        try:
            stamp = cache_file().stat().st_mtime
        except OSError:
            return []
        if stamp != self._stamp:
            self._stamp = stamp
            found: dict[str, dict[str, str]] = {}
            for about in Catalogue().plugins:
                if not about.is_instrument:
                    found.setdefault(about.name, {"name": about.name, "effect": f"plugin:{about.name}", "format": about.format})
            self._offered = list(found.values())[:MOST_OFFERED]
        return self._offered
