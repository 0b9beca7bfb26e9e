"""A clip goes into JSON and into a network's timesteps and back; what is none is told apart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import contract
from engine.core.config import Config
from engine.core.contract import HOLD, OFFSET, PLAY, VELOCITY
from engine.store.clip import ClipError, Music, Note, music_of_json, music_of_roll, roll_of_music
from tests.store.made_up import music

CARD = contract.read_card(Config().network_path())


def test_json_and_back() -> None:
    made = music(3)
    assert music_of_json(json.loads(json.dumps(made.as_json()))) == made
    assert made.bars == 4
    assert made.seconds == pytest.approx(64 / 4 * 60 / 112)


def test_timesteps_and_back_with_velocity_and_offset() -> None:
    notes = (Note(0, 1, 0, 36, 100, 0.1), Note(0, 4, 1, 40, 80, -0.25), Note(4, 2, 1, 40, 70), Note(6, 2, 4, 72, 127, 0.5))
    made = Music(notes, 16, tuple(track.name for track in CARD.tracks))
    roll = roll_of_music(CARD, made)
    assert roll.shape == (16, CARD.slots, 4)
    bass = CARD.track_slices()["bass"].start + CARD.tracks[1].pitches.index(40)
    assert roll[:8, bass, PLAY].tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert roll[:8, bass, HOLD].tolist() == [0, 1, 1, 1, 0, 1, 0, 0]
    assert roll[0, bass, VELOCITY] == pytest.approx(80 / 127)
    assert roll[0, bass, OFFSET] == pytest.approx(-0.25)
    assert music_of_roll(CARD, roll, 112.0) == made


def test_what_a_network_has_no_slot_for_is_left_out() -> None:
    made = Music((Note(0, 1, 0, 127), Note(0, 1, 1, 60), Note(0, 1, 0, 40)), 4, ("kazoo", "lead"))
    assert [note.pitch for note in music_of_roll(CARD, roll_of_music(CARD, made), 100.0).notes] == [60]


def test_a_network_of_other_timesteps_is_told() -> None:
    with pytest.raises(ClipError, match="3 timesteps in a beat"):
        roll_of_music(CARD, Music((), 4, ("lead",), steps_per_beat=3))


FINE: dict[str, Any] = {"steps": 16, "tracks": ["lead"], "notes": [[0, 1, 0, 60, 90]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 1e9},
        {"steps": True},
        {"tracks": []},
        {"tracks": ["x"] * 33},
        {"tracks": [3]},
        {"notes": [[0, 1, 0, 60, 90]] * 4097},
        {"notes": [[16, 1, 0, 60, 90]]},
        {"notes": [[0, 17, 0, 60, 90]]},
        {"notes": [[0, 1, 1, 60, 90]]},
        {"notes": [[0, 1, 0, 128, 90]]},
        {"notes": [[0, 1, 0, 60, 0]]},
        {"notes": [[0, 1, 0, 60, 90, float("nan")]]},
        {"notes": [["0", 1, 0, 60, 90]]},
        {"notes": [[0.5, 1, 0, 60, 90]]},
        {"notes": [[0, 1]]},
        {"notes": "no"},
        {"bpm": float("inf")},
        {"metre": "4/5"},
    ],
)
def test_what_is_no_clip_is_told(wrong: dict[str, Any]) -> None:
    music_of_json(FINE)
    with pytest.raises(ClipError):
        music_of_json(FINE | wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["notes", "steps", "tracks", "bpm"]), inner),
    max_leaves=20,
)


@given(JSON)
def test_anything_is_a_clip_or_a_clip_error(data: object) -> None:
    try:
        found = music_of_json(data)
    except ClipError:
        return
    assert np.isfinite(found.seconds)
