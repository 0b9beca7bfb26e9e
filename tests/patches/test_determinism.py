"""The same notes on a newly built instrument give the same samples, unless a parameter was turned."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.patch import available, load
from tests.patches.stage import Stage

# Notes that between them make every parameter heard; the open hi-hat is one of the drums.
PHRASES = {"drums": (36, 38, 46)}


def perform(name: str, **values: float) -> np.ndarray:
    stage = Stage(name, load(name))
    for param, value in values.items():
        stage.turn(param, value)
    heard = stage.phrase(*PHRASES.get(name, (45, 57)))
    stage.close()
    return heard


@pytest.mark.parametrize("name", sorted(available()))
def test_built_twice_it_sounds_the_same(name: str) -> None:
    first = perform(name)
    assert first.any()
    assert np.array_equal(first, perform(name))


@pytest.mark.parametrize("name", sorted(available()))
def test_every_parameter_is_heard(name: str) -> None:
    for param in load(name).params:
        least, most = (perform(name, **{param.name: value}) for value in (param.minimum, param.maximum))
        assert np.linalg.norm(most - least) > 0.02 * np.linalg.norm(least), f"{param.name} changes nothing"
