"""What OSCQuery tells of: every address as a node of a tree, with its type, range, value and meaning.

Runs on: feed process, event loop. The nodes of parameters come and go with the patches that declare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.messages import FUTURE_STEPS, FUTURES, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live, Parameter
from engine.feed.encoder import told_of_chord
from engine.feed.feed import Feed
from engine.feed.orders import COMMANDS
from engine.feed.query_leaf import READ, WRITE, Leaf
from engine.feed.schema import BEAT, CHORDS, CHUNK, FRAME, PLAYER_NOTE, ROOT, SCENE_COMING, SCENE_NOW
from engine.feed.signals.query_leaves import smooth_leaves
from engine.net import osc


@dataclass(frozen=True, slots=True)
class Change:
    """Paths that came, went, or mean something else now."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Tree:
    """Every address of a feed and of the live parameters."""

    def __init__(self, feed: Feed, live: Live) -> None:
        self._feed = feed
        self._live = live
        self._notes = dict.fromkeys((PLAYER_NOTE, *feed.schema.track_notes()), (0, 0))
        self._note_of = dict(enumerate(feed.schema.track_notes())) | {PLAYER: PLAYER_NOTE}
        self._chords = dict.fromkeys(CHORDS.values(), ("", -1, 0))
        self._futures = np.zeros((FUTURES, FUTURE_STEPS, feed.schema.card.slots), ">f4")
        self.scenes: dict[str, tuple[osc.Argument, ...]] = {SCENE_NOW: (0, ""), SCENE_COMING: (0, "", 0.0)}
        self._fixed = {leaf.path: leaf for leaf in self._all()}
        self._grow()

    def _grow(self) -> None:
        self._generation = self._live.generation
        self.leaves = self._fixed | {leaf.path: leaf for leaf in map(self._parameter, self._live.registry)}
        self._children = _children_of(self.leaves)

    def refresh(self) -> Change | None:
        """Have the parameters that there are now; return what that changed, None when nothing was declared or withdrawn."""
        self._live.refresh()
        if self._live.generation == self._generation:
            return None
        before = self.leaves
        self._grow()
        stay = self.leaves.keys() & before.keys()
        return Change(
            [path for path in self.leaves if path not in before],
            [path for path in before if path not in self.leaves],
            [path for path in self.leaves if path in stay and self.leaves[path].parameter != before[path].parameter],
        )

    def note(self, event: np.void) -> str | None:
        """Take an EVENT; return the path of the note or chord that began or ended, None when it was something else."""
        kind, path = int(event["kind"]), self._note_of.get(int(event["track"]))
        if kind in CHORDS:
            self._chords[CHORDS[kind]] = told_of_chord(event)
            return ROOT + CHORDS[kind]
        if kind not in (NOTE_ON, NOTE_OFF) or path is None:
            return None
        self._notes[path] = (int(event["pitch"]), int(event["velocity"]) if kind == NOTE_ON else 0)
        return ROOT + path

    def imagine(self, record: np.void) -> None:
        """Take what may follow a step; a record of futures_dtype."""
        self._futures[:] = record["notes"] * np.float32(0.5)

    def _all(self) -> Iterator[Leaf]:
        schema, encoder = self._feed.schema, self._feed.encoder
        yield Leaf(
            ROOT + FRAME,
            "i",
            READ,
            "Number of the timestep",
            "steps",
            value=lambda: [encoder.step],
            message=lambda: osc.message(ROOT + FRAME, encoder.step),
            every_step=True,
        )
        yield Leaf(
            ROOT + BEAT,
            "iiii",
            READ,
            "Bar and beat of the bar, both from 1; numerator and denominator of the metre",
            value=lambda: encoder.beat,
            message=lambda: osc.message(ROOT + BEAT, *encoder.beat),
            every_step=True,
        )
        for number, scalar in enumerate(schema.scalars):
            yield self._numbers(ROOT + scalar.path, number, number + 1, scalar.doc, (0.0, 1.0))
        for path in self._notes:
            yield self._note(path)
        for path in self._chords:
            yield self._chord(path)
        yield self._scene(SCENE_NOW, "is", "The scene that plays: its number and its name")
        yield self._scene(SCENE_COMING, "isf", "The scene to come: its number, its name, and in how many quarters it begins")
        for vector in schema.vectors:
            for path, first, end in vector.chunks(256):
                yield self._numbers(ROOT + path, first, end, vector.doc, (vector.minimum, vector.maximum))
        for number in range(FUTURES):
            for path, slots in schema.futures(number):
                yield from self._future(number, path, slots)
        yield from smooth_leaves(self._feed.audience.schema, self._feed.audience)
        for command in COMMANDS:
            if "<" not in command.path:
                yield Leaf(ROOT + command.path, "N", WRITE, command.doc)

    def _numbers(self, path: str, first: int, end: int, doc: str, limits: tuple[float, float]) -> Leaf:
        encoder, head = self._feed.encoder, osc.head(path, "f" * (end - first))
        return Leaf(
            path,
            "f" * (end - first),
            READ,
            doc,
            limits=limits,
            value=lambda: encoder.values[first:end].tolist(),
            message=lambda: head + encoder.wire[first:end].tobytes(),
            every_step=True,
        )

    def _future(self, number: int, path: str, slots: slice) -> Iterator[Leaf]:
        notes = self._futures[number, :, slots]
        doc = f"What else might follow this step: {FUTURE_STEPS} timesteps of {notes.shape[1]} pitches"

        def leaf(chunk: int, first: int, end: int) -> Leaf:
            def told() -> np.ndarray:
                return notes.ravel()[first:end]

            head = osc.head(f"{ROOT}{path}/{chunk:03}", "f" * (end - first))
            return Leaf(
                f"{ROOT}{path}/{chunk:03}",
                "f" * (end - first),
                READ,
                doc,
                limits=(0, 1),
                value=lambda: told().tolist(),
                message=lambda: head + told().tobytes(),
            )

        for chunk, first in enumerate(range(0, notes.size, CHUNK)):
            yield leaf(chunk, first, min(first + CHUNK, notes.size))

    def _note(self, path: str) -> Leaf:
        return Leaf(
            ROOT + path,
            "ii",
            READ,
            "Newest note: MIDI pitch and velocity; velocity 0 when it ended",
            limits=(0, 127),
            value=lambda: list(self._notes[path]),
            message=lambda: osc.message(ROOT + path, *self._notes[path]),
        )

    def _chord(self, path: str) -> Leaf:
        return Leaf(
            ROOT + path,
            "sii",
            READ,
            "Newest chord: its name, root 0..11 from C (-1: none is known), and its tones, bit n for n semitones above C",
            value=lambda: list(self._chords[path]),
            message=lambda: osc.message(ROOT + path, *self._chords[path]),
        )

    def _scene(self, path: str, types: str, doc: str) -> Leaf:
        told = self.scenes
        return Leaf(
            ROOT + path, types, READ, doc, value=lambda: list(told[path]), message=lambda: osc.message(ROOT + path, *told[path])
        )

    def _parameter(self, parameter: Parameter) -> Leaf:
        kind = "s" if parameter.choices else "i" if parameter.whole else "f"

        def value() -> osc.Argument:
            number = self._live.get(parameter.id)
            return parameter.text(number) if parameter.choices else int(number) if parameter.whole else number

        path = ROOT + parameter.address
        if parameter.kind == "trigger":
            return Leaf(path, "N", WRITE, parameter.doc, parameter=parameter)
        return Leaf(
            path,
            kind,
            READ | WRITE,
            parameter.doc,
            parameter.unit,
            (parameter.minimum, parameter.maximum),
            parameter.choices,
            value=lambda: [value()],
            message=lambda: osc.message(path, value()),
            parameter=parameter,
        )

    def describe(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path, with all below it; None when nothing is."""
        leaf = self.leaves.get(path)
        if leaf is not None:
            return leaf.describe(whole=True)
        return self._container(path) if path in self._children else None

    def _container(self, path: str) -> dict[str, Any]:
        contents = {}
        for name, child in self._children[path].items():
            leaf = self.leaves.get(child)
            contents[name] = leaf.describe(whole=False) if leaf is not None else self._container(child)
        return {"FULL_PATH": path or "/", "ACCESS": 0, "CONTENTS": contents}


def _children_of(leaves: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return for each container's path its children: name -> path."""
    out: dict[str, dict[str, str]] = {"": {}}
    for path in leaves:
        parts = path.split("/")
        for n in range(1, len(parts)):
            parent = "/".join(parts[:n])
            out.setdefault(parent, {})[parts[n]] = "/".join(parts[: n + 1])
    return out
