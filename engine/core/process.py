"""What every child process of a run shares: its specification, its start, its end.

Runs on: supervisor (start) and every child (the wrapper around its main).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from engine.core.config import Config
from engine.core.contract import Card
from engine.core.ensemble import Part, parts_of
from engine.core.errors import AlgoritmoError
from engine.core.link import Layout, Link
from engine.core.roles import ROLES, role_of
from engine.core.segment import GROUP_SIGNALS, undisturbed

LOG = "log.txt"  # in the session's folder


@dataclass(frozen=True)
class Spec:
    """Everything a child is told at its start; picklable."""

    layout: Layout
    segment: str  # name of the shared memory
    config: Config
    card: Card
    network_path: Path
    session: Path | None = None  # folder the jam is written to
    demo: Path | None = None  # MIDI file that plays the keyboard's part
    networks: tuple[Path, ...] = ()  # where there are several: of all, network_path first; `card` has the tracks of all
    restarted: bool = False  # this process takes the place of one that died

    @property
    def parts(self) -> tuple[Part, ...]:
        """The networks that can play, the one that begins first. Raises NetworkError."""
        if len(self.networks) > 1:
            return parts_of(self.networks)
        return (Part(0, self.network_path, self.card, tuple(range(len(self.card.tracks)))),)

    def link(self, process: str) -> Link:
        """Attach to the channels of the run, with what this process may write."""
        return Link.attach(self.layout, self.segment, process)


SETTLE_S = 1.0  # after a child was started another is started ahead

# Small products shared out among threads cost more than they save, and a real-time thread then waits for ordinary ones.
_ALONE = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


Started = tuple[BaseProcess, Connection]


def start(name: str, spec: Spec) -> Started:
    """Start the child `name`; return it and the supervisor's end of its pipe."""
    child, ours = _start(_child, name, name, spec, daemon=not role_of(name).parent)
    _hurry(child, name)
    return child, ours


def _hurry(child: BaseProcess, name: str) -> None:
    """Give a child its priority, before it has learned anything: threads inherit it."""
    with contextlib.suppress(OSError, AttributeError):  # only root may let one go before others; it plays without
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, child.pid or 0, max(own + role_of(name).nice, -20))


def _start(main: Callable[..., None], called: str, *told: object, daemon: bool = True) -> Started:
    for variable in _ALONE:
        os.environ.setdefault(variable, "1")  # read when numpy is loaded, which a child does anew
    context = multiprocessing.get_context("spawn")  # fork would copy threads' locks and the audio library's state
    ours, theirs = context.Pipe()
    child = context.Process(target=main, args=(*told, theirs), name=f"algoritmo-{called}", daemon=daemon)
    with undisturbed():
        child.start()
    theirs.close()  # so that the child's end closes when the child dies
    return child, ours


def understudy(session: Path | None, kind: str = "") -> Started:
    """Start a process that learns what the others need, and waits: told to `play` one of them it begins at once.

    `kind`: of those that are started on demand, how the names of theirs begin that it can play; none: those of every run.
    """
    return _start(_understudy, "understudy", session, kind)


def play(waiting: BaseProcess, pipe: Connection, name: str, spec: Spec) -> None:
    """Let the understudy at the other end of `pipe` be the child `name` from now on. Raises OSError where it is no more."""
    _hurry(waiting, name)  # it may be learning still
    pipe.send(("play", name, spec))


class Starter:
    """Starts children that are begun on demand. Of a kind whose role says so one waits, ready but for its name: what would take
    half a second is done when the place of one that died is to be taken.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._waiting: Started | None = None
        self._next_s = 0.0  # when another may be started ahead

    def start(self, name: str, restarted: bool = False) -> Started:
        """Start the child `name`, in the place of one that died where `restarted`; return it and this end of its pipe."""
        spec = replace(self._spec, restarted=restarted)
        if role_of(name).ahead:
            self._next_s = time.monotonic() + SETTLE_S  # what was started now has the processor to itself
            found, self._waiting = self._waiting, None
            if found is not None:
                with contextlib.suppress(OSError):
                    play(*found, name, spec)
                    if found[0].is_alive():
                        return found
                found[1].close()
        return start(name, spec)

    def prepare(self, kind: str) -> None:
        """Start one of this kind ahead, unless one waits already. To be called now and then while there are such children."""
        if self._waiting is not None and not self._waiting[0].is_alive():
            self._waiting[1].close()
            self._waiting = None
        if self._waiting is None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + SETTLE_S
            self._waiting = understudy(self._spec.session, kind)

    def close(self) -> None:
        """End the one that waits."""
        if self._waiting is not None:
            self._waiting[0].kill()  # it has nothing to lose
            self._waiting[0].join(1)
            self._waiting[1].close()
            self._waiting = None


def number_of(kind: str) -> int:
    """Return which of several of a kind this process is: 3 for host3."""
    return int(multiprocessing.current_process().name.removeprefix(f"algoritmo-{kind}"))


def _understudy(session: Path | None, kind: str, pipe: Connection) -> None:
    _obey_the_pipe_alone()
    if session is not None:
        _keep_quiet(session / LOG)
    wanted = [role for role in ROLES if (role.name.startswith(kind) if kind else not role.on_demand)]
    for name in dict.fromkeys(role.main.partition(":")[0] for role in wanted):
        module = importlib.import_module(name)
        with contextlib.suppress(AlgoritmoError):  # what is missing is told by whoever needs it
            getattr(module, "warm", lambda: None)()
    gc.collect()
    gc.freeze()  # what it has learned stays: the collector need not walk it when time is short
    try:
        _, name, spec = pipe.recv()
    except (EOFError, OSError):
        return
    multiprocessing.current_process().name = f"algoritmo-{name}"
    _child(name, spec, pipe)


def _obey_the_pipe_alone() -> None:
    # These reach the whole group (Ctrl-C, a closed terminal, systemd's stop, Ctrl-Z); only the supervisor acts on them. A child
    # ends when the pipe says so, or closes because the supervisor is no more.
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)


def _child(name: str, spec: Spec, pipe: Connection) -> None:
    _obey_the_pipe_alone()
    if spec.session is not None:
        _keep_quiet(spec.session / LOG)
    try:
        module, _, function = role_of(name).main.partition(":")
        getattr(importlib.import_module(module), function)(spec, pipe)
    except AlgoritmoError as error:
        _report(pipe, str(error))
        sys.exit(2)
    except BaseException:
        traceback.print_exc()
        _report(pipe, f"the {name} process failed:\n{traceback.format_exc()}")
        sys.exit(1)


def _keep_quiet(log: Path) -> None:
    """Send what C libraries print to the session's log instead of across the status line."""
    with contextlib.suppress(OSError):  # a full disk must not keep the music from starting
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)


def _report(pipe: Connection, text: str) -> None:
    with contextlib.suppress(OSError):  # the supervisor may be gone already
        pipe.send(("error", text))


def stop_requested(pipe: Connection, timeout_s: float | None) -> bool:
    """Wait up to `timeout_s` (None: for ever) for the order to stop; the supervisor's death counts as one."""
    try:
        if timeout_s is not None and not pipe.poll(timeout_s):
            return False
        return bool(pipe.recv()[0] == "stop")
    except (EOFError, OSError):
        return True
