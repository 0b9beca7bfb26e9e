"""Editors of plugins, each a process of its own that shows a second instance: what is turned there is turned in the one that
plays, and the other way round.

Runs on: audio process (control thread).
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.audio.host import Unit
from engine.audio.hosts import Hosts
from engine.core.errors import PluginError
from engine.host import wire

MOST_OPEN = 16
_CLOSE = 1e-5  # of a knob's range: as far as a number may be from where it was after its way through a parameter


@dataclass(slots=True, eq=False)
class Open:
    """One editor."""

    words: wire.Words
    unit: Unit | None = None
    known: dict[str, float] = field(default_factory=dict)  # where its knobs are
    presets: int = 0  # of the unit's that it has heard of


class Editors:
    """`poll` hears what editors say. `find(where, word)` returns a plugin, `turn(unit, key, value)` turns one of its knobs."""

    def __init__(
        self,
        segment: str,
        hosts: Hosts,
        find: Callable[[str, str], Unit],
        turn: Callable[[Unit, int, float], None],
    ) -> None:
        """`segment` names the run; without one there are no editors."""
        self._hosts, self._find, self._turn = hosts, find, turn
        self._door: socket.socket | None = None
        self._open: list[Open] = []
        if segment:
            with contextlib.suppress(OSError):  # another audio process of this run has not let go of it yet
                self._door = wire.listen(wire.editors(segment))

    @property
    def are_open(self) -> bool:
        """Whether there is any."""
        return bool(self._open)

    def poll(self) -> None:
        """Let in who comes, hear what is said, and tell what was turned here."""
        if self._door is not None and wire.ready([self._door]):
            with contextlib.suppress(BlockingIOError):
                caller, _ = self._door.accept()
                if wire.is_ours(caller) and len(self._open) < MOST_OPEN:
                    self._open.append(Open(wire.Words(caller)))
                else:
                    caller.close()
        for one in list(self._open):
            try:
                for message, behind in one.words.heard():
                    self._hear(one, message, behind)
                self._tell(one)
            except (OSError, PluginError, KeyError, TypeError, ValueError):  # it is gone, or says what makes no sense
                one.words.close()
                self._open.remove(one)

    def close(self) -> None:
        """Close every door."""
        for one in self._open:
            one.words.close()
        if self._door is not None:
            self._door.close()

    def _hear(self, one: Open, message: Mapping[str, Any], behind: bytes) -> None:
        do, unit = message.get("do"), one.unit
        if do == "edit":
            try:
                one.unit = unit = self._find(str(message["where"]), str(message.get("word", "")))
            except PluginError as error:
                one.words.say({"said": "none", "why": str(error)})
                return
            about = {name: getattr(unit.about, name) for name in ("format", "id", "name", "path")}
            one.known, one.presets = dict(unit.values), unit.presets
            one.words.say({"said": "plugin", "label": unit.label, "about": about, "values": unit.values}, unit.state)
        elif unit is not None and do == "turn":
            key, value = str(message["key"]), float(message["value"])
            index = next((i for i, knob in enumerate(unit.knobs) if knob.key == key), None)
            if index is not None and math.isfinite(value):
                knob = unit.knobs[index]
                one.known[key] = value = min(max(value, knob.minimum), knob.maximum)
                self._turn(unit, index, value)
        elif unit is not None and do == "state" and behind:
            self._hosts.restore(unit, behind)

    def _tell(self, one: Open) -> None:
        """Tell an editor what was turned since it was told last."""
        unit = one.unit
        if unit is None:
            return
        if unit not in self._hosts.units:
            one.words.say({"said": "gone"})
            raise PluginError("gone")
        if unit.presets != one.presets:
            one.presets = unit.presets
            one.words.say({"said": "state"}, unit.state)
        ranges = {knob.key: knob.maximum - knob.minimum for knob in unit.knobs}
        moved = {
            key: value
            for key, value in list(unit.values.items())
            if abs(value - one.known.get(key, math.inf)) > _CLOSE * ranges.get(key, 1.0)
        }
        if moved:
            one.known |= moved
            one.words.say({"said": "values", "values": moved})
