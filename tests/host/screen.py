"""A screen that nobody sees, and somebody who clicks on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.rig import need


class Screen:
    """An X server of its own: `env` is what a program needs to show its window there."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        command = [
            need("Xvfb", "apt install xvfb"),
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            "1024x768x24",
            "-nolisten",
            "tcp",
        ]
        self._server = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as told:
            self.display = f":{told.readline().strip()}"
        self.env = {"DISPLAY": self.display}

    def find(self, name: str) -> str:
        """Return the window of this name; empty where there is none."""
        return self._do("search", "--name", name).split("\n")[0]

    def click(self, window: str, x: int, y: int) -> None:
        """Click into a window."""
        self._do("mousemove", "--window", window, str(x), str(y), "click", "1")

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [need("xdotool", "apt install xdotool"), *words],
            env=os.environ | self.env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout.strip()

    def close(self) -> None:
        """End it."""
        self._server.terminate()
        self._server.wait(10)


@pytest.fixture
def screen() -> Iterator[Screen]:
    """Return a screen."""
    one = Screen()
    yield one
    one.close()
