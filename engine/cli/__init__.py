"""The commands of `algoritmo`: arguments, and nothing but wiring.

Runs on: main process. What a command needs is imported when it is called, so that each starts at once. A command lies in the
file of its group, which adds it to the parser.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from engine import __version__
from engine.app.terminal import settle_streams
from engine.cli import look, play, takes, visit
from engine.core.errors import AlgoritmoError

# Commands with a parser of their own: module, extra of this package that it needs, what it is for.
ELSEWHERE = {
    "train": ("models.training.train", "train", "train a network on your own music"),
    "evaluate": ("models.evaluation.evaluate", "train", "nats per timestep of any music under any network"),
    "learn": ("models.learn", "train", "watch a single neuron, a recurrent network or an LSTM learn"),
    "data": ("models.music.data", "train", "what a folder of music would give for training"),
}
GROUPS = (play, takes, visit, look)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 failed while running, 2 wrong input."""
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        settle_streams()
    try:
        if words and words[0] in ELSEWHERE:
            return _elsewhere(words[0], words[1:])
        arguments = _parser().parse_args(words, argparse.Namespace(words=words))
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
    for group in GROUPS:
        group.add(commands)
    for name, (_, _, purpose) in ELSEWHERE.items():
        commands.add_parser(name, help=purpose, add_help=False)  # for the list of commands; main() sends them on
    return parser
