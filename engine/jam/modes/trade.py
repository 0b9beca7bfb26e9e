"""trade: the network listens, answers when the player rests or by bars, and gives way when he plays again.

Runs on: network process, main thread.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY, VELOCITY, Card
from engine.core.parameters import Live, Parameter
from engine.jam.mode import Mode
from engine.jam.motif import LEAST_NOTES, LONGEST_BARS, Motif
from engine.jam.roll import PlayedNote, Roll

HINT_BARS = 8  # of playing without a rest, after which he is told how he is answered
HELD_BARS = 2  # so long with nothing new is a phrase's end, whatever is held: a last note, a pedal, a lost note-off


class Trade(Mode):
    """Turns: while it listens nothing that it chooses is played, in its own turn everything beside what the player plays."""

    name = "trade"
    number = 0
    doc = "listens, then answers"
    about = (
        "it listens. When you rest for `rest` beats, hold your last notes for two bars, or every `bars` bars, it answers your "
        "phrase: half of it comes back, moved within the key, as loud and as dense as yours. It stops as soon as you play "
        "again."
    )
    takes_turns = True
    parameters = (
        Parameter("rest", 0.25, 8, 1, "trade: silence after which it answers", "beats", scale="exponential"),
        Parameter("bars", 0, 16, 0, "trade: take turns every so many bars; 0 answers whenever you rest", "bars", "integer"),
    )

    listening = True
    _turn_began = 0  # timestep
    _turn: int | None = None  # number of the turn by bars; none before the first
    _motif: Motif | None = None  # of the phrase that is answered
    _phrase_began: int | None = None  # timestep of the first note since it listens
    _hinted = False  # whether he was told in this turn

    def __init__(self, card: Card, roll: Roll, live: Live) -> None:
        super().__init__(card, roll, live)
        self._phrase: dict[int, list[PlayedNote]] = {}  # by timestep
        self._past = np.zeros(12)  # pitch classes of the phrases before
        self._pitched = np.repeat([track.kind != "drums" for track in card.tracks], [len(t.pitches) for t in card.tracks])

    def begin(self, step: int) -> None:
        """Listen first."""
        self._turn = None
        self.interrupt(step)

    def interrupt(self, step: int) -> None:
        """Listen from here on."""
        self._take_turn(step, listening=True)

    def _take_turn(self, step: int, listening: bool) -> None:
        self._motif = None if listening else self._planned(step)
        self.listening = listening
        self._turn_began = step
        self._phrase.clear()
        self._phrase_began, self._hinted = None, False

    def _planned(self, step: int) -> Motif | None:
        """How the phrase that was heard is answered from timestep `step` on; None where it was none."""
        heard = [note for begun in self._phrase.values() for note in begun if self._pitched[note.slot]]
        last = [note for note in heard if note.begin >= step - LONGEST_BARS * self.steps_per_bar]
        if len({note.begin for note in last}) < LEAST_NOTES:
            return None
        seed = int(self.live.get("seed"))
        slots = self.roll.player_slots()
        pitches = self.card.slot_pitches()
        reach = int(pitches[slots[0]]), int(pitches[slots[-1]])
        found = Motif(last, self._past, step, self.steps_per_bar, self.steps_per_beat, seed, reach)
        self._past = 0.5 * self._past + np.bincount([note.pitch % 12 for note in heard], minlength=12)
        return found

    def advance(self, step: int, position: int) -> None:
        """Change turns where bars or what the player does say so."""
        self.answer_begins = False
        self._hear(step)
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

    def _hear(self, step: int) -> None:
        """Keep the phrase, and say how it is answered where it has no end."""
        self.hint = ""
        if not self.listening:
            return
        for at in (step - 1, step):
            if begun := self.roll.player_notes(at):
                self._phrase[at] = begun
                self._phrase_began = at if self._phrase_began is None else self._phrase_began
        began, bars = self._phrase_began, self.live.get("bars")
        if began is not None and not bars and not self._hinted and step - began >= HINT_BARS * self.steps_per_bar:
            self._hinted = True
            self.hint = f"trade: no rest is heard to answer in; rest for {self.live.get('rest'):g} beats, or take turns by bars"

    def dictate(self, step: int, value: np.ndarray, mask: np.ndarray, sounding: np.ndarray) -> None:
        """In the player's own track: what of his phrase is said again; beside it a rest, or the network's own note."""
        if self._motif is None or self.listening:
            return
        note, may_begin = self._motif.at(step)
        if may_begin:
            return
        line = np.asarray(self.roll.player_slots())
        line = line[mask[line] < 0.5]
        if self._motif.is_free(step):  # what it began there may go on
            line = line[sounding[line, PLAY] < 0.5]
        mask[line] = 1
        value[line] = 0
        if note is None:
            return
        pitch, velocity, begins = note
        slot = self.roll.player_slot(pitch)
        if slot in line:
            value[slot, PLAY] = 1
            value[slot, HOLD] = not begins and sounding[slot, PLAY] > 0.5
            if value.shape[1] > VELOCITY:
                value[slot, VELOCITY] = velocity
