"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import tiny

# How long an example takes says more about the machine than about the code.
settings.register_profile("algoritmo", deadline=None)
settings.load_profile("algoritmo")


def pytest_configure(config: pytest.Config) -> None:
    """Let the process that does not play jams in real time step back for the one that does."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        os.nice(15)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests out to two processes, file by file.

    Those of `system/` go to one of them, first: each is a whole jam in real time, which mostly waits and would not bear
    another beside it.
    """
    items.sort(key=lambda item: item.path.parent.name != "system")
    for item in items:
        group = "system" if item.path.parent.name == "system" else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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
