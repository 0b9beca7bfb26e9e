"""solo: the network plays everything, the player's notes nudge it.

Runs on: network process, main thread.
"""

from __future__ import annotations

from engine.jam.mode import Mode


class Solo(Mode):
    """What every mode does unless it says otherwise: his notes are clamped, everything else is free."""

    name = "solo"
    number = 2
    doc = "plays everything"
    about = "it plays everything, by a progression of its own (A A B A, song after song, key after key); your notes nudge it."
