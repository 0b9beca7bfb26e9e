"""Parts: which tracks are the player's own, by mode and by where he punched in, and which of them the network plays meanwhile.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import Card
from engine.core.parameters import Live, Parameter
from engine.jam.mode import Mode
from engine.jam.roll import Roll

ALONE_BARS = 4  # of silence, after which nobody is waited for to say the chord
_DOC = "After so many silent bars of yours it plays your part, too, until your next note; 0: never"
TAKEOVER = Parameter("takeover", 0, 64, 4, _DOC, "bars", "integer")


def punch_of(track: str) -> str:
    """The switch by which the player takes a track."""
    return f"{track}.punch"


class Parts:
    """For each timestep `advance`; then `his` are the slots that are the player's alone.

    Where he punched in, those tracks are his; where he did not, the one of the configuration in a mode that leaves it to him,
    or listens to him. After so many silent bars of his the network has them until he plays again.
    """

    def __init__(self, card: Card, player_track: str, roll: Roll, live: Live) -> None:
        self.his = np.zeros(card.slots, bool)
        self.own = np.zeros(card.slots, bool)  # in which his notes are heard, whether or not they are left to him
        self.tracks: tuple[int, ...] = ()  # that are his, whoever plays them now
        self.taken_over = False
        self._roll, self._live = roll, live
        self._names = [track.name for track in card.tracks]
        self._slices = list(card.track_slices().values())
        self._own = (self._names.index(player_track),)
        self._punched: tuple[int, ...] = ()
        self._begun = 0  # step in which the mode was chosen
        self._since = 0  # step from which on his silence counts, if it did not begin later
        self._give(self._own)

    def begin(self, step: int) -> None:
        """A mode was chosen: his silence counts from here on."""
        self._begun = self._since = step
        self.taken_over = False

    def _give(self, tracks: tuple[int, ...]) -> None:
        self._roll.give(tracks)
        self.own.fill(False)
        for track in tracks:
            self.own[self._slices[track]] = True

    def advance(self, step: int, position: int, mode: Mode) -> None:
        """Go on to timestep `step`, which is `position` counted from bar 1."""
        punched = tuple(at for at, name in enumerate(self._names) if self._live.get(punch_of(name)) > 0)
        if punched != self._punched:
            self._punched = punched
            self._give(punched or self._own)
            self._since, self.taken_over = step, False
        if len(self._names) == 1 or (mode.takes_turns and not mode.listening):
            self.tracks = ()  # one track is nothing to accompany on: the network adds its notes to his
        else:
            self.tracks = punched or (self._own if mode.leaves_track or mode.listening else ())
        may = bool(self.tracks) and not mode.takes_turns and self._rested(step, mode.steps_per_bar)
        self.taken_over = may and (self.taken_over or position % mode.steps_per_bar == 0)
        self.his[:] = self.own & (bool(self.tracks) and not self.taken_over)

    def alone(self, step: int, mode: Mode) -> bool:
        """Whether nobody has played for so long, or ever in a mode that waits for nobody, that the band goes its own way."""
        since = self._roll.player_silent_since()
        if self._roll.player_sounds or mode.takes_turns:
            return False
        if since is None and not mode.leaves_track:
            return True
        return step - max(self._begun, since or 0) >= ALONE_BARS * mode.steps_per_bar

    def _rested(self, step: int, bar: int) -> bool:
        """Whether he has been silent for so long that the network may have his part."""
        bars = int(self._live.get(TAKEOVER.id))
        if not bars or self._roll.player_sounds:
            return False
        return step - max(self._since, self._roll.player_silent_since() or 0) >= bars * bar

    def give_back(self) -> None:
        """He has begun a note: what the network played for him is his again."""
        self.taken_over = False
