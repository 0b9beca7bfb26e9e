"""Several networks in one jam, one of which plays at a time: what they have together, and how each sees the run's channels.

Runs on: every process. Tracks are numbered as in `together` everywhere but in the network that plays and in what shows it:
these have their own numbers, through `as_part`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card, read_card
from engine.core.link import Link, Writer
from engine.core.messages import PLAYER

OTHERS = 254  # number that a network has for the tracks of the others
OF_A_NETWORK = ("steps", "futures")  # rings that each has for itself


def together(cards: Sequence[Card]) -> Card:
    """Return a card with the tracks, controls and layers of all, the first's first; of one alone that itself."""
    first = cards[0]
    if len(cards) == 1:
        return first
    tracks = {track.name: track for card in reversed(cards) for track in card.tracks}
    controls = {control.name: control for card in reversed(cards) for control in card.controls}
    names = dict.fromkeys(track.name for card in cards for track in card.tracks)
    turned = dict.fromkeys(control.name for card in cards for control in card.controls)
    shown = list(first.activations)
    for card in cards:
        known = {a.layer for a in shown}
        shown += [a for a in card.activations if a.layer not in known]
    return first.model_copy(
        update={
            "tracks": tuple(tracks[name] for name in names),
            "controls": tuple(controls[name] for name in turned),
            "activations": tuple(shown),
            "steps_per_beat": math.lcm(*(card.steps_per_beat for card in cards)),
        }
    )


@dataclass(frozen=True)
class Part:
    """One network of a jam: its number, the file, and the numbers of its tracks among those of all."""

    number: int
    path: Path
    card: Card
    tracks: tuple[int, ...]

    @property
    def has_own_numbers(self) -> bool:
        """Whether its tracks have other numbers than among all."""
        return self.tracks != tuple(range(len(self.tracks)))

    @cached_property
    def _own(self) -> np.ndarray:
        own = np.full(256, OTHERS, np.uint8)
        own[PLAYER] = PLAYER
        own[list(self.tracks)] = np.arange(len(self.tracks))
        return own

    def heard(self, events: np.ndarray) -> np.ndarray:
        """Return EVENT records with its own numbers for its tracks."""
        if len(events):
            events = events.copy()
            events["track"] = self._own[events["track"]]
        return events


def parts_of(paths: Sequence[Path]) -> tuple[Part, ...]:
    """Return the networks of a jam. Raises NetworkError."""
    cards = [read_card(path) for path in paths]
    names = [track.name for track in together(cards).tracks]
    return tuple(
        Part(number, path, card, tuple(names.index(track.name) for track in card.tracks))
        for number, (path, card) in enumerate(zip(paths, cards, strict=True))
    )


class _Renumbered:
    """The ring `notes` for a network whose tracks have other numbers than it knows."""

    def __init__(self, writer: Writer, tracks: tuple[int, ...]) -> None:
        self._writer, self._tracks = writer, tracks

    def push(self, record: Any) -> None:
        """Write one EVENT, a tuple in field order."""
        frame, step, kind, track, *rest = record
        self._writer.push((frame, step, kind, self._tracks[track] if track < len(self._tracks) else track, *rest))


def as_part(link: Link, part: Part) -> Link:
    """Return the channels as this network has them: its own rings under the names that all have."""
    if part.number == 0:
        return link
    found = copy.copy(link)
    named = {name: f"{name}.{part.number}" for name in OF_A_NETWORK}
    found._rings = link._rings | {name: link._rings[own] for name, own in named.items()}
    found._writers = link._writers | {name: link._writers[own] for name, own in named.items() if own in link._writers}
    if part.has_own_numbers and "notes" in link._writers:
        found._writers["notes"] = _Renumbered(link._writers["notes"], part.tracks)  # type: ignore[assignment]  # it pushes alone
    return found
