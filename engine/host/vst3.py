"""VST3 plugins, and on macOS Audio Units, through pedalboard (the extra `vst`).

Runs on: host process; a plugin is loaded and processed by one thread each, loading from a second one fails.

What pedalboard does not do, a plugin hosted by it does not get: the tempo, MIDI to an effect, a side-chain. Audio Units are
written by the same interface and untried: there was no Mac.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import PluginError
from engine.host.binary import fault_before
from engine.host.plugin import CHANNELS, MIDI, NOTE_ON, PARAMETER, About, Event, Knob, Moment, strength

FORMAT = "vst3"
SUFFIX = ".vst3"
AUDIO_UNIT = ".component"
REMEDY = "VST3 plugins need pedalboard: pip install 'algoritmo[vst]'"
LIMITS = ("hears no tempo", "an effect gets no MIDI", "no side-chain")
MOST_STEPS = 1000  # a knob with more is continuous
MOST_KNOBS = 4096
_OF_MIDI = re.compile(r"MIDI (CC |Ch\. ?\d+ )")  # parameters that stand for controllers; the instrument hears those as MIDI


def warm() -> None:
    """Load pedalboard ahead of time, where it is."""
    with contextlib.suppress(ImportError):
        import pedalboard  # noqa: F401  # it is needed by the first plugin


def _backend(path: Path) -> Any:
    """Return pedalboard's class for a file. Raises PluginError."""
    try:
        import pedalboard
    except ImportError as error:
        raise PluginError(f"{path}: {REMEDY}") from error
    wanted = "AudioUnitPlugin" if path.suffix == AUDIO_UNIT else "VST3Plugin"
    backend = getattr(pedalboard, wanted, None)
    if backend is None:
        raise PluginError(f"{path}: this pedalboard has no {wanted}; Audio Units are for macOS alone")
    # Its way of setting values at the start looks every parameter up a thousand times, and some plugins take minutes for that.
    backend.__set_initial_parameter_values__ = lambda _self, _values: None
    return backend


def scan(path: Path) -> list[About]:
    """Return every plugin of a file, each loaded once. Raises PluginError."""
    found = []
    for name in _names(path):
        plugin = Vst3Plugin(path, name)
        found.append(plugin.about)
        plugin.close()
    return found


def load(path: Path, plugin_id: str = "") -> Vst3Plugin:
    """Load a plugin of a file, its first unless an id or a name says which. Raises PluginError."""
    names = _names(path)
    for name in names:
        if not plugin_id or plugin_id == name or len(names) == 1:
            return Vst3Plugin(path, name)
    for name in names:
        plugin = Vst3Plugin(path, name)
        if plugin.about.id == plugin_id:
            return plugin
        plugin.close()
    raise PluginError(f"{path}: there is no plugin {plugin_id!r} in it, but {', '.join(names)}")


def _names(path: Path) -> list[str]:
    if fault := fault_before(path):
        raise PluginError(f"{path}: {fault}")
    backend = _backend(path)
    try:
        return list(backend.get_plugin_names_for_file(str(path)))
    except Exception as error:  # pedalboard raises what it likes
        raise PluginError(f"{path}: is no plugin for this machine ({error})") from error


