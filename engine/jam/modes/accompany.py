"""accompany: the player has one track, the network plays the others at the same time.

Runs on: network process, main thread.
"""

from __future__ import annotations

from engine.jam.mode import Mode
from engine.jam.parts import TAKEOVER


class Accompany(Mode):
    """His track is his: what he may play in it is imagined, what he plays is clamped; every other slot is free."""

    name = "accompany"
    number = 1
    doc = "plays the other tracks with you"
    about = (
        "you play one track (`jam.track`, the lead unless you say otherwise), the network plays the others with you. After "
        "`takeover` silent bars of yours it plays your part, too, and gives it back at your first note."
    )
    leaves_track = True
    parameters = (TAKEOVER,)
