"""Which plugins can be hosted here: the list, one of them in full, and the scan before a jam that names some.

Runs on: main process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from engine.app.running import choose
from engine.core.config import Config
from engine.core.errors import PluginError
from engine.core.knobs import is_plugin
from engine.host import board, wire
from engine.host.catalogue import Catalogue
from engine.host.display import has_display
from engine.host.plugin import About
from engine.host.x11 import NO_DISPLAY

_NOTHING = "there is no plugin in it"  # a bundle that only describes something


def show(name: str | None = None, again: bool = False, everything: bool = False, as_json: bool = False) -> Iterator[str]:
    """Yield the lines of the list, or of one plugin. Raises PluginError."""
    catalogue = Catalogue()
    if name is not None:
        yield from _one(catalogue, name, as_json)
        return
    catalogue.scan(again=again)
    failed = [found for found in catalogue.found if found.fault and found.fault != _NOTHING]
    if as_json:
        yield json.dumps(
            {
                "plugins": [asdict(about) for about in (*catalogue.plugins, *board.abouts())],
                "failed": [{"path": found.path, "fault": found.fault} for found in failed],
            },
            indent=1,
        )
        return
    for about in catalogue.plugins:
        kind = "instrument" if about.is_instrument else "effect, side-chain" if about.has_sidechain else "effect"
        yield f"{about.name:32} {about.format:5} {kind:18} {about.knobs:4} knobs  {about.vendor}".rstrip()
    if not catalogue.plugins:
        yield "there are no plugins; on Debian: apt install zam-plugins mda-lv2"
    if built_in := board.abouts():
        yield f"effects of pedalboard's own: {', '.join(f'{about.format}:{about.name}' for about in built_in)}"
    for found in failed if everything else []:
        yield f"{found.path}: {found.fault}"
    if failed and not everything:
        yield f"{len(failed)} files cannot be hosted; see why: algoritmo plugins --all"


def _one(catalogue: Catalogue, name: str, as_json: bool) -> Iterator[str]:
    try:
        about = catalogue.find(name)
    except PluginError:
        catalogue.scan()
        about = catalogue.find(name)
    if as_json:
        yield json.dumps(asdict(about), indent=1)
        return
    yield f"{about.name} {about.version}".strip()
    kind = "instrument" if about.is_instrument else "effect"
    yield f"  {kind}, {about.format}, {about.knobs} knobs, by {about.vendor or '?'}"
    yield f"  id    {about.id}"
    yield f"  file  {about.path}"
    if about.presets:
        yield f"  presets  {', '.join(about.presets)}"
    if about.limits:
        yield f"  limits  {'; '.join(about.limits)}"
    key = "patches.bass" if about.is_instrument else "rack.inserts.bass"
    yield f'  {key} = "{_written(about)}"'


def edit(where: str, word: str = "", pid: int | None = None) -> Iterator[str]:
    """Open the window of the plugin that plays a track of a jam, or that its insert `word` is; yield what there is to say.

    Raises AlgoritmoError.
    """
    of = choose(pid)
    if not has_display():
        raise PluginError(NO_DISPLAY)
    address = wire.editors(of.segment).replace("\0", "@", 1)
    command = [sys.executable, "-m", "engine.host.editor", address, where, word]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as editor:
        assert editor.stdout is not None
        try:
            for line in editor.stdout:
                if line.startswith(wire.SAYS):
                    yield line.removeprefix(wire.SAYS).strip()
            _, said = editor.communicate()
        except KeyboardInterrupt:
            editor.terminate()
            return
    if editor.returncode < 0:
        yield f"the window crashed (signal {-editor.returncode}); the plugin that plays is another one, and goes on"
    elif editor.returncode:
        raise PluginError((said.strip().splitlines() or ["its window was closed"])[-1])


def _written(about: About) -> str:
    """Return how a configuration names it."""
    return f"{about.format}:{about.name}"


def names_plugins(config: Config) -> list[str]:
    """Return the plugins that a configuration names, as it names them."""
    inserts = [*config.rack.inserts.values(), *config.rack.sends]
    named = [*config.patches.values(), *(insert.effect for of in inserts for insert in of)]
    return [name for name in named if is_plugin(name)]


def look_for_plugins(config: Config, tell: Callable[[str], object]) -> None:
    """Scan, where the configuration names a plugin that no scan has seen."""
    wanted = names_plugins(config)
    if not wanted:
        return
    catalogue = Catalogue()
    for name in wanted:
        try:
            catalogue.find(name)
        except PluginError:
            tell("looking for plugins, which takes a moment the first time")
            catalogue.scan()
            return
