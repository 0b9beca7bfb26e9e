"""The file of a set while a jam runs: its scenes, what in them is not there, read again when somebody saves it.

Runs on: main process.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from engine.control.scene_file import keep
from engine.core.config import Config
from engine.core.errors import AlgoritmoError, nearest
from engine.core.knobs import FOLDER, is_plugin
from engine.core.metre import CHOICES, of_choice, parse
from engine.core.parameters import Registry
from engine.core.scene import Scene, SceneSet, line_of, read
from engine.jam import chart
from engine.jam.settings import Known


class Book:
    """A set in its file, which need not be there yet."""

    def __init__(self, path: Path, config: Config, registry: Registry) -> None:
        self.path = path
        self._config, self._registry = config, registry
        self._saved_ns = -1
        self._set = SceneSet()
        self.faults: list[str] = []  # of the file, as it was read last
        self.refresh()

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """In their order."""
        return self._set.scene

    @property
    def name(self) -> str:
        """Of the set."""
        return self._set.name or self.path.stem

    @cached_property
    def _known(self) -> Known:
        return Known(self._config, self._registry)

    def refresh(self) -> bool:
        """Read the file, where it was saved since; return whether it was."""
        try:
            saved_ns = self.path.stat().st_mtime_ns
        except OSError:
            saved_ns = 0
        if saved_ns == self._saved_ns:
            return False
        first, self._saved_ns = self._saved_ns < 0, saved_ns
        found, faults = read(self.path)
        self.faults = faults
        if found.scene or not self._set.scene or not faults:
            self._set = found
        return not first

    def keep(self, number: int, scene: Scene) -> str:
        """Write a scene; return the text that stood in the file. Raises OSError and ValueError."""
        before = keep(self.path, number, scene, "" if self.path.exists() else self.path.stem)
        self.refresh()
        return before

    def all_faults(self) -> list[str]:
        """Return all that is wrong in the file and that its scenes name and is not there, each with its line."""
        found = list(self.faults)
        text = self.path.read_text("utf-8-sig") if self.path.exists() else ""
        for number, scene in enumerate(self.scenes):
            for path, fault in self.faulty(scene):
                found.append(f"{self.path}: line {line_of(text, ('scene', str(number), *path))}: scene {scene.name}: {fault}")
        return found

    def faults_of(self, scene: Scene) -> list[str]:
        """Return what a scene names that is not there, or that cannot be."""
        return [fault for _, fault in self.faulty(scene)]

    def faulty(self, scene: Scene) -> list[tuple[tuple[str, ...], str]]:
        """Return the same, each with the path of its key in the scene."""
        found: list[tuple[tuple[str, ...], str]] = []
        if scene.network:
            try:
                if not Config.path_of(scene.network, "network").exists():
                    found.append((("network",), f"network: {scene.network} is not there; it goes on with the one that plays"))
            except AlgoritmoError as error:
                found.append((("network",), str(error)))
        if scene.chart:
            found += [(("chart",), f"chart: {fault}") for fault in chart.read(scene.chart, self._beats(scene))[1]]
        tracks = ["player", *self._registry.tracks]
        for track, patch in scene.patches.items():
            if track not in tracks:
                found.append((("patches", track), f"patches.{track}: there is no such track; {_instead(track, tracks)}"))
            elif not is_plugin(patch) and not (Path(patch) if patch.endswith(".py") else FOLDER / f"{patch}.py").exists():
                names = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
                found.append((("patches", track), f"patches.{track}: there is no patch {patch}; {_instead(patch, names)}"))
        for key, value in scene.parameters.items():
            found += [(("parameters", key), f"parameters.{fault}") for fault in self._of_value(key, value)]
        return found

    def _beats(self, scene: Scene) -> int:
        metre = scene.parameters.get("metre")
        try:
            return parse(str(metre)).beats if metre is not None else parse(self._config.jam.metre or CHOICES[0]).beats
        except ValueError:
            return of_choice(0).beats

    def _of_value(self, key: str, value: float | bool | str) -> list[str]:
        if key not in self._registry:
            faults = self._known.faults_of_value(key, value)
            return [fault.partition("; there are:")[0] for fault in faults]  # hundreds
        parameter = self._registry[key]
        if parameter.kind == "trigger" or key.startswith("scene."):
            return [f"{key}: cannot be in a scene; remove it"]
        try:
            number = parameter.parse(str(value))
        except ValueError as error:
            return [str(error)]
        low, high = parameter.minimum, parameter.maximum
        return [] if low <= number <= high else [f"{key}: {number:g} is not within {low:g} to {high:g}"]


def _instead(word: str, known: list[str]) -> str:
    like = nearest(word, known)
    return f"did you mean {like}?" if like else f"there are: {', '.join(known)}"
