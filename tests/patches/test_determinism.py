"""The same notes on a newly built instrument give the same samples, unless a parameter was turned."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from engine.audio.library import available, load
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


STRIKE_EVERY_DRUM = """
import numpy as np
from engine.audio.library import load
from tests.patches.stage import Stage

stage = Stage("drums", load("drums"))
for pitch in (36, 37, 38, 39, 41, 42, 45, 46, 49, 50, 51, 53, 54, 55, 56, 70):
    stage.on(pitch, 110)
assert np.isfinite(stage.listen(3.0)).all()
"""


def test_no_drum_reads_what_lies_behind_its_table() -> None:
    """Where memory that was given back holds NaN (glibc fills it as told), whoever reads too far puts NaN out."""
    environment = os.environ | {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "255", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", STRIKE_EVERY_DRUM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
