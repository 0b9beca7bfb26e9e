"""What of the configuration is about OSC: receivers of the feed, and where orders and questions come in.

Runs on: supervisor.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from engine.core.section import Names, Section

Port = Annotated[int, Field(ge=1, le=65535)]
Origin = Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]


SMOOTH_TIERS = ("smooth", "smooth_vectors", "levels", "music")  # those that come many times a second, or when they change
SLOWEST_HZ, FASTEST_HZ = 20.0, 120.0  # of the smooth tiers


class Target(Section):
    """One receiver of the OSC feed."""

    host: str = "127.0.0.1"
    port: Port = 9000
    tiers: Annotated[
        tuple[Literal["scalars", "vectors", "smooth", "smooth_vectors", "levels", "music"], ...],
        BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v),
    ] = (
        "scalars",
        "vectors",
    )
    signals: Names = ()  # none: all (of a network with more than 10,000 activations: those of the layers only where named)
    layers: Annotated[tuple[int, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = ()
    max_rate_hz: float = Field(120, gt=0, le=1000)
    smooth_hz: float = Field(60, gt=0, le=1000)  # of the smooth tiers; what is out of SLOWEST_HZ to FASTEST_HZ is clamped
    raw: bool = False  # what is ranged to 0..1 comes as it is besides
    chunk: int = Field(256, ge=16, le=8192)
    root: str = Field("/algoritmo", pattern=r"^(/[^\s#*,/?\[\]{}]+)+$", max_length=64)
    timetag: Literal["immediate", "presentation"] = "immediate"
    interface: str = ""  # for a multicast group: the own address on the network it is to go to

    @property
    def paced_hz(self) -> float:
        """The rate of its smooth tiers."""
        return min(max(self.smooth_hz, SLOWEST_HZ), FASTEST_HZ)


class Control(Section):
    """The socket that OSC control messages come to."""

    host: str = "127.0.0.1"
    port: Port = 9001
    enabled: bool = True
    token: str = ""


class Query(Section):
    """OSCQuery: a receiver finds every address by itself."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 9002
    announce: bool = True  # by zeroconf
    origins: Origins = ()  # pages of others that may listen


class Osc(Section):
    """What is published, and where orders are taken."""

    targets: Annotated[tuple[Target, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = (Target(),)
    control: Control = Control()
    query: Query = Query()
    cells: Literal["tanh", "raw"] = "tanh"  # how cells, which have no bounds, are published
