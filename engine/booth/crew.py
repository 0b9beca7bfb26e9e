"""Where candidates are sampled, bred and rendered: one executor, a process of this machine or a Dask cluster by its address.

Runs on: booth process, event loop. What is asked of it is a plain function with arguments that can be pickled, as
`concurrent.futures` has it; a network goes along as a file's path here, and as its bytes to a machine that lacks the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from engine.core.errors import AlgoritmoError

NICE = 19
CONNECT_S = 10.0  # for a cluster's answer
T = TypeVar("T")


class CrewError(AlgoritmoError):
    """Who was to do the work is gone; it can be asked again."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A file with its contents, for a machine that may not have it."""

    name: str
    sha256: str
    body: bytes


def carried(path: Path) -> Carried:
    """Return a file to be carried. Raises OSError."""
    body = path.read_bytes()
    return Carried(path.name, hashlib.sha256(body).hexdigest(), body)


def unpacked(file: Carried) -> Path:
    """Return the path of a file that was carried here; it is written once."""
    path = Path(tempfile.gettempdir()) / f"algoritmo-{os.getuid() if hasattr(os, 'getuid') else 0}" / file.sha256 / file.name
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{file.name}.{os.getpid()}.part")
        part.write_bytes(file.body)
        part.replace(path)
    return path


def there(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function on the machine that it was sent to, with the files that it needs."""
    return function(*(unpacked(one) if isinstance(one, Carried) else one for one in arguments))


def _begin() -> None:
    """Begin as a process of the crew: after every other, and gone when the booth is, which may be killed."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    booth = multiprocessing.parent_process()
    assert booth is not None

    def watch() -> None:
        wait([booth.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="booth", daemon=True).start()


class Crew:
    """Does one thing after the other in a process of its own, or several at once where a cluster has room for them."""

    def __init__(self, cluster: str = "") -> None:
        """`cluster`: address of a Dask scheduler, tcp://HOST:8786; nothing: a process of this machine."""
        self._cluster = cluster
        self._client: Any = None
        self._executor: Executor | None = None
        self._lock = asyncio.Lock()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns there. Raises what it raises, and CrewError where it was not done."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            if self._executor is None:
                self._executor = await asyncio.to_thread(self._opened)
        executor = self._executor
        try:
            if not self._cluster:
                return await loop.run_in_executor(executor, function, *arguments)
            files = [await asyncio.to_thread(carried, one) if isinstance(one, Path) else one for one in arguments]
            return await loop.run_in_executor(executor, there, function, *files)
        except (BrokenProcessPool, CancelledError, ConnectionError) as error:
            if self._executor is executor:
                await asyncio.to_thread(self.close)
            raise CrewError(f"who samples and renders is gone ({type(error).__name__}); it is begun anew") from error

    def _opened(self) -> Executor:
        if not self._cluster:
            return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        try:
            import distributed
        except ImportError as error:
            raise CrewError("booth.cluster needs Dask: pip install -e '.[cluster]'") from error
        try:
            connect: Callable[..., Any] = distributed.Client  # it has no types
            self._client = connect(self._cluster, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise CrewError(f"booth.cluster: {self._cluster} does not answer ({error})") from error
        executor: Executor = self._client.get_executor(pure=False)
        return executor

    def close(self) -> None:
        """End it at once, whatever is under way there."""
        executor, client = self._executor, self._client
        self._executor = self._client = None
        if isinstance(executor, ProcessPoolExecutor):
            processes = list((executor._processes or {}).values())  # from Python 3.14 on it has terminate_workers
            executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                client.close(timeout=2)
