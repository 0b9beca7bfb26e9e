"""What all tests share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests import tiny

# How long an example takes says more about the machine than about the code.
settings.register_profile("algoritmo", deadline=None)
settings.load_profile("algoritmo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of `system/`: a process of their own has them, and they take longest."""
    items.sort(key=lambda item: item.path.parent.name != "system")


class Dealing(LoadScopeScheduling):  # type: ignore[misc]
    """Deal the tests out to two processes, file by file, those of `system/` all to one.

    Each of those is a whole jam in real time, which mostly waits and would not bear another beside it.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return "system" if "/system/" in path else path


@pytest.hookimpl(optionalhook=True)  # it is there only where pytest-xdist is at work
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Dealing:
    """Return who deals the tests out."""
    return Dealing(config, log)


_first: list[bool] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the process that does not begin with jams in real time step back for the one that does."""
    if not _first and "PYTEST_XDIST_WORKER" in os.environ:
        _first.append(True)
        if item.path.parent.name != "system":
            os.setsid()  # Linux shares the processor between sessions first: within one of its own this process would not yield
            os.nice(15)
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text("15")


@pytest.fixture(scope="session")
def touch_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with velocities and offsets."""
    return tiny.write(tmp_path_factory.mktemp("network") / "touch.onnx", touch=True)


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that keeps the contract."""
    return tiny.write(tmp_path_factory.mktemp("network") / "tiny.onnx")


@pytest.fixture(autouse=True)
def _in_no_hurry() -> Iterator[None]:
    """A test that runs a device's thread itself becomes urgent with it; those after it and what they start are not."""
    yield
    if hasattr(os, "SCHED_OTHER") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
