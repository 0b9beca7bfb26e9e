"""The live parameters of a run, put together: what the modes declare, what every run has, and what the network brings.

Runs on: every process.
"""

from __future__ import annotations

from engine.core.config import Jam
from engine.core.contract import Card
from engine.core.link import Link
from engine.core.parameters import Live, Parameter, Registry, choice, trigger
from engine.jam import shape
from engine.jam.modes import CLASSES, MODES
from engine.transport import sources


def declared() -> list[Parameter]:
    """Return the parameter `mode` and those that the modes declare."""
    doc = "; ".join(f"{mode.name}: {mode.doc}" for mode in CLASSES)
    mode = choice("mode", MODES, Jam().mode, doc)
    follow = Parameter("follow", 0, 1, 1, "How closely bass, chords, pad and lead keep to the chord that is heard")
    keep = trigger("keep", "Keep the chords of the round just played as the chart")
    of_modes = (parameter for of in CLASSES for parameter in of.parameters)
    return [mode, follow, keep, *sources.parameters(), *of_modes]


def registry_of(card: Card) -> Registry:
    """Return the live parameters for a network."""
    controls = [Parameter(c.name, c.min, c.max, c.neutral, c.doc) for c in card.controls]
    return Registry([track.name for track in card.tracks], controls, [*declared(), *shape.declared(card)])


def live_of(card: Card, link: Link) -> Live:
    """Return the live parameters of a run with their values."""
    return Live(registry_of(card), link.values)
