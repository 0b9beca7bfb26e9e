"""The OSC contract: every address that is published or understood, declared once, for a network and its parameters.

Runs on: feed process. The encoder, the replies to `/info`, OSCQuery and the page OSC.md are all made from what stands here.
`python -m engine.control.address_page` writes OSC.md anew; a test holds the page to the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from engine.core.contract import Card
from engine.core.messages import CHORD, FUTURE_STEPS, FUTURES, NEXT_CHORD, PLAYED_CHORD
from engine.core.parameters import Parameter, Registry
from engine.feed.orders import REPLIES, Address
from engine.feed.signals.addresses import smooth_addresses
from engine.feed.signals.catalogue import Catalogue
from engine.feed.signals.words import WORDS

ROOT = "/algoritmo"
CHUNK = 256  # floats in one message: with its frame counter it fits one Ethernet frame
SCALARS = 64  # at most so many addresses of one float
LARGE = 10_000  # more floats a step than this are published as half-precision values, and only where asked for
MAX_TRACK_SCALARS = 16

Cells = Literal["tanh", "raw"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One float 0..1 of tier 0."""

    path: str  # below the root
    doc: str
    example: float


@dataclass(frozen=True, slots=True)
class Vector:
    """Floats of tier 1 that belong together; sent in chunks, the chunk's number ends the address."""

    path: str  # below the root, without the chunk's number
    signal: str
    layer: int | None  # None: not of a layer
    output: str  # field of the step record it comes from
    start: int  # place in the encoder's values
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    doc: str

    @property
    def size(self) -> int:
        """Number of floats."""
        return prod(self.shape)

    def chunks(self, chunk: int) -> Iterator[tuple[str, int, int]]:
        """Yield (path, first, end) of each message, `first` and `end` counted in the encoder's values."""
        count = -(-self.size // chunk)
        digits = max(3, len(str(count - 1)))
        for number in range(count):
            first = self.start + number * chunk
            yield f"{self.path}/{number:0{digits}}", first, min(first + chunk, self.start + self.size)


FRAME = "/frame"
FUTURE = "future"  # the signal a target names to have futures
TRAIL = "trail"  # ... and the trails of notes, of the smooth vectors
BEAT = "/beat/now"
PLAYER_NOTE = "/player/note"
SCENE_NOW, SCENE_COMING = "/scene/now", "/scene/coming"
CHORDS = {CHORD: "/chord/now", NEXT_CHORD: "/chord/next", PLAYED_CHORD: "/chord/played"}  # by the kind of the EVENT


class Schema:
    """Everything that is published and understood, for one network. `values` are numbered: scalars first, then vectors."""

    def __init__(self, card: Card, registry: Registry, cells: Cells = "tanh", whole: Card | None = None) -> None:
        """`whole`: the card of all networks of a run, where there are several: the smooth tiers have the tracks of all."""
        self.card = card
        self.registry = registry
        self.cells = cells
        self.catalogue = Catalogue(card if whole is None else whole)  # of the smooth tiers
        layers = sorted({a.layer for a in card.activations})
        self._layer_digits = len(str(layers[-1])) if layers else 1
        self.scalar_tracks = tuple(t.name for t in card.tracks[:MAX_TRACK_SCALARS])
        room = (SCALARS - 6 - len(self.scalar_tracks)) // 3
        self.scalar_layers = tuple(layers[:room])
        self.scalars = tuple(self._scalars())
        self.vectors = tuple(self._vectors())
        last = self.vectors[-1]
        self.size = last.start + last.size
        self.floats = self.size - len(self.scalars)  # of tier 1

    @property
    def large(self) -> bool:
        """Whether a step has so many floats that vectors of a layer are sent only where a target names their signals."""
        return self.floats > LARGE

    @property
    def signals(self) -> tuple[str, ...]:
        """Names that a target can choose among."""
        return (*dict.fromkeys(v.signal for v in self.vectors), FUTURE, TRAIL)

    def track_notes(self) -> tuple[str, ...]:
        """Path of each track's notes."""
        return tuple(f"/track/{t.name}/note" for t in self.card.tracks)

    def futures(self, number: int) -> Iterator[tuple[str, slice]]:
        """Yield the path of each track's notes in a future, and which slots they are."""
        for track, slots in self.card.track_slices().items():
            yield f"/future/{number}/{track}/notes", slots

    def _scalars(self) -> Iterator[Scalar]:
        yield Scalar("/beat/phase", "Position within the beat, a dotted quarter in 6/8, 9/8 and 12/8", 0.25)
        yield Scalar("/beat/bar", "Position within the bar", 0.8125)
        yield Scalar(
            "/out/entropy", "How undecided it was: H / (H + 8), H the entropy of all P(play) it chose by, in bits", 0.41
        )
        yield Scalar("/out/confidence", "Mean P(play) of the notes it chose; 0 when it chose none", 0.72)
        yield Scalar("/note/pitch", "MIDI pitch of the network's newest note, over 127", 0.472)
        yield Scalar("/note/velocity", "MIDI velocity of the network's newest note, over 127", 0.63)
        for layer in self.scalar_layers:
            where = f"/layer/{self._layer(layer)}"
            yield Scalar(f"{where}/mean", f"Layer {layer}: mean size of its activations", 0.31)
            yield Scalar(f"{where}/max", f"Layer {layer}: largest size among them", 0.94)
            yield Scalar(f"{where}/delta", f"Layer {layer}: how far they moved since the step before, mean", 0.12)
        for name in self.scalar_tracks:
            yield Scalar(f"/track/{name}/onset", f"{name.capitalize()}: 1 at a step where a note begins, else 0", 1.0)

    def _layer(self, layer: int) -> str:
        return f"{layer:0{self._layer_digits}}"  # the same number of digits for all, so that patterns work

    def _vectors(self) -> Iterator[Vector]:
        start = len(self.scalars)
        for vector in self._activations():
            yield replace(vector, start=start)
            start += vector.size
        # Blocks of all slots: the tracks' parts lie behind one another, in the order of the card.
        for signal, doc in (
            ("probability", "P(play) of each pitch, controls included"),
            ("hold", "P(hold) of each pitch, given that it plays"),
            ("notes", "What was chosen for each pitch: 1 begins, 0.5 goes on, 0 silent"),
        ):
            for track in self.card.tracks:
                low, high = min(track.pitches), max(track.pitches)
                yield Vector(
                    f"/out/{track.name}/{signal}",
                    signal,
                    None,
                    "notes" if signal == "notes" else "probability",
                    start,
                    (len(track.pitches),),
                    0.0,
                    1.0,
                    f"{track.name.capitalize()}: {doc[0].lower() if signal == 'notes' else doc[0]}{doc[1:]} "
                    f"(MIDI pitches {low} to {high})",
                )
                start += len(track.pitches)

    def _activations(self) -> Iterator[Vector]:
        """Yield the layers' vectors: first the one that sums up each layer, then cells, then the rest."""
        summary = {self.summary_output(layer) for layer in self.scalar_layers}
        seen: dict[str, int] = {}
        found = []
        for a in self.card.activations:
            path = f"/act/{self._layer(a.layer)}/{a.signal}"
            seen[path] = number = seen.get(path, 0) + 1
            squashed = a.signal == "c" and self.cells == "tanh"
            low, high = (-1.0, 1.0) if squashed else (a.min, a.max)
            doc = f"Layer {a.layer}, {SIGNALS.get(a.signal, a.signal)}" + (", through tanh" if squashed else "")
            path += f"_{number}" if number > 1 else ""
            found.append(Vector(path, a.signal, a.layer, a.output, 0, a.shape, low, high, doc))
        order = {"c": 1}
        yield from sorted(found, key=lambda v: (0 if v.output in summary else order.get(v.signal, 2), v.signal, v.layer))

    def summary_output(self, layer: int) -> str:
        """Return the output that stands for a layer in its scalars: its hidden state, or the first there is."""
        shown = self.card.sums_up(layer)
        assert shown is not None  # layers are those of the activations
        return shown.output

    def vectors_for(self, signals: Iterable[str] = (), layers: Iterable[int] = ()) -> list[Vector]:
        """Return the vectors a target asked for; no `signals` means all (of a large network: all but the layers')."""
        wanted, of_layers = set(signals), set(layers)
        return [
            v
            for v in self.vectors
            if (v.signal in wanted or (not wanted and not (self.large and v.layer is not None)))
            and (not of_layers or v.layer is None or v.layer in of_layers)
        ]

    def addresses(self, chunk: int = CHUNK) -> Iterator[Address]:
        """Yield every address, in the order of the page."""
        step = "every step"
        yield Address(FRAME, "i", None, None, "steps", step, "lead", "Number of the timestep, counted from beat 0", "128")
        said = "Bar and beat of the bar, both from 1; numerator and denominator of the metre"
        yield Address(BEAT, "iiii", None, None, "", step, "scalars", said, "17 2 6 8")
        for s in self.scalars:
            yield Address(s.path, "f", 0.0, 1.0, "", step, "scalars", s.doc, f"{s.example:g}")
        note = "MIDI pitch 0..127 and velocity 1..127; velocity 0 when it ends"
        yield Address(PLAYER_NOTE, "ii", 0, 127, "", "as it sounds", "notes", f"The player's note: {note}", "60 93")
        for track, path in zip(self.card.tracks, self.track_notes(), strict=True):
            example = f"{track.pitches[0]} 80"
            yield Address(path, "ii", 0, 127, "", "as it sounds", "notes", f"The {track.name}'s note: {note}", example)
        said = "name, root 0..11 from C (-1: none is known), and its tones, bit n for n semitones above C"
        for path, doc, example in (
            (CHORDS[CHORD], "The chord that is heard in what the player plays, or that the chart has", "Am 9 529"),
            (CHORDS[NEXT_CHORD], "The chord that is expected a beat later", "F 5 545"),
            (CHORDS[PLAYED_CHORD], "The chord that the network's own notes make", "Am 9 529"),
        ):
            yield Address(path, "sii", -1, 4095, "", "as it sounds", "notes", f"{doc}: {said}", example)
        said = "its number in the set and its name; 0 and nothing: there is none"
        yield Address(SCENE_NOW, "is", 0, 99, "", "as it begins", "notes", f"The scene that plays: {said}", "2 Lift")
        said += "; quarters until it begins, -1 while it is being made ready"
        yield Address(
            SCENE_COMING, "isf", -1, None, "", "as it is known", "notes", f"The scene to come: {said}", "3 Waltz 3.25"
        )
        for v in self.vectors:
            for path, first, end in v.chunks(chunk):
                doc = v.doc if v.size <= chunk else f"{v.doc}; values {first - v.start} to {end - v.start - 1}"
                yield Address(path, f"f x {end - first}", v.minimum, v.maximum, "", step, "vectors", doc, "0.13 -0.72 ...")
        for path, slots in self.futures(0):
            pitches = slots.stop - slots.start
            floats = FUTURE_STEPS * pitches
            for number, at in enumerate(range(0, floats, chunk)):
                types = f"f x {min(chunk, floats - at)}"
                doc = f"What else might follow: {FUTURE_STEPS} timesteps of {pitches} pitches; 1 begins, 0.5 goes on, 0 silent"
                doc += f"; values {at} to {min(at + chunk, floats) - 1}" if floats > chunk else ""
                example = "0 1 0.5 ..."
                yield Address(f"{path}/{number:03}", types, 0.0, 1.0, "", "some ms after a step", "futures", doc, example)
        yield from smooth_addresses(self.catalogue, self.vectors, chunk)
        for parameter in self.registry:
            yield _address_of(parameter)
        yield from REPLIES

    def info(self) -> dict[str, Any]:
        """Return what a receiver that joins late wants to know: names, shapes, ranges."""
        card = self.card
        return {
            "network": card.name,
            "title": card.title,
            "steps_per_beat": card.steps_per_beat,
            "beats_per_bar": card.beats_per_bar,
            "chunk": CHUNK,
            "tracks": [{"name": t.name, "kind": t.kind, "pitches": list(t.pitches)} for t in card.tracks],
            "scalars": [{"path": s.path, "doc": s.doc} for s in self.scalars],
            "order": {str(layer): list(units) for layer, units in card.order.items()},
            "vectors": [
                {
                    "path": v.path,
                    "signal": v.signal,
                    "layer": v.layer,
                    "shape": list(v.shape),
                    "min": v.minimum,
                    "max": v.maximum,
                    "doc": v.doc,
                }
                for v in self.vectors
            ],
            "smooth": [{"path": s.path, "tier": s.tier, "unit": s.unit, "doc": s.doc} for s in self.catalogue.signals],
            "words": [{"path": w.path, "types": w.types, "doc": w.doc} for w in WORDS],
            "futures": {"path": "/future/<number>/<track>/notes", "most": FUTURES, "steps": FUTURE_STEPS},
            "parameters": [p.describe() for p in self.registry],
        }


SIGNALS = {
    "h": "hidden state",
    "c": "cell",
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
}


def _address_of(parameter: Parameter) -> Address:
    kind = "s" if parameter.choices else "i" if parameter.kind in ("switch", "integer", "trigger") else "f"
    low, high, doc = parameter.minimum, parameter.maximum, parameter.doc
    if parameter.choices:
        example, doc = parameter.choices[int(parameter.default)], f"{doc} (or its number)"
    elif parameter.kind == "trigger":
        return Address(parameter.address, "any", None, None, "", "at any time", "control", f"{doc}; 0 does nothing", "1")
    else:
        example = f"{parameter.default:g}"
    return Address(parameter.address, kind, low, high, parameter.unit, "at any time", "control", doc, example)
