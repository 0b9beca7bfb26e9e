"""How well a band follows a player: the measures on notes written by hand, and one render through the command."""

import json

import numpy as np
import pytest
import torch

from engine.core.contract import read_card
from models.evaluation import evaluate, following
from models.evaluation.follow import Take, correlation, figures, loudness, recovery
from models.evaluation.takes import progression, song, swell
from models.festival import export, recipe
from models.music.chord_symbols import parse_name
from models.music.data import Piece
from models.music.representation import BAND, HELD, ONSET, empty_roll
from models.music.sounding_chords import CLASSES

C, G = (CLASSES.of(chord) for chord in ((0, "maj"), (7, "maj")))
LOOP = np.repeat([C, G, C, G], 4)
PLAYER = np.asarray([(bar * 4, bar * 4 + 4, 72 if bar % 2 == 0 else 79, 60 + 20 * bar) for bar in range(4)], float)


def take(**changes):
    """Four bars of C and G by turns, a note of the root in each, louder and louder."""
    return Take(**{"name": "loop", "track": "lead", "player": PLAYER, "classes": LOOP, "tempo_bpm": 120.0, **changes})


def notes(*rows):
    return np.asarray(rows, float)


def test_a_band_on_the_chords_follows_and_one_that_stays_does_not():
    drums = notes(*((bar * 4, bar * 4 + 0.2, 36, 90) for bar in range(3)))  # no kick in the last bar
    roots = notes(*((bar * 4 + 0.2, bar * 4 + 3, 36 if bar % 2 == 0 else 43, 50 + 10 * bar) for bar in range(4)))
    found = figures([(take(), {"drums": drums, "bass": roots})])
    assert found["bass_root"] == found["beat1_new"] == found["bar_new"] == 1
    assert found["beat1_old"] == found["no_bass"] == 0
    assert found["no_kick"] == 0.25
    assert found["melody"] == pytest.approx(11 / 16)  # it sounds for 11 of a bar's 16 steps
    stays = notes((0, 16, 36, 90), (4, 5, 40, 90))  # C throughout, and an E when G comes
    found = figures([(take(), {"bass": stays})])
    assert found["bass_root"] == 0.5
    assert found["beat1_new"] == pytest.approx(2 / 5)
    assert found["beat1_old"] == pytest.approx(3 / 5)
    assert found["bar_new"] == 0.5
    assert found["no_kick"] == 1


def test_the_players_own_track_is_not_counted_as_the_bands():
    found = figures([(take(track="chords"), {"chords": PLAYER, "bass": notes((0, 16, 41, 90))})])
    assert found["bar_new"] == found["melody"] == 0


def test_loudness_is_compared_within_a_take_and_only_where_the_player_changes_it():
    band = {"bass": notes(*((bar * 4, bar * 4 + 1, 36, 30 + 5 * bar) for bar in range(4)))}
    softer = {"bass": notes(*((bar * 4, bar * 4 + 1, 36, 90 - 5 * bar) for bar in range(4)))}
    assert figures([(take(), band)])["loudness"] == pytest.approx(1)
    assert correlation([loudness(take(), band), loudness(take(), softer)]) == pytest.approx(0)
    even = PLAYER.copy()
    even[:, 3] = 80
    assert figures([(take(player=even), band)])["loudness"] is None


def test_after_a_move_the_melody_is_looked_for_bar_by_bar():
    moved = take().moved()
    assert moved.moved_bar == 2
    assert moved.player[:, 2].tolist() == [72, 79, 78, 85]
    assert moved.classes.tolist() == [C] * 4 + [G] * 4 + [CLASSES.of((6, "maj"))] * 4 + [CLASSES.of((1, "maj"))] * 4
    late = {"bass": notes((0, 12, 36, 90), (12, 16, 37, 90))}  # on the old root for a bar too long
    assert recovery([(moved, late)]) == {"before": 0.5, "1": 0.0, "2": 1.0, "3": None, "4": None}


def test_a_progression_is_played_on_the_beat_and_measured_from_the_third_time():
    found = progression("C,Am7", "chords", 8)
    assert (found.bars, found.first_bar, found.track) == (8, 4, "chords")
    assert found.classes[::4].tolist() == [C, CLASSES.of((9, "min7"))] * 4
    first = found.player[found.player[:, 0] == 0]
    assert sorted(first[:, 2].tolist()) == [60, 64, 67]
    assert found.player[0, 3] == swell(0) != swell(4)
    with pytest.raises(ValueError, match="'H7' is no chord that is known here; write a root"):
        progression("C,H7", "melody", 8)


@pytest.mark.parametrize(
    ("text", "chord"), [("F#m7", (6, "min7")), ("Bbmaj7", (10, "maj7")), ("C", (0, "maj")), ("E7", (4, "7"))]
)
def test_chords_are_read_as_musicians_write_them(text, chord):
    assert parse_name(text) == chord


def test_a_song_is_its_players_notes_and_the_rest_its_own_band(tmp_path):
    path = small_network(tmp_path)
    roll = empty_roll(5 * 16)
    roll[::16, [12 + 8, 12 + 32 + 24, 140 + 24]] = ONSET  # a bass note, one of the chords and one of the lead in every bar
    roll[1::16, 140 + 24] = HELD
    found = song(Piece("song", "test", roll), read_card(path), "lead", 4)
    assert found.bars == 4
    assert found.player[:2, :3].tolist() == [[0, 0.5, BAND[4].pitches[24]], [4, 4.5, BAND[4].pitches[24]]]
    assert found.player[0, 3] == swell(0)
    assert sorted(found.own) == ["bass", "chords"]
    assert found.own["bass"][1, :3].tolist() == [4, 4.25, BAND[1].pitches[8]]


def small_network(folder):
    path = folder / "small.onnx"
    model = recipe.build({**recipe.DEFAULTS, "width": 8, "layers": 1, "head": 16, "voicing": 2}).eval()
    torch.nn.init.constant_(model.head.direct.bias, -6.0)  # few notes, which are soon rendered
    export.export(model, {"command": "", "best": 1.0}, path)
    return path


def test_the_command_renders_a_player_and_tells_how_he_was_followed(tmp_path, capsys):
    path, png, out = small_network(tmp_path), tmp_path / "follow.png", tmp_path / "follow.json"
    words = [str(path), "--progression", "C", "--bars", "3", "--no-move", "--json", str(out), "--png", str(png)]
    assert evaluate.main(words) == 0
    found = json.loads(out.read_text())["follow"]
    assert found["bars"] == 1
    assert found["figures"]["no_kick"]["data"] is None
    assert 0 <= found["figures"]["no_kick"]["network"] <= 1
    assert found["figures"]["no_kick"]["chance"] is not None  # a band that was played to another
    assert found["figures"]["bar_new"]["chart"] is None or 0 <= found["figures"]["bar_new"]["chart"] <= 1
    assert [row["name"] for row in found["per_take"]] == ["C (melody)"]
    shown = capsys.readouterr().out
    assert "following 1 players, 1 seed, 1 bars" in shown
    assert png.stat().st_size > 5000
    assert all(words in shown for words in following.WORDS.values())


def test_what_cannot_be_followed_is_said(tmp_path, capsys):
    path = small_network(tmp_path)
    assert evaluate.main([str(path)]) == 2
    assert "give music to measure it on, or a --progression" in capsys.readouterr().err
    assert evaluate.main([str(path), "--progression", "C", "--set", "jam.tempi=3", "--bars", "3"]) == 2
    assert "jam.tempi" in capsys.readouterr().err
