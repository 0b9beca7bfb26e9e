"""The thread that looks after the scenes of a jam.

Runs on: main process.
"""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence

from engine.control.scene_book import Book
from engine.control.scenes import Scenes
from engine.core.config import Config
from engine.core.ensemble import Part
from engine.core.link import Link
from engine.core.messages import ERROR
from engine.core.parameters import Live, Registry

LOOK_S = 0.02  # so late is an order heard at most


class ScenesThread:
    """Runs the set of a jam from `start` to `stop`; what it has to say is told by whoever calls `speak`."""

    def __init__(
        self, link: Link, registry: Registry, config: Config, tell: Callable[[int, str], None], parts: Sequence[Part]
    ) -> None:
        """`registry`: one for this thread alone, for it changes as sounds come and go."""
        self._tell = tell
        self._said: deque[tuple[int, str]] = deque()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scenes", daemon=True)
        self._make: Callable[[], Scenes] = lambda: Scenes(
            link,
            Live(registry, link.values),
            config,
            lambda level, text: self._said.append((level, text)),
            Book(config.scenes.set, config, registry),
            list(zip(config.networks(), parts, strict=True)),
            config.scenes.begin,
        )

    def start(self) -> None:
        """Take orders from here on."""
        self._scenes = self._make()
        self._thread.start()

    def speak(self) -> None:
        """Tell what there is to be told."""
        while self._said:
            self._tell(*self._said.popleft())

    def stop(self) -> None:
        """Take none any more, and write down how the jam stands."""
        if self._thread.is_alive():
            self._end.set()
            self._thread.join(1.0)

    def _run(self) -> None:
        while not self._end.wait(LOOK_S):
            try:
                self._scenes.look()
            except Exception:  # whatever a file does wrong must not leave a stage without its scenes
                self._said.append((ERROR, f"scenes: {traceback.format_exc()}"))
                self._end.wait(1.0)
        self._scenes.write_state()
