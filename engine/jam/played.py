"""Which chord the band plays: the one that is heard where its notes belong to it, else the one that they make.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import PLAY, Card
from engine.core.metre import Metre
from engine.jam.chords import Chord, made_of
from engine.jam.fit import FREE, MELODIC


class Played:
    """For each timestep `hear`, again where what was chosen was put right; then `chord`, None after a bar of silence."""

    def __init__(self, card: Card) -> None:
        slices = card.track_slices()
        tracks = [track for track in card.tracks if track.kind != FREE]
        tracks = [track for track in tracks if track.name not in MELODIC] or tracks
        self._slots = np.zeros(card.slots, bool)
        for track in tracks:
            self._slots[slices[track.name]] = True
        self._pitches = np.asarray(card.slot_pitches())
        self._per_quarter, self._bar = card.steps_per_beat, card.steps_per_bar
        self.clear()

    def take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on."""
        self._bar = metre.steps(self._per_quarter)

    def clear(self) -> None:
        """Forget everything."""
        self.chord: Chord | None = None
        self._sounded = 0  # timestep in which the band did last

    def hear(self, step: int, notes: np.ndarray, taken: np.ndarray, heard: Chord | None) -> None:
        """Hear what the network plays in a timestep, `notes` (S, C), but for what was `taken` (S,) from it; `heard`: the
        player's chord."""
        pitches = self._pitches[(notes[:, PLAY] > 0.5) & (taken < 0.5) & self._slots].tolist()
        if not pitches:
            if step - self._sounded >= self._bar:
                self.chord = None
            return
        self._sounded = step
        classes = {pitch % 12 for pitch in pitches}
        if heard is not None and classes <= heard.tones:
            self.chord = heard
        elif len(classes) > 1:  # one alone is a passing note
            weights = np.bincount([pitch % 12 for pitch in pitches], minlength=12).astype(float)
            self.chord = made_of(weights, min(pitches))
