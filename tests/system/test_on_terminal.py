"""A jam on a real terminal: in the background, in front, paused with Ctrl-Z, forty columns wide, closed under it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.system.rig import ROOT, Jam, jam_command, null_settings, wait_for
from tests.system.test_killed import assert_whole_midi

pytestmark = pytest.mark.system

COLUMNS = 40
SHELL = ("bash", "--norc", "--noprofile", "--noediting", "-i")
# Begin a program with the terminal at its standard input as its own.
BEFORE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
SIGNS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # of a terminal: move, delete, colour


class Terminal(Jam):
    """A terminal and the program before it: a jam, or a shell in whose folder `jam` is a script that begins one."""

    def __init__(self, folder: Path, program: Sequence[str] | None = None, **env: str) -> None:
        self.session_dir = folder / "sessions"
        command = jam_command(self.session_dir, *null_settings(), "jam.mode=solo", "parameters.density=2")
        (folder / "jam").write_text(f"exec {shlex.join(command)}\n")
        self._main, end = os.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, COLUMNS, 0, 0))
        kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "PYTHONUTF8")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEFORE_IT, *(program or command)],
            stdin=end,
            stdout=end,
            stderr=end,
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PS1": "ready "} | env,
            start_new_session=True,
        )
        os.close(end)
        self._shown = b""
        self._open = True
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        while self._open:
            if select.select([self._main], [], [], 0.05)[0]:
                try:
                    self._shown += os.read(self._main, 65536)
                except OSError:  # the last program before it has ended
                    return

    @property
    def output(self) -> str:
        """What it was sent so far."""
        return self._shown.decode(errors="replace")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._main, text.encode())

    def flags(self) -> list[int]:
        """How the terminal treats what comes and goes."""
        return [int(flags) for flags in termios.tcgetattr(self._main)[:4]]

    def wait_keys(self, taken: bool) -> None:
        """Return when each key goes to the program at once, or whole lines do."""
        wait_for(lambda: bool(self.flags()[3] & termios.ICANON) != taken, 10, f"keys {'' if taken else 'not '}taken")

    def supervisor(self) -> tuple[int, str]:
        """Process id of the jam, and the letter of its state."""
        child = next(iter(self.pids().values()))
        pid = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        return pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    def hang_up(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            self._reading.join()
            os.close(self._main)

    def close(self) -> None:
        """Leave nothing of it running."""
        super().close()
        self.hang_up()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, SHELL)
    yield terminal
    sys.stdout.write(terminal.output)  # pytest shows it when the test fails
    terminal.hang_up()  # its shell and what that began end with it
    terminal.close()


def test_to_the_background_and_back_and_a_pause_and_back(shell: Terminal):
    wait_for(lambda: "ready" in shell.output, 10, "the shell")
    shell.type("stty tostop; sh jam &\n")  # whoever writes from the background is to be stopped
    shell.wait_playing(4)
    before = shell.flags()
    jam, state = shell.supervisor()
    assert state != "T"
    assert "bar" not in shell.output  # the line that is being typed into is the shell's
    steps = shell.report["steps"]
    shell.wait(lambda report: report["steps"] > steps, 10, "the jam in the background")

    shell.type("fg\n")
    shell.wait_keys(True)
    shell.type("\x1a")
    wait_for(lambda: shell.supervisor()[1] == "T", 10, "the pause")
    shell.wait_keys(False)
    assert shell.flags() == before
    wave = shell.session / "session.wav"
    size = wave.stat().st_size
    wait_for(lambda: wave.stat().st_size > size, 10, "the music while its terminal is the shell's")
    assert shell.supervisor() == (jam, "T")

    shown = len(shell.output)
    shell.type("fg; echo ended=$?\n")
    shell.wait_keys(True)
    wait_for(lambda: re.search(r"bar \d", shell.output[shown:]), 10, "the status line after the pause")
    shell.type("q")
    wait_for(lambda: re.search(r"ended=\d", shell.output), 10, "the end")
    assert "ended=0" in shell.output, shell.output
    assert shell.flags() == before
    assert_status_is_narrow(shell.output)
    report = shell.report
    assert report["steps"] > steps
    assert report["restarts"] == {"audio": 0, "network": 0, "feed": 0, "signals": 0}
    assert_whole_midi(shell.session / "session.mid", ())


def assert_status_is_narrow(output: str) -> None:
    """No line before the summary is wider than the terminal: one that is would leave its rest behind when drawn again."""
    lines = re.split(r"[\r\n]+", SIGNS.sub("", output))
    playing = lines[: next(n for n, line in enumerate(lines) if " steps on " in line)]
    assert any(re.search(r", bar \d+\.\d", line) for line in playing)
    assert max(map(len, playing)) <= COLUMNS, max(playing, key=len)


def test_a_terminal_that_is_closed_ends_it_like_ctrl_c(tmp_path: Path):
    jam = Terminal(tmp_path, PYTHONIOENCODING="latin-1")
    try:
        jam.wait_playing(8)
        assert "bar" in jam.output
        jam.hang_up()
        assert jam.process.wait(10) == 0
        report = jam.report
        assert report["steps"] >= 8
        assert report["restarts"] == {"audio": 0, "network": 0, "feed": 0, "signals": 0}
        assert_whole_midi(jam.session / "session.mid", ())
        log = (jam.session / "log.txt").read_text()
        assert "Traceback" not in log, log
    finally:
        jam.close()
