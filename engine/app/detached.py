"""A jam without a terminal: it plays on whatever becomes of the one it was begun from, and is begun anew if it is killed.

Runs on: main process of `jam --detach`, and the guardian that it leaves behind, which does nothing but wait for the jam.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import psutil

from engine.app.running import Running, attach, folder, running
from engine.core.errors import AlgoritmoError

BEGUN_S = 90.0  # within so long it plays
AGAIN, WITHIN_S = 5, 60.0  # so often within so long it is begun anew
FORWARDED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


def detach(words: Sequence[str]) -> int:
    """Begin `algoritmo WORDS` by itself and return when it plays. Raises AlgoritmoError with what it said where it does not."""
    kept = folder() / f"detached-{time.strftime('%Y-%m-%d_%H-%M-%S')}-{os.getpid()}.txt"
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with kept.open("wb") as out:
        guardian = subprocess.Popen(
            [sys.executable, "-m", "engine.app.detached", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    end_s = time.monotonic() + BEGUN_S
    while time.monotonic() < end_s:
        if guardian.poll() is not None:
            said = kept.read_text(errors="replace").strip()
            if guardian.returncode == 0:  # it was a short one
                break
            raise AlgoritmoError(said.removeprefix("algoritmo: ") or f"the jam ended with {guardian.returncode}")
        of = jam_of(guardian.pid)
        if of is not None and _plays(of):
            _say(f"it plays, as process {of.pid}; what it says: {kept}")
            _say("look into it: algoritmo stage; end it: algoritmo stage --end")
            return 0
        time.sleep(0.1)
    _say(kept.read_text(errors="replace").strip())
    return guardian.returncode or 0


def jam_of(guardian: int) -> Running | None:
    """Return the jam that this guardian looks after."""
    with contextlib.suppress(psutil.Error):
        children = {child.pid for child in psutil.Process(guardian).children()}
        return next((of for of in running() if of.pid in children), None)
    return None


def _plays(of: Running) -> bool:
    try:
        link, _ = attach(of)
    except AlgoritmoError:
        return False
    begun = link["steps"].count > 0
    link.close()
    return begun


def end(of: Running, limit_s: float = 10.0) -> None:
    """End a jam as Ctrl-C does, and wait for it. Raises AlgoritmoError where it does not end."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(of.pid)
        process.terminate()
        try:
            process.wait(limit_s)
        except psutil.TimeoutExpired as error:
            raise AlgoritmoError(f"the jam of process {of.pid} does not end; kill it: kill -9 {of.pid}") from error


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Guardian:
    """Waits for a jam; one that is killed, or crashes, is begun anew where it stood."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._jam: subprocess.Popen[bytes] | None = None
        self._asked = False

    def run(self) -> int:
        """Return the exit status of the jam that ended by itself or was told to end."""
        for number in FORWARDED:
            signal.signal(number, self._forward)
        deaths: list[float] = []
        again: list[str] = []
        while True:
            self._jam = subprocess.Popen([sys.executable, "-m", "engine.cli", *self._words, *again])
            status = self._jam.wait()
            if status == 2 and again and not self._asked:
                again = []  # one that was killed in its first seconds left nothing to go on from
                continue
            if status >= 0 or self._asked:
                return status
            now_s = time.monotonic()
            deaths = [death_s for death_s in deaths if now_s - death_s < WITHIN_S] + [now_s]
            if len(deaths) > AGAIN:
                _say(f"the jam was killed {len(deaths)} times within {WITHIN_S:.0f} s; it is not begun again")
                return 1
            _say(f"the jam was killed (signal {-status}); it is begun anew")
            again = [RESUME] if RESUME not in self._words and can_resume() else []

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._asked |= number in (signal.SIGINT, signal.SIGTERM)
        if self._jam is not None:
            with contextlib.suppress(OSError):
                self._jam.send_signal(number)


RESUME = "--resume"


def can_resume() -> bool:
    """Whether a jam can begin as the last one stood."""
    return RESUME in (Path(__file__).parents[1] / "cli" / "play.py").read_text()


if __name__ == "__main__":
    sys.exit(Guardian(sys.argv[1:]).run())
