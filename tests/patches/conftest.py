"""Each instrument of the folder in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.audio.library import available, load
from tests.patches.stage import Stage


@pytest.fixture(scope="module", params=sorted(available()))
def shared_stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(request.param, load(request.param))
    yield stage
    stage.close()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """A stage with one instrument on it, silent and at its defaults."""
    yield shared_stage
    for param in shared_stage.patch.params:
        shared_stage.turn(param.name, param.default)
    shared_stage.hush()
