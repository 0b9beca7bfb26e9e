"""Stores of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.store.servers import Postgres, postgres

_NUMBERS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new store lies: a file, or a database of a real server."""
    if request.param == "sqlite":
        return str(tmp_path / "booth.db")
    running: Postgres = request.getfixturevalue("server")
    return running.url(f"booth{next(_NUMBERS)}")
