"""A scene begins, on the network's side: with the timestep that lies on its bar line.

Runs on: network process, main thread.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from engine.core.link import Link
from engine.core.messages import BEGIN, PLAYS
from engine.core.parameters import Live
from engine.core.scene import is_of_sound
from engine.jam.jam import Jam
from engine.transport.timeline import CLOSE


class Switching:
    """Follows the ring `switches`: `look` before each timestep. What is of the sound alone the audio process does."""

    def __init__(self, link: Link, live: Live) -> None:
        self._live = live
        self._reader = link["switches"].reader()
        last, done = link["switches"].latest(), link["switched"].latest()
        if last is not None and (done is None or (int(done["number"]), int(done["state"])) < (int(last["number"]), PLAYS)):
            self._reader.position -= 1  # in the place of a process that died
        self._coming: np.void | None = None
        self._chart: str | None = None  # of what began last

    def look(self, jam: Jam, beat: float) -> int | None:
        """Take what begins at or before a beat; infinity: the beat stands. Return the number of the network that is to play
        from there on, None where nothing begins."""
        if self._reader.is_behind():
            for record in self._reader.read():
                self._coming = record if record["what"] == BEGIN else None
        coming = self._coming
        if coming is None or beat < float(coming["beat"]) - CLOSE:
            return None
        self._coming = None
        told = json.loads(bytes(coming["text"]))
        self._write(told.get("values", {}))
        self._chart = told.get("chart")
        self.pass_on(jam)
        return int(coming["network"])

    def pass_on(self, jam: Jam) -> None:
        """Give the chart of the scene that begins to who plays it."""
        if self._chart is not None:
            jam.charts.play(self._chart)

    def _write(self, values: dict[str, Any]) -> None:
        places, numbers = [], []
        for key, value in values.items():
            known = key in self._live.registry and not isinstance(value, str) and math.isfinite(value)
            if known and not is_of_sound(key) and self._live.registry.place(key) < len(self._live.registry.fixed):
                places.append(self._live.registry.place(key))
                numbers.append(self._live.registry[key].clamp(float(value)))
        if places:
            self._live.values.write_all(places, numbers)
