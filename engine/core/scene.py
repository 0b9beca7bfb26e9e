"""Scenes and sets as TOML has them: what plays, on which sounds, with which parameters; a set is an ordered list of them.

Runs on: every process. People write these files by hand, so that each fault is told with its line:

    format = 1
    name = "Night"

    [[scene]]
    name = "Opening"
    network = "festival"
    chart = "| Am | F | C | G |"
    patches.lead = "glass"
    parameters.tempo = 118
    parameters.lead.level = 0.7
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from engine.core.controllers import by_ids
from engine.core.errors import nearest
from engine.core.parameters import SCENES
from engine.core.rack import Rack
from engine.core.section import Names, Section

FORMAT = 1
LONGEST = 4_000_000  # bytes of a file that is read
ROUNDS = 8  # what lies behind a fault shows when that is left out
LONGEST_CHART = 16_384  # characters
SETS = Path(__file__).resolve().parents[2] / "patches" / "sets"  # where `jam --set NAME` looks for NAME.toml
_OF_SOUND = {"tempo", "metre", "metronome"}  # beside what a track's fader, switches and knobs are called
_MIXED = {"level", "pan", "mute", "solo", "patch", "send1", "send2"}

Values = dict[str, float | bool | str]


class Scene(Section):
    """What is to play. What a scene does not name stays as it is.

    `network`: a name or a path, empty: the one that plays. `chart`: None: the one that is played by; empty: by ear. `bars`: it
    begins with a bar whose number, counted from 0, these divide; 0: at once; None: as `scene.bars` says.
    """

    name: str = Field(max_length=60)
    network: str = Field("", max_length=1000)
    chart: str | None = Field(None, max_length=LONGEST_CHART)
    bars: int | None = Field(None, ge=0, le=64)
    patches: dict[str, str] = Field(default_factory=dict)
    parameters: Annotated[Values, BeforeValidator(by_ids)] = Field(default_factory=dict)


class SceneSet(Section):
    """A file of scenes, in their order. `rack`: effects and sends that all of them share; a scene turns their knobs."""

    format: int = FORMAT
    name: str = Field("", max_length=60)
    rack: Rack = Rack()
    scene: tuple[Scene, ...] = Field((), max_length=SCENES)


class SceneSettings(Section):
    """The set of an evening."""

    set: Path = Path("scenes.toml")  # the file; what is kept goes there
    begin: int = Field(0, ge=0, le=99)  # number of the scene that a jam begins with; 0: as the configuration says
    networks: Names = ()  # loaded beside network.name; those that the set names are as well


class State(SceneSet):
    """How a jam stood when it was last written down: one scene, and where it was in which set."""

    set: str = ""
    number: int = 0


def is_of_sound(parameter: str) -> bool:
    """Whether a parameter is for the audio process to turn: in the block of the bar line, not as its timestep is chosen."""
    return parameter in _OF_SOUND or parameter.startswith("player.") or parameter.rpartition(".")[2] in _MIXED


def find(name: str) -> Path:
    """Return the file that `--set NAME` means: a path, or one of the sets that are shipped."""
    path = Path(name)
    shipped = SETS / f"{name}.toml"
    return shipped if not path.exists() and path.suffix != ".toml" and shipped.exists() else path


def shipped() -> list[str]:
    """Return the names of the sets that are shipped."""
    return sorted(path.stem for path in SETS.glob("*.toml"))


def read(path: Path, kind: type[SceneSet] = SceneSet) -> tuple[SceneSet, list[str]]:
    """Return a file's scenes, without what is wrong in it, and that: all of it, each with its line.

    A file that is not there has no scene and is no fault.
    """
    try:
        if path.stat().st_size > LONGEST:
            return kind(), [f"{path}: is larger than {LONGEST} bytes"]
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return kind(), []
    except (OSError, UnicodeDecodeError) as error:
        return kind(), [f"{path}: cannot be read ({error})"]
    return parse(text, str(path), path.parent, kind)


def parse(text: str, where: str, folder: Path = Path(), kind: type[SceneSet] = SceneSet) -> tuple[SceneSet, list[str]]:
    """Return the same of a text; `where` begins each fault, `folder` is where relative paths begin."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return kind(), [f"{where}: is not TOML: {error}"]
    version = data.get("format", FORMAT)
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        remedy = "update algoritmo" if newer else f"write format = {FORMAT}, and what the README says of scenes"
        return kind(), [
            f"{where}: line {line_of(text, ('format',))}: format {version!r}: this version reads {FORMAT}; {remedy}"
        ]
    faults: list[str] = []
    for scene in data["scene"] if isinstance(data.get("scene"), list) else ():
        if isinstance(scene, dict) and "parameters" in scene:
            scene["parameters"] = by_ids(scene["parameters"])
    found = kind()
    for _ in range(ROUNDS):
        try:
            found = kind.model_validate(data)
            break
        except ValidationError as error:
            wrong = {_known(data, e["loc"]): e for e in error.errors(include_url=False)}
            faults += [f"{where}: line {line_of(text, tuple(map(str, loc)))}: {_told(loc, e)}" for loc, e in wrong.items()]
            for loc in wrong:
                _leave_out(data, loc)
    return found.model_copy(update={"scene": tuple(_anchored(scene, folder) for scene in found.scene)}), faults


