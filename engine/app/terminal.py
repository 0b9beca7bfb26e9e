"""The terminal that a jam runs in: its signals, and what it is written to. Neither ever stops the music.

Runs on: main process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TextIO

# Ctrl-C; systemd's stop and `kill`; a terminal that is closed, a connection that is lost.
ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
HANG_UP = getattr(signal, "SIGHUP", None)
# A program in the background that reads keys or draws a line would be stopped.
BACKGROUND = tuple(getattr(signal, name) for name in ("SIGTTIN", "SIGTTOU") if hasattr(signal, name))


class Endings:
    """While it is entered, whatever ends a program is only noted: `asked`. A second one changes nothing.

    `on_panic` is called when somebody sends SIGUSR1, as a last way to silence.
    """

    def __init__(self, on_panic: Callable[[], object] = lambda: None) -> None:
        self.asked = False
        self._on_panic = on_panic
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Endings:
        for number in ENDINGS:
            if number != HANG_UP or signal.getsignal(number) != signal.SIG_IGN:  # else begun with nohup
                self._before[number] = signal.signal(number, self._ask)
        for number in BACKGROUND:
            self._before[number] = signal.signal(number, signal.SIG_IGN)
        if hasattr(signal, "SIGUSR1"):
            self._before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda _number, _frame: self._on_panic())
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


class Pauses:
    """Ctrl-Z gives the terminal back to the shell, as it was; `fg` takes it again. The music goes on meanwhile."""

    def __init__(self, *holders: Any) -> None:
        """`holders`: what is to let go of the terminal, each with `release` and `take`."""
        self._holders = holders
        self._before: Any = None

    def __enter__(self) -> Pauses:
        if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTSTP, self._pause)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTSTP, self._before)

    def _pause(self, _number: int, _frame: FrameType | None) -> None:
        for holder in self._holders:
            holder.release()
        os.kill(os.getpid(), signal.SIGSTOP)  # this process alone; it goes on here with SIGCONT
        for holder in self._holders:
            holder.take()


# A disk or a reader that takes no more; a closed stream; a stream in the middle of a line, where a signal's handler writes.
UNWRITTEN = (OSError, ValueError, RuntimeError)
MOST_WAITING = 256_000  # bytes for a terminal that takes none; what comes then is left out
FLUSH_S, LAST_S = 0.05, 1.0  # so long is waited for a terminal, and at the end


class Steady:
    """A text stream that is written to as long as somebody takes it: what cannot be written is left out.

    A thread of its own writes. So a terminal that is held (Ctrl-S), or whose connection is frozen, keeps nobody waiting.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._given: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # its put may be called in a signal's handler
        self._bytes_given = self._bytes_done = 0
        self._is_held = False  # it took nothing when it was waited for last
        self._file: int | None = None
        with contextlib.suppress(*UNWRITTEN):
            stream.flush()
            self._file = os.dup(stream.fileno())  # as the stream's own buffer would be locked while the terminal holds it
            threading.Thread(target=self._write_all, args=(self._file,), name="terminal", daemon=True).start()

    def write(self, text: str) -> int:
        """Write, if that can be done."""
        if self._file is None:
            with contextlib.suppress(*UNWRITTEN):
                self._stream.write(text)
            return len(text)
        data = text.replace("\n", os.linesep).encode(self._stream.encoding or "utf-8", "replace")
        if self._bytes_given - self._bytes_done + len(data) <= MOST_WAITING:
            self._bytes_given += len(data)
            self._given.put(data)
        return len(text)

    def flush(self) -> None:
        """Wait a moment for what was written, unless nothing of it is taken."""
        if self._file is None:
            with contextlib.suppress(*UNWRITTEN):
                self._stream.flush()
        elif not self._is_held or self._is_done:
            self._is_held = not self._wait(FLUSH_S)

    @property
    def _is_done(self) -> bool:
        return self._bytes_done >= self._bytes_given

    def _wait(self, most_s: float) -> bool:
        end_s = time.monotonic() + most_s
        while not self._is_done and time.monotonic() < end_s:
            time.sleep(0.001)
        return self._is_done

    def _write_all(self, file: int) -> None:
        while (data := self._given.get()) is not None:
            rest = memoryview(data)
            with contextlib.suppress(OSError):
                while rest:
                    rest = rest[os.write(file, rest) :]
            self._bytes_done += len(data)
        os.close(file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Steady:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Let what could never be written not be an error when Python ends."""
        if self._file is not None:
            self._wait(LAST_S)
            self._given.put(None)
            return
        try:
            self._stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


def settle_streams() -> None:
    """Give each standard stream a place, and let it write every letter in some way.

    A stream that is closed leaves its number to the next file that is opened, and whatever prints writes into that; so it is in
    every process that is started from here.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
