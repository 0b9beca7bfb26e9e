"""For visitors: `explore`, and `booth`.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import add_config, configuration
from engine.core.errors import AlgoritmoError

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

    booth = commands.add_parser("booth", help="visitors draw, compose and vote on their phones; beside a jam, or by itself")
    add_config(booth)
    booth.add_argument("--host", metavar="ADDRESS", help="serve there (default: booth.host, this machine alone)")
    booth.add_argument("--port", type=int, metavar="N", help="default: booth.port")
    booth.add_argument("--store", metavar="WHERE", help="a file, or postgresql://USER@HOST/NAME (default: booth.store)")
    booth.add_argument("--open", action="store_true", help="open the wall in a browser here")
    booth.add_argument("--demo", action="store_true", help="simulated visitors draw and vote, for two minutes")
    booth.add_argument("--backup", type=Path, metavar="FILE", help="copy the store, while it is used, instead")
    booth.add_argument("--export", type=Path, metavar="FILE", help="write all of the store as lines of JSON instead; -: here")
    booth.set_defaults(run=_booth)


def _explore(arguments: argparse.Namespace) -> int:
    from engine.app.explore import export, serve

    if arguments.export is not None:
        size = export(arguments.export)
        print(f"{arguments.export}: {size / 1e6:.1f} MB; to look at it: python3 -m http.server -d {arguments.export} 8080")
        return 0
    extra = [f"web.{key}={json.dumps(value)}" for key in ("host", "port") if (value := getattr(arguments, key)) is not None]
    serve(configuration(arguments, extra).web, arguments.open, lambda line: print(line, flush=True))
    return 0


def _booth(arguments: argparse.Namespace) -> int:
    asked = {"host": arguments.host, "port": arguments.port, "store": arguments.store}
    extra = [f"booth.{key}={json.dumps(value)}" for key, value in asked.items() if value is not None]
    config = configuration(arguments, extra)
    try:
        from engine.app import booth
    except ModuleNotFoundError as error:
        raise AlgoritmoError(f"booth needs {error.name}: pip install -e '.[booth]'") from error

    if arguments.backup is not None or arguments.export is not None:
        for line in booth.keep(config, arguments.backup, arguments.export):
            print(line)
        return 0
    demo_s = booth.DEMO_S if arguments.demo else None
    booth.run(config, arguments.open, lambda line: print(line, flush=True), demo_s)
    return 0
