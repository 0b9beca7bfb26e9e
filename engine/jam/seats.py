"""The networks of a jam, each loaded and warm in the network process; one of them plays.

Runs on: network process; those that do not play yet are loaded by a thread of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread

from engine.core.config import Config
from engine.core.contract import Card
from engine.core.ensemble import Part, as_part
from engine.core.errors import NetworkError
from engine.core.link import Link
from engine.core.messages import INFO, WARNING
from engine.core.process import Spec
from engine.jam import harmony
from engine.jam.harmony import Harmony
from engine.jam.imagination import SWITCH_S
from engine.jam.settings import track_of
from engine.network.runner import MEASURED, Runner, Timing, choose


@dataclass(frozen=True)
class Seat:
    """A network that can play: what it is computed by, how long that takes, and the channels as it has them."""

    part: Part
    runner: Runner
    timings: list[Timing]  # the first is that of the runner
    track: str  # that the player's notes belong to
    link: Link
    harmony: Harmony | None

    @property
    def card(self) -> Card:
        """Of the network."""
        return self.part.card


def seat_of(config: Config, part: Part, runner: Runner, timings: list[Timing], link: Link) -> Seat:
    """Return a network that can play. Raises NetworkError."""
    try:
        track = track_of(config, part.card)
    except NetworkError:
        if part.number == 0:
            raise
        track = part.card.tracks[-1].name  # what the configuration names is a track of the first
    chooses = None
    try:
        chooses = harmony.of(config, part.card, track)
    except NetworkError:
        if part.number == 0:
            raise
    return Seat(part, runner, timings, track, as_part(link, part), chooses)


class Seats:
    """All of them. Channel: writes `playing`."""

    def __init__(self, spec: Spec, parts: Sequence[Part], link: Link) -> None:
        self.parts = parts
        self._spec, self._link = spec, link
        self._seats: dict[int, Seat] = {}
        self._playing = (0, 0.0, 0)  # number, frame from which on, and the first of its steps

    def load(self, part: Part, calls: int) -> Seat:
        """Load a network, measure it, and keep it. Raises NetworkError."""
        return self.put(self.make(part, calls))

    def put(self, seat: Seat) -> Seat:
        """Keep a network, in the place of one of its number."""
        self._seats[seat.part.number] = seat
        return seat

    def make(self, part: Part, calls: int) -> Seat:
        """Load a network and measure it. Raises NetworkError."""
        asked = self._spec.config.network
        return seat_of(self._spec.config, part, *choose(part.path, asked.provider, asked.threads, calls), self._link)

    def load_rest(self, playing: Seat) -> None:
        """Load the others in the background, one after the other."""
        self.tell(playing, 0.0)
        rest = [part for part in self.parts if part.number not in self._seats]
        if rest:
            sys.setswitchinterval(SWITCH_S)
            Thread(target=self._load_rest, args=(rest,), name="seats", daemon=True).start()

    def _load_rest(self, rest: Sequence[Part]) -> None:
        for part in rest:
            try:
                self.load(part, MEASURED // 8)
            except NetworkError as error:
                self._link.notice("network", WARNING, f"{part.card.name} cannot play: {error}")
                continue
            self._publish()
        self._link.notice("network", INFO, f"ready to play: {', '.join(seat.card.name for seat in self._seats.values())}")

    def at(self, number: int) -> Seat | None:
        """Return a network; None while it is not loaded."""
        return self._seats.get(number)

    def tell(self, seat: Seat, frame: float) -> None:
        """Publish which network plays, from a frame on."""
        self._playing = (seat.part.number, frame, seat.link["steps"].count)
        self._publish()

    def _publish(self) -> None:
        loaded = sum(1 << number for number in list(self._seats))
        self._link.writer("playing").push((loaded, *self._playing))
