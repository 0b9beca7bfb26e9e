"""What is here and how well it goes: `devices`, `doctor`, `bench`, `models`, `patches`, `plugins`.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import add_config, configuration

if TYPE_CHECKING:
    from engine.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the commands of this file to the parser."""
    devices = commands.add_parser("devices", help="list audio devices and MIDI ports")
    devices.add_argument("--json", action="store_true")
    devices.set_defaults(run=_devices)

    doctor = commands.add_parser("doctor", help="what is here, what is missing, and the command that mends it")
    add_config(doctor)
    doctor.set_defaults(run=_doctor)

    bench = commands.add_parser("bench", help="measure this machine: step, feed, rack, whole jam")
    bench.add_argument("--json", type=Path, metavar="FILE")
    bench.add_argument("--seconds", type=float, default=30.0, help="length of the jam that is measured (default 30)")
    bench.set_defaults(run=_bench)

    calibrate = commands.add_parser("calibrate", help="measure how long sound and MIDI take, over a cable from output to input")
    add_config(calibrate)
    calibrate.add_argument("--sound", action="store_true", help="of audio.device; without a word about MIDI too")
    calibrate.add_argument("--midi", nargs=2, metavar=("OUT", "IN"), help="of a MIDI output, and the input it is connected to")
    calibrate.set_defaults(run=_calibrate)

    network, patch = "one of them: a shipped network's name, or a path", "one of them, or the path of a .py file"
    listed = (
        ("models", "the networks that are here, or one of them in full", network, "engine.app.catalogue"),
        ("patches", "the instruments that are here, with their knobs", patch, "engine.app.instruments"),
    )
    for name, purpose, which, module in listed:
        listing = commands.add_parser(name, help=purpose)
        listing.add_argument("name", nargs="?", metavar="NAME", help=which)
        listing.add_argument("--json", action="store_true")
        listing.set_defaults(run=_lister(module))

    plugins = commands.add_parser("plugins", help="the plugins that can be hosted here; scans what is new")
    plugins.add_argument(
        "name",
        nargs="*",
        metavar="NAME",
        help="one of them in full: its name, its id or its file. `edit TRACK [INSERT]`: the window of the plugin that plays a "
        "track, or of an insert, of the jam that runs",
    )
    plugins.add_argument("--pid", type=int, metavar="N", help="with edit: process id of the jam, where several run")
    plugins.add_argument("--again", action="store_true", help="scan everything anew, what failed too")
    plugins.add_argument("--all", action="store_true", help="those that cannot be hosted too, with the reason")
    plugins.add_argument("--json", action="store_true")
    plugins.set_defaults(run=_plugins)


def _devices(arguments: argparse.Namespace) -> int:
    from engine.app.devices import show

    return show(arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from engine.app.doctor import examine

    return examine(configuration(arguments))


def _calibrate(arguments: argparse.Namespace) -> int:
    from engine.app.calibrate import calibrate

    config = configuration(arguments)
    folder = arguments.config.parent if arguments.config else Path()
    midi = tuple(arguments.midi) if arguments.midi else None
    for line in calibrate(config, folder, arguments.sound or midi is None, midi):
        print(line)
    return 0


def _lister(module: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        for line in importlib.import_module(module).show(arguments.name, arguments.json):
            print(line)
        return 0

    return run


def _plugins(arguments: argparse.Namespace) -> int:
    from engine.app.plugins import edit, show

    words = arguments.name
    if words[:1] == ["edit"] and len(words) in (2, 3):
        lines = edit(words[1], words[2] if len(words) > 2 else "", arguments.pid)
    else:
        lines = show(" ".join(words) or None, arguments.again, arguments.all, arguments.json)
    for line in lines:
        print(line, flush=True)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from engine.app.bench import bench

    return bench(arguments.json, arguments.seconds)
