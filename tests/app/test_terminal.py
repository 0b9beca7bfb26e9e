"""What a terminal may do to a jam."""

import io
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from engine.app.terminal import ENDINGS, HANG_UP, MOST_WAITING, Endings, Steady
from engine.control.keyboard import Keyboard


@pytest.mark.parametrize("number", ENDINGS)
def test_what_ends_a_program_is_noted_and_a_second_one_changes_nothing(number):
    with Endings() as endings:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert endings.asked
    assert signal.getsignal(number) != endings._ask


def steady_console(stream: io.TextIOWrapper) -> Console:
    return Console(file=Steady(stream))  # type: ignore[arg-type]


def test_a_reader_that_quits_stops_nothing():
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as stream, Steady(stream) as out:
        console = Console(file=out)
        for _ in range(3):
            console.print("bar 1.1")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_stops_nothing():
    with open("/dev/full", "w") as stream, Steady(stream) as out:
        Console(file=out).print("bar 1.1" * 10_000)


def test_a_terminal_that_takes_nothing_keeps_nobody_waiting():
    main, end = os.openpty()
    with open(end, "w") as stream:
        begun_s = time.monotonic()
        with Steady(stream) as out:
            for _ in range(200):
                out.write("bar 1.1" * 400 + "\n")  # more than any terminal keeps for who does not read it
                out.flush()
            assert time.monotonic() - begun_s < 20
        seen = b""
        while select.select([main], [], [], 0.5)[0]:
            seen += os.read(main, 65536)
        assert seen.startswith(b"bar 1.1")
        assert MOST_WAITING / 2 < len(seen) < 2 * MOST_WAITING, "what waited came, and what was too much was left out"
    os.close(main)


@pytest.mark.skipif(HANG_UP is None, reason="no SIGHUP here")
def test_what_was_begun_with_nohup_is_not_ended_by_a_terminal_that_closes():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Endings() as endings:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not endings.asked
    finally:
        signal.signal(signal.SIGHUP, before)


class Interrupted(io.RawIOBase):
    """While it writes, a signal's handler writes to the stream before it."""

    def __init__(self) -> None:
        self.handler = lambda: None
        self.got = b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.got += bytes(data)
        self.handler()
        return len(data)


def test_a_pause_in_the_middle_of_a_line_stops_nothing():
    raw = Interrupted()
    with io.TextIOWrapper(io.BufferedWriter(raw)) as stream, Steady(stream) as out:
        raw.handler = lambda: (out.write("x" * 20_000), out.flush())  # longer than what any buffer takes
        out.write("bar 1.1")
        out.flush()
        raw.handler = lambda: None
    assert raw.got.startswith(b"bar 1.1")


SETTLE = "import sys; from engine.app.terminal import settle_streams; settle_streams(); "
SHOW = SETTLE + "print('fünf \\u2014 5'); sys.stderr.write('done')"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_letter_is_written_in_some_way(encoding):
    env = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, env=env, check=True)
    assert b"5" in done.stdout
    assert done.stderr == b"done"


def test_without_a_stdout_no_file_takes_its_number(tmp_path):
    code = SETTLE + f"f = open({str(tmp_path / 'file')!r}, 'w'); print('stray'); assert f.fileno() > 2"
    shell = ["sh", "-c", f'exec "{sys.executable}" -c "$0" >&-', code]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == ""


def test_without_any_stream_a_process_that_is_started_has_all():
    look = "import os, sys; [os.fstat(n) for n in range(3)]; sys.exit(None in (sys.stdin, sys.stdout, sys.stderr))"
    code = SETTLE + f"import subprocess; sys.exit(subprocess.run([sys.executable, '-c', {look!r}]).returncode)"
    shell = ["sh", "-c", f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-', code]
    assert subprocess.run(shell, check=False).returncode == 0


def test_keys_of_a_terminal_that_was_closed_end_nothing(monkeypatch):
    main, end = os.openpty()
    with open(end, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        keyboard = Keyboard(lambda _level, _text: None)
        keyboard._before = [0]
        os.close(main)
        assert keyboard.act(None) is False  # type: ignore[arg-type]
        assert not keyboard.here
    os.close(end)


def test_in_the_background_no_keys_are_taken(monkeypatch):
    main, end = os.openpty()  # not the terminal that this program is before
    with open(end, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with Keyboard(lambda _level, _text: None) as keyboard:
            assert not keyboard.here
    os.close(main)
    os.close(end)
