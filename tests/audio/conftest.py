"""An engine of its own for each test.

pyo allows one server at a time in a process: objects belong to the server that was booted last. One after the other works, and
gives the same samples each time, so every engine is closed before the next test begins; no test may keep two open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.engine import AudioEngine
from engine.core.config import Config, load
from engine.core.contract import Card, parse_card
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, EVENT, NOTE_ON, OUTPUTS
from engine.core.parameters import Live
from engine.jam.parameters import registry_of

RATE = 48000
TRACKS = ("drums", "bass", "lead")
PLAIN = """
from engine.audio.plain import Plain

class Tone(Plain):
    "Plain keys, quick and without a tail."
"""


def card() -> Card:
    """A card with three tracks."""
    tracks = [{"name": n, "kind": "drums" if n == "drums" else "pitched", "pitches": [60, 61]} for n in TRACKS]
    parts = {"contract": 1, "name": "none", "steps_per_beat": 4, "beats_per_bar": 4, "noise": 1, "tracks": tracks}
    return parse_card(json.dumps(parts), "none")


class Bench:
    """An engine with everything around it that a test wants to hold."""

    def __init__(self, config: Config, **options: Any) -> None:
        self.card = card()
        self.registry = registry_of(self.card)
        self.link = Link.private(Layout.of(self.card, len(self.registry), stems=config.session.stems))
        self.live = Live(self.registry, self.link.values)
        self.live.reset_to_defaults()
        self._events = self.link["events"].reader()
        self._notices = self.link["notices.audio"].reader()
        self.engine = AudioEngine(self.link, self.registry, self.card, config, RATE, **options)

    def play(self, *data: int) -> None:
        """Send bytes to the first MIDI input."""
        self.engine.player.ports.arrivals.append((0, "keyboard", data))

    def network(self, frame: int, kind: int, track: int, pitch: int = 60, velocity: int = 100, step: int = 0) -> None:
        """Send what the network sends."""
        self.link.writer("notes").push((frame, step, kind, track, pitch, velocity, 0.0))

    def blocks(self, count: int) -> np.ndarray:
        """Render; return float32 (count * BLOCK, OUTPUTS)."""
        out = np.zeros((count, BLOCK, OUTPUTS), np.float32)
        for block in out:
            block[:] = np.frombuffer(self.engine.render_block(), np.float32).reshape(BLOCK, OUTPUTS)
        return out.reshape(-1, OUTPUTS)

    def seconds(self, seconds: float) -> np.ndarray:
        """Render at least so long."""
        return self.blocks(int(np.ceil(seconds * RATE / BLOCK)))

    def events(self) -> np.ndarray:
        """Return what began and ended to sound since the last call."""
        events = self._events.read()
        assert events.dtype == EVENT
        return events

    def heard(self) -> list[tuple[int, int, int, int]]:
        """Return the same as (frame, kind, track, pitch)."""
        return [(int(e["frame"]), int(e["kind"]), int(e["track"]), int(e["pitch"])) for e in self.events()]

    def notices(self) -> str:
        """Return what was told since the last call."""
        return "\n".join(n["text"].decode() for n in self._notices.read())


@pytest.fixture
def tone(tmp_path: Path) -> str:
    """Path of a simple patch."""
    path = tmp_path / "tone.py"
    path.write_text(PLAIN)
    return str(path)


@pytest.fixture
def bench(tone: str) -> Iterator[Callable[..., Bench]]:
    """Build an engine: `bench("audio.ceiling_db=-6", player="path.py", source=...)`; every track plays a simple tone."""
    made: list[Bench] = []

    def build(*settings: str, patches: dict[str, str] | None = None, **options: Any) -> Bench:
        names = dict.fromkeys(("player", *TRACKS), tone) | (patches or {})
        made.append(Bench(load(None, [*(f"patches.{k}={v}" for k, v in names.items()), *settings]), **options))
        return made[-1]

    yield build
    for one in made:
        one.engine.close()


def first_sound(sound: np.ndarray, threshold: float = 1e-6) -> int | None:
    """Return the first frame that is not silence."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > threshold)
    return int(loud[0]) if len(loud) else None


def sounding(events: np.ndarray) -> set[tuple[int, int]]:
    """Return the (track, pitch) that still sound at the end; fails when something ended that had not begun, or began twice."""
    on: set[tuple[int, int]] = set()
    for event in events[np.isin(events["kind"], (0, NOTE_ON))]:
        key = (int(event["track"]), int(event["pitch"]))
        if event["kind"] == NOTE_ON:
            assert key not in on, f"{key} began twice"
            on.add(key)
        else:
            assert key in on, f"{key} ended before it began"
            on.remove(key)
    return on
