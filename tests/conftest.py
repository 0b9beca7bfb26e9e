"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that keeps the contract."""
    return tiny.write(tmp_path_factory.mktemp("network") / "tiny.onnx")
