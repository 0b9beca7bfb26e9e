"""What is timed beside the step graph does the same as the graph."""

import numpy as np
import pytest
import torch

from models.biaxial import export as biaxial_export
from models.biaxial.network import Biaxial, BiaxialConfig
from models.chords.export import step_graph as chords_graph
from models.chords.network import ChordNetwork
from models.eager import NumpyBiaxial, NumpyChords, biaxial_step, chords_step
from models.graph.building import random_inputs
from models.music.chord_symbols import QUALITIES, Classes
from tests.models.graph_player import Player


@pytest.mark.parametrize("seed", range(3))
def test_biaxial_steps_choose_the_notes_that_the_graph_chooses(seed):
    torch.manual_seed(seed)
    network = Biaxial(BiaxialConfig(low=40, high=63, time_sizes=(9, 7), note_sizes=(6, 5))).eval()
    with torch.no_grad():
        network.head.weight.mul_(4)
        network.head.bias.fill_(-0.5)
    player = Player(biaxial_export.step_graph(network, {}).SerializeToString())
    feed = random_inputs(player.card, 1, np.random.default_rng(seed))
    feed |= {"clamp_mask": np.zeros((1, 24), np.float32), "temperature": np.ones(1, np.float32)}
    feed |= {c.name: np.full(1, c.neutral, np.float32) for c in player.card.controls} | {"adaptive": np.zeros(1, np.float32)}
    wanted = player.step(**feed)["notes"][0]
    strike = wanted[:, 0] * (1 - wanted[:, 1])
    sounded = feed["x"][0, :, 0] > 0
    for found in (NumpyBiaxial(network).step(feed), biaxial_step(network, feed)[0].numpy()):
        assert np.array_equal(found[:, 0], wanted[:, 0])
        assert np.array_equal(found[sounded, 1], strike[sounded])  # what did not sound can only be struck


def test_chord_steps_draw_the_class_that_the_graph_draws():
    torch.manual_seed(1)
    classes = Classes(list(QUALITIES))
    network = ChordNetwork(len(classes), (12, 9), width=8).eval()
    for seed in range(5):
        player = Player(chords_graph(network, classes, {}).SerializeToString())
        feed = random_inputs(player.card, 1, np.random.default_rng(seed))
        feed |= {name: np.zeros_like(feed[name]) for name in ("clamp_mask", "x", "ear", "still")}
        feed |= {c.name: np.full(1, c.neutral, np.float32) for c in player.card.controls}
        wanted = player.step(**feed)["notes"][0, :, 0]
        for found in (NumpyChords(network).step(feed), int(chords_step(network, feed))):
            assert np.array_equal(classes.voicings()[found], wanted[: classes.voicings().shape[1]])
