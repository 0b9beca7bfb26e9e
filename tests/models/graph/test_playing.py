"""Many pieces side by side are played as the engine plays each of them."""

import numpy as np
import pytest

from engine.core.errors import NetworkError
from models.graph.playing import nats, open_network, play, play_alone
from models.music.representation import HELD, ONSET, SILENT, from_channels
from tests import tiny
from tests.jam.test_jam import LEAD, Stage

STEPS = 48


@pytest.fixture(scope="module")
def shy(tmp_path_factory):
    """A network that would be silent for beats on end, were it not encouraged."""
    return tiny.write(tmp_path_factory.mktemp("network") / "shy.onnx", bias=-6.0)


def tune() -> np.ndarray:
    """A lead that plays, rests, holds and strikes again."""
    roll = np.zeros((STEPS, tiny.SLOTS), np.uint8)
    for begin, end, slot in ((0, 4, 7), (4, 5, 9), (12, 18, 11), (18, 20, 11), (30, 31, 8), (30, 34, 15)):
        roll[begin, slot] = ONSET
        roll[begin + 1 : end, slot] = HELD
    return roll


def give(stage: Stage, roll: np.ndarray) -> None:
    """Let the player of the stage play a roll."""
    for step in range(STEPS):
        for slot in range(LEAD.start, LEAD.stop):
            pitch = int(stage.runner.card.slot_pitches()[slot])
            if step and roll[step, slot] != HELD and roll[step - 1, slot] != SILENT:
                stage.player(step, pitch, on=False)
            if roll[step, slot] == ONSET:
                stage.player(step, pitch)


@pytest.mark.parametrize("network", ["tiny_onnx", "shy"])
def test_alone_it_plays_what_the_engine_plays_in_solo(network, request):
    path = request.getfixturevalue(network)
    rolls = play_alone(open_network(path), [3, 4], bars=STEPS // 16)
    for seed, roll in zip((3, 4), rolls, strict=True):
        assert np.array_equal(from_channels(Stage(path, seed=seed).run(STEPS)["notes"]), roll)
        assert (roll == ONSET).any()


@pytest.mark.parametrize("network", ["tiny_onnx", "shy"])
def test_to_a_given_track_it_plays_what_the_engine_plays_in_accompany(network, request):
    path = request.getfixturevalue(network)
    song = tune()
    (roll,) = play(open_network(path), [5], STEPS, told=[song], track="lead")
    stage = Stage(path, mode="accompany", seed=5, follow=0)  # as the network alone would have it
    give(stage, song)
    assert np.array_equal(from_channels(stage.run(STEPS)["notes"]), roll)
    assert np.array_equal(roll[:, LEAD], song[:, LEAD])
    assert (roll[:, : LEAD.start] == ONSET).any()


def test_a_seed_plays_the_same_in_any_company_and_a_short_song_leaves_the_rest_to_rests(tiny_onnx):
    graph = open_network(tiny_onnx)
    many = play(graph, range(20), STEPS, told=[tune()[: n + 1] for n in range(20)], track="lead")
    (alone,) = play(graph, [18], STEPS, told=[tune()[:19]], track="lead")
    assert np.array_equal(many[18], alone)
    assert not many[18][19:, LEAD].any()


def test_controls_steer_and_an_unknown_one_is_named(tiny_onnx):
    graph = open_network(tiny_onnx)
    few, many = (np.sum(play(graph, range(8), STEPS, {"density": d})) for d in (0.25, 4.0))
    assert few < many
    with pytest.raises(NetworkError, match=r"no control 'drama'; it has: temperature, density"):
        play(graph, [1], 4, {"drama": 1.0})


def test_damaged_weights_are_named_not_averaged(tmp_path):
    path = tiny.write(tmp_path / "nan.onnx", bias=float("nan"))
    with pytest.raises(NetworkError, match="not a number"):
        nats(open_network(path), [tune()])
    with pytest.raises(NetworkError, match="not a number"):
        play_alone(open_network(path), [1])


def test_a_file_that_is_none_and_a_card_that_disagrees_are_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(NetworkError, match="not an ONNX file"):
        open_network(tmp_path / "text.onnx")
    path = tiny.write(tmp_path / "other.onnx", noise=7, states=[{"name": "h0", "shape": [5]}])
    with pytest.raises(NetworkError, match=r"(?s)input 'u' has shape.*input 'h0' has shape.*expected \[B, 5\]"):
        open_network(path)
