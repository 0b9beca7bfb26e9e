"""What a plugin is to the engine, whatever its format; and what is said to it in a block.

Runs on: host process (a plugin is processed by its audio thread, everything else is called by its main thread), and whoever
scans or renders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

CHANNELS = 2  # of every plugin's input, side-chain and output as the engine sees them; a mono plugin is heard on both
# Kinds of an event.
NOTE_ON, NOTE_OFF, NOTE_CHOKE, MIDI, PARAMETER = range(1, 6)
# One event of a block: `offset` in frames from the block's beginning; `a`, `b`, `c` are channel, key and 0 for notes (`value`:
# the velocity 0..1) and the three bytes for MIDI; `index` is the parameter's place, `value` its value.
EVENT = np.dtype([("offset", "<u4"), ("kind", "u1"), ("a", "u1"), ("b", "u1"), ("c", "u1"), ("index", "<u4"), ("value", "<f8")])

Event = tuple[int, int, int, int, int, int, float]  # one EVENT as numpy's tolist() gives it


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter of a plugin, in the plugin's own unit."""

    key: str  # what the plugin itself calls it by, as text: stays the same from version to version
    name: str
    minimum: float
    maximum: float
    default: float
    steps: int = 0  # 0: continuous; n: so many values with equal distances
    labels: tuple[str, ...] = ()  # of its steps, where the plugin names them
    unit: str = ""

    @classmethod
    def of(cls, told: dict[str, Any]) -> Knob:
        """From what `dataclasses.asdict` made of one, after a way as JSON."""
        found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
        return cls(**found)


@dataclass(slots=True)
class Moment:
    """Where the music is at the first frame of a block."""

    frame: int = 0  # since the sound began
    is_playing: bool = False
    tempo_bpm: float = 120.0
    beat: float = 0.0  # quarter notes since bar 1
    bar: int = 0  # bars since bar 1
    bar_beat: float = 0.0  # quarter note at which this bar began
    numerator: int = 4
    denominator: int = 4


@dataclass(frozen=True, slots=True)
class About:
    """What a scan finds out about one plugin."""

    format: str  # clap, lv2, vst3, au
    id: str  # by which its format knows it
    name: str
    path: str  # file or bundle
    vendor: str = ""
    version: str = ""
    is_instrument: bool = False
    has_sidechain: bool = False
    knobs: int = 0
    latency_frames: int = 0
    presets: tuple[str, ...] = field(default=())
    limits: tuple[str, ...] = ()  # what its format or its backend cannot do, in words

    @classmethod
    def of(cls, told: dict[str, Any]) -> About:
        """From what `dataclasses.asdict` made of one, after a way as JSON."""
        found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
        return cls(**found)


class Editor(Protocol):
    """The window of a plugin, in the process of an editor. Everything belongs to the main thread."""

    def idle(self) -> bool:
        """Do what the window needs, some thirty times a second; return whether it is still open."""

    def close(self) -> None:
        """Take it away."""


class Plugin(Protocol):
    """One plugin that was loaded. A backend is a file that defines a class with these members, and `scan` and `load`.

    Buffers are float32 (CHANNELS, frames), C-contiguous, and frames is what `activate` was told or fewer.
    """

    about: About
    knobs: Sequence[Knob]
    latency_frames: int  # may change; `changed` says so
    changed: bool  # its latency, its knobs or its buses are others since this was set to False

    @property
    def wants_restart(self) -> bool:
        """Whether it asked to be activated anew: `restart` does, while nobody processes it."""

    def restart(self) -> None:
        """Activate it anew, as it asked for. Raises PluginError."""

    def activate(self, rate_hz: float, frames: int) -> None:
        """Make ready for blocks of at most so many frames. Raises PluginError."""

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """Process one block: from `inputs` and the side-chain `side` to `out`. `events` are in order of their offsets."""

    def value(self, index: int) -> float:
        """Return what a knob is turned to."""

    def text(self, index: int, value: float) -> str:
        """Return how the plugin itself writes this value of a knob; empty where it does not say."""

    def state(self) -> bytes:
        """Return all that must be kept for it to sound the same another day. Raises PluginError."""

    def restore(self, state: bytes) -> None:
        """Take back what `state` returned. Raises PluginError; then nothing has changed."""

    def load_preset(self, name: str) -> None:
        """Take on one of `about.presets`. Raises PluginError."""

    def open_editor(self, title: str) -> Editor:
        """Show its window. Raises PluginError where it has none, or none can be shown here."""

    @property
    def is_dirty(self) -> bool:
        """Whether its state has changed by more than its knobs since this was read; as far as its format tells."""

    def idle(self) -> None:
        """Do what the plugin asked its main thread for; to be called some twenty times a second."""

    def close(self) -> None:
        """Let go of it."""


def strength(kind: int, velocity: float) -> int:
    """Return the third byte of a note's MIDI message; `velocity` 0..1."""
    return max(1, round(velocity * 127)) if kind == NOTE_ON else 0
