"""The modes: every file of this folder declares one; nothing else has to name it.

Runs on: every process.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from engine.core.errors import AlgoritmoError
from engine.jam.mode import Mode


def _declared() -> Iterable[type[Mode]]:
    for found in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        yield from (
            thing
            for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, Mode) and thing.__module__ == module.__name__
        )


def numbered(modes: Iterable[type[Mode]]) -> tuple[type[Mode], ...]:
    """Return the modes by their numbers, which count from 0 so that each means the same for ever. Raises AlgoritmoError."""
    ordered = tuple(sorted(modes, key=lambda mode: (mode.number, mode.name)))
    for place, mode in enumerate(ordered):
        if mode.number != place:
            wrong = f"the number {mode.number} of mode {mode.name} is another's or leaves a gap"
            raise AlgoritmoError(f"{mode.__module__}: {wrong}; give {place}")
    return ordered


CLASSES = numbered(_declared())
MODES = tuple(mode.name for mode in CLASSES)
