"""The commands of `algoritmo`: arguments, and nothing but wiring.

Runs on: main process. What a command needs is imported when it is called, so that each starts at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from engine import __version__
from engine.app.terminal import settle_streams
from engine.core.errors import AlgoritmoError

if TYPE_CHECKING:
    from rich.console import Console

    from engine.core.config import Config

# Commands with a parser of their own: module, extra of this package that it needs, what it is for.
ELSEWHERE = {
    "train": ("models.training.train", "train", "train a network on your own music"),
    "evaluate": ("models.evaluation.evaluate", "train", "nats per timestep of any music under any network"),
    "learn": ("models.learn", "train", "watch a single neuron, a recurrent network or an LSTM learn"),
    "data": ("models.music.data", "train", "what a folder of music would give for training"),
}
DEMO = Path(__file__).parent / "app" / "demo.mid"
DEMO_S = 40.0


class _Modes:
    """The names of the modes, looked up only when they are wanted: a parser is made for every command."""

    def __iter__(self) -> Iterator[str]:
        from engine.jam.modes import MODES

        return iter(MODES)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 failed while running, 2 wrong input."""
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        settle_streams()
    try:
        if words and words[0] in ELSEWHERE:
            return _elsewhere(words[0], words[1:])
        arguments = _parser().parse_args(words)
        return int(arguments.run(arguments))
    except AlgoritmoError as error:
        print(f"algoritmo: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"algoritmo: the package {error.name} is missing: {sys.executable} -m pip install -e .", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `algoritmo models | head`
        sys.stderr.close()
        return 0


def _elsewhere(command: str, words: list[str]) -> int:
    module, extra, _ = ELSEWHERE[command]
    try:
        run = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        raise AlgoritmoError(f"{command} needs {error.name}: pip install -e '.[{extra}]'") from error
    return int(run(words))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="algoritmo",
        description="A recurrent network that listens to you through MIDI, plays on with you, and shows what it is thinking.",
    )
    parser.add_argument("--version", action="version", version=f"algoritmo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    jam = commands.add_parser("jam", help="play with the network")
    _add_config(jam)
    jam.add_argument(
        "--demo",
        action="store_true",
        help="a bundled performance plays the keyboard's part, for 40 s or, again and again, --duration",
    )
    jam.add_argument("--duration", type=float, metavar="S", help="end after so many seconds")
    jam.add_argument("--report", type=Path, metavar="FILE", help="write the figures of the jam here as well")
    jam.add_argument("--session", type=Path, metavar="DIR", help="make the session's folder in DIR")
    _add_chart(jam)
    jam.set_defaults(run=_jam)

    render = commands.add_parser("render", help="the same engine on a MIDI file, faster than real time")
    _add_config(render)
    render.add_argument("input", type=Path, metavar="IN.mid", help="what the player plays")
    render.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for session.wav, session.mid and the feed"
    )
    _add_chart(render)
    render.add_argument("--network", metavar="N", help="a shipped network's name, or a path to an .onnx file")
    render.add_argument("--mode", choices=_Modes(), metavar="MODE", help="one of %(choices)s")
    render.add_argument("--seed", type=int, metavar="N")
    render.add_argument("--bars", type=int, metavar="N", help="how many bars; default: those of the file and four more")
    render.add_argument(
        "--part",
        metavar="PART",
        help='which part of a song is the player\'s: its name, number or "channel N"; default: the lead',
    )
    render.add_argument("--backing", action="store_true", help="play the song's other parts as they are, not the network's")
    render.add_argument("--stems", action="store_true", help="write each track as a sound file of its own too, below DIR/stems")
    render.add_argument("--futures", type=int, metavar="B", help="then imagine B continuations of --bars bars and rank them")
    render.add_argument("--density", type=float, metavar="X", help="futures: onsets per beat asked for; default: as heard")
    render.add_argument(
        "--key", type=int, metavar="0..11", help="futures: pitch class of the major key asked for; default: as heard"
    )
    render.set_defaults(run=_render)

    replay = commands.add_parser("replay", help="send the feed of a recorded session again, and serve its page")
    _add_config(replay)
    replay.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    replay.add_argument("--speed", type=float, default=1.0, metavar="X", help="times as fast (default 1)")
    replay.add_argument("--loop", action="store_true", help="again and again")
    replay.add_argument(
        "--osc", action="append", default=[], metavar="HOST:PORT", help="send here, not to the configured targets"
    )
    replay.set_defaults(run=_replay)

    picture = commands.add_parser("picture", help="draw a recorded session as PNG at print size")
    picture.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    picture.add_argument("--step", type=int, metavar="N", help="the network at this step (default: where it played most notes)")
    picture.add_argument("--neuron", metavar="LAYER:NEURON", help="one neuron over time; both counted from 1, as on the page")
    picture.add_argument("--from", dest="first", type=int, metavar="A", help="first step of what is drawn over time")
    picture.add_argument("--to", dest="last", type=int, metavar="B", help="last step of it")
    picture.add_argument("--raw", action="store_true", help="neurons as the network stores them, not those alike side by side")
    picture.add_argument("--out", type=Path, metavar="FILE", help="default: a file in the session's folder")
    picture.set_defaults(run=_picture)

    export = commands.add_parser("export", help="a recorded session for a studio: DAWproject, stems, MP3, FLAC")
    export.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    export.add_argument(
        "--dawproject", type=Path, metavar="FILE", help="default, where nothing else is asked for: in the folder"
    )
    export.add_argument("--stems", type=Path, metavar="DIR", help="the sound of each track by itself")
    export.add_argument("--mp3", type=Path, metavar="FILE")
    export.add_argument("--flac", type=Path, metavar="FILE")
    export.set_defaults(run=_export)

    explore = commands.add_parser("explore", help="what a neuron and a network are: pages for visitors, without a jam")
    _add_config(explore)
    explore.add_argument("--host", metavar="ADDRESS", help="serve there (default: web.host, this machine alone)")
    explore.add_argument("--port", type=int, metavar="N", help="default: web.port")
    explore.add_argument("--open", action="store_true", help="open them in a browser here")
    explore.add_argument("--export", type=Path, metavar="DIR", help="write them to a folder instead; any file server serves it")
    explore.set_defaults(run=_explore)

    stage = commands.add_parser("stage", help="look into a jam that runs, from another terminal; closing it stops nothing")
    stage.add_argument("--pid", type=int, metavar="N", help="process id of the jam, where several run")
    stage.add_argument("--plain", action="store_true", help="a line now and then, for a log")
    stage.set_defaults(run=_stage)

    devices = commands.add_parser("devices", help="list audio devices and MIDI ports")
    devices.add_argument("--json", action="store_true")
    devices.set_defaults(run=_devices)

    doctor = commands.add_parser("doctor", help="what is here, what is missing, and the command that mends it")
    _add_config(doctor)
    doctor.set_defaults(run=_doctor)

    bench = commands.add_parser("bench", help="measure this machine: step, feed, rack, whole jam")
    bench.add_argument("--json", type=Path, metavar="FILE")
    bench.add_argument("--seconds", type=float, default=30.0, help="length of the jam that is measured (default 30)")
    bench.set_defaults(run=_bench)
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
    plugins.add_argument("name", nargs="?", metavar="NAME", help="one of them in full: its name, its id or its file")
    plugins.add_argument("--again", action="store_true", help="scan everything anew, what failed too")
    plugins.add_argument("--all", action="store_true", help="those that cannot be hosted too, with the reason")
    plugins.add_argument("--json", action="store_true")
    plugins.set_defaults(run=_plugins)

    for name, (_, _, purpose) in ELSEWHERE.items():
        commands.add_parser(name, help=purpose, add_help=False)  # for the list of commands; main() sends them on
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config.toml in this folder, if there is one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for example --set audio.block=128")


