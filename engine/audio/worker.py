"""What the audio needs done and has no time for: instruments built and freed, words for the person at the terminal.

Runs on: audio process, control thread (offline: whoever renders, after each block). The block loop asks for it through
`requests`, and takes what was built from `replies`.
"""

from __future__ import annotations

import contextlib
import gc
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from engine.audio.instrument import Instrument
from engine.audio.library import available, find, knobs, load
from engine.audio.messages import (
    Change,
    DropScene,
    FreeInstrument,
    KeepController,
    LoadPatch,
    LogMessage,
    MakeScene,
    RebuildTrack,
    ReplaceInstrument,
    Request,
    SceneBegun,
)
from engine.audio.mixer import Mixer
from engine.audio.patch import Patch
from engine.audio.plain import Plain
from engine.audio.plugins import PluginStrip
from engine.audio.rack import Rack
from engine.audio.switcher import SceneMaker, Switcher
from engine.audio.track import Knob, Strip, Track
from engine.core.config import Config
from engine.core.controllers import keep
from engine.core.errors import PatchError
from engine.core.knobs import is_plugin
from engine.core.link import Link
from engine.core.messages import ERROR, INFO, WARNING
from engine.core.parameters import Live, Parameter, choice


@dataclass(slots=True)
class _Loaded:
    """What a track was told to play, and the file of it as it was read."""

    name: str
    path: Path | None
    saved_ns: int