class Vst3Plugin:
    """One plugin of a .vst3 (or .component) file; see `Plugin`. Its knobs go from 0 to 1, as the format has it."""

    def __init__(self, path: Path, name: str) -> None:
        backend = _backend(path)
        try:
            # Without a timeout pedalboard sends a note and waits until the plugin sounds.
            self._plugin: Any = backend(str(path), plugin_name=name, initialization_timeout=0.0)
        except Exception as error:
            raise PluginError(f"{path}: {name}: {error}") from error
        self.changed = False
        self.latency_frames = 0
        self._rate_hz = 48000.0
        self._width = CHANNELS  # a mono plugin hears the mean, and is heard on both sides
        self._waiting = np.zeros((CHANNELS, 0), np.float32)  # came out of it, and is not played yet
        self._raw: dict[int, float] = {}  # what pedalboard read last of each knob
        self._read_knobs()
        kind = "au" if path.suffix == AUDIO_UNIT else FORMAT
        self.about = About(
            kind,
            str(self._plugin.identifier),
            str(self._plugin.name),
            str(path),
            str(self._plugin.manufacturer_name),
            str(self._plugin.version),
            bool(self._plugin.is_instrument),
            False,
            len(self.knobs),
            0,
            (),
            LIMITS if kind == FORMAT else (*LIMITS, "untried"),
        )

    def _read_knobs(self) -> None:
        self.knobs: list[Knob] = []
        self._parameters: list[Any] = []
        self._numbers: list[int] = []  # of those, in pedalboard's own list
        self._values: list[float] = []
        for number, parameter in enumerate(self._plugin._parameters[:MOST_KNOBS]):
            if not parameter.is_automatable or _OF_MIDI.match(parameter.name):
                continue
            steps = int(parameter.num_steps) if parameter.is_discrete and 2 <= parameter.num_steps <= MOST_STEPS else 0
            default = min(max(float(parameter.default_raw_value), 0.0), 1.0)
            labels: tuple[str, ...] = ()
            if 2 <= steps <= 32:
                texts = [str(parameter.get_text_for_raw_value(step / (steps - 1))) for step in range(steps)]
                labels = tuple(texts) if all(texts) else ()
            self.knobs.append(
                Knob(str(parameter.index), str(parameter.name), 0.0, 1.0, default, steps, labels, str(parameter.label))
            )
            self._parameters.append(parameter)
            self._numbers.append(number)
            self._values.append(float(parameter.raw_value))

    def _find_parameters(self) -> None:
        """pedalboard makes them anew when it resets a plugin or restores a state; those of before are no more."""
        self._raw.clear()
        known = self._plugin._parameters
        self._parameters = [known[place] for place in self._numbers]

    def activate(self, rate_hz: float, frames: int) -> None:
        """See Plugin."""
        self._rate_hz, self._frames = rate_hz, frames
        silence = np.zeros((CHANNELS, frames), np.float32)
        for self._width in range(CHANNELS, 0, -1):
            try:
                self._run(silence, [], frames, reset=True)
                break
            except Exception as error:
                if self._width == 1:
                    raise PluginError(f"{self.about.name}: {error}") from error
        self._find_parameters()
        self.latency_frames = int(self._plugin.reported_latency_samples)
        self._waiting = np.zeros((CHANNELS, 0), np.float32)

    def _run(self, inputs: np.ndarray, notes: list[tuple[bytes, float]], frames: int, reset: bool = False) -> np.ndarray:
        if self.about.is_instrument:
            found = self._plugin.process(notes, frames / self._rate_hz, self._rate_hz, self._width, frames, reset)
        elif self._width == 1:
            found = self._plugin.process(inputs.mean(axis=0, keepdims=True), self._rate_hz, frames, reset)
        else:
            found = self._plugin.process(inputs, self._rate_hz, frames, reset)
        sound: np.ndarray = np.broadcast_to(found, (CHANNELS, found.shape[1]))
        return sound

    def process(self, inputs: np.ndarray, side: np.ndarray, out: np.ndarray, events: Sequence[Event], at: Moment) -> None:
        """See Plugin."""
        del side, at
        frames = out.shape[1]
        notes: list[tuple[bytes, float]] = []
        for offset, kind, a, b, d, index, value in events:
            if kind == PARAMETER:
                if index < len(self._parameters):
                    self._values[index] = value
                    self._parameters[index].raw_value = value
                continue
            if kind != MIDI:
                a, d = (0x90 if kind == NOTE_ON else 0x80) | (a & 15), strength(kind, value)
            notes.append((bytes((a, b & 127, d & 127)), (offset + 0.5) / self._rate_hz))  # it is rounded down to a frame
        sound = self._run(inputs, notes, frames)
        if self.about.is_instrument and sound.shape[1] == frames:
            out[:] = sound
            return
        # pedalboard leaves out the first frames of an effect that is late; here they are silence, and it is late.
        waiting = np.concatenate((self._waiting, sound), axis=1)
        left_out = max(0, frames - waiting.shape[1])
        out[:, :left_out] = 0.0
        out[:, left_out:] = waiting[:, : frames - left_out]
        self._waiting = waiting[:, frames - left_out :]

    def value(self, index: int) -> float:
        """See Plugin. What was set last, or moved by its own window: after a state was restored pedalboard reads 0."""
        raw = float(self._parameters[index].raw_value)
        if raw != self._raw.setdefault(index, raw):
            self._raw[index] = self._values[index] = raw
        return self._values[index]

    def text(self, index: int, value: float) -> str:
        """See Plugin."""
        return str(self._parameters[index].get_text_for_raw_value(value))

    def state(self) -> bytes:
        """See Plugin."""
        return bytes(self._plugin.raw_state)

    def restore(self, state: bytes) -> None:
        """See Plugin."""
        if not state:
            return
        try:
            # By pedalboard's own way every parameter would be described first, each by a thousand texts: 20 s for some plugins.
            object.__setattr__(self._plugin, "raw_state", state)
            self._find_parameters()
            self._values = [float(parameter.raw_value) for parameter in self._parameters]
        except Exception as error:
            raise PluginError(f"{self.about.name}: refuses the state ({error}); it may be of another version") from error

    def load_preset(self, name: str) -> None:
        """Take on a .vstpreset file. Raises PluginError."""
        try:
            self._plugin.load_preset(name)
            self._find_parameters()
            self._values = [float(parameter.raw_value) for parameter in self._parameters]
        except Exception as error:
            raise PluginError(f"{self.about.name}: {name}: {error}") from error

    def open_editor(self, title: str) -> Vst3Editor:
        """See Plugin."""
        return Vst3Editor(self._plugin, title)

    @property
    def is_dirty(self) -> bool:
        """See Plugin."""
        return False  # pedalboard does not tell

    def idle(self) -> None:
        """pedalboard has nothing to be done."""

    wants_restart = False

    def restart(self) -> None:
        """pedalboard does it by itself."""

    def close(self) -> None:
        """See Plugin."""
        self._parameters.clear()
        self._plugin = None


class Vst3Editor:
    """See `Editor`. pedalboard shows the window and returns only when it is closed: until then `between` is called on another
    thread.
    """

    def __init__(self, plugin: Any, title: str) -> None:
        self._plugin, self._title = plugin, title
        self._closes = threading.Event()

    def run(self, between: Callable[[], bool], every_s: float) -> None:
        """Show it until it is closed, or `between`, which is called again and again, returns False. Raises PluginError."""

        def serve() -> None:
            while not self._closes.wait(every_s) and between():
                pass
            self._closes.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            self._plugin.show_editor(self._closes)
        except Exception as error:
            raise PluginError(f"{self._title}: its window does not show ({error})") from error
        finally:
            self._closes.set()
            thread.join(1)

    def idle(self) -> bool:
        """See Editor."""
        return not self._closes.is_set()

    def close(self) -> None:
        """See Editor."""
        self._closes.set()