def _add_chart(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chart", metavar="FILE", help='the song\'s chords: MusicXML, a text file, or the text itself: "| C | G7 | Am F |"'
    )


def _chart(arguments: argparse.Namespace) -> list[str]:
    """The setting that --chart means: a file that is no MusicXML is read here, whatever it is called."""
    given = arguments.chart
    if given is None:
        return []
    from engine.jam.chart import asked

    return [f"jam.chart={json.dumps(asked(given))}"]


def _configuration(arguments: argparse.Namespace, extra: Sequence[str] = (), plays: bool = False) -> Config:
    """Return the configuration; where its network `plays`, held against that."""
    from engine.core import config
    from engine.jam import settings

    path = arguments.config
    if path is None and Path("config.toml").exists():
        path = Path("config.toml")
    load = settings.load if plays else config.load
    return load(path, [*arguments.set, *extra])


def _jam(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from engine.app.terminal import Endings, Steady

    extra = [f"session.dir={json.dumps(str(arguments.session))}"] if arguments.session else []
    extra += _chart(arguments)
    config = _configuration(arguments, extra, plays=True)
    duration_s = arguments.duration
    if arguments.demo:
        duration_s = DEMO_S if duration_s is None else duration_s
    with Endings(), Steady(sys.stdout) as out:
        console = Console(file=cast(TextIO, out))
        return _play(console, config, duration_s, arguments)


def _play(console: Console, config: Config, duration_s: float | None, arguments: argparse.Namespace) -> int:
    from engine.app.plugins import look_for_plugins
    from engine.app.status import Status, summary
    from engine.app.supervisor import Supervisor
    from engine.app.terminal import Pauses
    from engine.control.keyboard import HELP, Keyboard

    with Status(console) as status, Keyboard(status.tell) as keyboard, Pauses(keyboard, status):
        if keyboard.here:
            status.tell(0, HELP)
        look_for_plugins(config, lambda text: status.tell(0, text))
        supervisor = Supervisor(config, status.tell, DEMO if arguments.demo else None)
        try:
            supervisor.run(duration_s, status.show, arguments.report, keyboard)
            report = supervisor.report()
        finally:
            supervisor.close()
    console.print(summary(report, str(supervisor.session or "")), highlight=False, soft_wrap=True)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from engine.app.plugins import look_for_plugins
    from engine.app.render import futures, render

    extra = [f"network.name={arguments.network}"] if arguments.network else []
    extra += [f"jam.mode={arguments.mode}"] if arguments.mode else []
    extra += [f"jam.seed={arguments.seed}"] if arguments.seed is not None else []
    extra += _chart(arguments)
    extra += ["session.stems=true"] if arguments.stems else []
    # The file's own tempo, unless one is asked for on the command line.
    tempo = any(setting.startswith("clock.tempo=") for setting in arguments.set)
    config = _configuration(arguments, extra, plays=True)
    look_for_plugins(config, print)
    tempo_bpm = config.clock.tempo if tempo else None
    if arguments.futures is not None:
        found = futures(
            config,
            arguments.input,
            arguments.out,
            arguments.futures,
            arguments.bars or 4,
            tempo_bpm,
            arguments.density,
            arguments.key,
            arguments.part,
        )
        for future in found["futures"]:
            likely, onsets, in_key = (future[name] for name in ("log_prob_per_step", "onsets_per_beat", "in_key"))
            print(f"{future['file']}: {likely:7.3f} nats a step, {onsets:5.2f} onsets a beat, {100 * in_key:3.0f} % in key")
        return 0
    report = render(config, arguments.input, arguments.out, arguments.bars, tempo_bpm, arguments.part, arguments.backing)
    for remark in report["remarks"]:
        print(f"{arguments.input}: {remark}")
    print(f"{report['bars']} bars in {arguments.out}: {sum(report['notes_out'].values())} notes of the network")
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from engine.app.replay import replay, targets_setting

    extra = [targets_setting(arguments.osc)] if arguments.osc else []
    config = _configuration(arguments, extra)
    try:
        steps = replay(arguments.session, config, arguments.speed, arguments.loop, lambda _level, line: print(line, flush=True))
    except KeyboardInterrupt:  # with --loop the only end there is
        return 0
    print(f"{steps} steps")
    return 0


def _picture(arguments: argparse.Namespace) -> int:
    from engine.record.picture import default_name, parse_neuron, picture

    neuron = parse_neuron(arguments.neuron) if arguments.neuron else None
    asked = (arguments.step, neuron, arguments.first, arguments.last)
    print(picture(arguments.session, arguments.out or default_name(arguments.session, *asked), *asked, raw=arguments.raw))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from engine.app.export import export

    for line in export(arguments.session, arguments.dawproject, arguments.stems, arguments.mp3, arguments.flac):
        print(line)
    return 0


def _explore(arguments: argparse.Namespace) -> int:
    from engine.app.explore import export, serve

    if arguments.export is not None:
        size = export(arguments.export)
        print(f"{arguments.export}: {size / 1e6:.1f} MB; to look at it: python3 -m http.server -d {arguments.export} 8080")
        return 0
    extra = [f"web.{key}={json.dumps(value)}" for key in ("host", "port") if (value := getattr(arguments, key)) is not None]
    serve(_configuration(arguments, extra).web, arguments.open, lambda line: print(line, flush=True))
    return 0


def _stage(arguments: argparse.Namespace) -> int:
    from engine.app.running import choose
    from engine.app.stage import stage

    stage(choose(arguments.pid), arguments.plain)
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    from engine.app.devices import show

    return show(arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from engine.app.doctor import examine

    return examine(_configuration(arguments))


def _lister(module: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        for line in importlib.import_module(module).show(arguments.name, arguments.json):
            print(line)
        return 0

    return run


def _plugins(arguments: argparse.Namespace) -> int:
    from engine.app.plugins import show

    for line in show(arguments.name, arguments.again, arguments.all, arguments.json):
        print(line)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from engine.app.bench import bench

    return bench(arguments.json, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
