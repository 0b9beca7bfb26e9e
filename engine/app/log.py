"""The session's log: what a person was told, with the time, and what libraries print; it never grows without end.

Runs on: main process. The children write into the same file by themselves (core/process.py), each line to its end.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from engine.core.process import LOG

MOST_BYTES = 2_000_000  # of one file
KEPT = 4  # files before it: log.1.txt is the youngest


class Log:
    """Appends lines; `rotate` begins the file anew when it has become too long."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: of the session; None: nothing is kept."""
        self._folder = folder
        self._begun_s = time.monotonic()

    def __str__(self) -> str:
        return str(self._folder / LOG) if self._folder else "its output above"

    def write(self, text: str) -> None:
        """Append a line: time of day, seconds since the beginning, text. What cannot be written is left out."""
        if self._folder is not None:
            line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._begun_s:9.2f} {text}\n"
            with contextlib.suppress(OSError):
                file = os.open(self._folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                try:
                    os.write(file, line.encode(errors="replace"))
                finally:
                    os.close(file)

    def rotate(self) -> None:
        """Keep what there is under another name and empty the file, where it is too long: those who append to it go on."""
        if self._folder is None:
            return
        log = self._folder / LOG
        with contextlib.suppress(OSError):
            if log.stat().st_size <= MOST_BYTES:
                return
            for number in range(KEPT, 1, -1):
                before = self._name(number - 1)
                if before.exists():
                    before.replace(self._name(number))
            with log.open("rb") as full:
                full.seek(-min(MOST_BYTES, log.stat().st_size), os.SEEK_END)  # of one that somebody floods, the end
                self._name(1).write_bytes(full.read(MOST_BYTES))
            os.truncate(log, 0)

    def _name(self, number: int) -> Path:
        assert self._folder is not None
        return (self._folder / LOG).with_suffix(f".{number}.txt")
