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
import traceback
from collections.abc import Callable
from dataclasses import dataclass
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


# Small products shared out among threads cost more than they save, and a real-time thread then waits for ordinary ones.
_ALONE = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def start(name: str, spec: Spec) -> tuple[BaseProcess, Connection]:
    """Start the child `name`; return it and the supervisor's end of its pipe."""
    child, ours = _start(_child, name, name, spec)
    _hurry(child, name)
    return child, ours


def _hurry(child: BaseProcess, name: str) -> None:
    """Give a child its priority, before it has learned anything: threads inherit it."""
    with contextlib.suppress(OSError, AttributeError):  # only root may let one go before others; it plays without
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, child.pid or 0, max(own + role_of(name).nice, -20))


def _start(main: Callable[..., None], called: str, *told: object) -> tuple[BaseProcess, Connection]:
    for variable in _ALONE:
        os.environ.setdefault(variable, "1")  # read when numpy is loaded, which a child does anew
    context = multiprocessing.get_context("spawn")  # fork would copy threads' locks and the audio library's state
    ours, theirs = context.Pipe()
    child = context.Process(target=main, args=(*told, theirs), name=f"algoritmo-{called}", daemon=True)
    with undisturbed():
        child.start()
    theirs.close()  # so that the child's end closes when the child dies
    return child, ours


def understudy(session: Path | None) -> tuple[BaseProcess, Connection]:
    """Start a process that learns what the others need, and waits: told to `play` one of them it begins at once."""
    return _start(_understudy, "understudy", session)


def play(waiting: BaseProcess, pipe: Connection, name: str, spec: Spec) -> None:
    """Let the understudy at the other end of `pipe` be the child `name` from now on. Raises OSError where it is no more."""
    _hurry(waiting, name)  # it may be learning still
    pipe.send(("play", name, spec))


def _understudy(session: Path | None, pipe: Connection) -> None:
    _obey_the_pipe_alone()
    if session is not None:
        _keep_quiet(session / LOG)
    for role in ROLES:
        if not role.on_demand:
            importlib.import_module(role.main.partition(":")[0])
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
