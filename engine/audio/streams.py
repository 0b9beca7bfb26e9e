"""What pyo forgets: the stream of an object that is freed is given back.

Runs on: audio process, control thread. Every object of pyo 1.1.0 keeps a reference to its Stream, and to those of its inputs,
that it does not let go of when it dies: 96 bytes for ever, 15 kB with each patch that is changed. What is made and thrown away
within pyo itself (of MidiLinseg and TrigEnv one each) stays lost: less than 1 kB.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pyo

_FORGETS = pyo.getVersion() == (1, 1, 0) and sys.implementation.name == "cpython"
_MINE = 2  # references to something that nobody else has: the variable here, and the argument of getrefcount


def let_go(bases: list[Any]) -> None:
    """Empty a list of base objects and free those that nobody else has: what uses another one goes before it.

    One at a time, so that the audio callback never waits for more than one. Nothing may hold the streams of those that go.
    """
    bases.sort(key=lambda base: base._getStream().getId())  # in the order in which they were made
    left: list[Any] = []
    while bases:
        count = len(bases)
        while bases:
            base = bases.pop()
            if sys.getrefcount(base) > _MINE:
                left.append(base)
                continue
            stream = base._getStream()
            del base
            _forget(stream)
        if len(left) == count:  # somebody else has them
            return
        bases.extend(reversed(left))
        left.clear()


def _forget(stream: Any) -> None:
    """Take back the references to a stream that nobody has: all but those of this variable, of the caller's, and ours."""
    if _FORGETS:
        for _ in range(sys.getrefcount(stream) - 1 - _MINE):
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(stream))
