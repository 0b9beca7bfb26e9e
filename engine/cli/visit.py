"""For visitors: `explore`.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import add_config, configuration

if TYPE_CHECKING:
    from engine.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the commands of this file to the parser."""
    explore = commands.add_parser("explore", help="what a neuron and a network are: pages for visitors, without a jam")
    add_config(explore)
    explore.add_argument("--host", metavar="ADDRESS", help="serve there (default: web.host, this machine alone)")
    explore.add_argument("--port", type=int, metavar="N", help="default: web.port")
    explore.add_argument("--open", action="store_true", help="open them in a browser here")
    explore.add_argument("--export", type=Path, metavar="DIR", help="write them to a folder instead; any file server serves it")
    explore.set_defaults(run=_explore)


def _explore(arguments: argparse.Namespace) -> int:
    from engine.app.explore import export, serve

    if arguments.export is not None:
        size = export(arguments.export)
        print(f"{arguments.export}: {size / 1e6:.1f} MB; to look at it: python3 -m http.server -d {arguments.export} 8080")
        return 0
    extra = [f"web.{key}={json.dumps(value)}" for key in ("host", "port") if (value := getattr(arguments, key)) is not None]
    serve(configuration(arguments, extra).web, arguments.open, lambda line: print(line, flush=True))
    return 0
