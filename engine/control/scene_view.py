"""The set as everyone is told of it: which scenes there are, which is in force, which is to come.

Runs on: every process that shows it; main process writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.core.link import Link


@dataclass(frozen=True, slots=True)
class SceneView:
    """Numbers count from 1; 0: none. `begins`: beat at which the next begins, infinity while it is being made ready."""

    now: int = 0
    next: int = 0
    begins: float = 0.0
    set: str = ""
    file: str = ""
    names: tuple[str, ...] = ()
    other: str = ""  # what A/B would go to
    undo: str = ""  # what undo would go back to
    faults: tuple[str, ...] = ()  # what of the scene in force is not there

    @classmethod
    def of(cls, record: np.void | None) -> SceneView:
        """From a SCENES record."""
        if record is None:
            return cls()
        told = _told(bytes(record["text"]))
        return cls(int(record["now"]), int(record["next"]), float(record["beat"]), *told)

    @property
    def name(self) -> str:
        """Of the scene in force; empty where there is none."""
        return self.name_of(self.now)

    @property
    def next_name(self) -> str:
        """Of the scene to come."""
        return self.name_of(self.next)

    def name_of(self, number: int) -> str:
        """Return the name of the scene of a number."""
        return self.names[number - 1] if 0 < number <= len(self.names) else ""

    def number_of(self, name: str) -> int:
        """Return the number of the scene of a name, whatever its case; 0: there is none."""
        names = [one.casefold() for one in self.names]
        return names.index(name.strip().casefold()) + 1 if name.strip().casefold() in names else 0

    def told(self) -> dict[str, Any]:
        """Return it as receivers and pages are told."""
        return {
            "set": self.set,
            "now": self.now,
            "next": self.next,
            "names": list(self.names),
            "other": self.other,
            "undo": self.undo,
            "faults": list(self.faults),
        }


@lru_cache(8)
def _told(text: bytes) -> tuple[str, str, tuple[str, ...], str, str, tuple[str, ...]]:
    found = json.loads(text or b"{}")
    return (
        found.get("set", ""),
        found.get("file", ""),
        tuple(found.get("names", ())),
        found.get("other", ""),
        found.get("undo", ""),
        tuple(found.get("faults", ())),
    )


def scene_view(link: Link) -> SceneView:
    """Return the set as it is told now."""
    return SceneView.of(link["scenes"].latest())
