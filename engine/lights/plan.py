"""The file of lights: which fixtures hang where, and which signal moves each of their channels; TOML.

Runs on: supervisor (to find every fault before the music starts), signals process and replay.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from engine.core.errors import ConfigError
from engine.core.section import Section
from engine.feed.signals.catalogue import Catalogue

CHANNELS = 512  # of a universe
FASTEST_HZ = 44.0  # that DMX can do
Curve = Literal["linear", "square", "root", "s"]


class Source(Section):
    """What moves a channel: a signal, through a curve, between two shares of the channel's range."""

    signal: str
    curve: Curve = "linear"
    low: float = Field(0.0, ge=0, le=1)  # what 0 and 1 of the signal become
    high: float = Field(1.0, ge=0, le=1)
    fine: str = ""  # the channel that has the lower eight bits


def _source(value: object) -> object:
    return {"signal": value} if isinstance(value, str) else value


Moved = Annotated[Source | int, BeforeValidator(_source)]


class Fixture(Section):
    """A kind of fixture: its channels in their order."""

    channels: Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]


class Light(Section):
    """A fixture that hangs somewhere."""

    fixture: str
    universe: int = Field(ge=0, le=63999)
    address: int = Field(ge=1, le=CHANNELS)  # of its first channel
    channels: dict[str, Moved] = Field(default_factory=dict)  # by name: a signal, what moves it, or a constant 0..255
    name: str = ""


class Output(Section):
    """Where universes go."""

    protocol: Literal["artnet", "sacn"]
    universes: Annotated[tuple[int, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]
    host: str = ""  # an address; of sACN empty: the multicast group of each universe
    port: int = Field(0, ge=0, le=65535)  # 0: the protocol's own
    interface: str = ""  # own address on the network that a group is to be reached on
    rate_hz: float = Field(FASTEST_HZ, ge=1, le=FASTEST_HZ)
    priority: int = Field(100, ge=0, le=200)  # of sACN


class ToMidi(Section):
    """A signal that leaves as MIDI: as a controller, or as a note while it is high."""

    signal: str
    port: str = "virtual"
    channel: int = Field(1, ge=1, le=16)
    cc: int | None = Field(None, ge=0, le=127)
    note: int | None = Field(None, ge=0, le=127)
    curve: Curve = "linear"
    low: float = Field(0.0, ge=0, le=1)
    high: float = Field(1.0, ge=0, le=1)
    threshold: float = Field(0.5, gt=0, le=1)  # of the signal, from which on a note sounds; it ends below half of it


def _list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class Plan(Section):
    """The whole file."""

    fixtures: dict[str, Fixture] = Field(default_factory=dict)
    lights: Annotated[tuple[Light, ...], BeforeValidator(_list)] = ()
    outputs: Annotated[tuple[Output, ...], BeforeValidator(_list)] = ()
    midi: Annotated[tuple[ToMidi, ...], BeforeValidator(_list)] = ()


def load(path: Path, catalogue: Catalogue) -> Plan:
    """Return the plan in a file. Raises ConfigError that names every fault."""
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        text = f"lights.file: {path} cannot be read ({error.strerror}); give the path of a file, or leave it empty"
        raise ConfigError(text) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise ConfigError.of([_told(fault) for fault in error.errors(include_url=False)], str(path)) from error
    if faults := list(_faults(plan, catalogue)):
        raise ConfigError.of(faults, str(path))
    return plan


def _told(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"] if part not in ("Source", "int"))
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such key; remove it"
    return f"{where}: {fault['msg'].removeprefix('Input ')} (it is {fault['input']!r})"


def _faults(plan: Plan, catalogue: Catalogue) -> Iterator[str]:
    known = list(catalogue.index)
    taken: dict[tuple[int, int], str] = {}
    sent = {universe for output in plan.outputs for universe in output.universes}
    for number, output in enumerate(plan.outputs):
        yield from _faults_of_output(f"outputs.{number}", output)
    for number, light in enumerate(plan.lights):
        where = f"lights.{number}"
        fixture = plan.fixtures.get(light.fixture)
        if fixture is None:
            yield f"{where}.fixture: there is no fixture {light.fixture}{_like(light.fixture, list(plan.fixtures))}"
            continue
        if light.universe not in sent:
            yield f"{where}.universe: no output sends universe {light.universe}; add it to outputs.universes"
        last = light.address + len(fixture.channels) - 1
        if last > CHANNELS:
            yield f"{where}.address: {light.fixture} ends at channel {last}, a universe has {CHANNELS}; begin earlier"
        for channel in range(light.address, min(last, CHANNELS) + 1):
            other = taken.setdefault((light.universe, channel), where)
            if other != where:
                yield f"{where}.address: channel {channel} of universe {light.universe} is {other}'s already; move one of them"
                break
        for channel_name, moved in light.channels.items():
            yield from _faults_of_channel(f"{where}.channels.{channel_name}", channel_name, moved, fixture, known)
    for number, to in enumerate(plan.midi):
        where = f"midi.{number}"
        if to.signal not in known:
            yield f"{where}.signal: there is no signal {to.signal}{_like(to.signal, known)}"
        if (to.cc is None) == (to.note is None):
            yield f"{where}: give a cc or a note"


def _faults_of_output(where: str, output: Output) -> Iterator[str]:
    first, last = (0, 32767) if output.protocol == "artnet" else (1, 63999)
    for universe in output.universes:
        if not first <= universe <= last:
            yield f"{where}.universes: {universe} is none of {output.protocol}; its universes are {first} to {last}"
    if output.protocol == "artnet" and not output.host:
        yield f'{where}.host: give the address of the node, or of the broadcast, such as "2.255.255.255"'


def _faults_of_channel(where: str, name: str, moved: Source | int, fixture: Fixture, known: list[str]) -> Iterator[str]:
    if name not in fixture.channels:
        yield f"{where}: this fixture has no such channel{_like(name, list(fixture.channels))}"
    if isinstance(moved, int):
        if not 0 <= moved <= 255:
            yield f"{where}: {moved} is none of 0 to 255"
        return
    if moved.signal not in known:
        yield f"{where}.signal: there is no signal {moved.signal}{_like(moved.signal, known)}"
    if moved.fine and moved.fine not in fixture.channels:
        yield f"{where}.fine: this fixture has no channel {moved.fine}{_like(moved.fine, list(fixture.channels))}"


def _like(word: str, words: list[str]) -> str:
    if like := difflib.get_close_matches(word, words, 1, 0.6):
        return f"; did you mean {like[0]}?"
    return f"; there are {', '.join(words[:12])}" + (" ..." if len(words) > 12 else "") if words else "; there is none"
