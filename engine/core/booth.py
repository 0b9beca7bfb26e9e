"""The booth's section of the configuration.

Runs on: supervisor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from engine.core.section import Section


class Booth(Section):
    """Where visitors draw, compose and vote."""

    enabled: bool = False
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8010, ge=1, le=65535)
    token: str = ""
    store: str = Field("booth.db", min_length=1)  # a file, or postgresql://USER@HOST/NAME
    clips: int = Field(64, ge=2, le=512)  # of a generation
    bars: int = Field(4, ge=1, le=32)  # of a clip
    votes: int = Field(512, ge=1)  # after which the next generation is bred
    breed: bool = True  # the next generation by itself, from what was chosen
    cluster: str = ""  # a Dask scheduler, tcp://HOST:8786, that samples and renders clips; empty: a process here
    tune: Literal["ranks", "dpo", "off"] = "ranks"  # how the network itself learns from what was chosen
    tune_votes: int = Field(512, ge=1)  # after which it does, counted from the last time
    tune_updates: int = Field(40, ge=1, le=10_000)
    corpus: tuple[Path, ...] = ()  # folders of the music that it learned from, for it not to forget that
    generations: str = ""  # folder of the networks that were bred; empty: beside the store
    room: bool = False  # the loudspeaker plays and the phones only vote
    hold: bool = False  # a drawing waits until somebody at the wall has let it
    wifi: str = ""
    wifi_password: str = ""
