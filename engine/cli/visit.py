"""For visitors: `explore`, `booth`, and the `generations` that they bred.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
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

    bred = commands.add_parser("generations", help="what an audience bred: list, play, export, compare, rollback")
    add_config(bred)
    bred.add_argument("--store", metavar="WHERE", help="a file, or postgresql://USER@HOST/NAME (default: booth.store)")
    what = bred.add_subparsers(required=True, metavar="WHAT")
    what.add_parser("list", help="all of them, with their figures").set_defaults(run=_generations, what="list")
    play = what.add_parser("play", help="a jam with the network of one, which plays by itself until somebody joins in")
    play.add_argument("number", type=int)
    play.add_argument("more", nargs=argparse.REMAINDER, help="what a jam can be told as well")
    play.set_defaults(run=_generations, what="play")
    export = what.add_parser("export", help="network, weights, songs, votes and figures of one, into a folder")
    export.add_argument("number", type=int)
    export.add_argument("folder", type=Path)
    export.set_defaults(run=_generations, what="export")
    compare = what.add_parser("compare", help="one with another, in numbers")
    compare.add_argument("number", type=int)
    compare.add_argument("other", type=int)
    compare.set_defaults(run=_generations, what="compare")
    back = what.add_parser("rollback", help="open an earlier one again: the one that the open one was bred from, or NUMBER")
    back.add_argument("number", type=int, nargs="?")
    back.set_defaults(run=_generations, what="rollback")


def _explore(arguments: argparse.Namespace) -> int:
    from engine.app.explore import export, serve

    if arguments.export is not None:
        size = export(arguments.export)
        print(f"{arguments.export}: {size / 1e6:.1f} MB; to look at it: python3 -m http.server -d {arguments.export} 8080")
        return 0
    extra = [f"web.{key}={json.dumps(value)}" for key in ("host", "port") if (value := getattr(arguments, key)) is not None]
    serve(configuration(arguments, extra).web, arguments.open, lambda line: print(line, flush=True))
    return 0


def _generations(arguments: argparse.Namespace) -> int:
    extra = [f"booth.store={json.dumps(arguments.store)}"] if arguments.store is not None else []
    config = configuration(arguments, extra)
    try:
        from engine.app import generations
    except ModuleNotFoundError as error:
        raise AlgoritmoError(f"generations needs {error.name}: pip install -e '.[booth]'") from error

    if arguments.what == "play":
        path = generations.path_of(config, arguments.number)
        settings = [word for one in arguments.set for word in ("--set", one)]
        own = ["--set", f"network.name={json.dumps(str(path))}", "--set", "jam.mode=solo"]
        config_file = ["--config", str(arguments.config)] if arguments.config is not None else []
        return subprocess.call([sys.executable, "-m", "engine.cli", "jam", *config_file, *settings, *own, *arguments.more])
    if arguments.what == "export":
        said = generations.export(config, arguments.number, arguments.folder)
    elif arguments.what == "compare":
        said = generations.compared(config, arguments.number, arguments.other)
    elif arguments.what == "rollback":
        said = [generations.roll_back(config, arguments.number)]
    else:
        said = generations.listed(config)
    for line in said:
        print(line)
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
