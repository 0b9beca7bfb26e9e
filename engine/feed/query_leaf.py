"""One address as OSCQuery tells of it.

Runs on: feed process, event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.core.parameters import Parameter

READ, WRITE = 1, 2


@dataclass(frozen=True, slots=True)
class Leaf:
    """One address as OSCQuery tells of it."""

    path: str
    types: str
    access: int
    doc: str
    unit: str = ""
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    value: Callable[[], list[Any]] | None = None
    message: Callable[[], bytes] | None = None  # the value as OSC, for those who listen
    every_step: bool = False
    smooth: bool = False  # it moves between the steps
    parameter: Parameter | None = None  # which it is of

    def describe(self, whole: bool) -> dict[str, Any]:
        """Return the node; `whole` also where that means hundreds of numbers."""
        out: dict[str, Any] = {"FULL_PATH": self.path, "TYPE": self.types, "ACCESS": self.access, "DESCRIPTION": self.doc}
        if self.unit:
            out["UNIT"] = [self.unit] * len(self.types)
        if whole or len(self.types) <= 2:
            if self.value is not None:
                out["VALUE"] = self.value()
            one: dict[str, Any] = {}
            if self.choices:
                one = {"VALS": list(self.choices)}
            elif self.limits is not None:
                one = {"MIN": self.limits[0], "MAX": self.limits[1]}
            if one:
                out["RANGE"] = [one] * len(self.types)
        if self.access & WRITE and self.limits is not None:
            out["CLIPMODE"] = ["both"] * len(self.types)
        return out
