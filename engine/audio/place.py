"""A place of the rack: which plugin or effect stands there, and the live parameters of its knobs.

Runs on: audio process (control thread).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.audio.host import Unit
from engine.audio.processor import Processor
from engine.audio.track import Track
from engine.core.errors import PluginError
from engine.core.parameters import Parameter, choice, switch
from engine.core.rack import Insert
from engine.host.plugin import Knob


@dataclass(slots=True, eq=False)
class Place:
    """One plugin or effect where it stands."""

    where: str  # track, "player", "send1", "send2" or "master"
    word: str  # what its parameters begin with, behind the track's name
    insert: Insert
    unit: Unit | None = None  # of a plugin
    processor: Processor | None = None
    track: Track | None = None  # of an instrument: what it plays
    units: list[Unit] = field(default_factory=list)  # of an instrument: it and those it goes through in its process
    is_in: bool = False  # it is heard, or passes sound through
    is_out: bool = False  # it was left out for what it did
    turned: list[tuple[int, Callable[[float], None]]] = field(default_factory=list)  # place in the table, and what it turns
    fault: str = ""  # why there is nothing in it
    preset: int = -1  # place of the parameter that chooses one
    preset_seen: float = 0.0

    @property
    def owner(self) -> str:
        """Under which its parameters are declared."""
        return f"rack {self.where} {self.word}"


def slug(name: str) -> str:
    """Return a name as it stands in an address: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.removeprefix("plugin:").casefold()).strip("_") or "plugin"


def bypass_of(place: Place, unit: Unit) -> Parameter:
    """Return the switch that leaves a plugin out."""
    return switch(f"{place.where}.{place.word}.bypass", f"Leave {unit.about.name} out; sound passes")


def parameter_of(place: Place, index: int, knob: Knob) -> tuple[Parameter, Callable[[float], float], Callable[[float], float]]:
    """Return the live parameter of a knob, what makes its number the plugin's value, and what makes that a number."""
    word = slug(knob.name)
    if any(slug(other.name) == word for other in (place.unit.knobs[:index] if place.unit else ())):
        word = f"{word}_{index}"
    name, doc = f"{place.where}.{place.word}.{word}", f"{knob.name} of {place.unit.about.name if place.unit else ''}"
    span = knob.maximum - knob.minimum
    if 2 <= knob.steps <= 128:

        def to_value(number: float) -> float:
            return knob.minimum + span * number / (knob.steps - 1)

        def to_number(value: float) -> float:
            return float(round((value - knob.minimum) / span * (knob.steps - 1)))

        if knob.labels and len(set(knob.labels)) == knob.steps:
            texts = tuple(label.strip() or str(n) for n, label in enumerate(knob.labels))
            return choice(name, texts, texts[int(to_number(knob.default))], doc), to_value, to_number
        if knob.steps == 2:
            return switch(name, doc, to_number(knob.default)), to_value, to_number
        return Parameter(name, 0, knob.steps - 1, to_number(knob.default), doc, knob.unit, "integer"), to_value, to_number
    return Parameter(name, knob.minimum, knob.maximum, knob.default, doc, knob.unit), lambda number: number, lambda value: value


def unit_at(places: Sequence[Place], where: str, word: str) -> Unit:
    """Return the plugin that plays a track, or the insert of that word, or the only one. Raises PluginError."""
    there = [place for place in places if place.unit is not None and place.where == where]
    found = sorted((p for p in there if not word or p.word == word), key=lambda p: p.track is None)
    if not found:
        names = sorted({place.where for place in places if place.unit is not None})
        words = f"there are {', '.join(p.word for p in there)}" if there else f"plugins are on {', '.join(names) or 'none'}"
        raise PluginError(f"there is no plugin {word + ' ' if word else ''}on {where}; {words}")
    unit = found[0].unit
    if unit is None or not unit.is_loaded:
        raise PluginError(f"{unit.label if unit else where} is not loaded (yet)")
    return unit
