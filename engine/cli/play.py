"""Playing: `jam`, and `stage`, which looks into a jam that runs.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from engine.cli.common import add_chart, add_config, chart_setting, configuration

if TYPE_CHECKING:
    from rich.console import Console

    from engine.cli.common import Commands
    from engine.core.config import Config

DEMO = Path(__file__).parents[1] / "app" / "demo.mid"
DEMO_S = 40.0


def add(commands: Commands) -> None:
    """Add the commands of this file to the parser."""
    jam = commands.add_parser("jam", help="play with the network")
    add_config(jam)
    jam.add_argument(
        "--demo",
        action="store_true",
        help="a bundled performance plays the keyboard's part, for 40 s or, again and again, --duration",
    )
    jam.add_argument("--detach", action="store_true", help="play on by itself, whatever becomes of this terminal")
    jam.add_argument("--duration", type=float, metavar="S", help="end after so many seconds")
    jam.add_argument("--report", type=Path, metavar="FILE", help="write the figures of the jam here as well")
    jam.add_argument("--resume", action="store_true", help="begin as the last jam in this folder of sessions stood")
    jam.add_argument(
        "--controllers", action="append", default=[], metavar="NAME", help="a map of a controller: a bundled one, or a file"
    )
    jam.add_argument("--session", type=Path, metavar="DIR", help="make the session's folder in DIR")
    jam.add_argument("--booth", action="store_true", help="with the booth beside it, where visitors draw, compose and vote")
    add_chart(jam)
    jam.set_defaults(run=_jam)

    stage = commands.add_parser("stage", help="look into a jam that runs, from another terminal; closing it stops nothing")
    stage.add_argument("--pid", type=int, metavar="N", help="process id of the jam, where several run")
    stage.add_argument("--end", action="store_true", help="end the jam, as Ctrl-C does")
    stage.add_argument("--plain", action="store_true", help="a line now and then, for a log")
    stage.set_defaults(run=_stage)


def _jam(arguments: argparse.Namespace) -> int:
    if arguments.detach:
        from engine.app.detached import detach

        return detach([word for word in arguments.words if word != "--detach"])
    from rich.console import Console

    from engine.app.beginning import split_set
    from engine.app.terminal import Endings, Steady

    extra = [f"session.dir={json.dumps(str(arguments.session))}"] if arguments.session else []
    extra += chart_setting(arguments)
    extra += ["booth.enabled=true"] if arguments.booth else []
    arguments.set, scenes = split_set(arguments.set)
    extra += [f"midi.maps={json.dumps(arguments.controllers)}"] if arguments.controllers else []
    config = configuration(arguments, extra, plays=True)
    duration_s = arguments.duration
    if arguments.demo:
        duration_s = DEMO_S if duration_s is None else duration_s
    with Endings(), Steady(sys.stdout) as out:
        console = Console(file=cast(TextIO, out))
        return _play(console, config, duration_s, arguments, scenes)


def _play(console: Console, config: Config, duration_s: float | None, arguments: argparse.Namespace, scenes: str | None) -> int:
    from engine.app.beginning import begin
    from engine.app.plugins import look_for_plugins
    from engine.app.status import Status, summary
    from engine.app.supervisor import Supervisor
    from engine.app.terminal import Pauses
    from engine.control.keyboard import HELP, Keyboard

    with Status(console) as status, Keyboard(status.tell) as keyboard, Pauses(keyboard, status):
        if keyboard.here:
            status.tell(0, HELP)
        config = begin(config, scenes, arguments.resume, status.tell)
        look_for_plugins(config, lambda text: status.tell(0, text))
        supervisor = Supervisor(config, status.tell, DEMO if arguments.demo else None)
        try:
            supervisor.run(duration_s, status.show, arguments.report, keyboard)
            report = supervisor.report()
        finally:
            supervisor.close()
    console.print(summary(report, str(supervisor.session or "")), highlight=False, soft_wrap=True)
    return 0


def _stage(arguments: argparse.Namespace) -> int:
    from engine.app.running import choose
    from engine.app.stage import stage

    if arguments.end:
        from engine.app.detached import end

        end(choose(arguments.pid))
        return 0
    stage(choose(arguments.pid), arguments.plain)
    return 0
