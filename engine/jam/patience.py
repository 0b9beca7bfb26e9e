"""Patience with a silent network: free to play and playing nothing for long, it is encouraged.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

PATIENCE_BEATS = 2  # silence of a network that is free to play, after which it is encouraged
ENCOURAGEMENT = 1.5  # growth of the density per silent timestep from there on ...
MOST_ENCOURAGED = 256.0  # ... up to this factor


def encouragement(silent_steps: int, steps_per_beat: int) -> float:
    """Return the factor on the density that keeps a network from falling silent for good.

    A state that heard nothing but rests goes on resting. The idea is Johnson's adaptive conservativity.
    """
    overdue = min(max(silent_steps - PATIENCE_BEATS * steps_per_beat, 0), 64)  # a longer one has the most already
    return min(ENCOURAGEMENT**overdue, MOST_ENCOURAGED)


class Patience:
    """Counts the timesteps in which the network was free to play and did not."""

    def __init__(self, steps_per_beat: int) -> None:
        self._steps_per_beat = steps_per_beat
        self._silent_steps = 0

    def end(self) -> None:
        """It is its turn: from now on every silent timestep counts."""
        self._silent_steps = PATIENCE_BEATS * self._steps_per_beat

    def settle(self, plays: bool) -> None:
        """A timestep has passed in which it played, or was not free to."""
        self._silent_steps = 0 if plays else self._silent_steps + 1

    @property
    def density(self) -> float:
        """Factor on the density of the next timestep."""
        return encouragement(self._silent_steps, self._steps_per_beat)
