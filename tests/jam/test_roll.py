import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.contract import HOLD, PLAY, Card
from engine.core.messages import PLAYER
from engine.jam.roll import Roll, nearest
from tests import tiny

CARD = Card.model_validate(tiny.card())
LEAD = CARD.track_slices()["lead"].start  # slot of pitch 60
BASS = CARD.track_slices()["bass"].start  # slot of pitch 40


@pytest.fixture
def roll() -> Roll:
    return Roll(CARD, "lead")


def at(roll: Roll, step: int) -> np.ndarray:
    out = np.full((CARD.slots, 2), 9, np.float32)
    roll.fill(step, out)
    return out


def state(roll: Roll, slot: int, steps: int = 8) -> str:
    """What one slot does: . silent, x onset, - held."""
    rows = [at(roll, step)[slot] for step in range(steps)]
    return "".join("." if not row[PLAY] else "-" if row[HOLD] else "x" for row in rows)


def test_a_note_belongs_to_the_nearest_step(roll):
    roll.note_on(PLAYER, 60, 0.8, 1.6)
    roll.note_off(PLAYER, 60, 5.4)
    assert state(roll, LEAD) == "..x--..."


def test_a_note_shorter_than_a_step_counts_for_one(roll):
    roll.note_on(PLAYER, 60, 0.8, 2.1)
    roll.note_off(PLAYER, 60, 2.2)
    assert state(roll, LEAD) == "..x....."


def test_a_note_that_still_sounds_is_held(roll):
    roll.note_on(1, 42, 0.8, 3)
    assert state(roll, BASS + 2) == "...x----"
    assert roll.network_sounding(4) == {BASS + 2: 42}
    assert not roll.network_sounding(3)  # of that step itself


def test_the_same_pitch_again_is_a_new_onset(roll):
    roll.note_on(1, 42, 0.8, 1)
    roll.note_on(1, 42, 0.8, 4)
    roll.note_off(1, 42, 6)
    assert state(roll, BASS + 2) == ".x--x-.."


def test_player_and_network_on_one_slot_an_onset_outweighs_a_hold(roll):
    roll.note_on(2, 60, 0.8, 0)
    roll.note_on(PLAYER, 60, 0.8, 2)
    roll.note_off(PLAYER, 60, 3)
    assert state(roll, LEAD, 5) == "x-x--"


def test_notes_outside_the_track_are_folded_by_octaves(roll):
    roll.note_on(PLAYER, 36, 0.8, 0)  # two octaves below the lead's lowest C
    roll.note_on(PLAYER, 97, 0.8, 0)
    assert at(roll, 0)[[LEAD, LEAD + 1], PLAY].tolist() == [1, 1]


def test_two_keys_folded_onto_one_slot_end_one_by_one(roll):
    roll.note_on(PLAYER, 60, 0.8, 0)
    roll.note_on(PLAYER, 72, 0.8, 1)
    roll.note_off(PLAYER, 60, 3)
    assert at(roll, 4)[LEAD, PLAY] == 1
    roll.note_off(PLAYER, 72, 5)
    assert at(roll, 5)[LEAD, PLAY] == 0


def test_a_track_or_pitch_the_network_has_not_is_ignored(roll):
    roll.note_on(7, 60, 0.8, 0)
    roll.note_on(0, 99, 0.8, 0)
    assert not at(roll, 0).any()


def test_all_off_is_of_one_side_only(roll):
    roll.note_on(PLAYER, 60, 0.8, 0)
    roll.note_on(1, 40, 0.8, 0)
    roll.all_off(0, 2)
    assert state(roll, BASS, 4) == "x-.."
    assert state(roll, LEAD, 4) == "x---"


def test_silence_is_known_after_the_notes_are_forgotten(roll):
    assert roll.player_silent_since() is None
    roll.note_on(PLAYER, 60, 0.8, 3)
    assert roll.player_silent_since() is None
    roll.note_off(PLAYER, 60, 6)
    roll.forget_before(100)
    assert roll.player_silent_since() == 6
    assert roll.player_began_since(3)
    assert not roll.player_began_since(4)


def test_velocity_and_offset_where_the_network_has_them(roll):
    out = np.zeros((CARD.slots, 4), np.float32)
    roll.note_on(PLAYER, 62, 0.5, 1.75)
    roll.fill(2, out)
    assert out[LEAD + 2].tolist() == [1, 0, 0.5, -0.25]


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, PLAYER]), st.integers(0, 127), st.booleans(), st.floats(0, 40)), max_size=60)
)
def test_whatever_is_played_hold_never_follows_silence(events):
    roll = Roll(CARD, "lead")
    for track, pitch, on, position in sorted(events, key=lambda e: e[3]):
        if on:
            roll.note_on(track, pitch, 0.7, position)
        else:
            roll.note_off(track, pitch, position)
    before = np.zeros((CARD.slots, 2), np.float32)
    for step in range(42):
        now = at(roll, step)
        assert set(np.unique(now)) <= {0, 1}
        assert not (now[:, HOLD] > now[:, PLAY]).any()
        assert not (now[:, HOLD] > before[:, PLAY]).any()
        before = now


@given(st.floats(0, 1e6))
def test_nearest_is_within_half_a_step(position):
    assert abs(nearest(position) - position) <= 0.5