def _known(data: Any, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the path of the key that a fault lies in, without the names of the kinds that its value may be of."""
    found: list[int | str] = []
    for part in loc:
        if not isinstance(data, dict | list) or (isinstance(data, list) and not isinstance(part, int)):
            break
        found.append(part)
        if isinstance(data, list):
            data = data[int(part)]
        elif part in data:
            data = data[part]
        else:
            break
    return tuple(found)


def _told(loc: tuple[int | str, ...], error: Any) -> str:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc)
    if error["type"] == "extra_forbidden":
        like = nearest(str(loc[-1]), [*Scene.model_fields, *SceneSet.model_fields])
        return f"{key}: there is no such key; {f'did you mean {like}?' if like else 'remove it'}"
    if error["type"] == "missing":
        return f"{key}: is missing; write it"
    what = "give a number, a word, true or false" if len(loc) < len(error["loc"]) else error["msg"].removeprefix("Input ")
    return f"{key}: {what} (it is {error['input']!r})"


def _leave_out(data: Any, loc: tuple[int | str, ...]) -> None:
    """Take out of `data` what a fault lies in; a scene stays, for its number is known to people."""
    for part in loc[:-1]:
        data = data[part]
    last = loc[-1]
    if isinstance(data, list):
        data[int(last)] = {"name": f"Scene {int(last) + 1}"}
    elif last == "name":
        data["name"] = f"Scene {int(loc[1]) + 1}" if len(loc) == 3 else ""
    else:
        data.pop(last, None)


def _anchored(scene: Scene, folder: Path) -> Scene:
    """Return a scene with its paths as seen from a folder."""
    patches = {track: _path(name, ".py", folder) for track, name in scene.patches.items()}
    return scene.model_copy(update={"network": _path(scene.network, ".onnx", folder), "patches": patches})


def _path(name: str, ending: str, folder: Path) -> str:
    is_path = name.endswith(ending) or (ending == ".onnx" and "/" in name)
    return str(folder / Path(name)) if is_path and not Path(name).is_absolute() else name


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line of a file in which the key of a path stands, or what it lies in; scenes are counted from 0."""
    found = {key: line for line, key in _keys(text)}
    return next((found[path[:n]] for n in range(len(path), 0, -1) if path[:n] in found), 1)


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the path of each key and table, the first where one comes twice last."""
    table: tuple[str, ...] = ()
    scenes = -1
    lines = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        head = re.match(r"\s*(\[\[?)\s*([^\]]*?)\s*\]", line)
        if head is not None:
            names = tuple(part.strip().strip("\"'") for part in head[2].split("."))
            scenes += head[1] == "[[" and names == ("scene",)
            table = (names[0], str(max(scenes, 0)), *names[1:]) if names[0] == "scene" else names
            lines.append((number, table))
            continue
        key = re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line)
        if key is not None:
            names = tuple(part.strip().strip("\"'") for part in key[1].split("."))
            lines.append((number, table + names))
            lines += [(number, table + names[:n]) for n in range(1, len(names))]
            # Of a parameter's id, `lead.level`, the whole is one key.
            if "parameters" in (*table, *names):
                at = (*table, *names).index("parameters") + 1
                lines.append((number, (*(*table, *names)[:at], ".".join((*table, *names)[at:]))))
    yield from reversed(lines)
