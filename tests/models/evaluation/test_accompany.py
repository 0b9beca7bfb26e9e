"""Accompaniment is measured against the key of what the player has just played."""

import numpy as np
import pytest

from engine.core.contract import Card
from engine.core.errors import NetworkError
from models.evaluation.accompany import accompany, choose_songs, in_key, player_keys
from models.evaluation.metres import first_beats
from models.graph.playing import open_network
from models.music.data import Piece
from models.music.grid import read_grid
from models.music.representation import ONSET
from tests import tiny

CARD = Card.model_validate(
    {
        "contract": 1,
        "name": "band",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 26,
        "tracks": [
            {"name": "drums", "kind": "drums", "pitches": [36, 38]},
            {"name": "bass", "pitches": list(range(36, 48))},
            {"name": "lead", "pitches": list(range(60, 72))},
        ],
    }
)
BASS, LEAD = 2, 14
C_MAJOR = [0, 2, 4, 5, 7, 9, 11]


def scale(start, steps, key):
    """The notes of a major scale on the lead, one a step."""
    roll = np.zeros((steps, 26), np.uint8)
    for n in range(start, steps):
        roll[n, LEAD + (C_MAJOR[n % 7] + key) % 12] = ONSET
    return roll


def test_the_key_is_that_of_the_last_four_bars_and_there_is_none_before_the_first_note():
    music = scale(16, 200, 0)
    music[100:] = scale(0, 100, 6)
    keys = player_keys(music, CARD, "lead")
    assert (keys[:16] == -1).all()
    assert (keys[22:100] == 0).all()
    assert (keys[164:] == 6).all()


def test_between_keys_that_hold_the_same_the_whole_song_decides():
    music = scale(0, 64, 7)  # G major
    music = np.vstack([np.zeros((1, 26), np.uint8), music])
    music[0, LEAD + 7] = ONSET  # one note, in seven keys
    assert player_keys(music, CARD, "lead")[0] == 7


def test_after_four_bars_of_rest_there_is_no_key():
    music = np.zeros((100, 26), np.uint8)
    music[:7] = scale(0, 7, 0)
    keys = player_keys(music, CARD, "lead")
    assert keys[69] == 0
    assert keys[70] == -1


def test_strikes_of_the_band_are_counted_without_drums_and_player():
    music = scale(0, 64, 0)
    music[:, 0] = ONSET
    music[32, BASS + 4] = music[33, BASS + 1] = music[34, BASS + 11] = ONSET
    assert in_key(music, player_keys(music, CARD, "lead"), CARD, "lead") == {"bass": (2, 3)}
    assert in_key(music, np.full(64, -1), CARD, "lead") == {"bass": (0, 0)}


def song(name, lead=True, bass=True):
    roll = scale(0, 64, 0) if lead else np.zeros((64, 26), np.uint8)
    roll[::8, BASS + 7] = ONSET * bass
    return Piece(name, "valid", roll)


def test_songs_without_player_or_band_are_left_out_and_the_rest_evenly_chosen():
    pieces = [song(f"{n:02}") for n in range(10)] + [song("mute", lead=False), song("alone", bass=False)]
    assert [p.name for p in choose_songs(pieces, CARD, "lead", 4)] == ["00", "03", "06", "09"]
    assert len(choose_songs(pieces, CARD, "lead", 50)) == 10
    with pytest.raises(NetworkError, match="no piece of this split has a lead with a band"):
        choose_songs(pieces[10:], CARD, "lead", 4)


def test_a_network_is_measured_beside_the_data(tiny_onnx):
    graph = open_network(tiny_onnx)
    tracks = {t.name: t for t in graph.card.tracks}
    roll = np.zeros((64, tiny.SLOTS), np.uint8)
    lead = graph.card.track_slices()["lead"].start
    for n in range(64):
        roll[n, lead + C_MAJOR[n % 7]] = ONSET
    roll[::4, graph.card.track_slices()["bass"].start + tracks["bass"].pitches.index(43)] = ONSET  # G
    found = accompany(graph, [Piece("a", "valid", roll), Piece("b", "valid", roll[:32])], 2)
    assert found["in_key"]["data"] == 1.0
    assert 0 < found["in_key"]["network"] < 1
    assert found["points_from_data"] == pytest.approx(100 * (found["in_key"]["network"] - 1))
    assert [s["name"] for s in found["per_song"]] == ["a", "b"]
    assert found["notes"]["data"] == 24
    with pytest.raises(NetworkError, match="has no track horn"):
        accompany(graph, [Piece("a", "valid", roll)], 1, "horn")


def test_first_beats_are_counted_by_the_metre_and_not_the_first_bars():
    roll = np.zeros((12 * 6, 26), np.uint8)
    roll[::12, [0, BASS]] = ONSET
    roll[36, 0] = roll[48, BASS] = 0
    assert first_beats(roll, CARD, read_grid("3/4")) == {"kick": 0.75, "bass": 0.75, "both": 0.5}
    assert first_beats(roll, CARD, read_grid("4/4"))["both"] < 0.5
    assert first_beats(roll[:24], CARD, read_grid("3/4")) is None
