"""A scene begins: in the block of its bar line its sounds play, and its numbers stand in the table of parameters.

Runs on: audio process. `Switcher` belongs to the audio callback; `SceneMaker` to the control thread, which builds the sounds
of a scene in good time and resolves its parameters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from engine.audio.messages import Change, DropScene, FreeInstrument, MakeScene, ReplaceInstrument, SceneBegun
from engine.audio.track import Track
from engine.core.knobs import is_plugin
from engine.core.link import Link
from engine.core.messages import BEGIN, BLOCK, PLAYS, READY, WARNING
from engine.core.parameters import Live
from engine.transport.outside import OUTSIDE
from engine.transport.timeline import BeatTimeline

if TYPE_CHECKING:
    from engine.audio.worker import Worker

EARLY = {"metre": 2.0, "tempo": 0.5}  # timesteps before the bar line at which these are told, to hold from there on

Values = list[tuple[str, int, float]]  # id, place, number


class Switcher:
    """Follows the ring `switches`, and tells in `switched` what became of a scene.

    Where it takes the place of a process that died, a scene that had not begun is made ready anew.
    """

    def __init__(self, link: Link, live: Live, worker: Worker, steps_per_beat: int) -> None:
        self._live, self._worker = live, worker
        self._step = 1 / steps_per_beat
        self._ring, self._told = link["switches"], link.writer("switched")
        self._reader = self._ring.reader()
        last, done = self._ring.latest(), self._told.latest()
        if last is not None and (done is None or (int(done["number"]), int(done["state"])) < (int(last["number"]), PLAYS)):
            self._reader.position -= 1
        self._number = 0
        self._beat: float | None = None  # at which it begins
        self._text = b""
        self._holding: tuple[int, frozenset[str]] = (0, frozenset())  # a scene, and the tracks whose new sounds wait for it
        self._held: list[ReplaceInstrument] = []
        self._values: Values | None = None  # once it is ready
        self._early: Values = []  # of those what is told before

    def look(self, end: int, line: BeatTimeline) -> list[ReplaceInstrument]:
        """Return the sounds that play from this block on, which ends before the frame `end`; the table is written by then."""
        if self._reader.is_behind():
            for record in self._reader.read():
                self._take(record)
        if self._beat is None or self._values is None:
            return []
        here = line.beat_at(end)
        if line.playing and here < self._beat:
            self._tell_early(here)
            return []
        on_time = line.playing and end - line.frame_at(self._beat) <= BLOCK
        return self._begin(end, self._beat if on_time else here)

    def _take(self, record: np.void) -> None:
        number, what = int(record["number"]), int(record["what"])
        if number != self._number or what > BEGIN:
            for held in self._held:
                self._worker.requests.put(FreeInstrument(held.strip))
            self._held, self._values, self._beat, self._early = [], None, None, []
            dropped, self._number = self._number, number if what <= BEGIN else 0
            self._worker.requests.put(MakeScene(number, bytes(record["text"])) if what <= BEGIN else DropScene(dropped))
        if what == BEGIN:
            self._beat = float(record["beat"])

    def _tell_early(self, here: float) -> None:
        assert self._beat is not None
        for told in self._early:
            if here >= self._beat - EARLY[told[0]] * self._step:
                self._live.values.write(told[1], told[2])
                self._early = [other for other in self._early if other is not told]

    def _begin(self, frame: int, beat: float) -> list[ReplaceInstrument]:
        assert self._values is not None
        begun = self._held
        values = [value for reply in begun for value in reply.values] + [(place, number) for _, place, number in self._values]
        if values:
            places, numbers = zip(*values, strict=True)
            self._live.values.write_all(places, numbers)
        self._worker.requests.put(SceneBegun(self._number))
        self._told.push((self._number, PLAYS, frame, beat))
        self._held, self._values, self._beat, self._early = [], None, None, []
        return begun

    def hold(self, number: int, tracks: frozenset[str]) -> None:
        """From here on, new sounds of these tracks wait for a scene."""
        self._holding = (number, tracks)

    def keeps(self, reply: ReplaceInstrument) -> bool:
        """Whether a sound is kept for a scene; of one that is not to be any more it is let go."""
        number, tracks = self._holding
        if reply.track.name not in tracks:
            return False
        if number == self._number:
            self._held = [held for held in self._held if held.track is not reply.track] + [reply]
        else:
            self._worker.requests.put(FreeInstrument(reply.strip))
        return True

    def ready(self, number: int, values: Values) -> None:
        """A scene can begin; these are its numbers."""
        self._holding = (0, frozenset()) if number != self._number else self._holding
        if number != self._number:
            return
        self._holding = (number, frozenset())  # a sound that is chosen from here on is another's
        self._values = values
        self._early = [value for value in values if value[0] in EARLY]
        self._told.push((number, READY, 0, math.nan))


class SceneMaker:
    """Builds what a scene names. `before` holds what played when it was asked for, until it has begun."""

    def __init__(self, worker: Worker, live: Live, tell: Callable[[int, str], None]) -> None:
        self._worker, self._live, self._tell = worker, live, tell
        self._number = 0
        self._name = ""
        self._before: dict[Track, tuple[str, dict[str, float]]] = {}  # patch, and its knobs
        self._waits: dict[Track, str] = {}  # for plugins
        self._values: dict[str, float | bool | str] = {}

    def make(self, switcher: Switcher, number: int, text: bytes) -> None:
        """Begin to build; `settle` says when it is done."""
        self.drop()
        told = json.loads(text)
        self._number, self._name, self._values = number, told["name"], dict(told["values"])
        worker = self._worker
        tracks = [
            track for track in worker.tracks if told["patches"].get(track.name, worker.plays(track)) != worker.plays(track)
        ]
        names = frozenset(track.name for track in tracks)
        worker.replies.append(Change(lambda: switcher.hold(number, names)))
        for track in tracks:
            name = told["patches"][track.name]
            before = (worker.plays(track), self._knobs(track))
            if worker.play(track, name):
                self._before[track] = before
                self._values[f"{track.name}.patch"] = name
                if is_plugin(name):
                    self._waits[track] = name
        self.settle(switcher)

    def _knobs(self, track: Track) -> dict[str, float]:
        return {p.id: self._live.get(p.id) for p in self._live.registry.declared if p.id.startswith(f"{track.name}.")}

    def settle(self, switcher: Switcher) -> None:
        """Say that it is ready, once every plugin is there."""
        if not self._number or any(not self._worker.is_loaded(track, name) for track, name in self._waits.items()):
            return
        number, self._number = self._number, 0
        values = self._resolved()
        self._worker.replies.append(Change(lambda: switcher.ready(number, values)))

    def _resolved(self) -> Values:
        found = []
        registry = self._live.registry
        led = self._is_led()
        for key, value in self._values.items():
            if key == "tempo" and led:
                continue  # whose beat it is, his is the tempo: a session of others would be at ours with every scene
            if key not in registry:
                self._tell(WARNING, f"scene {self._name}: parameters.{key}: nothing that plays in it has such a knob")
                continue
            parameter = registry[key]
            try:
                number = float(value) if isinstance(value, bool | int | float) else parameter.parse(value)
            except ValueError as error:
                self._tell(WARNING, f"scene {self._name}: parameters.{error}")
                continue
            if not parameter.minimum <= number <= parameter.maximum:
                low, high = parameter.minimum, parameter.maximum
                self._tell(WARNING, f"scene {self._name}: parameters.{key}: {number:g} is not within {low:g} to {high:g}")
            found.append((key, registry.place(key), parameter.clamp(number)))
        return found

    def _is_led(self) -> bool:
        """Whether the beat is that of a clock from outside, in the scene or where it says nothing of that."""
        source, given = self._live.registry["clock.source"], self._values.get("clock.source")
        if isinstance(given, str):
            return given in OUTSIDE
        return source.text(self._live.get(source.id) if given is None else float(given)) in OUTSIDE

    def begun(self) -> None:
        """What was made plays."""
        self._before.clear()
        self._waits.clear()

    def drop(self) -> None:
        """What was made is not to be: what plays is what is known to play again."""
        self._number = 0
        for track, (name, values) in self._before.items():
            self._worker.go_back(track, name, values)
        self.begun()
