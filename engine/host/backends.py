"""The backends, one file each, and how a plugin is named: by its name, its id or its path.

Runs on: host process; whoever scans or lists.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from engine.core.errors import PluginError
from engine.host import board, clap, lv2, vst3
from engine.host.plugin import About, Plugin

BACKENDS: dict[str, ModuleType] = {"clap": clap, "lv2": lv2, "vst3": vst3, "au": vst3}
SUFFIXES = {clap.SUFFIX: clap, lv2.SUFFIX: lv2, vst3.SUFFIX: vst3, vst3.AUDIO_UNIT: vst3}


def backend_of(path: Path) -> ModuleType:
    """Return the backend for a file, by how its name ends. Raises PluginError."""
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise PluginError(f"{path}: is no plugin; their names end in {', '.join(SUFFIXES)}")
    if not path.exists():
        raise PluginError(f"{path}: is not there")
    return found


def load(about: About) -> Plugin:
    """Load a plugin. Raises PluginError."""
    if about.format == board.FORMAT:
        return board.load(about.id)
    path = Path(about.path)
    plugin: Plugin = backend_of(path).load(path, about.id)
    return plugin


def scan(path: Path) -> list[About]:
    """Return every plugin of a file or bundle, each loaded once. Raises PluginError."""
    found: list[About] = backend_of(path).scan(path)
    return found
