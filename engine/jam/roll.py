"""What really sounded, timestep by timestep: the memory that the network's `x` and its clamps are read from.

Runs on: network process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.core.contract import HOLD, OFFSET, PLAY, VELOCITY, Card
from engine.core.messages import PLAYER

_NEVER = 2**62  # end of a note that still sounds


@dataclass(slots=True)
class PlayedNote:
    """A note of a timestep, or of several."""

    slot: int
    pitch: int
    velocity: float  # 0..1
    offset: float  # of a step, early to late
    begin: int  # first timestep
    end: int = _NEVER  # first timestep in which it is silent


class Roll:
    """Notes that sounded, the player's and the network's, each from a first timestep to an end.

    The player's notes are heard as notes of `player_track`, or of the tracks that he was given; one outside their range is
    folded in by octaves.
    """

    def __init__(self, card: Card, player_track: str) -> None:
        slices = card.track_slices()
        self._slot_of: dict[int, dict[int, int]] = {}
        for index, track in enumerate(card.tracks):
            first = slices[track.name].start
            self._slot_of[index] = {pitch: first + i for i, pitch in enumerate(track.pitches)}
        self._drums = frozenset(index for index, track in enumerate(card.tracks) if track.kind == "drums")
        self.give([[t.name for t in card.tracks].index(player_track)])
        # The slot in which the network hears what sounds in each of its own.
        self.heard_as = np.arange(card.slots)
        self.clear()

    def give(self, tracks: Sequence[int]) -> None:
        """From now on what the player begins is heard as notes of these tracks: each as of the one whose middle is nearest.

        Drums are played by hand where they are all he has.
        """
        pitched = [track for track in tracks if track not in self._drums] or list(tracks)
        folded = {track: _folded(self._slot_of[track]) for track in pitched}
        middle = {track: (min(self._slot_of[track]) + max(self._slot_of[track])) / 2 for track in pitched}
        self._slot_of[PLAYER] = {
            pitch: folded[min(pitched, key=lambda track: abs(middle[track] - pitch))][pitch] for pitch in range(128)
        }

    def clear(self) -> None:
        """Forget everything."""
        self._player: list[PlayedNote] = []
        self._network: list[PlayedNote] = []
        self._player_began: int | None = None
        self._player_ended: int | None = None

    def note_on(self, track: int, pitch: int, velocity: float, position: float) -> None:
        """A note began at `position` (in timesteps); one of the same track and pitch that still sounded ends there.

        It belongs to the nearest timestep. A track or pitch the network does not have is ignored.
        """
        slot = self._slot_of.get(track, {}).get(pitch)
        if slot is None:
            return
        self.note_off(track, pitch, position)
        step = nearest(position)
        self._notes(track).append(PlayedNote(slot, pitch, velocity, position - step, step))
        if track == PLAYER:
            self._player_began = step if self._player_began is None else max(self._player_began, step)

    def note_off(self, track: int, pitch: int, position: float) -> None:
        """A note ended at `position`; it counts for one timestep at least, however short it was."""
        slot = self._slot_of.get(track, {}).get(pitch)
        for note in self._notes(track):  # a key of the player's ends what it began, whatever tracks he was given since
            if note.end == _NEVER and note.pitch == pitch and (track == PLAYER or note.slot == slot):
                self._end(note, track, position)

    def take_back(self, track: int, pitch: int, step: int) -> bool:
        """Forget a note that began in `step` and was ended in it, for it did not fit; return whether there was one."""
        notes = self._notes(track)
        slot = self._slot_of.get(track, {}).get(pitch)
        for note in notes:
            if note.end == _NEVER and note.slot == slot and note.begin == step:
                notes.remove(note)
                return True
        return False

    def all_off(self, track: int, position: float) -> None:
        """Every note of the player (PLAYER) or of the network (any other) that sounds ends at `position`."""
        for note in self._notes(track):
            if note.end == _NEVER:
                self._end(note, track, position)

    def _end(self, note: PlayedNote, track: int, position: float) -> None:
        note.end = max(note.begin + 1, nearest(position))
        if track == PLAYER:
            self._player_ended = max(self._player_ended or 0, note.end)

    def _notes(self, track: int) -> list[PlayedNote]:
        return self._player if track == PLAYER else self._network

    def forget_before(self, step: int) -> None:
        """Drop the notes that ended before timestep `step`."""
        self._player = [n for n in self._player if n.end > step]
        self._network = [n for n in self._network if n.end > step]

    def fill(self, step: int, out: np.ndarray) -> None:
        """Write what sounds in `step` into `out` (S, C): 1 in play, and in hold where it goes on from the step before."""
        out.fill(0)
        self._fill(self._network, step, out, self.heard_as)
        self._fill(self._player, step, out)

    def fill_player(self, step: int, out: np.ndarray) -> None:
        """The same with the player's notes alone."""
        out.fill(0)
        self._fill(self._player, step, out)

    @staticmethod
    def _fill(notes: list[PlayedNote], step: int, out: np.ndarray, heard_as: np.ndarray | None = None) -> None:
        channels = out.shape[1]
        for note in notes:
            if not note.begin <= step < note.end:
                continue
            row = out[note.slot if heard_as is None else heard_as[note.slot]]
            # An onset outweighs a note of the same slot that goes on: what is heard is the new attack.
            row[HOLD] = note.begin < step and not (row[PLAY] and not row[HOLD])
            row[PLAY] = 1
            if channels > VELOCITY:
                row[VELOCITY] = note.velocity
            if channels > OFFSET:
                row[OFFSET] = note.offset

    def network_sounding(self, before: int) -> dict[int, int]:
        """The network's notes that have begun, in a timestep `before` this one, and not ended: slot -> pitch."""
        return {n.slot: n.pitch for n in self._network if n.end == _NEVER and n.begin < before}

    def player_began_since(self, step: int) -> bool:
        """Whether a note of the player began in timestep `step` or later."""
        return self._player_began is not None and self._player_began >= step

    def player_silent_since(self) -> int | None:
        """The step in which the player's last note ended; None while he plays or before he ever did."""
        return None if self.player_sounds else self._player_ended

    def player_notes(self, step: int) -> list[PlayedNote]:
        """The player's notes that began in a timestep; their ends may still be to come."""
        return [n for n in self._player if n.begin == step]

    def player_slots(self) -> list[int]:
        """Slots in which his notes are heard."""
        return sorted(set(self._slot_of[PLAYER].values()))

    def player_slot(self, pitch: int) -> int:
        """The slot in which a pitch of his is heard."""
        return self._slot_of[PLAYER][min(max(pitch, 0), 127)]

    @property
    def player_sounds(self) -> bool:
        """Whether a note of the player sounds."""
        return any(n.end == _NEVER for n in self._player)


def nearest(position: float) -> int:
    """The timestep nearest to a position; halfway belongs to the later one."""
    return math.floor(position + 0.5)


def _folded(slot_of: dict[int, int]) -> dict[int, int]:
    """Return for each MIDI pitch 0..127 its slot: itself, else the nearest octave, else the nearest pitch."""
    pitches = np.array(sorted(slot_of))
    fold = {}
    for pitch in range(128):
        octaves = pitches[(pitches - pitch) % 12 == 0]
        candidates = octaves if len(octaves) else pitches
        fold[pitch] = slot_of[int(candidates[np.argmin(np.abs(candidates - pitch))])]
    return fold
