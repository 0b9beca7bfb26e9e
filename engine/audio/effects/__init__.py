"""Effects of our own, one file each: what an insert can be without any plugin.

Runs on: audio process.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from engine.audio.processor import Processor
from engine.core.errors import PluginError, nearest


def names() -> list[str]:
    """Return the names of the effects there are: one file each."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def make(name: str, rate_hz: float) -> Processor:
    """Return a new effect of this name. Raises PluginError."""
    if name not in names():
        like = nearest(name, names())
        hint = f"did you mean {like!r}?" if like else f"there are {', '.join(names())}; a plugin is written plugin:NAME"
        raise PluginError(f"there is no effect {name!r}; {hint}")
    effect: Processor = import_module(f"{__name__}.{name}").Effect(rate_hz)
    return effect
