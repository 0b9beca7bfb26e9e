"""Another network of the same kind in the place of the one that plays: loaded beside it, it goes on from a bar line on.

Runs on: network process, main thread; a thread of its own loads. What it is asked for stands in the ring `bred` (of the booth),
what became of it in the ring `succeeded`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np

from engine.core.contract import Card, read_card
from engine.core.ensemble import Part
from engine.core.errors import AlgoritmoError
from engine.core.link import Link
from engine.core.messages import REFUSED, SUCCEEDED_BYTES, SUCCEEDS, SUCCESSOR_BYTES
from engine.jam.imagination import SWITCH_S
from engine.jam.seats import Seat
from engine.transport.timeline import CLOSE, BeatTimeline

SAME = ("tracks", "channels", "noise", "controls", "conditions", "states", "activations", "steps_per_beat", "beats_per_bar")


def is_alike(card: Card, other: Card) -> bool:
    """Whether a network can take the place of another one: the same in everything that others know of it."""
    return all(getattr(card, name) == getattr(other, name) for name in SAME)


class Successor:
    """Follows what is asked for; `look` before each timestep. Channel: writes `succeeded`."""

    def __init__(self, link: Link, load: Callable[[Part], Seat]) -> None:
        """`load`: makes a network ready to play. Raises NetworkError."""
        self._link, self._load = link, load
        self._reader = link["bred"].reader()
        self._loading: Thread | None = None
        self._ready: tuple[int, Seat] | None = None
        self._serial = 0

    def look(self, playing: Part, beat: float, line: Callable[[], BeatTimeline]) -> Seat | None:
        """Return the network that plays from this beat on in the place of `playing`, where one is ready and a bar begins.

        While the beat stands (infinity) at once.
        """
        if self._reader.is_behind() and not self._busy():
            newest = self._reader.read()[-1]  # of several the last
            self._serial, self._ready = int(newest["serial"]), None
            path = Path(newest["path"].decode(errors="replace"))
            self._loading = Thread(target=self._prepare, args=(self._serial, path, playing), name="successor", daemon=True)
            sys.setswitchinterval(SWITCH_S)
            self._loading.start()
        if self._ready is None or self._busy():
            return None
        serial, seat = self._ready
        if seat.part.number != playing.number:
            return None  # a scene has another network play: it waits until its own does
        if beat < math.inf and line().bar_line(beat - 0.5 / seat.card.steps_per_beat) - beat > CLOSE:
            return None
        self._ready = None
        return seat if serial == self._serial else None

    def begun(self, seat: Seat, frame: float) -> None:
        """It plays from this frame on."""
        self._tell(self._serial, SUCCEEDS, frame, str(seat.part.path))

    def _busy(self) -> bool:
        return self._loading is not None and self._loading.is_alive()

    def _prepare(self, serial: int, path: Path, playing: Part) -> None:
        try:
            card = read_card(path)
            if not is_alike(card, playing.card):
                raise AlgoritmoError(f"{path} is of another kind than the network that plays")
            self._ready = (serial, self._load(replace(playing, path=path, card=card)))
        except AlgoritmoError as error:
            self._tell(serial, REFUSED, 0.0, str(error))

    def _tell(self, serial: int, state: int, frame: float, text: str) -> None:
        self._link.writer("succeeded").push((serial, state, round(frame), text.encode()[:SUCCEEDED_BYTES]))


def played_last(link: Link, part: Part) -> Part:
    """Return the network that is to play after a restart: what had taken the place of the first, if it is there."""
    last = link["succeeded"].latest()
    if last is None or int(last["state"]) != SUCCEEDS:
        return part
    path = Path(last["text"].decode(errors="replace"))
    try:
        card = read_card(path)
    except AlgoritmoError:
        return part
    return replace(part, path=path, card=card) if is_alike(card, part.card) else part


def order(link: Link, path: Path) -> int:
    """Ask for a network to take the place of the one that plays; return the number of its answer. Raises AlgoritmoError."""
    last: np.void | None = link["bred"].latest()
    serial = 1 if last is None else int(last["serial"]) + 1
    name = str(path.resolve()).encode()
    if len(name) > SUCCESSOR_BYTES:
        raise AlgoritmoError(f"{path}: its name is too long")
    link.writer("bred").push((serial, name))
    return serial
