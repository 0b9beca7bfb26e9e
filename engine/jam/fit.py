"""What the network chose, made to fit the chord: notes that do not belong to it move to the nearest that do.

Runs on: network process, main thread, or the caller of the offline render.

Rhythm, density and drums stay the network's. The bass takes the root where a chord begins; what is held into another chord
is struck anew on a tone of it.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.jam.chords import SCALE, Chord

FREE = "drums"  # kind of the tracks that know no chords
BASS = "bass"  # its track stands on the root
SURE = 0.6  # likelihood of a chord's root below which any pitch class that is likely of the chord is as good as its tones
ROOTED = 0.4  # ... and below which the bass does not have to stand on it
MELODIC = ("lead",)  # tracks that may use the whole scale, and the chord where a beat begins


class Fit:
    """Moves the notes of a step."""

    def __init__(self, card: Card) -> None:
        slices = card.track_slices()
        self._tracks = [
            (track.name, slices[track.name], np.asarray(track.pitches)) for track in card.tracks if track.kind != FREE
        ]

    def move(
        self,
        notes: np.ndarray,
        before: np.ndarray,
        taken: np.ndarray,
        chord: Chord,
        after: Chord,
        key: int | None,
        begins: bool,
        beat: bool,
        sure: float = 1.0,
        tones: frozenset[int] = frozenset(),
    ) -> None:
        """Move what is chosen in `notes` (S, C), in place.

        `before` (S, C): what sounded a step ago. `taken` (S,): 1 where somebody else decided. `begins`: whether the chord
        begins with this step; `beat`: whether a beat does. `after`: the chord of the next step: the bass may be early for it.
        `sure`: how likely the root is; where it is not SURE, pitch classes that are likelier in the chord than not, `tones`,
        are as good as the chord's own, and the bass does not have to leave them for the root.
        """
        for name, slots, pitches in self._tracks:
            free = taken[slots] < 0.5
            if not free.any():
                continue
            allowed = chord.tones if sure >= SURE or len(tones) < 2 else tones
            if name in MELODIC and key is not None and not (begins or beat):
                allowed = allowed | {(key + tone) % 12 for tone in SCALE}
            own = notes[slots]
            plays = np.flatnonzero((own[:, PLAY] > 0.5) & free)
            rooted = name == BASS and (begins or after != chord) and sure >= ROOTED
            wanted = frozenset({chord.root if begins else after.root}) if rooted else allowed
            wrong = [i for i in plays.tolist() if int(pitches[i]) % 12 not in wanted]
            if not wrong:
                continue
            places = np.flatnonzero(np.isin(pitches % 12, list(wanted)) & free)
            if rooted and not len(places):  # a bass without that note
                places = np.flatnonzero(np.isin(pitches % 12, list(allowed)) & free)
            for i in wrong:
                row = own[i].copy()
                own[i] = 0
                vacant = places[own[places, PLAY] < 0.5]
                if not len(vacant) or (rooted and len(vacant) < len(places)):
                    continue  # one bass note is enough; where every tone sounds already there is nothing to add
                to = int(vacant[np.argmin(np.abs(pitches[vacant] - pitches[i]))])
                # A tone that sounded a step ago goes on; anything else is an attack.
                row[HOLD] = float(row[HOLD] > 0.5 and before[slots][to, PLAY] > 0.5)
                own[to] = row

    def hold_back(self, notes: np.ndarray, taken: np.ndarray) -> bool:
        """Take the notes that the bass begins out of `notes` (S, C), in place; return whether there were any."""
        found = False
        for name, slots, _ in self._tracks:
            if name == BASS:
                begins = (notes[slots, PLAY] > 0.5) & (notes[slots, HOLD] < 0.5) & (taken[slots] < 0.5)
                notes[slots][begins] = 0
                found = bool(begins.any())
        return found
