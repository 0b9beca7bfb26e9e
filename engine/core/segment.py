"""Shared memory as a run takes it: all of it at the start, so that a lack is told then and not felt later.

Runs on: supervisor (making), every process (the mapping).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import IO

from engine.core.errors import SharedMemoryError

_NAME = "algoritmo-"  # of shared segments; the supervisor's process id follows
SHOWN = Path("/dev/shm")  # where the system shows shared memory as files
RESERVE: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)  # not on macOS and Windows
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGUSR1")  # that a whole group is sent; the supervisor alone obeys
GROUP_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Segment(SharedMemory):
    """Shared memory that may still be looked at when the interpreter ends: the mapping goes with the process."""

    def __del__(self) -> None:
        with contextlib.suppress(BufferError):
            self.close()


def make(size: int, reserve: Callable[[int, int, int], None] | None = RESERVE) -> Segment:
    """Make a segment of so many bytes, all of them there. Raises SharedMemoryError: what is needed, what is free."""
    sweep()
    try:
        with undisturbed():  # the watcher that Python starts beside it is not to end with the terminal
            segment = Segment(f"{_NAME}{os.getpid()}-{secrets.token_hex(4)}", create=True, size=size)
    except OSError as error:
        raise _lack(size, error) from error
    if reserve is not None:
        try:
            reserve(segment._fd, 0, size)  # type: ignore[attr-defined]  # without it a page that is missing ends the process
        except OSError as error:
            segment.close()
            segment.unlink()
            raise _lack(size, error) from error
    return segment


def _lack(size: int, error: OSError) -> SharedMemoryError:
    free = ""
    with contextlib.suppress(OSError, AttributeError):
        found = os.statvfs(SHOWN)
        free = f", {found.f_bavail * found.f_frsize / 1e6:.1f} MB are free in {SHOWN}"
    return SharedMemoryError(
        f"shared memory: {size / 1e6:.1f} MB are needed{free} ({error.strerror or error}); in a container give it more: "
        f"docker run --shm-size=256m; elsewhere, as root: mount -o remount,size=256M {SHOWN}"
    )


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the signals that go to all programs of a terminal from what is started here, until it unblocks them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def claim(name: str) -> IO[bytes] | None:
    """Return what holds a run's segment for the one booth that may write to it; None where another process holds it.

    The system lets go of it when the process ends, however it ends, or when what is returned is closed.
    """
    path = SHOWN / name
    if not path.exists():  # the system does not show shared memory as files
        path = Path(tempfile.gettempdir(), f"{name}.lock")
    try:
        file = path.open("r+b" if path.exists() else "a+b")
    except OSError:
        return None
    if not hold(file):
        file.close()
        return None
    return file


def hold(file: IO[bytes]) -> bool:
    """Hold a file for this process alone, until it is closed; return whether nobody else does."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def others() -> list[int]:
    """Process ids of the runs that are going on now on this machine, as far as the system shows them."""
    pids = {_pid(path) for path in SHOWN.glob(f"{_NAME}*")}
    return sorted(pid for pid in pids if pid and pid != os.getpid() and Path("/proc", str(pid)).exists())


def sweep() -> None:
    """Remove the segments of runs that were killed whole, with nobody left to do it; where the system shows them as files."""
    for path in SHOWN.glob(f"{_NAME}*"):
        pid = _pid(path)
        if pid and not Path("/proc", str(pid)).exists():
            with contextlib.suppress(OSError):  # another user's
                path.unlink()


def _pid(path: Path) -> int:
    pid = path.name.removeprefix(_NAME).partition("-")[0]
    return int(pid) if pid.isdecimal() else 0
