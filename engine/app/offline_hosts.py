"""Host processes for the offline render: started as a supervisor would, and waited for as long as they take.

Runs on: the caller of the offline render.
"""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from engine.audio.engine import AudioEngine
from engine.core.link import Link
from engine.core.process import Spec, start
from engine.core.roles import HOST, HOSTS

LONGEST_BLOCK_S = 10.0  # what a plugin may take for a block; one that takes longer hangs
LOADED_S = 60.0  # what all of them may take to be loaded
LOOK_BLOCKS = 8  # how often it is looked what they say


class OfflineHosts:
    """`wait_loaded` before the first block, `look_after` with each, `close` at the end."""

    def __init__(self, link: Link, spec: Spec, engine: AudioEngine) -> None:
        self._link, self._spec = link, spec
        self.engine = engine  # may be another where an audio process takes the place of one that was killed
        self._children: dict[int, tuple[BaseProcess, Connection]] = {}
        self._blocks = 0

    def wait_loaded(self) -> list[str]:
        """Return when every plugin is loaded, or has failed; what failed, and what did not come in time."""
        end_s = time.monotonic() + LOADED_S
        while True:
            self._start()
            self.engine.rack.poll()
            waiting = [unit for unit in self.engine.mixer.hosts.units if not (unit.is_loaded or unit.fault)]
            if not waiting:
                break
            if time.monotonic() > end_s:
                return [f"{unit.label} was not loaded within {LOADED_S:.0f} s" for unit in waiting]
            time.sleep(0.01)
        return [f"{unit.label}: {unit.fault}" for unit in self.engine.mixer.hosts.units if unit.fault]

    def _start(self) -> None:
        latest = self._link["hosts"].latest()
        wanted = 0 if latest is None else int(latest["hosts"])
        for number in range(HOSTS):
            child = self._children.get(number)
            if wanted >> number & 1 and (child is None or not child[0].is_alive()):
                self._children[number] = start(f"{HOST}{number}", self._spec)

    def look_after(self) -> None:
        """Hear what they say, now and then; begin one that died anew."""
        self._blocks += 1
        if self._blocks % LOOK_BLOCKS == 0:
            self._start()
            self.engine.rack.poll()

    def close(self) -> None:
        """End them."""
        for child, pipe in self._children.values():
            pipe.close()
            child.join(2)
            if child.is_alive():
                child.kill()
                child.join()
