"""accompany: the player has one track, the network plays the others at the same time.

Runs on: network process, main thread.
"""

from __future__ import annotations

import numpy as np

from engine.jam.mode import Mode


class Accompany(Mode):
    """His track is clamped, notes and rests; every other slot is free."""

    name = "accompany"
    number = 1
    doc = "plays the other tracks with you"
    about = "you play one track (`jam.track`, the lead unless you say otherwise), the network plays the others with you."

    def clamp(self, value: np.ndarray, mask: np.ndarray) -> None:
        """The player's track."""
        if len(self.card.tracks) == 1:  # nothing to accompany on: the network adds its notes to his
            super().clamp(value, mask)
        else:
            mask.fill(0)
            mask[self.player_slots] = 1
