"""What the ear is measured on."""

import numpy as np
import pytest

from models.evaluation.hearing import in_all_keys
from models.music.sounding_chords import CLASSES


def test_a_progression_is_played_three_times_round_in_every_key():
    players = list(in_all_keys("Em | D"))
    assert len(players) == 12
    for up, player in enumerate(players):
        assert [CLASSES.chord(int(of))[0] for of in player.classes[::4]] == [(4 + up) % 12, (2 + up) % 12] * 3
        assert player.parts == {"first": (0, 8), "third": (16, 24)}
        assert set((player.notes[:6, 2] - up).astype(int) % 12) == {4, 7, 11}
        assert np.all(np.diff(player.notes[:, 0]) > 0)


def test_what_is_no_progression_is_told():
    with pytest.raises(ValueError, match="'H' is no chord"):
        list(in_all_keys("C | H"))
    with pytest.raises(ValueError, match="has chords"):
        list(in_all_keys(""))
