"""An engine with real plugins in real host processes, driven block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from engine.audio.engine import AudioEngine
from engine.core.config import load
from engine.core.link import Layout, Link
from engine.core.messages import EVENT, NOTE_ON
from engine.core.parameters import Live
from engine.core.process import Spec, Starter
from engine.core.roles import HOST, HOSTS
from engine.host.exchange import SIZE
from engine.jam.parameters import registry_of
from tests.audio.conftest import RATE, card

LIMIT_S = 30.0


class Rig:
    """An engine, and its host processes as a supervisor would start them."""

    def __init__(self, *settings: str, session: Path | None = None) -> None:
        self.config = load(None, settings)
        self.card = card()
        self.registry = registry_of(self.card)
        self.link = Link.create(Layout.of(self.card, len(self.registry), exchange=SIZE))
        view = Link.attach(self.link.layout, self.link.name, "audio")
        self.live = Live(self.registry, view.values)
        self.live.reset_to_defaults()
        self._view = view
        self._network = self.link.view("network")
        self._notices = self.link["notices.audio"].reader(0)
        self._starter = Starter(Spec(self.link.layout, self.link.name, self.config, self.card, Path("none"), session))
        self._children: dict[int, tuple[BaseProcess, object]] = {}
        # Here a block waits for as long as it takes: nothing is heard in real time.
        self.engine = AudioEngine(view, self.registry, self.card, self.config, RATE, plugins_wait_s=2.0)
        self.heard: list[np.ndarray] = []

    def pid(self, number: int = 0) -> int:
        """The process id of a host."""
        pid = self._children[number][0].pid
        assert pid is not None
        return pid

    def replace_waiting(self) -> None:
        """Let the process that waits know of a changed environment."""
        self._starter.close()
        self._starter.prepare(HOST)

    def step(self) -> None:
        """Render a block, as the callback, the control thread and the supervisor do together."""
        self.heard.append(np.frombuffer(self.engine.render_block(), np.float32).reshape(-1, 2).copy())
        self.engine.rack.poll()
        latest = self.link["hosts"].latest()
        for number in range(HOSTS):
            child = self._children.get(number)
            is_dead = child is not None and not child[0].is_alive()
            if latest is not None and int(latest["hosts"]) >> number & 1 and (child is None or is_dead):
                self._children[number] = self._starter.start(f"{HOST}{number}")
                self._starter.prepare(HOST)

    def blocks(self, count: int) -> np.ndarray:
        """Render so many blocks; return what is heard of them, float32 (n, 2)."""
        first = len(self.heard)
        for _ in range(count):
            self.step()
        return np.concatenate(self.heard[first:])

    def until(self, what: Callable[[], object], name: str) -> None:
        """Render until something is true."""
        end = time.monotonic() + LIMIT_S
        while not what():
            assert time.monotonic() < end, f"{name}: not within {LIMIT_S:g} s; told: {self.told()}"
            self.step()

    def wait_loaded(self, count: int) -> None:
        """Return when so many plugins are heard."""
        units = self.engine.mixer.hosts
        self.until(lambda: sum(unit.is_loaded for unit in units.units) == count, f"{count} plugins loaded")
        self.blocks(40)

    def told(self) -> list[str]:
        """What a person was told so far."""
        self._lines = [*getattr(self, "_lines", []), *(n["text"].decode() for n in self._notices.read())]
        return self._lines

    def note(self, frame: int, pitch: int, track: int = 1, kind: int = NOTE_ON, step: int = 0) -> None:
        """Send what the network sends."""
        record = np.zeros(1, EVENT)[0]
        record["frame"], record["kind"], record["track"], record["pitch"], record["velocity"] = frame, kind, track, pitch, 127
        record["step"] = step
        self._network.writer("notes").push(record)

    def set(self, parameter_id: str, value: float) -> None:
        """Turn a parameter."""
        self.live.refresh()
        self.live.set(parameter_id, value)

    def close(self) -> None:
        """End everything."""
        self.engine.close()
        self._starter.close()
        for child, _ in self._children.values():
            child.kill()
            child.join()
        self._view.close()
        self.link.close(unlink=True)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Return what makes a rig; one a test."""
    made: list[Rig] = []

    def make(*settings: str, session: Path | None = None) -> Rig:
        levels = ("parameters.bass.level=1", "parameters.lead.level=1")
        made.append(Rig("clock.count_in=0", *levels, *settings, session=session))
        for track in ("bass", "lead", "drums"):
            made[-1].live.set(f"{track}.level", 1.0)
        return made[-1]

    yield make
    for one in made:
        one.close()


def onsets(sound: np.ndarray) -> list[int]:
    """Frames at which the fixture's notes begin: one sample far louder than its tone."""
    return np.flatnonzero(sound[:, 0] > 0.5).tolist()
