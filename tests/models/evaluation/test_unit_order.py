"""The order of a layer's units: those that behave alike side by side, whatever order they came in."""

import numpy as np
import pytest

from engine.core.errors import NetworkError
from models.evaluation.unit_order import layer_traces, likeness, neighbours, orders, unit_order
from models.graph.playing import open_network
from models.music.representation import ONSET
from tests import tiny


def waves(units=40, steps=300):
    """Units that follow a slow wander from one to the next: like their neighbours, unlike those far away."""
    chance = np.random.default_rng(0)
    traces = [chance.normal(size=steps)]
    for _ in range(units - 1):
        traces.append(0.8 * traces[-1] + 0.6 * chance.normal(size=steps))
    return np.stack(traces, 1)


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_units_come_back_nearly_as_like_their_neighbours_as_they_were(seed):
    traces = waves()
    shuffled = np.random.default_rng(seed).permutation(40)
    order = unit_order(traces[:, shuffled])
    assert sorted(order) == list(range(40))
    assert neighbours(traces[:, shuffled], range(40)) < 0.3
    assert neighbours(traces[:, shuffled], order) > 0.97 * neighbours(traces, range(40))


def test_groups_are_not_torn_apart():
    chance = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 6)
    traces = chance.normal(size=(200, 4))[:, groups] + 0.3 * chance.normal(size=(200, 24))
    shuffled = chance.permutation(24)
    found = groups[shuffled][unit_order(traces[:, shuffled])]
    assert (np.diff(found) != 0).sum() == 3


def test_units_that_never_move_come_last_and_few_units_need_no_order():
    traces = waves(10)
    traces[:, [2, 5]] = 0.25
    assert unit_order(traces)[-2:] == [2, 5]
    assert sorted(unit_order(traces[:, :2])) == [0, 1]
    assert unit_order(np.zeros((10, 3))) == [0, 1, 2]
    assert likeness(traces)[2, 2] == 0


def test_traces_are_what_the_network_did_on_the_music(tiny_onnx):
    graph = open_network(tiny_onnx)
    roll = np.zeros((40, tiny.SLOTS), np.uint8)
    roll[::3, 5] = roll[::4, 12] = ONSET
    traces = layer_traces(graph, roll, 24)
    assert traces[0].shape == (24, tiny.HIDDEN)
    assert orders(graph, [roll[:20], roll[20:]])[0] == unit_order(layer_traces(graph, roll)[0])


def test_a_network_that_shows_nothing_is_told_so(tmp_path):
    path = tiny.write(tmp_path / "blind.onnx", activations=[])
    with pytest.raises(NetworkError, match="names no hidden state"):
        layer_traces(open_network(path), np.zeros((4, tiny.SLOTS), np.uint8))
