"""trade: the network listens, answers when the player rests or by bars, and gives way when he plays again.

Runs on: network process, main thread.
"""

from __future__ import annotations

from engine.core.parameters import Parameter
from engine.jam.mode import Mode

HELD_BARS = 2  # so long with nothing new is a phrase's end, whatever is held: a last note, a pedal, a lost note-off


class Trade(Mode):
    """Turns: while it listens nothing that it chooses is played, in its own turn everything beside what the player plays."""

    name = "trade"
    number = 0
    doc = "listens, then answers"
    about = (
        "it listens. When you rest for `rest` beats, hold your last notes for two bars, or every `bars` bars, it goes on with "
        "your phrase. It stops as soon as you play again."
    )
    takes_turns = True
    parameters = (
        Parameter("rest", 0.25, 8, 1, "trade: silence after which it answers", "beats", scale="exponential"),
        Parameter("bars", 0, 16, 0, "trade: take turns every so many bars; 0 answers whenever you rest", "bars", "integer"),
    )

    listening = True
    _turn_began = 0  # timestep
    _turn: int | None = None  # number of the turn by bars; none before the first

    def begin(self, step: int) -> None:
        """Listen first."""
        self._turn = None
        self.interrupt(step)

    def interrupt(self, step: int) -> None:
        """Listen from here on."""
        self._take_turn(step, listening=True)

    def _take_turn(self, step: int, listening: bool) -> None:
        self.listening = listening
        self._turn_began = step

    def advance(self, step: int, position: int) -> None:
        """Change turns where bars or what the player does say so."""
        self.answer_begins = False
        bars = int(self.live.get("bars"))
        if bars:
            turn = position // (self.steps_per_bar * bars)
            if turn != self._turn:
                self._turn = turn
                self._take_turn(step, listening=turn % 2 == 0)
        if not self.listening:
            if self.roll.player_began_since(self._turn_began):
                self.interrupt(step)
        elif not bars and self._phrase_ended(step):
            self._take_turn(step, listening=False)
            self.answer_begins = True

    def _phrase_ended(self, step: int) -> bool:
        """Whether the player has played in this turn, and rests now or holds what he played last."""
        silent_since = self.roll.player_silent_since()
        rests = silent_since is not None and step - silent_since >= self.live.get("rest") * self.steps_per_beat
        holds = not self.roll.player_began_since(step - HELD_BARS * self.steps_per_bar)
        return (rests or holds) and self.roll.player_began_since(self._turn_began)
