"""From voices to a stage: sums, width and echoes, shared by the instruments.

Runs on: audio process. A file that begins with an underscore is no patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from pyo import Delay, Dummy, PyoObject, Sine


def together(sounds: PyoObject | Sequence[PyoObject]) -> PyoObject:
    """Return all streams of all sounds as one object."""
    if isinstance(sounds, PyoObject):
        return sounds
    return Dummy([base for sound in sounds for base in sound.getBaseObjects()])


def apart(pairs: Sequence[PyoObject]) -> tuple[PyoObject, PyoObject]:
    """Return the first streams of all pairs, and the second ones."""
    streams = together(pairs).getBaseObjects()
    return Dummy(streams[::2]), Dummy(streams[1::2])


def mono(voices: PyoObject | Sequence[PyoObject]) -> PyoObject:
    """Return the sum of all streams as one; five times as fast as pyo's Mix, which asks Python for every stream."""
    return Dummy([reduce(_plus, together(voices).getBaseObjects())])


def stereo(sounds: PyoObject | Sequence[PyoObject], width: float) -> PyoObject:
    """Return all streams spread over the stage, by turns a little to the left and to the right; `width` 0..1."""
    voices = together(sounds)
    sides = [width * (-1) ** i * (0.4 + 0.6 * i / len(voices)) for i in range(len(voices))]
    left = voices * [(0.5 * (1 - side)) ** 0.5 for side in sides]
    right = voices * [(0.5 * (1 + side)) ** 0.5 for side in sides]
    return Dummy([reduce(_plus, side.getBaseObjects()) for side in (left, right)])


def _plus(left: Any, right: Any) -> Any:
    """Return the sum of two base objects."""
    return _counted(left + right)


def _counted(base: Any) -> Any:
    """Return what came of arithmetic with base objects. pyo counts one reference to it too many: it would never be freed."""
    base.decref()
    return base


def beside(middle: PyoObject, side: PyoObject) -> PyoObject:
    """Return `middle` on both sides, with `side` added on the left and taken away on the right: in mono it is gone."""
    return Dummy([_plus(middle[0], side[0]), _counted(middle[0] - side[0])])


def chorus(voice: PyoObject, depth: PyoObject | float, rate_hz: float = 0.55, sway_s: float = 0.0012) -> PyoObject:
    """Return one or two streams as two: on each side a copy some 15 ms later that wanders against the other; `depth` 0..1."""
    wander = Sine(rate_hz, phase=[0, 0.5], mul=sway_s, add=[0.013, 0.017])
    return Delay(voice, wander, maxdelay=0.03, mul=depth) + voice


def echo(sound: PyoObject, time_s: float, feedback: PyoObject | float, level: PyoObject | float) -> PyoObject:
    """Return two streams with their echoes, those on the right a little later."""
    return Delay(sound, [time_s, time_s * 1.02], feedback, maxdelay=time_s * 1.1, mul=level) + sound


def loudness(envelope: PyoObject) -> PyoObject:
    """Return the gain for a straight envelope: soft notes 24 dB below hard ones, falls that are fast, then slow."""
    return envelope * (envelope * 0.7 + 0.3)
