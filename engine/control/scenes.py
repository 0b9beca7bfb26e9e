"""Scenes: takes the orders about them, has the next one made ready, and lets it begin on a bar line.

Runs on: main process, a thread of its own. What a scene changes is written by who plays: sounds, faders and tempo by the audio
process in the block of the bar line, all else by the network process with the timestep that lies there. An order that comes
while a scene is made ready goes before it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.control.commands import Commands
from engine.control.scene_book import Book
from engine.control.scene_file import captured, state_text
from engine.control.scene_file import replace as write_file
from engine.control.scene_view import scene_view
from engine.core.config import Config
from engine.core.ensemble import Part
from engine.core.link import Link
from engine.core.messages import BEGIN, DROP, INFO, MAKE_READY, READY, SCENE_BYTES, SCENES, SWITCH, WARNING
from engine.core.parameters import SCENE_WORDS, Live
from engine.core.scene import Scene
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import BeatTimeline

PATIENCE_S = 8.0  # for what a scene names to be loaded; then it begins with what is there
AHEAD_S = 0.15  # beside the longest timestep: so long before the bar line a scene must be known
UNDOES = 32  # so many scenes can be gone back
STATE_S = 2.0  # how often it is written down how the jam stands
WATCH_S = 1.0  # how often the file is looked at

Tell = Callable[[int, str], None]


@dataclass(slots=True)
class _Coming:
    """A scene on its way. `number`: in the set; `serial`: of the order."""

    scene: Scene
    number: int
    serial: int
    begun_s: float
    is_undo: bool = False
    is_ready: bool = False
    beat: float = math.inf  # at which it begins, once that was said
    left: tuple[int, Scene] | None = None  # how it was before


class Scenes:
    """The set of a jam; `look` now and then.

    Channels: writes `switches` and `scenes`; reads `switched`, the timeline and the parameters.
    """

    def __init__(
        self,
        link: Link,
        live: Live,
        config: Config,
        tell: Tell,
        book: Book,
        networks: Sequence[tuple[str, Part]],
        number: int = 0,
    ) -> None:
        """`networks`: those that can play, by name, the one that begins first. `number`: of the scene it began with."""
        self._link, self._live, self._tell, self._book = link, live, tell, book
        self._commands = Commands(live)
        self._config, self._networks = config, [name for name, _ in networks]
        self._parts = [part for _, part in networks]
        self._number = number
        self._coming: _Coming | None = None
        self._waiting: tuple[Scene, int, bool] | None = None  # an order for when the one on its way has begun
        self._history: list[tuple[int, Scene]] = []
        self._other: tuple[int, Scene] | None = None
        self._replaced: list[tuple[int, str]] = []  # texts of the file before it was kept into
        self._serial = 0
        self._switched = link["switched"].reader()
        self._pulled = {word: live.get(f"scene.{word}") for word in SCENE_WORDS}
        self._told = b""
        self._record = np.zeros((), SCENES)
        self._state_s = self._watch_s = 0.0
        self._version = -1
        self._faults: tuple[str, ...] = ()
        self._publish()

    @property
    def _network(self) -> int:
        """Number of the network that plays."""
        playing = self._link["playing"].latest()
        return 0 if playing is None else int(playing["number"])

    # --- what is now -------------------------------------------------------------------------------------------------------

    def now(self) -> Scene:
        """What plays, as a scene."""
        view = scene_view(self._link)
        chart = self._link["chart"].latest()
        text = "" if chart is None else chart["text"].decode()
        return captured(self._live, view.name or self._config.network.name, self._networks[self._network], text)

    def _line(self, now_ns: int) -> tuple[BeatTimeline | None, float]:
        """The beat's line, and the beat that is rendered now."""
        record, clock = self._link["timeline"].latest(), self._link["clock"].latest()
        if record is None or clock is None:
            return None, 0.0
        line = BeatTimeline.of(record)
        return line, max(line.beat_at(SampleClock.of(clock).frame_at(now_ns)), line.beat)

    # --- a look ------------------------------------------------------------------------------------------------------------

    def look(self, now_ns: int | None = None) -> None:
        """Take orders, and take the scene that is on its way a step further."""
        now_ns = time.perf_counter_ns() if now_ns is None else now_ns
        now_s = now_ns * 1e-9
        self._live.refresh()
        for record in self._switched.read():
            self._answered(record)
        self._take_orders(now_ns)
        coming = self._coming
        if coming is not None and coming.beat == math.inf:
            if not coming.is_ready and now_s - coming.begun_s > PATIENCE_S:
                self._tell(WARNING, f"scene {coming.scene.name}: not all of it was loaded in {PATIENCE_S:.0f} s; it begins")
                coming.is_ready = True
            if coming.is_ready and self._is_loaded(coming):
                self._let_begin(coming, now_ns)
        if now_s - self._watch_s > WATCH_S:
            self._watch_s = now_s
            if self._book.refresh():
                self._tell(INFO, f"{self._book.path}: read again, {len(self._book.scenes)} scenes")
        self._publish()
        if now_s - self._state_s > STATE_S:
            self._state_s = now_s
            self.write_state()

    def _take_orders(self, now_ns: int) -> None:
        live = self._live
        for word in SCENE_WORDS:
            pulled = live.get(f"scene.{word}")
            count, self._pulled[word] = int(pulled - self._pulled[word]), pulled
            for _ in range(min(max(count, 0), 99)):
                self._order(word, now_ns)
        for word in ("go", "keep"):
            if number := int(live.get(f"scene.{word}")):
                live.set(f"scene.{word}", 0)
                if word == "go":
                    self._go(number, now_ns)
                else:
                    self._keep(number)

    def _order(self, word: str, now_ns: int) -> None:
        here = self._number if self._coming is None else self._coming.number
        if self._waiting is not None:
            here = self._waiting[1]
        if word in ("next", "previous"):
            to = here + (1 if word == "next" else -1)
            if not 1 <= to <= len(self._book.scenes):
                edge = "last" if word == "next" else "first"
                self._tell(INFO, f"this is the {edge} scene of the set" if self._book.scenes else "there is no scene yet")
            else:
                self._go(to, now_ns)
        elif word == "ab":
            if self._other is None:
                self._tell(INFO, "there is no other scene to go back to yet")
            else:
                self._begin(self._other[1], self._other[0], now_ns)
        else:
            self._undo(now_ns)

    def _undo(self, now_ns: int) -> None:
        """Take back what was done last: a scene that is on its way, one that was kept, or one that plays."""
        coming = self._coming
        if coming is not None and coming.beat == math.inf:
            self._send(coming, DROP)
            self._coming = None
            self._tell(INFO, f"scene {coming.scene.name} is not to be")
        elif self._replaced and self._replaced[-1][0] == self._serial:
            _, text = self._replaced.pop()
            write_file(self._book.path, text)
            self._book.refresh()
            self._tell(INFO, f"{self._book.path} is as it was before the last scene was kept")
        elif self._history:
            number, scene = self._history.pop()
            self._begin(scene, number, now_ns, is_undo=True)
        else:
            self._tell(INFO, "there is nothing to undo")

    def _go(self, number: int, now_ns: int) -> None:
        scenes = self._book.scenes
        if number > len(scenes):
            count = f"the set has {len(scenes)}" if scenes else "there is none yet: keep one with scene.keep"
            self._tell(WARNING, f"there is no scene {number}; {count}")
            return
        self._begin(scenes[number - 1], number, now_ns)

    def _keep(self, number: int) -> None:
        scenes = self._book.scenes
        number = min(number, len(scenes) + 1)
        name = scenes[number - 1].name if number <= len(scenes) else f"Scene {number}"
        try:
            before = self._book.keep(number, self.now().model_copy(update={"name": name}))
        except (OSError, ValueError) as error:
            self._tell(WARNING, f"{self._book.path}: scene {number} was not kept: {error}")
            return
        self._replaced.append((self._serial, before))
        del self._replaced[:-UNDOES]
        self._number = self._number or number
        self._tell(INFO, f"kept as scene {number}, {name}, in {self._book.path}")

    # --- on its way --------------------------------------------------------------------------------------------------------

    def _begin(self, scene: Scene, number: int, now_ns: int, is_undo: bool = False) -> None:
        """Have a scene made ready, unless the one before it cannot be stopped any more: then it waits."""
        coming = self._coming
        if coming is not None and coming.beat < math.inf:
            line, beat = self._line(now_ns)
            if line is None or not line.playing or coming.beat - beat < self._lead_beats(line):
                self._waiting = (scene, number, is_undo)
                return
        self._serial += 1
        self._coming = _Coming(scene, number, self._serial, now_ns * 1e-9, is_undo)
        self._send(self._coming, MAKE_READY)

    def _send(self, coming: _Coming, what: int) -> None:
        record = np.zeros((), SWITCH)
        record["number"], record["what"], record["beat"] = coming.serial, what, coming.beat
        network, values, faults = self._resolved(coming.scene)
        if what == MAKE_READY:
            self._faults = tuple(faults)
            for fault in faults:
                self._tell(WARNING, f"scene {coming.scene.name}: {fault}")
        record["network"] = network
        told = {"name": coming.scene.name, "patches": coming.scene.patches, "values": values, "chart": coming.scene.chart}
        text = json.dumps(told).encode()
        if len(text) > SCENE_BYTES:
            self._tell(WARNING, f"scene {coming.scene.name} is too large to be played: it has {len(text)} bytes")
            text = b"{}"
        record["text"] = text
        self._link.writer("switches").push(record)

    def _resolved(self, scene: Scene) -> tuple[int, dict[str, float | bool | str], list[str]]:
        """Return the number of its network, the values of its parameters as far as they are known by now, and what is wrong."""
        faulty = self._book.faulty(scene)
        network, faults, wrong = self._network, [fault for _, fault in faulty], {path for path, _ in faulty}
        if scene.network:
            if scene.network in self._networks:
                network = self._networks.index(scene.network)
            else:
                faults.append(f"network {scene.network} is not loaded: this jam began without it; begin it with the set")
        values: dict[str, float | bool | str] = {}
        for key, value in scene.parameters.items():
            outcome = self._commands.legal(key, value)
            if outcome.status == "unknown" and ("parameters", key) not in wrong:
                values[key] = value  # a knob of what is loaded for the scene
            elif outcome.is_done:
                values[key] = outcome.value
        return network, values, faults

    def _answered(self, record: np.void) -> None:
        coming = self._coming
        if coming is None or int(record["number"]) != coming.serial:
            return
        if int(record["state"]) == READY:
            coming.is_ready = True
            return
        self._coming = None
        if coming.left is not None:
            if not coming.is_undo:
                self._history.append(coming.left)
                del self._history[:-UNDOES]
            self._other = coming.left
        self._number = coming.number
        self._record["begun"] = float(record["beat"])
        self._tell(INFO, f"scene {coming.number}: {coming.scene.name}" if coming.number else f"scene {coming.scene.name}")
        if self._waiting is not None:
            scene, number, is_undo = self._waiting
            self._waiting = None
            self._begin(scene, number, time.perf_counter_ns(), is_undo)

    def _is_loaded(self, coming: _Coming) -> bool:
        """Whether the network is there that is to play; those behind the first are loaded while the first plays."""
        if len(self._parts) == 1:
            return True
        playing = self._link["playing"].latest()
        return playing is not None and bool(int(playing["loaded"]) >> self._resolved(coming.scene)[0] & 1)

    def _lead_beats(self, line: BeatTimeline) -> float:
        """Beats before a bar line by which it must be known what begins there."""
        return max(1 / part.card.steps_per_beat for part in self._parts) + AHEAD_S * line.rate_hz / line.frames_per_beat

    def _let_begin(self, coming: _Coming, now_ns: int) -> None:
        """Say where it begins."""
        line, beat = self._line(now_ns)
        if line is None:
            return
        coming.left = (self._number, self.now())
        if not line.playing:
            coming.beat = beat
        else:
            bars = int(self._live.get("scene.bars")) if coming.scene.bars is None else coming.scene.bars
            grid = min(part.card.steps_per_beat for part in self._parts)  # a timestep of every network
            coming.beat = begins(line, beat + self._lead_beats(line), bars, grid)
        self._send(coming, BEGIN)

    # --- telling -----------------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        coming, book = self._coming, self._book
        told = {
            "set": book.name,
            "file": str(book.path),
            "names": [scene.name for scene in book.scenes],
            "other": "" if self._other is None else self._other[1].name,
            "undo": "" if not self._history else self._history[-1][1].name,
            "faults": self._faults[:8],
        }
        text = json.dumps(told).encode()
        heads = (self._number, 0 if coming is None else coming.number, 0.0 if coming is None else coming.beat)
        before = (int(self._record["now"]), int(self._record["next"]), float(self._record["beat"]))
        if text == self._told and heads == before:
            return
        if text != self._told:
            self._told = text
            self._record["set_of"] += 1
            self._record["text"] = text
        self._record["now"], self._record["next"], self._record["beat"] = heads
        self._link.writer("scenes").push(self._record)

    def write_state(self) -> None:
        """Write down how the jam stands, where it has changed."""
        version = self._live.values.version
        if version == self._version or self._link["chart"].count == 0:
            return
        self._version = version
        try:
            write_file(self.state_path(self._config), state_text(self.now(), self._book.path, self._number))
        except (OSError, ValueError) as error:
            self._tell(WARNING, f"how the jam stands cannot be written down ({error}); --resume will know what stood before")
            self._state_s = math.inf  # it is said once

    @staticmethod
    def state_path(config: Config) -> Path:
        """Where `--resume` finds how the last jam stood."""
        return config.session.dir / "state.toml"


def begins(line: BeatTimeline, earliest: float, bars: int, steps_per_beat: float) -> float:
    """Return the first beat from `earliest` on at which something may begin: a timestep, a bar line, every so many bars."""
    if bars == 0:
        return math.ceil(earliest * steps_per_beat - 1e-6) / steps_per_beat
    earliest = max(earliest, line.began)
    at = line.bar_line(earliest)
    while round(line.place(at) / line.beats_per_bar) % bars:
        at += line.beats_per_bar
    return at
