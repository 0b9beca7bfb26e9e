"""The jams that run on this machine, and how another program looks into one.

Runs on: supervisor (telling), whoever attaches. What is told lies in a file that only the same user can read.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import resource_tracker
from pathlib import Path

from engine.core import contract
from engine.core.ensemble import together
from engine.core.errors import AlgoritmoError
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.jam.parameters import registry_of

VIEWER = "viewer"  # who only looks: writes to no ring, and to the parameters as everyone may


@dataclass(frozen=True, slots=True)
class Running:
    """One jam: its supervisor's process id, and what is needed to attach to it."""

    pid: int
    segment: str
    networks: tuple[str, ...]  # paths of the networks' files
    harmony: str  # of the one that chooses the chords; empty where there is none
    stems: bool
    exchange: int
    session: str  # its folder; empty where it is not recorded


def folder() -> Path:
    """Return where running jams are told, for this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(base) / "algoritmo" if base else Path(tempfile.gettempdir()) / f"algoritmo-{user}"


def tell(
    segment: str, networks: Sequence[Path], harmony: Path | None, stems: bool, exchange: int, session: Path | None
) -> Path:
    """Tell of the jam of this process; return the file, which is to be removed when it ends. What cannot be told is not."""
    where = folder()
    path = where / f"{os.getpid()}.json"
    of = Running(
        os.getpid(),
        segment,
        tuple(str(path.resolve()) for path in networks),
        str(harmony.resolve()) if harmony else "",
        stems,
        exchange,
        str(session or ""),
    )
    with contextlib.suppress(OSError):
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not hasattr(os, "getuid") or where.stat().st_uid == os.getuid():  # else what lies there is not to be trusted
            part = path.with_suffix(".part")
            part.write_text(json.dumps(asdict(of)))
            part.replace(path)
    return path


def running() -> list[Running]:
    """Return the jams that run now, the youngest last; files of those that were killed are removed."""
    found = []
    where = folder()
    if hasattr(os, "getuid") and where.is_dir() and where.stat().st_uid != os.getuid():
        return []
    for path in sorted(where.glob("*.json"), key=lambda path: path.stat().st_mtime):
        try:
            of = Running(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if _lives(of.pid):
            found.append(of)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def choose(pid: int | None = None) -> Running:
    """Return the jam of a process id, or the only one. Raises AlgoritmoError that says which there are."""
    there = running()
    if pid is not None:
        for of in there:
            if of.pid == pid:
                return of
        raise AlgoritmoError(f"no jam runs as process {pid}; there run: {', '.join(str(of.pid) for of in there) or 'none'}")
    if not there:
        raise AlgoritmoError("no jam runs on this machine; start one: algoritmo jam")
    if len(there) > 1:
        raise AlgoritmoError(f"several jams run: say which with --pid, one of {', '.join(str(of.pid) for of in there)}")
    return there[0]


def attach(of: Running, process: str = VIEWER) -> tuple[Link, Live]:
    """Return a jam's channels, with what `process` may write, and its parameters. Raises AlgoritmoError when it is over."""
    cards = [contract.read_card(Path(path)) for path in of.networks]
    card = together(cards)
    harmony = contract.read_card(Path(of.harmony)) if of.harmony else None
    registry = registry_of(card)
    layout = Layout.of(card, len(registry), harmony, of.stems, of.exchange, cards, stage=True)
    try:
        link = Link.attach(layout, of.segment, process)
    except (OSError, ValueError) as error:
        raise AlgoritmoError(f"the jam of process {of.pid} is over, or was begun by another version") from error
    # Python would remove the memory of the jam when this program, which only looked, ends.
    with contextlib.suppress(KeyError, ValueError):
        resource_tracker.unregister(f"/{of.segment.lstrip('/')}", "shared_memory")
    return link, Live(registry, link.values)
