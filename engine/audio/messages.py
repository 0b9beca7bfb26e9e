"""What the block loop and the control thread tell each other: the loop asks for what takes time, and takes in what was built.

Runs on: audio process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.audio.plugins import PluginStrip
from engine.audio.track import Knob, Strip, Track
from engine.core.controllers import Place


@dataclass(frozen=True, slots=True)
class LogMessage:
    """To the control thread: tell the person at the terminal."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class RebuildTrack:
    """To the control thread: the patch of this track failed, build another."""

    track: Track


@dataclass(frozen=True, slots=True)
class FreeInstrument:
    """To the control thread: let go of an instrument that is not heard any more."""

    strip: Strip | PluginStrip


@dataclass(frozen=True, slots=True)
class LoadPatch:
    """To the control thread: the parameter that says which patch plays this track was turned."""

    track: Track


@dataclass(frozen=True, slots=True)
class ReplaceInstrument:
    """To the block loop: play this track on another instrument from the next block on."""

    track: Track
    strip: Strip | PluginStrip
    knobs: list[Knob]
    values: list[tuple[int, float]]  # what to write into the table of parameters then, each with its place


@dataclass(frozen=True, slots=True)
class Change:
    """To the block loop: do this between two blocks."""

    do: Callable[[], object]


@dataclass(frozen=True, slots=True)
class KeepController:
    """To the control thread: write down what was learned."""

    place: Place
    parameter: str
    takeover: bool
    before: str  # what it moved until now


@dataclass(frozen=True, slots=True)
class MakeScene:
    """To the control thread: build what a scene names (`text` as SWITCH has it)."""

    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class DropScene:
    """To the control thread: a scene that was asked for is not to be."""

    number: int


@dataclass(frozen=True, slots=True)
class SceneBegun:
    """To the control thread: a scene plays."""

    number: int


Request = LogMessage | RebuildTrack | FreeInstrument | LoadPatch | KeepController | MakeScene | DropScene | SceneBegun
