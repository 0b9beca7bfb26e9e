"""The rack as the configuration has it: what tracks, sends and the master go through.

Runs on: supervisor; audio process.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from engine.core.section import Names, Section


class Insert(Section):
    """One effect: `gain`, `filter` or `delay`, or a plugin (`plugin:NAME`, `clap:NAME` ..., or its file)."""

    effect: str
    own: bool = False  # a plugin gets a process for itself
    side: str = ""  # track that it listens to beside its own, where it takes a side-chain
    knobs: dict[str, float | bool | str] = Field(default_factory=dict)


def _inserts(value: object) -> object:
    """Let a word stand for an effect with nothing else said, and one by itself for a list of one."""
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple({"effect": one} if isinstance(one, str) else one for one in value)


Inserts = Annotated[tuple[Insert, ...], BeforeValidator(_inserts)]


class Rack(Section):
    """What tracks, player, master and sends go through."""

    inserts: dict[str, Inserts] = Field(default_factory=dict)
    sends: Annotated[tuple[Inserts, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = Field(
        (), max_length=2
    )
    own: Names = ()  # tracks whose plugin gets a process for itself