class Worker:
    """Does one request after the other. Channel: writes `notices.audio`; declares the parameters of the patches."""

    def __init__(self, link: Link, live: Live, config: Config) -> None:
        self.requests: SimpleQueue[Request | None] = SimpleQueue()  # None only ends the waiting
        self.replies: deque[ReplaceInstrument | Change] = deque()
        self._link = link
        self._live = live
        self._at_start = config.parameters
        self._bound = config.midi.cc
        self._learned = config.midi.controllers
        self._names: list[str] = []  # of the patches that can be chosen; one that was there keeps its place
        self._loaded: dict[str, _Loaded] = {}  # by track
        self._patches: dict[str, type[Patch]] = {}  # what plays it by now, the plain instrument where that failed
        self.tracks: list[Track] = []
        self._classes: dict[Path, tuple[int, type[Patch]]] = {}  # by file: when that was saved, and what it defines
        self._has_read_again = False  # since garbage was collected
        self._scenes = SceneMaker(self, live, self._tell)

    def begin(self, mixer: Mixer, rack: Rack, switcher: Switcher) -> None:
        """Declare what can be turned on the instruments that the mixer was built with; before the first block."""
        self.tracks = list(mixer)
        self._switcher = switcher
        self._rack = rack
        rack.replies = self.replies
        self._look_for_patches()
        for track in self.tracks:
            self._loaded[track.name] = _read(track.wanted)
            if track.fault:
                self.requests.put(LogMessage(WARNING, f"{track.fault}; the {track.name} is played by plain keys"))
            try:
                track.knobs, values = self._declare(track, track.wanted, track.strip)
                for place, value in values:
                    self._live.values.write(place, value)
            except PatchError as error:
                self.requests.put(LogMessage(WARNING, str(error)))
        for key in [*(f"parameters.{key}" for key in self._at_start), *(f"midi.cc.{key}" for key in self._bound)]:
            if not _is_known(self._live, key.removeprefix("parameters.").removeprefix("midi.cc.")):
                self.requests.put(LogMessage(WARNING, f"{key}: no patch that plays now has such a knob"))

        rack.begin()

    def run_pending(self, timeout_s: float = 0.0) -> bool:
        """Do one request, waiting for it up to `timeout_s`; return whether there was one."""
        self._scenes.settle(self._switcher)
        try:
            request = self.requests.get(timeout=timeout_s) if timeout_s > 0 else self.requests.get_nowait()
        except Empty:
            return False
        if isinstance(request, LogMessage):
            self._tell(request.level, request.text)
        elif isinstance(request, RebuildTrack):
            self._rebuild(request.track)
        elif isinstance(request, FreeInstrument):
            self._free(request.strip)
        elif isinstance(request, LoadPatch):
            self._load(request.track)
        elif isinstance(request, KeepController):
            self._keep(request)
        elif isinstance(request, MakeScene):
            self._scenes.make(self._switcher, request.number, request.text)
        elif isinstance(request, DropScene):
            self._scenes.drop()
        elif isinstance(request, SceneBegun):
            self._scenes.begun()
        return True

    def keep_learned(self) -> None:
        """Of what waits do that alone which another process in the place of this one would find: what was learned."""
        with contextlib.suppress(Empty):
            while True:
                request = self.requests.get_nowait()
                if isinstance(request, KeepController):
                    self._keep(request)

    def watch(self) -> None:
        """Load again what was saved again, and offer what was added to the folder; to be called about once a second."""
        for track in self.tracks:
            loaded = self._loaded[track.name]
            if loaded.path is not None and _saved_ns(loaded.path) not in (0, loaded.saved_ns):
                self._loaded[track.name] = _read(loaded.name)
                if self._replace(track, loaded.name):
                    self._tell(INFO, f"the {track.name} plays {loaded.name} as it was saved now")
        if self._look_for_patches():
            for track in self.tracks:
                with contextlib.suppress(PatchError):  # it was told when the patch was loaded
                    self._declare(track, self._loaded[track.name].name, None)

    def _tell(self, level: int, text: str) -> None:
        self._link.notice("audio", level, text)

    def tell(self, text: str) -> None:
        """Tell the person at the terminal. Control thread."""
        self._tell(INFO, text)

    def _keep(self, learned: KeepController) -> None:
        place, before = learned.place, learned.before
        self._tell(INFO, f"learned: {place} moves {learned.parameter}" + (f" and {before} no more" if before else ""))
        texts = (learned.parameter, place.port, place.channel, place.key, before)
        self._link.writer("learned").push(tuple(text.encode() if isinstance(text, str) else text for text in texts))
        try:
            keep(self._learned, learned.place, learned.parameter, learned.takeover)
        except (OSError, ValueError) as error:
            self._tell(WARNING, f"{self._learned}: what was learned is good until the end only: {error}")

    def _look_for_patches(self) -> bool:
        """Learn of patches that can be chosen; return whether there are new ones."""
        before = len(self._names)
        for name in (*available(), *(track.wanted for track in self.tracks), *self._rack.instruments):
            if name not in self._names:
                self._names.append(name)
        return len(self._names) > before

    def _load(self, track: Track) -> None:
        """Play what the track's parameter names by now."""
        key = f"{track.name}.patch"
        name = self._live.registry[key].text(self._live.get(key))
        playing = self.plays(track)
        if name == playing:
            return
        if self.play(track, name):
            self._tell(INFO, f"the {track.name} plays {name}")
        elif self._live.registry[key].text(self._live.get(key)) == name:
            self._live.set(key, self._names.index(playing))

    def plays(self, track: Track) -> str:
        """Return what a track was told to play."""
        return self._loaded[track.name].name

    def play(self, track: Track, name: str) -> bool:
        """Have a track played by a patch or a plugin as soon as it is built; return whether there is such a thing."""
        if name not in self._names:
            self._names.append(name)
        if is_plugin(name):
            done = self._rack.play(track, name)
            if done:
                self._declare(track, name, None, plugin=True)
        else:
            done = self._replace(track, name)
        if done:
            self._loaded[track.name] = _read(name)
        return done

    def is_loaded(self, track: Track, name: str) -> bool:
        """Whether a plugin that is to play a track is there, or never will be."""
        return self._rack.is_loaded(track, name)

    def go_back(self, track: Track, name: str, values: dict[str, float]) -> None:
        """What was built for a track is not to play: it is known by what plays, whose knobs had these values."""
        strip = track.strip if isinstance(track.strip, Strip) else None
        self._loaded[track.name] = _read(name)
        try:
            turned, _ = self._declare(track, name, strip, plugin=strip is None)
        except PatchError as error:
            self._tell(WARNING, str(error))
            return
        for key, value in values.items():
            if key in self._live.registry and not key.endswith(".patch"):
                self._live.set(key, value)
        if strip is not None:
            self.replies.append(Change(lambda: track.take_knobs(turned)))

    def _replace(self, track: Track, name: str) -> bool:
        """Build a patch and hand it to the block loop; one that fails is named, and what plays goes on. Return success."""
        try:
            strip = Strip(Instrument(name, self._class_of(name)), track.bus)
            try:
                turned, values = self._declare(track, name, strip)
            except PatchError:
                strip.free()
                raise
        except PatchError as error:
            self._tell(WARNING, f"{error}; the {track.name} keeps its sound")
            return False
        self.replies.append(ReplaceInstrument(track, strip, turned, values))
        return True

    def _class_of(self, name: str) -> type[Patch]:
        """Return what a patch's file defines. Raises PatchError.

        Each version of it is read once: what a module leaves behind is for the collector, and that keeps the sound waiting.
        """
        path = find(name)
        saved_ns = _saved_ns(path)
        known = self._classes.get(path)
        if known is None or known[0] != saved_ns:
            self._has_read_again |= known is not None
            known = self._classes[path] = (saved_ns, load(name))
        return known[1]

    def collect(self) -> None:
        """Collect what files that were read again have left; now and then, where garbage is not collected by itself."""
        if self._has_read_again:
            self._has_read_again = False
            gc.collect()

    def _rebuild(self, track: Track) -> None:
        """Build the plain instrument in place of one that failed."""
        self._tell(WARNING, f"{track.fault}; the {track.name} is played by plain keys")
        try:
            strip = Strip(Instrument("plain", Plain), track.bus)
            turned, values = self._declare(track, self._loaded[track.name].name, strip)
        except PatchError as error:
            self._tell(ERROR, f"{error}; the {track.name} is silent")
            return
        self.replies.append(ReplaceInstrument(track, strip, turned, values))

    def _free(self, strip: Strip | PluginStrip) -> None:
        try:
            strip.free()
        except PatchError as error:
            self._tell(WARNING, str(error))

    def _declare(
        self, track: Track, name: str, strip: Strip | PluginStrip | None, plugin: bool = False
    ) -> tuple[list[Knob], list[tuple[int, float]]]:
        """Declare which patch plays a track, and the knobs of the one on `strip` (None: as they are).

        Return those, and what their parameters are to become as soon as it plays, by place: until then they turn the old one.
        A knob that was turned keeps its value where the new patch has it too, within its range; one that was not takes the new
        patch's default. Raises PatchError when a knob has the name of another parameter, or there is no room for more.
        """
        live = self._live
        patch = strip.instrument.patch_class if isinstance(strip, Strip) else self._patches[track.name]
        before = {p.id: (p.default, live.get(p.id)) for p in live.registry.declared}
        turned = [] if plugin else knobs(track.name, patch)
        which = choice(f"{track.name}.patch", self._names, name, f"Which patch plays the {track.name}")
        try:
            new = live.declare(f"patch of {track.name}", [which, *turned])
        except ValueError as error:
            raise PatchError(f"patch {name}: {error}") from error
        self._patches[track.name] = patch
        values: list[tuple[int, float]] = []
        for knob in turned:
            if knob.id in new:
                self._start(knob)
            else:
                default, value = before[knob.id]
                if value == default or not knob.minimum <= value <= knob.maximum:
                    values.append((live.registry.place(knob.id), knob.default))
        setters = strip.setters if strip is not None else {}
        return [Knob(live.registry.place(f"{track.name}.{word}"), turn) for word, turn in setters.items()], values

    def _start(self, knob: Parameter) -> None:
        """Give a knob the value that the configuration has for it."""
        if knob.id not in self._at_start:
            return
        try:
            self._live.set(knob.id, knob.parse(str(self._at_start[knob.id])))
        except ValueError as error:
            self._tell(WARNING, f"parameters.{error}")


def _read(name: str) -> _Loaded:
    """Return what a patch's file is now, as far as there is one."""
    try:
        path = find(name)
    except PatchError:
        return _Loaded(name, None, 0)
    return _Loaded(name, path, _saved_ns(path))


def _saved_ns(path: Path) -> int:
    """Return when a file was saved last; 0 while it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_known(live: Live, key: str) -> bool:
    """Whether there is such a parameter, or may be as soon as a plugin is loaded: its knobs have names of three words."""
    return key in live.registry or key.count(".") > 1 or ".send" in key
