"""The terminal view of a real jam, in a terminal of its own: it shows, obeys keys, and its end stops nothing."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.rig import ROOT, Jam, null_settings, wait_for

pytestmark = pytest.mark.system


class Terminal:
    """A terminal of 80 by 24 with a program in it."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "24", "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "engine.cli", *words]
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: take(theirs),
        )
        os.close(theirs)
        self._shown = ""

    @property
    def shown(self) -> str:
        """All that was written so far, without the codes that move and colour."""
        while select.select([self._ours], [], [], 0)[0]:
            try:
                part = os.read(self._ours, 65536)
            except OSError:
                break
            if not part:
                break
            self._shown += part.decode(errors="replace")
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", " ", self._shown)

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._ours, key.encode())

    def ended(self) -> int:
        """Return the exit status, once the program has ended; what it writes until then is read."""
        wait_for(lambda: self.shown and self.process.poll() is not None, 10, "the end of the view")
        return int(self.process.returncode)

    def close(self) -> None:
        """Close the terminal, as somebody who closes its window."""
        os.close(self._ours)


def take(terminal: int) -> None:
    """Let the program be before its terminal."""
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_a_view_shows_obeys_and_stops_nothing(tmp_path: Path):
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    jam = Jam(tmp_path, *null_settings(), options=["--demo", "--duration", "120"], env=env)
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path)
    try:
        jam.wait_playing(4)
        view = Terminal("stage", "--pid", str(jam.process.pid))
        wait_for(lambda: "PLAYING" in view.shown and "accompany" in view.shown, 30, "the view")
        for wanted in ("bass", "you", "dB", "DSP", "panic"):
            wait_for(lambda wanted=wanted: wanted in view.shown, 10, wanted)  # type: ignore[misc]
        begun, used_s = time.monotonic(), ticks(view.process.pid)
        view.press("m")
        wait_for(lambda: "solo" in view.shown, 20, "the other mode")
        wait_for(lambda: time.monotonic() - begun > 3, 10, "some seconds")
        assert (ticks(view.process.pid) - used_s) / (time.monotonic() - begun) < 0.5, "it draws what has changed, not all"
        view.press("q")
        assert view.ended() == 0
        other = Terminal("stage")
        wait_for(lambda: "PLAYING" in other.shown, 30, "the view again")
        other.close()
        assert other.process.wait(10) is not None, "a terminal that is closed ends it"
        jam.wait_playing(int(jam.report["steps"]) + 4)
        last = Terminal("stage")
        wait_for(lambda: "PLAYING" in last.shown, 30, "the view once more")
        assert jam.end(signal.SIGINT) == 0, jam.output
        assert last.ended() == 0, "it ends with the jam"
        assert not list(tmp_path.glob("algoritmo/*.json"))
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        jam.close()


def ticks(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
