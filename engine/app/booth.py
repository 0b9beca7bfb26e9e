"""The booth as a command: by itself, or beside a jam that runs already; its store copied, exported; a demonstration.

Runs on: main process, of the lowest priority.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from engine.app import running
from engine.booth.demo import visit
from engine.booth.house import PAGE, Booth
from engine.booth.process import begin, ended_by_signals, serve, told
from engine.booth.stage import Stage
from engine.core import contract
from engine.core.config import Config
from engine.core.ensemble import together
from engine.core.errors import AlgoritmoError
from engine.core.messages import INFO
from engine.core.roles import BOOTH, role_of
from engine.jam.settings import track_of
from engine.store.keeping import backup, export
from engine.store.ranking import rank
from engine.store.store import Store

DEMO_S = 120.0
LOOK_S = 2.0  # how often it is looked for a jam


class Beside:
    """The jam that runs on this machine, where one does: looked for again and again, for it comes and goes."""

    def __init__(self, config: Config, tell: Callable[[int, str], None]) -> None:
        self._config, self._tell = config, tell
        self._of: running.Running | None = None
        self._stage: Stage | None = None
        self._next_s = 0.0

    def stage(self) -> Stage | None:
        """Return the jam, None where none runs."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LOOK_S
            self._look()
        return self._stage

    def _look(self) -> None:
        there = running.running()
        if self._of in there:
            return
        if self._stage is not None:
            self._stage.leave()
        self._of = self._stage = None
        for of in reversed(there):
            with contextlib.suppress(AlgoritmoError):
                link, live = running.attach(of, BOOTH)

                card = together([contract.read_card(Path(path)) for path in of.networks])
                self._stage = Stage(link, live, card, track_of(self._config, card), Path(of.networks[0]))
                self._of = of
                own = "" if self._stage.is_ours else ", which has a booth of its own: what is drawn here is not played in it"
                self._tell(INFO, f"beside the jam of process {of.pid}{own}")
                return


def demonstration(config: Config) -> Config:
    """Return the configuration of a demonstration: a small generation, in a store of its own that goes with it.

    Songs are bred some six times in it, and the network twice, by fewer votes and with fewer updates than at a booth.
    """
    folder = Path(tempfile.mkdtemp(prefix="algoritmo-booth-"))
    own = {"store": str(folder / "booth.db"), "clips": 16, "votes": 160, "tune_votes": 400, "tune_updates": 10}
    return config.model_copy(update={"booth": config.booth.model_copy(update=own)})


def run(config: Config, opens: bool, tell: Callable[[str], None], demo_s: float | None = None) -> None:
    """Serve until ended; `opens`: the wall in a browser here, too. Raises AlgoritmoError when it cannot start.

    `demo_s`: for so long, with simulated visitors, on a store that is thrown away; then it tells what they did.
    """
    if demo_s is not None:
        config = demonstration(config)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(role_of(BOOTH).nice)

    def say(_level: int, text: str) -> None:
        tell(text)

    async def serving() -> None:
        over = asyncio.Event()
        ended_by_signals(over)
        tasks: list[asyncio.Task[None]] = []

        def ready(booth: Booth) -> None:
            tell(f"{told(booth)} (Ctrl-C ends it)")
            if opens:
                webbrowser.open(f"{booth.address}{PAGE}/wall.html#token={booth.guard.token}")
            if demo_s is not None:
                tasks.append(asyncio.ensure_future(visit(f"http://127.0.0.1:{booth.config.port}")))
                asyncio.get_running_loop().call_later(demo_s, over.set)

        # A demonstration is by itself: what nobody drew, and a network that nobody chose, are not played in a jam that runs.
        stage = Beside(config, say).stage if demo_s is None else lambda: None
        await serve(config, say, stage, over, ready)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if demo_s is not None:
            for line in summary(config):
                tell(line)
            shutil.rmtree(Path(config.booth.store).parent, ignore_errors=True)

    begin(serving)


def summary(config: Config) -> list[str]:
    """Return what a demonstration did, in a few lines."""
    with Store(config.booth.store) as store:
        generations = [one for one in store.generations() if one.opened_ms is not None]
        drawn = len(store.drawings())
        said = [f"{store.count_votes()} votes, {drawn} drawings and compositions, {len(generations)} generations"]
        for one in generations:
            assert one.id is not None
            clips = [clip for clip in store.clips(one.id) if clip.id is not None]
            names = {clip.id: clip.name for clip in clips}
            ranking = rank([clip.id for clip in clips if clip.id is not None], store.votes(one.id, across=False))
            best = [f"{names[s.clip]} ({s.strength:+.1f} +- {s.error:.1f})" for s in ranking.standings[:3]]
            said.append(f"generation {one.id} ({one.method}), {ranking.votes} votes: {', '.join(best)}")
    return said


def keep(config: Config, copy: Path | None, lines: Path | None) -> list[str]:
    """Copy the store, export it; return what to say. Raises StoreError."""
    said = []
    with Store(config.booth.store) as store:
        if copy is not None:
            said.append(f"{copy}: {backup(store, copy) / 1e6:.1f} MB")
        if lines is not None:
            if str(lines) == "-":
                export(store, sys.stdout)
            else:
                with lines.open("w", encoding="utf-8") as out:
                    said.append(f"{lines}: {export(store, out)} lines")
    return said
