"""Which chord a band plays, beat by beat, told from its notes: what a network is trained and measured by.

Every beat gives each chord a score: how much of what sounds are tones of it, and whether the bass stands on its root. The
sequence with the highest sum is taken, where a change costs little at a bar's beginning, more in its middle, and most
elsewhere; how much of a beat a beat is, is the metre's matter. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.core.contract import Track
from models.music.chord_symbols import Classes
from models.music.grid import FOUR, Grid
from models.music.representation import BAND, ONSET, SILENT

Array = np.ndarray
CLASSES = Classes(("maj", "min", "7", "min7", "maj7", "6", "dim", "hdim7", "aug", "sus4"))
FEATURES = 24  # of a chord, as networks are told it: its root, then its tones, each by pitch class
HEED = {"bass": 1.0, "chords": 1.0, "pad": 1.0, "lead": 0.4}  # how much a track's notes say of the chord
ON_ROOT = 0.35  # for the share of the bass on a chord's root
MISSED = 0.08  # for each tone of a chord that nobody plays
AT_BAR, AT_MIDDLE, ELSEWHERE = 0.25, 0.5, 0.9  # what another chord costs, by the beat of the bar
LEAST = 0.5  # steps of a note, in a beat of which anything is said


def sounding_chords(roll: Array, tracks: Sequence[Track] = BAND, metre: Grid = FOUR) -> Array:
    """Class (of CLASSES) at each beat of a roll (steps, slots) that begins with a bar, int64 (beats,); 0 where nothing says."""
    whole, bass = _weights(roll, tracks, metre.steps)
    return _likeliest(_scores(whole, bass), _change(metre.beats))


def _change(beats: int) -> Array:
    """What another chord costs at each beat of a bar, (beats,)."""
    cost = np.full(beats, ELSEWHERE)
    cost[beats // 2 if beats % 2 == 0 else 0] = AT_MIDDLE
    cost[0] = AT_BAR
    return cost


def features(classes: Array) -> Array:
    """Classes of any shape to what a network is told, float32 (..., FEATURES): root and tones; nothing of silence."""
    table = np.concatenate([CLASSES.roots(), CLASSES.tones()], 1).astype(np.float32)
    found: Array = table[classes]
    return found


def _weights(roll: Array, tracks: Sequence[Track], steps: int) -> tuple[Array, Array]:
    """Steps that each pitch class sounds in each beat, (beats, 12): of all tracks by HEED, and of the bass.

    What is struck counts more than what goes on. Where the bass rests its place is taken by the lowest note of the chords.
    """
    beats = -(-len(roll) // steps)
    said = np.pad(np.where(roll == ONSET, 1.5, roll != SILENT), [(0, beats * steps - len(roll)), (0, 0)])
    said = said.reshape(beats, steps, roll.shape[1]).sum(1)
    whole, bass, at = np.zeros((beats, 12)), np.zeros((beats, 12)), 0
    for track in tracks:
        own = said[:, at : (at := at + len(track.pitches))]
        if track.name not in HEED:
            continue
        classes = own @ np.eye(12)[np.asarray(track.pitches) % 12]
        whole += HEED[track.name] * classes
        if track.name == "bass":
            bass += classes
        if track.name == "chords":
            lowest = np.asarray(track.pitches)[(own > 0).argmax(1)] % 12
            rests = (bass.sum(1) == 0) & own.any(1)
            bass[rests, lowest[rests]] = 1
    return whole, bass


def _scores(whole: Array, bass: Array) -> Array:
    """How well each class fits each beat, (beats, classes)."""
    tones, roots = CLASSES.tones(), CLASSES.roots()
    total = whole.sum(1, keepdims=True)
    share = whole / np.maximum(total, LEAST)
    inside = share @ tones.T
    there = (share > 0.02).astype(float)
    missed = (1 - there) @ tones.T
    root = (bass / np.maximum(bass.sum(1, keepdims=True), LEAST)) @ roots.T
    score = 2 * inside - 1 + ON_ROOT * root - MISSED * missed
    score[:, 0] = 0.0
    return np.where(total > LEAST, score, 0.0)


def _likeliest(scores: Array, change: Array) -> Array:
    """The sequence of classes with the highest sum, by Viterbi: staying is free, any change costs the same."""
    beats, classes = scores.shape
    came = np.zeros((beats, classes), np.int64)
    best = scores[0].copy() if beats else np.zeros(classes)
    for beat in range(1, beats):
        leader = int(best.argmax())
        changed = best[leader] - change[beat % len(change)]
        came[beat] = np.where(best >= changed, np.arange(classes), leader)
        best = np.maximum(best, changed) + scores[beat]
    found = np.zeros(beats, np.int64)
    if beats:
        found[-1] = best.argmax()
    for beat in range(beats - 1, 0, -1):
        found[beat - 1] = came[beat, found[beat]]
    return found
