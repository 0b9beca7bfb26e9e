"""What several commands share: the configuration, and the song's chords.

Runs on: main process.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.config import Config

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config.toml in this folder, if there is one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for example --set audio.block=128")


def add_chart(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chart", metavar="FILE", help='the song\'s chords: MusicXML, a text file, or the text itself: "| C | G7 | Am F |"'
    )


def chart_setting(arguments: argparse.Namespace) -> list[str]:
    """The setting that --chart means: a file that is no MusicXML is read here, whatever it is called."""
    given = arguments.chart
    if given is None:
        return []
    from engine.jam.chart import asked

    return [f"jam.chart={json.dumps(asked(given))}"]


def configuration(arguments: argparse.Namespace, extra: Sequence[str] = (), plays: bool = False) -> Config:
    """Return the configuration; where its network `plays`, held against that."""
    from engine.core import config
    from engine.jam import settings

    path = arguments.config
    if path is None and Path("config.toml").exists():
        path = Path("config.toml")
    load = settings.load if plays else config.load
    return load(path, [*arguments.set, *extra])
