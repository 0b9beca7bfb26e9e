"""What is in the store, as it is read from it: generations, votes, drawings.

Runs on: booth process, and whoever breeds generations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.store import schema
from engine.store.clip import Music


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of clips. `parent`: id of the one that it was bred from; `network`: file of the network that plays it."""

    method: str
    network: str
    sha256: str = ""
    parent: int | None = None
    seed: int = 0
    conditions: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    state: str = schema.BREEDING
    id: int | None = None
    created_ms: int = 0
    opened_ms: int | None = None
    closed_ms: int | None = None


class Vote(NamedTuple):
    """One vote: `choice` 0 is the clip heard first. `visitor` and `crowd` as in the ballot."""

    first: int
    second: int
    choice: int
    visitor: str
    crowd: int
    across: bool
    room: int | None = None


class Tally(NamedTuple):
    """So many votes said the same of the same two clips in the same order."""

    first: int
    second: int
    choice: int
    across: bool
    votes: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a visitor drew or composed."""

    kind: str  # draw, compose
    name: str
    lines: Any
    music: Music
    visitor: str = ""
    state: str = schema.WAITING
    id: int | None = None
    created_ms: int = 0
