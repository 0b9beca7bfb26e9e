"""A drum and two pitches: the smallest card with both kinds of track, and silence for it."""

import numpy as np

from engine.core.contract import Card

CARD = Card.model_validate(
    {
        "contract": 1,
        "name": "two",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 3,
        "tracks": [{"name": "drums", "kind": "drums", "pitches": [36]}, {"name": "lead", "pitches": [60, 61]}],
    }
)


def roll(steps=64):
    return np.zeros((steps, 3), np.uint8)
