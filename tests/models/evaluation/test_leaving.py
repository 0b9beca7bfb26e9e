"""A player who leaves: what he plays until then, and how what sounded is compared."""

import numpy as np

from models.evaluation.leaving import player_of, roll_of
from models.music.data import Piece
from models.music.representation import HELD, ONSET, SILENT
from tests.jam.band import CARD

LEAD = CARD.track_slices()["lead"]


def test_his_song_comes_again_until_he_stops():
    roll = np.zeros((2 * CARD.steps_per_bar, CARD.slots), np.uint8)
    roll[0, LEAD.start] = ONSET
    roll[20, LEAD.start + 4] = ONSET
    roll[21:32, LEAD.start + 4] = HELD
    found = player_of(Piece("song", "valid", roll), CARD, "lead", 5)
    assert found[:, 0].tolist() == [0, 5, 8, 13, 16]
    assert found[:, 1].max() <= 20


def test_what_sounded_is_a_roll_again_with_the_player_in_his_track():
    low = int(CARD.slot_pitches()[LEAD][0])
    notes = np.asarray([(0, 1, low, 90), (1, 1.1, low, 90), (9, 12, low, 90)], float)
    roll = roll_of({"player": notes, "bass": notes + np.asarray([0, 0, 100, 0])}, CARD, "lead", 2)
    own = roll[:, LEAD.start]
    assert own[:6].tolist() == [ONSET, HELD, HELD, HELD, ONSET, SILENT]
    assert (roll != SILENT).sum() == 5  # what has no slot, and what begins after the end, is left out
