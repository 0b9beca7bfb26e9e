"""The booth as a process: beside a jam that started it, beside one that runs already, or by itself.

Runs on: booth process, of the lowest priority: whatever the booth does, or fails to do, the jam does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

from engine.booth.house import PAGE, Booth
from engine.booth.stage import Stage
from engine.core.config import Config
from engine.core.messages import INFO
from engine.core.process import Spec, stop_requested
from engine.jam.parameters import live_of
from engine.jam.settings import track_of
from engine.store.store import Store

AFTER = 10  # priority, once it is there: after all of the jam, and before what breeds (19), which would keep its votes waiting
BEAT_S = 0.5  # signs of life
BACK_S = 2.0  # so long it keeps the priority that it began with: the phones of a booth that died come back first
SWITCH_S = 0.002  # what one thread may keep another waiting


def main(spec: Spec, pipe: Connection) -> None:
    """Run the booth beside the jam that started it, until told to stop."""
    link = spec.link("booth")
    stage = Stage(link, live_of(spec.card, link), spec.card, track_of(spec.config, spec.card), spec.network_path, is_own=True)

    async def run() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait() -> None:
            while not stop_requested(pipe, None):
                continue
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(over.set)

        def ready(booth: Booth) -> None:
            pipe.send(("ready", {"booth": f"{booth.address}{PAGE}/"}))
            link.notice("booth", INFO, told(booth))
            threading.Thread(target=wait, name="pipe", daemon=True).start()

        async def beating() -> None:
            while True:
                link.beat("booth")
                await asyncio.sleep(BEAT_S)

        beats = asyncio.ensure_future(beating())
        try:
            await serve(
                spec.config,
                lambda level, text: link.notice("booth", level, text),
                lambda: stage,
                over,
                ready,
                lambda: link.spares("booth"),
            )
        finally:
            beats.cancel()

    begin(run)


def begin(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function to its end, on a loop as the booth needs it."""
    sys.setswitchinterval(SWITCH_S)
    # The Windows default loop cannot wait for a socket that is read without a transport.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())


def step_back() -> None:
    """Go after every process of the jam from now on: all threads that there are, and those that they begin.

    A booth that learns what it needs as the last of them would not be there for minutes on a busy machine, nor would a thousand
    phones that come back to it.
    """
    with contextlib.suppress(OSError, AttributeError):
        threads = [int(thread) for thread in os.listdir("/proc/self/task")] if os.path.isdir("/proc/self/task") else [0]
        for thread in threads:
            os.setpriority(os.PRIO_PROCESS, thread, AFTER)


def told(booth: Booth) -> str:
    """Return what a person is told of a booth that is open."""
    text = f"the booth: {booth.address}{PAGE}/ on phones, {booth.address}{PAGE}/wall.html on the wall"
    return text if booth.guard.open_to_all else f"{text}#token={booth.guard.token}"


async def serve(
    config: Config,
    tell: Callable[[int, str], None],
    stage: Callable[[], Stage | None],
    over: asyncio.Event,
    ready: Callable[[Booth], None],
    spares: Callable[[], bool] = lambda: False,
) -> None:
    """Open the store, serve until `over`, close everything. Raises AlgoritmoError when it cannot start."""
    with Store(config.booth.store, exclusive=True) as store:
        booth = Booth(config, store, tell, stage, spares)
        try:
            await booth.start()
            gc.collect()
            gc.freeze()  # what is there by now stays: a look through all of it would keep a thousand phones waiting
            ready(booth)
            asyncio.get_running_loop().call_later(BACK_S, step_back)
            await over.wait()
        finally:
            await booth.stop()


def ended_by_signals(over: asyncio.Event) -> None:
    """Have Ctrl-C and a stop of the system end the booth in good order."""
    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # on Windows the interpreter raises KeyboardInterrupt by itself
            asyncio.get_running_loop().add_signal_handler(one, over.set)
