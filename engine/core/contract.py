"""The step graph contract in code: the card of a network, read and checked.

Runs on: every process (reading the card needs no onnxruntime). The contract itself: models/CONTRACT.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.core.errors import NetworkError
from engine.core.metre import Metre, parse

CARD_KEY = "algoritmo.card"
PLAY, HOLD, VELOCITY, OFFSET = range(4)  # channels of x, notes and clamp_value
CHANNELS = ("play", "hold", "velocity", "offset")
METRE = "metre"  # the condition that tells a network its metre: beats in a bar, timesteps in a beat


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Track(_Part):
    """One instrument of a network: its slots are `pitches`, in this order."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: str = "pitched"
    pitches: tuple[int, ...] = Field(min_length=1)


class Control(_Part):
    """One scalar sampling control of the graph, beside temperature."""

    name: str
    neutral: float
    min: float
    max: float
    doc: str = ""


class Condition(_Part):
    """One input that tells the graph of the music around it: `shape` without the batch; zeros where nothing is known."""

    name: str
    shape: tuple[int, ...]
    doc: str = ""


class State(_Part):
    """One recurrent state: `shape` without the batch."""

    name: str
    shape: tuple[int, ...]
    initial: float = 0.0


class Activation(_Part):
    """One output worth seeing: `shape` without the batch, `layer` counted from the input."""

    output: str
    layer: int = Field(ge=0)
    signal: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    shape: tuple[int, ...]
    min: float = -1.0
    max: float = 1.0
    doc: str = ""


class Card(_Part):
    """What a network file says of itself (JSON in its metadata)."""

    contract: int
    name: str
    title: str = ""
    description: str = ""
    licence: str = ""
    steps_per_beat: int = Field(ge=1, le=48)
    beats_per_bar: int = Field(ge=1, le=16)
    metres: tuple[str, ...] = ()  # that it was trained in, its own among them, where it can be told others
    channels: tuple[str, ...] = ("play", "hold")
    noise: int = Field(ge=1)
    tracks: tuple[Track, ...] = Field(min_length=1)
    controls: tuple[Control, ...] = ()
    conditions: tuple[Condition, ...] = ()
    states: tuple[State, ...] = ()
    activations: tuple[Activation, ...] = ()
    order: dict[int, tuple[int, ...]] = Field(default_factory=dict)  # layer -> its units, those that behave alike side by side
    training: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Card:
        if self.contract != 1:
            raise ValueError(f"contract {self.contract}: this engine keeps contract 1")
        if self.channels != CHANNELS[: len(self.channels)] or len(self.channels) < 2:
            raise ValueError(f"channels must be the first two or more of {', '.join(CHANNELS)}")
        names = [t.name for t in self.tracks]
        if len(set(names)) != len(names):
            raise ValueError("two tracks have the same name")
        self._check_metres()
        for layer, units in self.order.items():
            width = self.width_of(layer)
            if not width or sorted(units) != list(range(width)):
                raise ValueError(f"order.{layer} must name each of that layer's {width} units once")
        return self

    def _check_metres(self) -> None:
        told = [c.shape for c in self.conditions if c.name == METRE]
        if told and told != [(2,)]:
            raise ValueError(f"the condition {METRE!r} has the shape [2]: beats in a bar, timesteps in a beat")
        known = self.known_metres
        if known and (self.beats_per_bar, self.steps_per_beat) not in [(m.beats, m.beat_steps(4)) for m in known]:
            raise ValueError("metres must name its own, that of beats_per_bar and steps_per_beat")
        if len(known) > 1 and not told:
            raise ValueError(f"metres: more than one, and no condition {METRE!r} to tell which")

    @property
    def hears_metre(self) -> bool:
        """Whether another metre than its own can be told."""
        return any(c.name == METRE for c in self.conditions)

    @property
    def known_metres(self) -> tuple[Metre, ...]:
        """Those it says it was trained in. Raises ValueError for what is no metre."""
        return tuple(map(parse, self.metres))

    def sums_up(self, layer: int) -> Activation | None:
        """Return the activation that stands for a layer: its hidden state, or the first there is."""
        here = [a for a in self.activations if a.layer == layer]
        return next((a for a in here if a.signal == "h"), here[0] if here else None)

    def width_of(self, layer: int) -> int:
        """Units of a layer: the last dimension of what stands for it; 0 where it shows nothing."""
        shown = self.sums_up(layer)
        return shown.shape[-1] if shown is not None and shown.shape else 0

    @property
    def slots(self) -> int:
        """Number of slots S."""
        return sum(len(t.pitches) for t in self.tracks)

    @property
    def steps_per_bar(self) -> int:
        """Timesteps in one bar."""
        return self.steps_per_beat * self.beats_per_bar

    def track_slices(self) -> dict[str, slice]:
        """Where each track's slots lie in the slot axis."""
        out, start = {}, 0
        for track in self.tracks:
            out[track.name] = slice(start, start + len(track.pitches))
            start += len(track.pitches)
        return out

    def slot_tracks(self) -> np.ndarray:
        """Index of the track of each slot, int64 (S,)."""
        return np.repeat(np.arange(len(self.tracks)), [len(t.pitches) for t in self.tracks])

    def slot_pitches(self) -> np.ndarray:
        """MIDI pitch of each slot, int64 (S,)."""
        return np.concatenate([np.asarray(t.pitches, np.int64) for t in self.tracks])


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("varint too long")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (field number, payload) of each length-delimited field of one protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise IndexError("field past the end of the file")
            yield key >> 3, data[at : at + length]
            at += length
        else:
            raise IndexError(f"wire type {kind}")


