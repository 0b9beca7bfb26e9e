"""Scenes written into their file: what people wrote there stays, remarks and all; and how a jam stands, written down.

Runs on: main process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from engine.core.parameters import SCENES, Live, Parameter
from engine.core.scene import FORMAT, Scene, State, Values, parse

REMARK = """# A set: scenes in their order, kept while it played. What a scene does not name stays as it is.
# Of a scene: name, network, chart ("": by ear), bars, patches.TRACK, parameters.ID.
"""
_NOT_KEPT = ("scene.", "clock.", "transport.")  # what belongs to the evening and its machines, not to a song


def captured(live: Live, name: str, network: str, chart: str) -> Scene:
    """Return what is now as a scene."""
    live.refresh()
    patches: dict[str, str] = {}
    values: Values = {}
    for parameter in live.registry:
        track, _, word = parameter.id.rpartition(".")
        if parameter.kind == "trigger" or parameter.id.startswith(_NOT_KEPT) or parameter.id == "network":
            continue
        value = live.get(parameter.id)
        if word == "patch" and parameter.choices:
            patches[track] = parameter.text(value)
        else:
            values[parameter.id] = _written(parameter, value)
    return Scene(name=name, network=network, chart=chart, patches=patches, parameters=values)


def _written(parameter: Parameter, value: float) -> float | bool | str:
    """Return a value as a person would write it."""
    if parameter.choices:
        return parameter.text(value)
    if parameter.kind == "switch":
        return value > 0
    return int(value) if parameter.whole else float(f"{value:.6g}")


def keep(path: Path, number: int, scene: Scene, set_name: str = "") -> str:
    """Write a scene into a file as its scene of this number, counted from 1; return the text that stood there.

    The file is replaced at once or not at all. Raises OSError; ValueError when what stands there cannot be written over.
    """
    before = path.read_text("utf-8-sig") if path.exists() else ""
    replace(path, with_scene(before, number, scene, set_name, path))
    return before


def replace(path: Path, text: str) -> None:
    """Replace a file in one go. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def with_scene(text: str, number: int, scene: Scene, set_name: str = "", path: Path = Path()) -> str:
    """Return the text of a file with this scene as its scene `number`; one behind the last is put there. Raises ValueError."""
    if not 1 <= number <= SCENES:
        raise ValueError(f"a scene has a number from 1 to {SCENES}")
    text = _begun(text or REMARK, set_name)
    if wrong := parse(text, str(path), path.parent)[1]:
        raise ValueError(f"mend it first: {'; '.join(wrong)}")
    there = len(parse(text, "")[0].scene)
    if there < number:
        filled = [Scene(name=f"Scene {n}") for n in range(there + 1, number)]
        ways: list[Callable[[], str]] = [lambda: "\n".join([text, *map(_text_of, [*filled, scene])])]
    else:
        ways = [lambda: _changed(text, number, scene), lambda: _written_anew(text, number, scene)]
    faults: list[str] = []
    for way in ways:
        try:
            written = way()
        except Exception as error:  # tomlkit's many, of what it reads and cannot write
            faults = [str(error)]
            continue
        found, faults = parse(written, str(path), path.parent)
        if not faults and len(found.scene) >= number and _holds(found.scene[number - 1], scene):
            return written
    raise ValueError("; ".join(faults) or "what stands in it cannot be written over: change it by hand")


def _holds(found: Scene, scene: Scene) -> bool:
    values = {key: found.parameters.get(key) for key in scene.parameters}
    return values == scene.parameters and found.patches.keys() >= scene.patches.keys()


def _changed(text: str, number: int, scene: Scene) -> str:
    """Return the text with the values of a scene changed where they stand."""
    document = tomlkit.parse(text)
    table = document["scene"][number - 1]
    for key, value in _head_of(scene).items():
        if value or key in table or key == "chart":
            table[key] = value
    _fill(table, "patches", dict(scene.patches))
    _fill(table, "parameters", dict(scene.parameters))
    return tomlkit.dumps(document)


