"""The patches that are there, for people: what each is, how many notes it plays at once, what can be turned on it.

Runs on: main process (`algoritmo patches`). No sound is begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.audio.library import available, knobs, load
from engine.audio.patch import Patch
from engine.core.errors import PatchError


def show(name: str | None, as_json: bool) -> list[str]:
    """Lines of what `algoritmo patches` prints: of all patches, or of one by its name or the path of its file.

    Raises PatchError for one that was named and cannot be loaded; among all it is listed with what is wrong.
    """
    found: dict[str, type[Patch] | PatchError] = {}
    for each in available() if name is None else (name,):
        try:
            found[each] = load(each)
        except PatchError as error:
            if name is not None:
                raise
            found[each] = error
    if as_json:
        return [json.dumps({each: _described(patch) for each, patch in found.items()}, indent=2)]
    return [line for each, patch in found.items() for line in _lines(each, patch)]


def _described(patch: type[Patch] | PatchError) -> dict[str, Any]:
    if isinstance(patch, PatchError):
        return {"fault": str(patch)}
    told = ("id", "min", "max", "default", "unit", "scale", "doc")
    turned = [{key: knob.describe()[key] for key in told} for knob in knobs("", patch)]
    return {
        "doc": _first_line(patch),
        "polyphony": patch.polyphony,
        "knobs": [knob | {"id": str(knob["id"]).removeprefix(".")} for knob in turned],
    }


def _lines(name: str, patch: type[Patch] | PatchError) -> Iterator[str]:
    if isinstance(patch, PatchError):
        yield f"{name}: cannot be loaded: {patch}"
        return
    yield f"{name}: {_first_line(patch)} Polyphony {patch.polyphony}."
    for knob in knobs("", patch):
        size = f"{knob.minimum:g} to {knob.maximum:g}{f' {knob.unit}' if knob.unit else ''}"
        yield f"  {knob.id.removeprefix('.')}: {size}, {knob.default:g} at first. {knob.doc}"


def _first_line(patch: type[Patch]) -> str:
    return (patch.__doc__ or "").strip().partition("\n")[0]
