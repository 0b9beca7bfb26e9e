"""The configuration's section `midi`: which ports there are, what is done with what comes over them, and what goes out.

Runs on: supervisor.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from engine.core.calibration import latency_of
from engine.core.controllers import Controller, by_ids
from engine.core.section import ByName, Names, Section


def _ports(value: object) -> object:
    """One port may stand by itself; a number is the port's, or a part of its name."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


Ports = Annotated[tuple[str | int, ...], BeforeValidator(_ports)]


class MidiClock(Section):
    """Where a MIDI clock goes out."""

    outputs: Ports = ()
    offset_ms: float = Field(0, ge=-500, le=500)  # so much later it leaves
    offsets: dict[str, Annotated[float, Field(ge=-500, le=500)]] = Field(default_factory=dict)  # of single ports


def _pitch(value: object) -> object:
    """A key may be written as a number or as C4; 60 is C4."""
    match = re.fullmatch(r"([A-G])([#b]?)(-?\d)", value) if isinstance(value, str) else None
    if match is None:
        return value
    return 12 * (int(match[3]) + 1) + "C D EF G A B".index(match[1]) + {"#": 1, "b": -1, "": 0}[match[2]]


Pitch = Annotated[int, BeforeValidator(_pitch), Field(ge=0, le=127)]
Channel = Annotated[int, Field(ge=1, le=16)]
Listed = BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else (v,) if type(v) in (int, str) else v)


class Zone(Section):
    """Keys of a keyboard, and what is done with them. Where zones are given, what lies in none of them is not played."""

    port: str = ""  # part of the name of an input; empty: every one
    channels: Annotated[tuple[Channel, ...], Listed] = ()  # none: all
    low: Pitch = 0
    high: Pitch = 127
    to: Literal["player", "chords"] = "player"  # chords: the band goes to the chord that is held
    sounds: bool = True  # the notes of a zone of chords: whether they are heard, and heard by the network as what you play
    transpose: int = Field(0, ge=-60, le=60)  # semitones
    velocity: Literal["linear", "soft", "hard", "fixed"] = "linear"

    @model_validator(mode="after")
    def _is_span(self) -> Zone:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Midi(Section):
    """Where notes come in and go out."""

    backend: Literal["auto", "alsa", "jack", "coremidi", "winmm", "none"] = "auto"
    inputs: Ports = ("virtual",)
    outputs: Ports = ()
    longest_note_s: ByName = Field(default_factory=dict)
    mpe: Ports = ()  # inputs that are MPE keyboards from the start; most say so themselves
    output_latency_ms: float = Field(0, ge=-500, le=500)
    latencies: dict[str, Annotated[float, Field(ge=0, le=2000)]] = Field(default_factory=dict)  # measured, of single outputs
    zones: Annotated[tuple[Zone, ...], Listed] = ()  # of keyboards; none: all that is played is the player's
    channels: dict[str, Channel] = Field(default_factory=dict)  # on which tracks go out; others as General MIDI has them
    only: dict[str, Annotated[tuple[str, ...], Listed]] = Field(default_factory=dict)  # outputs that get some tracks alone
    thru: Annotated[int, Field(ge=0, le=16)] = 0  # channel on which what is played goes out as well; 0: it does not
    clock: MidiClock = MidiClock()
    controllers: Path = Path("controllers.toml")  # what was learned by moving it
    maps: Names = ()  # of controllers: bundled ones by name, others by path
    feedback: Ports = ()  # outputs of controllers with lights or motor faders
    cc: Annotated[dict[str, int | Controller], BeforeValidator(by_ids)] = Field(default_factory=dict)

    def latency_ms(self, name: str | int) -> float:
        """How long what goes out over an output takes, as it was measured; 0 where it was not."""
        return latency_of(self.latencies, str(name)) or 0.0