def _written_anew(text: str, number: int, scene: Scene) -> str:
    """Return the text with a scene written anew; of what stood there the remarks on lines of their own stay."""
    lines = text.split("\n")
    heads = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    begin = [n for n in heads if re.match(r"\s*\[\[\s*scene\s*\]\]", lines[n])][number - 1]
    others = [n for n in heads if n > begin and not re.match(r"\s*\[\s*scene\s*\.", lines[n])]
    end = others[0] if others else len(lines)
    remarks = [line for line in lines[begin:end] if line.lstrip().startswith("#")]
    bars = parse(text, "")[0].scene[number - 1].bars
    head, name, *rest = _text_of(scene).split("\n")
    kept = [] if bars is None else [f"bars = {bars}"]
    return "\n".join([*lines[:begin], head, *remarks, name, *kept, *rest, *lines[end:]])


def _head_of(scene: Scene) -> dict[str, str]:
    head = {"name": scene.name, "network": scene.network, "chart": scene.chart}
    return {key: value for key, value in head.items() if value is not None}


def _begun(text: str, set_name: str) -> str:
    """Return a file's text with its format, before everything but the remarks it begins with."""
    keys = tomlkit.parse(text)
    if "format" in keys:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    at = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    name = [f"name = {tomlkit.item(set_name).as_string()}"] if set_name and "name" not in keys else []
    return "\n".join([*lines[:at], f"format = {FORMAT}", *name, *lines[at:]])


def _text_of(scene: Scene) -> str:
    """Return a scene as a file has it."""
    made = tomlkit.table()
    for key, value in _head_of(scene).items():
        if value or key != "network":
            made[key] = value
    _fill(made, "patches", dict(scene.patches))
    _fill(made, "parameters", dict(scene.parameters))
    scenes = tomlkit.aot()
    scenes.append(made)
    document = tomlkit.document()
    document.add("scene", scenes)
    return tomlkit.dumps(document)


def _fill(table: Table, section: str, values: Mapping[str, Any]) -> None:
    """Write values below a section of a scene: what stands there already is changed in its place, the rest put behind."""
    there = table.get(section)
    if there is None:
        there = tomlkit.table()
        for key, value in values.items():
            there.append(tomlkit.key(key.split(".")), tomlkit.item(value))
        if values:
            table[section] = there
        return
    for key, value in values.items():
        parts = key.split(".")
        if not _set(there, parts, value):
            if parts[0] in there and isinstance(there[parts[0]], Table) and not there[parts[0]].is_super_table():
                there[parts[0]][".".join(parts[1:])] = value  # a table with a head of its own: dots beside it would be a second
            elif isinstance(there, Table) and not there.is_super_table():
                there.append(tomlkit.key(parts), tomlkit.item(value))
            else:  # the section itself is written with dots
                table.append(tomlkit.key([section, *parts]), tomlkit.item(value))


def _set(there: Any, parts: list[str], value: Any) -> bool:
    """Change one key where it stands, whichever way its dots were written; return whether it does."""
    for cut in range(len(parts), 0, -1):
        head = ".".join(parts[:cut])
        if head not in there:
            continue
        if cut == len(parts):
            there[head] = value
            return True
        if isinstance(there[head], Mapping) and _set(there[head], parts[cut:], value):
            return True
    return False


def state_text(scene: Scene, of_set: Path | None, number: int) -> str:
    """Return how a jam stands as a file that `jam --resume` begins with."""
    state = State(name=scene.name, set="" if of_set is None else str(of_set.resolve()), number=number)
    document = tomlkit.document()
    document.add(tomlkit.comment("How the jam stood: algoritmo jam --resume goes on here."))
    for key in ("format", "name", "set", "number"):
        document.add(key, getattr(state, key))
    return f"{tomlkit.dumps(document)}\n{_text_of(scene)}"