def read_card(path: Path) -> Card:
    """Return the card of the network at `path` without loading the graph.

    Reads the few protobuf fields of ONNX's ModelProto that hold metadata_props (field 14), so that a process that only
    wants the card does not pay for onnxruntime. Raises NetworkError with the remedy.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror}); set network.name to a file that exists") from error
    try:
        props = {}
        for number, payload in _fields(data):
            if number == 14:
                pair = {n: bytes(value).decode() for n, value in _fields(payload)}
                props[pair.get(1, "")] = pair.get(2, "")
    except (IndexError, UnicodeDecodeError) as error:
        raise NetworkError(f"{path}: is not an ONNX file, or is cut short ({error}); export or copy it again") from error
    if CARD_KEY not in props:
        raise NetworkError(f"{path}: has no card (metadata key {CARD_KEY!r}); see models/CONTRACT.md for what it must say")
    return parse_card(props[CARD_KEY], str(path))


def parse_card(text: str, where: str) -> Card:
    """Return the card written in `text`; every fault is named at once."""
    try:
        return Card.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise NetworkError(f"{where}: its card is not JSON ({error})") from error
    except ValidationError as error:
        faults = "\n".join(f"  - {'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors(include_url=False))
        raise NetworkError(f"{where}: its card breaks the step graph contract (models/CONTRACT.md):\n{faults}") from error


def expected_inputs(card: Card) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Inputs the graph must have: name -> (type, shape without the batch)."""
    slots, channels = card.slots, len(card.channels)
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        "x": ("float", (slots, channels)),
        "position": ("int64", ()),
        "u": ("float", (card.noise,)),
        "temperature": ("float", ()),
        "clamp_mask": ("float", (slots,)),
        "clamp_value": ("float", (slots, channels)),
    }
    wanted |= {c.name: ("float", ()) for c in card.controls}
    wanted |= {c.name: ("float", c.shape) for c in card.conditions}
    wanted |= {s.name: ("float", s.shape) for s in card.states}
    return wanted


def expected_outputs(card: Card) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Outputs the graph must have: name -> (type, shape without the batch)."""
    slots = card.slots
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        "notes": ("float", (slots, len(card.channels))),
        "probability": ("float", (slots, 2)),
        "log_prob": ("float", ()),
        "log_prob_tracks": ("float", (len(card.tracks),)),
    }
    wanted |= {f"{s.name}_next": ("float", s.shape) for s in card.states}
    wanted |= {a.output: ("float", a.shape) for a in card.activations}
    return wanted


def faults(card: Card, inputs: list[Any], outputs: list[Any]) -> list[str]:
    """Compare onnxruntime's NodeArgs with the card; return every disagreement as one line."""
    found = []
    for side, wanted, args in (("input", expected_inputs(card), inputs), ("output", expected_outputs(card), outputs)):
        have = {a.name: a for a in args}
        for name, (kind, shape) in wanted.items():
            if name not in have:
                found.append(f"{side} {name!r} is missing: expected {kind} [B{''.join(f', {n}' for n in shape)}]")
                continue
            if have[name].type != f"tensor({kind})":
                found.append(f"{side} {name!r} is {have[name].type}: expected tensor({kind})")
            got = list(have[name].shape)
            # A dimension the exporter left open (a name or None) is judged by the first call, not here.
            fits = len(got) == len(shape) + 1 and all(
                not isinstance(g, int) or g == n for g, n in zip(got[1:], shape, strict=True)
            )
            if not fits:
                found.append(f"{side} {name!r} has shape {got}: expected [B{''.join(f', {n}' for n in shape)}]")
            elif got and isinstance(got[0], int):
                found.append(f"{side} {name!r} fixes the batch at {got[0]}: it must stay free")
        if side == "input":
            found += [
                f"input {n!r} is not in the contract nor in the card's states, controls and conditions"
                for n in have.keys() - wanted.keys()
            ]
    return found
