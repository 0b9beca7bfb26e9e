"""The lock: the band's notes lie in a scale.

Runs on: network process, main thread, or the caller of the offline render.

It comes after the chord that is followed, and wins: a tone of the chord that is not in the scale gives way to its neighbour,
to one of the chord where two are as near.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import PLAY, Card
from engine.core.parameters import Live, choice
from engine.jam.chords import ROOTS, chord
from engine.jam.ear import Ear
from engine.jam.shape.moment import Moment
from engine.jam.shape.shaper import Shaper

# Semitones above the tonic, and how far the tonic lies above that of the major scale with the same tones, or the nearest.
SCALES: dict[str, tuple[tuple[int, ...], int]] = {
    "major": ((0, 2, 4, 5, 7, 9, 11), 0),
    "minor": ((0, 2, 3, 5, 7, 8, 10), 9),
    "dorian": ((0, 2, 3, 5, 7, 9, 10), 2),
    "phrygian": ((0, 1, 3, 5, 7, 8, 10), 4),
    "lydian": ((0, 2, 4, 6, 7, 9, 11), 5),
    "mixolydian": ((0, 2, 4, 5, 7, 9, 10), 7),
    "locrian": ((0, 1, 3, 5, 6, 8, 10), 11),
    "harmonic minor": ((0, 2, 3, 5, 7, 8, 11), 9),
    "melodic minor": ((0, 2, 3, 5, 7, 9, 11), 9),
    "pentatonic": ((0, 2, 4, 7, 9), 0),
    "minor pentatonic": ((0, 3, 5, 7, 10), 9),
    "blues": ((0, 3, 5, 6, 7, 10), 9),
    "whole tone": ((0, 2, 4, 6, 8, 10), 0),
    "chromatic": (tuple(range(12)), 0),
}
NAMES = tuple(SCALES)
OFF, FOLLOW = 0, 1  # values of `key` before those of the tonics
NOT_OF_CHORD = 0.5  # semitones that a tone which is not in the chord counts as further away

PARAMETERS = (
    choice(
        "key", ("off", "follow", *ROOTS), "off", "Key that the band keeps to: any, one of these, or the one that you play in"
    ),
    choice("scale", NAMES, "major", "Scale that the band keeps to, where there is a key"),
    choice("opening", ("off", *ROOTS), "off", "Key that the band begins in and keeps to until you have played"),
)


class Lock(Shaper):
    """Moves what lies outside."""

    def __init__(self, card: Card, live: Live, ear: Ear) -> None:
        super().__init__(card, live)
        self._ear = ear
        self._pitches = card.slot_pitches()
        self._tracks = card.slot_tracks()
        self._pitched = np.array([card.tracks[track].kind != "drums" for track in self._tracks])
        self._known = (-1, -1)  # tonic and scale
        self._wrong = np.zeros(card.slots, bool)  # slots outside of it

    @property
    def tonic(self) -> int | None:
        """The tonic that is kept to, 0..11; None: all notes are free."""
        key, opening = int(self.live.get("key")), int(self.live.get("opening"))
        if key > FOLLOW:
            return key - FOLLOW - 1
        heard = self._ear.key if key == FOLLOW or opening else None
        if heard is None:
            return opening - 1 if opening else None
        return (heard + SCALES[NAMES[int(self.live.get("scale"))]][1]) % 12 if key == FOLLOW else None

    def ask(self, moment: Moment) -> None:
        """Nobody has played yet: the band's first bar is on the tonic."""
        told = moment.inputs.get("chord")
        if told is None or self._ear.now is not None or not 0 <= moment.position < moment.bar:
            return
        tonic = self.tonic
        if tonic is None:
            return
        minor = 3 in SCALES[NAMES[int(self.live.get("scale"))]][0]
        told[0] = chord(tonic, "m" if minor else "").features()

    def shape(self, moment: Moment) -> None:
        """Move every note that the scale has not to the nearest that it has."""
        tonic, scale = self.tonic, int(self.live.get("scale"))
        if tonic is None:
            return
        if (tonic, scale) != self._known:
            self._known = (tonic, scale)
            self._wrong = self._pitched & ~np.isin((self._pitches - tonic) % 12, SCALES[NAMES[scale]][0])
        notes = moment.notes
        for slot in np.flatnonzero((notes[:, PLAY] > 0.5) & self._wrong & (moment.clamped < 0.5)).tolist():
            track = (self._tracks == self._tracks[slot]) & ~self._wrong & (moment.clamped < 0.5)
            places = np.flatnonzero(track & (notes[:, PLAY] < 0.5))
            if not len(places):
                notes[slot] = 0
                continue
            far = np.abs(self._pitches[places] - self._pitches[slot]).astype(float)
            if self._ear.now is not None:
                far += NOT_OF_CHORD * ~np.isin(self._pitches[places] % 12, list(self._ear.now.tones))
            if far.min() > 6:  # every tone near it sounds already: one more would be a leap
                notes[slot] = 0
            else:
                moment.replace(slot, int(places[far.argmin()]))
