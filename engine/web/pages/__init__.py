"""The pages' own sides of the server: one module a page, found by its name.

Runs on: feed process, event loop. A page is a folder in `static/`; one that also sends and takes messages has a module here of
the same name with a function `page(around)`. Its WebSocket is `/NAME/socket`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.core.config import Web
from engine.core.contract import Card
from engine.core.link import Link
from engine.core.parameters import Live
from engine.feed.signals.audience import Audience
from engine.net.guard import Guard
from engine.net.sockets import Waiting


@dataclass(frozen=True, slots=True)
class Around:
    """What a page is given of the engine."""

    link: Link
    live: Live
    card: Card
    config: Web
    guard: Guard
    recorded: bool = False  # what sounds was played before: nobody plays now, nothing can be changed
    sound: bool = True  # there is some
    audience: Audience | None = None  # who wants the smooth tiers; where there is none, no page does


class Page(Protocol):
    """One page. `step`, `notes` and `futures` are called on the event loop's thread; without a client they return at once."""

    @property
    def clients(self) -> Mapping[int, Waiting]:
        """The browsers that look at it."""

    def join(self, query: Mapping[str, str], address: str = "") -> Waiting:
        """Take in a browser that opened the WebSocket with this query."""

    def order(self, client: Any, text: str) -> None:
        """Take one message of a browser that `join` returned; whatever the message is, nothing is raised."""

    def leave(self, client: Any) -> None:
        """Let a browser go."""

    def step(self, record: np.void) -> None:
        """A step sounds now."""

    def notes(self, events: np.ndarray) -> None:
        """These began or ended to sound; EVENT records."""

    def futures(self, record: np.void) -> None:
        """These continuations of the step that sounds were imagined."""


def pages(around: Around) -> dict[str, Page]:
    """Make every page that has a module in this folder; by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}").page(around) for name in names}
