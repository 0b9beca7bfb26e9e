"""The log of a session: it can be read, and never fills the disk."""

from __future__ import annotations

import os
from pathlib import Path

from engine.app import log
from engine.app.log import KEPT, Log


def test_what_is_told_is_kept_with_its_time(tmp_path: Path):
    Log(tmp_path).write("the network process died")
    (line,) = (tmp_path / "log.txt").read_text().splitlines()
    assert line.endswith("the network process died")
    assert line[2] == ":"


def test_it_is_begun_anew_under_those_who_write_to_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(log, "MOST_BYTES", 1000)
    kept = Log(tmp_path)
    child = os.open(tmp_path / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # as a child process has it
    for number in range(10):
        os.write(child, f"library {number}\n".encode() * 100)
        kept.write(f"told {number}")
        kept.rotate()
        assert (tmp_path / "log.txt").stat().st_size == 0
    os.write(child, b"last\n")
    os.close(child)
    assert (tmp_path / "log.txt").read_bytes() == b"last\n"
    old = sorted(tmp_path.glob("log.*.txt"))
    assert len(old) == KEPT
    assert "told 9" in (tmp_path / "log.1.txt").read_text()
    assert all(path.stat().st_size <= 1000 for path in old)


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path):
    for folder in (tmp_path / "gone", None):
        kept = Log(folder)
        kept.write("text")
        kept.rotate()
    assert str(Log(None)) == "its output above"
