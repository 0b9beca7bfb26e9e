"""What the live parameters do to the mixer: levels, pan, mute and solo, which patch plays, and the knobs of the patches.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.audio.mixer import Mixer
from engine.audio.track import Track
from engine.core.parameters import Registry


@dataclass(slots=True)
class _Places:
    """Where the parameters of one track lie in the table of values; -1 where there is none."""

    number: int  # of the track in an EVENT
    track: Track
    level: int
    pan: int
    mute: int
    solo: int
    patch: int
    plays: float  # the patch that was asked for last


class Controls:
    """Turns the mixer to what the table of values says."""

    def __init__(self, registry: Registry, numbers: np.ndarray, mixer: Mixer, on_patch: Callable[[Track], None]) -> None:
        """`on_patch`: another patch is to play a track."""
        self._on_patch = on_patch
        index = registry.index
        self._places = []
        for number, track in mixer.numbered():
            level, pan, mute, solo, patch = (
                index.get(f"{track.name}.{word}", -1) for word in ("level", "pan", "mute", "solo", "patch")
            )
            self._places.append(_Places(number, track, level, pan, mute, solo, patch, float(numbers[patch])))

    def turn(self, numbers: np.ndarray) -> set[int]:
        """Give every track what is asked for; return those that are silent: muted, or not among those that play solo.

        Solo is among the network's tracks: the player is heard whatever else is.
        """
        soloed = any(at.solo >= 0 and numbers[at.solo] > 0 for at in self._places)
        silent = set()
        for at in self._places:
            muted = at.mute >= 0 and numbers[at.mute] > 0
            if muted or (soloed and at.solo >= 0 and not numbers[at.solo] > 0):
                silent.add(at.number)
            pan = float(numbers[at.pan]) if at.pan >= 0 else 0.0
            at.track.set_fader(float(numbers[at.level]), pan, at.number in silent)
            at.track.turn_knobs(numbers)
            if numbers[at.patch] != at.plays:
                at.plays = float(numbers[at.patch])
                self._on_patch(at.track)
        return silent
