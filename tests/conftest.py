"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests import tiny

# How long an example takes says more about the machine than about the code.
settings.register_profile("algoritmo", deadline=None)
settings.load_profile("algoritmo")


@pytest.fixture(scope="session")
def touch_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with velocities and offsets."""
    return tiny.write(tmp_path_factory.mktemp("network") / "touch.onnx", touch=True)


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that keeps the contract."""
    return tiny.write(tmp_path_factory.mktemp("network") / "tiny.onnx")
