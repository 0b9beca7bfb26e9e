"""Which chord a band plays, told from its notes."""

import numpy as np

from models.music.representation import BAND, HELD, ONSET, empty_roll, transpose
from models.music.sounding_chords import CLASSES, features, sounding_chords

BAR = 16
EDGES = np.cumsum([0, *(len(t.pitches) for t in BAND)])
C, F, G7, AM = (CLASSES.of(c) for c in ((0, "maj"), (5, "maj"), (7, "7"), (9, "min")))


def band(*bars):
    """A roll of bars of (bass, chord) pitches, each struck and held for its bar."""
    roll = empty_roll(BAR * len(bars))
    for at, (bass, chord) in enumerate(bars):
        for track, pitches in ((1, bass), (2, chord)):
            for pitch in pitches:
                slot = EDGES[track] + pitch - BAND[track].pitches[0]
                roll[BAR * at : BAR * (at + 1), slot] = HELD
                roll[BAR * at, slot] = ONSET
    return roll


SONG = band(((36,), (60, 64, 67)), ((41,), (60, 65, 69)), ((43,), (59, 62, 65, 67)), ((45,), (60, 64, 69)))


def test_chords_are_told_at_every_beat_and_move_with_the_key():
    want = np.repeat([C, F, G7, AM], 4)
    assert sounding_chords(SONG).tolist() == want.tolist()
    assert sounding_chords(transpose(SONG, 3)).tolist() == CLASSES.moved(want, 3).tolist()


def test_a_passing_note_is_no_chord_and_silence_is_none():
    roll = SONG[:BAR].copy()
    lead = EDGES[4] + 74 - BAND[4].pitches[0]
    roll[4:8, lead] = HELD  # a ninth for a beat
    roll[4, lead] = ONSET
    assert sounding_chords(roll).tolist() == [C] * 4
    drums = empty_roll(BAR)
    drums[::4, 0] = ONSET
    assert sounding_chords(drums).tolist() == [0] * 4
    assert not sounding_chords(empty_roll(0)).size


def test_a_network_is_told_root_and_tones():
    told = features(np.asarray([0, G7]))
    assert not told[0].any()
    assert np.flatnonzero(told[1]).tolist() == [7, 12 + 2, 12 + 5, 12 + 7, 12 + 11]
