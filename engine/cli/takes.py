"""Takes: `render` makes one from a file or plays one once more; `replay`, `picture` and `export` take one that was recorded.

Runs on: main process. What a command needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import add_chart, add_config, chart_setting, configuration
from engine.core.errors import AlgoritmoError

if TYPE_CHECKING:
    from engine.cli.common import Commands
    from engine.core.config import Config


class _Modes:
    """The names of the modes, looked up only when they are wanted: a parser is made for every command."""

    def __iter__(self) -> Iterator[str]:
        from engine.jam.modes import MODES

        return iter(MODES)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


def add(commands: Commands) -> None:
    """Add the commands of this file to the parser."""
    render = commands.add_parser("render", help="the same engine on a MIDI file or a recorded take, faster than real time")
    add_config(render)
    render.add_argument(
        "input",
        type=Path,
        metavar="IN.mid|SESSION",
        help="what the player plays; or a take's folder; or IN.json, a clip of the booth, which is played as it is",
    )
    render.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for session.wav, session.mid and the feed; a take's default: beside it"
    )
    add_chart(render)
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
    add_config(replay)
    replay.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    replay.add_argument("--speed", type=float, default=1.0, metavar="X", help="times as fast (default 1)")
    replay.add_argument("--loop", action="store_true", help="again and again")
    replay.add_argument(
        "--osc", action="append", default=[], metavar="HOST:PORT", help="send here, not to the configured targets"
    )
    replay.set_defaults(run=_replay)

    picture = commands.add_parser("picture", help="draw a recorded session at print size, as PNG or SVG")
    picture.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    picture.add_argument("--step", type=int, metavar="N", help="the network at this step (default: where it played most notes)")
    picture.add_argument("--neuron", metavar="LAYER:NEURON", help="one neuron over time; both counted from 1, as on the page")
    picture.add_argument("--from", dest="first", type=int, metavar="A", help="first step of what is drawn over time")
    picture.add_argument("--to", dest="last", type=int, metavar="B", help="last step of it")
    picture.add_argument("--raw", action="store_true", help="neurons as the network stores them, not those alike side by side")
    picture.add_argument("--out", type=Path, metavar="FILE", help="FILE.png or FILE.svg; default: in the session's folder")
    picture.set_defaults(run=_picture)

    film = commands.add_parser("film", help="a recorded session as a video: a look of the page /art/, with its sound")
    film.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    film.add_argument("--look", default="snapshot", metavar="NAME", help="as in the page's address (default snapshot)")
    film.add_argument("--size", default="1920x1080", metavar="WxH", help="in pixels (default 1920x1080)")
    film.add_argument("--fps", type=int, default=30, metavar="N", help="frames a second (default 30)")
    film.add_argument("--from", dest="first", type=float, default=0.0, metavar="S", help="begin so many seconds into it")
    film.add_argument("--to", dest="last", type=float, metavar="S", help="end there")
    film.add_argument(
        "--with", dest="address", action="append", default=[], metavar="KEY=VALUE", help="as --with palette=ember"
    )
    film.add_argument("--out", type=Path, metavar="FILE.mp4", help="default: LOOK.mp4 in the session's folder")
    film.set_defaults(run=_film)

    export = commands.add_parser("export", help="a recorded session for a studio: DAWproject, stems, MP3, FLAC")
    export.add_argument("session", type=Path, metavar="SESSION", help="folder of a session")
    export.add_argument(
        "--dawproject", type=Path, metavar="FILE", help="default, where nothing else is asked for: in the folder"
    )
    export.add_argument("--stems", type=Path, metavar="DIR", help="the sound of each track by itself")
    export.add_argument("--moves", type=Path, metavar="FILE", help="every move of a parameter, as a table (CSV)")
    export.add_argument("--mp3", type=Path, metavar="FILE")
    export.add_argument("--flac", type=Path, metavar="FILE")
    export.set_defaults(run=_export)


def _render_take(arguments: argparse.Namespace) -> int:
    from engine.app.take_render import default_out, render_take, summary

    others = ("config", "chart", "network", "mode", "seed", "bars", "part", "backing", "futures", "density", "key")
    if given := [f"--{name}" for name in others if getattr(arguments, name) not in (None, False)]:
        raise AlgoritmoError(
            f"render: {arguments.input} is a take, which is played as it was played: {', '.join(given)} cannot be given; "
            "--set changes its sound"
        )
    out = arguments.out or default_out(arguments.input)
    report = render_take(arguments.input, out, [*arguments.set, *(["session.stems=true"] if arguments.stems else [])])
    for line in summary(report, out):
        print(line)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    if arguments.input.is_dir():
        return _render_take(arguments)
    if arguments.out is None:
        raise AlgoritmoError("render: give --out DIR, a folder for session.wav, session.mid and the feed")
    from engine.app.plugins import look_for_plugins
    from engine.app.render import futures, render

    extra = [f"network.name={arguments.network}"] if arguments.network else []
    extra += [f"jam.mode={arguments.mode}"] if arguments.mode else []
    extra += [f"jam.seed={arguments.seed}"] if arguments.seed is not None else []
    extra += chart_setting(arguments)
    extra += ["session.stems=true"] if arguments.stems else []
    # The file's own tempo, unless one is asked for on the command line.
    tempo = any(setting.startswith("clock.tempo=") for setting in arguments.set)
    config = configuration(arguments, extra, plays=True)
    if arguments.input.suffix == ".json":
        return _render_given(arguments, config)
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


def _render_given(arguments: argparse.Namespace, config: Config) -> int:
    """A clip: its notes are played as they are."""
    from engine.audio.given import write
    from engine.store.clip import ClipError, music_of_json

    try:
        music = music_of_json(json.loads(arguments.input.read_text()))
    except (OSError, ValueError) as error:
        raise ClipError(f"{arguments.input}: is no clip ({error}); get one at /clip/NUMBER.json of a booth") from error
    path = arguments.out / f"{arguments.input.stem}.wav"
    print(f"{path}: {write(music, config, path):.1f} s, {len(music.notes)} notes")
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from engine.app.replay import replay, targets_setting

    extra = [targets_setting(arguments.osc)] if arguments.osc else []
    config = configuration(arguments, extra)
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


def _film(arguments: argparse.Namespace) -> int:
    from engine.app.film import Wish, film, size_of

    width, height = size_of(arguments.size)
    address = tuple((key, value) for key, _, value in (word.partition("=") for word in arguments.address))
    wish = Wish(arguments.look, width, height, arguments.fps, arguments.first, arguments.last, address)
    folder = arguments.session.parent if arguments.session.is_file() else arguments.session
    out = arguments.out or folder / f"{arguments.look}.mp4"
    frames = film(arguments.session, out, wish, lambda text: print(text, flush=True))
    print(f"{out}: {frames} frames, {frames / wish.fps:.1f} s")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from engine.app.export import export

    wanted = (arguments.dawproject, arguments.stems, arguments.mp3, arguments.flac, arguments.moves)
    for line in export(arguments.session, *wanted):
        print(line)
    return 0
