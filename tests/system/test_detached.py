"""A jam without a terminal: begun, looked into, killed and begun anew, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.app.running import running
from tests.system.rig import ROOT, jam_command, null_settings, wait_for

pytestmark = pytest.mark.system


def algoritmo(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "engine.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=120)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_it_plays_by_itself_comes_back_when_it_is_killed_and_ends_when_it_is_told(tmp_path: Path, env: dict[str, str]):
    words = jam_command(tmp_path / "s", *null_settings(), "jam.mode=solo", options=["--detach"])[3:]
    begun = algoritmo(*words, env=env)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert "algoritmo stage --end" in begun.stdout
    (jam,) = running()
    guardian = psutil.Process(jam.pid).parent()
    assert guardian is not None
    try:
        assert os.getsid(jam.pid) != os.getsid(0), "no terminal of ours can hang up on it"
        os.kill(jam.pid, signal.SIGKILL)
        (again,) = wait_for(lambda: [of for of in running() if of.pid != jam.pid], 60, "the jam anew")
        wait_for(lambda: (Path(again.session) / "report.json").exists(), 60, "its first figures")
        ended = algoritmo("stage", "--end", env=env)
        assert ended.returncode == 0, ended.stderr
        wait_for(lambda: not guardian.is_running() or guardian.status() == psutil.STATUS_ZOMBIE, 20, "the guardian's end")
        assert running() == []
    finally:
        for process in (guardian, *(psutil.Process(of.pid) for of in running())):
            if process.is_running():
                process.kill()
    none = algoritmo("stage", "--end", env=env)
    assert (none.returncode, "no jam runs" in none.stderr) == (2, True)


def test_one_that_cannot_begin_says_why_at_once(tmp_path: Path, env: dict[str, str]):
    failed = algoritmo("jam", "--detach", "--set", "jam.mode=sing", env=env)
    assert failed.returncode == 2
    assert "jam.mode" in failed.stderr
    assert "Traceback" not in failed.stderr
