"""A biaxial network in the jam: its only track is the player's too."""

import onnx
import pytest
import torch

from models.biaxial.export import step_graph
from models.biaxial.network import Biaxial, BiaxialConfig
from tests.jam.test_jam import Stage, ons


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    torch.manual_seed(0)
    made = Biaxial(BiaxialConfig(low=48, high=84, time_sizes=(6, 6), note_sizes=(5, 4)))
    with torch.no_grad():
        made.head.bias.fill_(-2.0)
    path = tmp_path_factory.mktemp("network") / "small.onnx"
    onnx.save(step_graph(made, {}), str(path))
    return path


@pytest.mark.parametrize("mode", ["accompany", "solo"])
def test_the_network_adds_its_notes_to_the_players(network, mode):
    stage = Stage(network, mode=mode, track="piano")
    stage.player(0, 60)
    records = stage.run(16)
    assert len(ons(stage)) > 5
    assert all(e[4] != 60 for e in ons(stage))
    assert records["x"][1:, 60 - 48, 0].all()  # it hears the player's note go on


def test_in_trade_it_answers_when_the_player_rests(network):
    stage = Stage(network, mode="trade", track="piano", rest=1)
    for beat in range(4):
        stage.player(beat, 60 + beat)
        stage.player(beat + 0.9, 60 + beat, on=False)
    stage.run(8)
    assert ons(stage) == []
    stage.run(16)
    assert len(ons(stage)) >= 4  # as many as the phrase had, with its rhythm
