"""Which of several decks leads, and the line that its beats lie on.

Runs on: prodj process. A deck tells when each of its beats begins, as far as the network between brings it in time; its tempo
it tells exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engine.net.prodj import MIXER

PER_BAR = 4  # beats: players count no other bars
GONE_BEATS, GONE_S = 2.5, 1.0  # so long without a beat, whichever is longer, a deck has stopped
MASTER_S = 2.0  # so long it is believed who the master is: this is told several times a second
ASTRAY_S, ASTRAY = 0.06, 0.2  # seconds, and beats, by which a beat may come early or late before the deck has jumped
FOLLOWS, NEAR_S = 0.25, 0.005  # so much of how early or late a beat came is taken over; of what is further away, all
LEARNS = 0.1  # of the jitter, from beat to beat
MOST_DECKS = 16


@dataclass(slots=True)
class Deck:
    """One player, or the mixer."""

    number: int
    address: str
    since_s: float  # when it began to play
    time_s: float  # of its last beat, as the line has it
    heard_s: float  # ... as it came
    beat: int  # which one that was; where it is divisible by PER_BAR a bar begins
    tempo_bpm: float
    jitter_s: float = 0.0
    jumps: int = 0

    @property
    def bars(self) -> bool:
        """Whether its bars are the music's: a mixer only counts."""
        return self.number != MIXER

    def take(self, now_s: float, tempo_bpm: float, place: int) -> None:
        """Its next beat has come, the one at this place of the bar, 1..4."""
        period_s = 60 / self.tempo_bpm
        passed = max(round((now_s - self.time_s) / period_s), 1)
        off_s = now_s - (self.time_s + passed * period_s)
        at = self.beat + passed
        goes_on = abs(off_s) < min(ASTRAY_S, ASTRAY * period_s) and (not self.bars or at % PER_BAR == place - 1)
        if goes_on:
            self.jitter_s += LEARNS * (abs(off_s) - self.jitter_s)
            self.beat, self.time_s = at, now_s - (1 - FOLLOWS if abs(off_s) < NEAR_S else 0.0) * off_s
        else:  # a cue point, a loop, another track: its beats are elsewhere from here on
            self.beat += (place - 1 - self.beat - 1) % PER_BAR + 1
            self.time_s = now_s
            self.jumps += 1
        self.tempo_bpm, self.heard_s = tempo_bpm, now_s

    def is_gone(self, now_s: float) -> bool:
        """Whether it has stopped."""
        return now_s - self.heard_s > max(GONE_BEATS * 60 / self.tempo_bpm, GONE_S)

    def beat_at(self, now_s: float) -> float:
        """Return its beat at a time."""
        return self.beat + (now_s - self.time_s) * self.tempo_bpm / 60


@dataclass(slots=True)
class Decks:
    """All that play. `choice`: the number of the one that is to lead; 0: the tempo master.

    Where nobody says who is the master it is whoever leads already, as long as he plays, and then whoever has played longest;
    the mixer's own count only where no player plays.
    """

    choice: int = 0
    leader: Deck | None = None
    _decks: dict[int, Deck] = field(default_factory=dict)
    _master: tuple[int, float] = (0, -math.inf)  # number, and when this was told last

    def beat(self, number: int, address: str, now_s: float, tempo_bpm: float, place: int) -> None:
        """A beat of a deck's begins. A second device that calls itself by a deck's number is left alone while that plays."""
        deck = self._decks.get(number)
        if deck is not None and not deck.is_gone(now_s):
            if deck.address == address and now_s - deck.heard_s > 15 / deck.tempo_bpm:  # not the same one twice
                deck.take(now_s, tempo_bpm, place)
        elif deck is not None or len(self._decks) < MOST_DECKS:
            self._decks[number] = Deck(number, address, now_s, now_s, now_s, place - 1, tempo_bpm)

    def tell_master(self, number: int, now_s: float) -> None:
        """A device said that it is, or is about to be, the tempo master."""
        self._master = (number, now_s)

    def look(self, now_s: float) -> Deck | None:
        """Return the deck that leads now; None where nothing plays."""
        for number in [number for number, deck in self._decks.items() if deck.is_gone(now_s)]:
            del self._decks[number]
        self.leader = self._find(now_s)
        return self.leader

    @property
    def count(self) -> int:
        """Decks that play; the mixer is none."""
        return sum(deck.bars for deck in self._decks.values())

    def _find(self, now_s: float) -> Deck | None:
        if self.choice:
            return self._decks.get(self.choice)
        master, told_s = self._master
        if now_s - told_s < MASTER_S and master in self._decks:
            return self._decks[master]
        players = [deck for deck in self._decks.values() if deck.bars]
        if self.leader in players:
            return self.leader
        return min(players, key=lambda deck: deck.since_s, default=self._decks.get(MIXER))
