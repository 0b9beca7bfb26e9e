"""The networks written out by hand: their gradients against trying and against PyTorch, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.learn import main, plotted
from models.lstm import tune
from models.lstm.lstm import ACCENT_LENGTH, Lstm, accents, held, learn_accents
from models.neuron.layers import CLASH, CLASH_WANTED, Layers, solve_clash
from models.neuron.neuron import XOR, XOR_WANTED, Neuron, error, four_lessons, learn_points, points, report_weights, together
from models.rnn.rnn import Rnn, distance, surprise
from models.rnn.text import MELODY, POEM, learn_melody, learn_text
from models.training.by_hand import Adam, Chance, clip, measured_gradients, softmax

TRIED, EXACT = 1e-6, 1e-10  # relative: against central differences, against PyTorch


def far(found, wanted):
    """The largest difference, over the largest of all values."""
    largest = max(float(np.abs(np.asarray(value)).max()) for value in wanted.values())
    return max(float(np.abs(found[name] - np.asarray(value)).max()) for name, value in wanted.items()) / largest


def test_lots_are_those_of_the_page() -> None:
    chance = Chance(1)
    # mulberry32(1) in a browser's console
    assert [chance.number() for _ in range(3)] == [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]


def test_a_neuron_finds_its_gradient() -> None:
    neuron = Neuron([0.3, -0.8, 0.1], 0.2)
    x, wanted = np.array([0.5, -1.2, 2.0]), 1.0
    found = neuron.gradients(neuron.guess(x), wanted)
    assert far(found, measured_gradients(neuron.values, lambda: error(neuron.guess(x), wanted))) < TRIED
    w, b = (torch.tensor(v, requires_grad=True) for v in neuron.values.values())
    ((wanted - torch.sigmoid(w @ torch.tensor(x) + b[0])) ** 2 / 2).backward()
    assert far(found, {"w": w.grad, "b": b.grad}) < EXACT


def test_two_layers_find_their_gradient() -> None:
    network = Layers(3, 4)
    found = network.backward(network.forward(CLASH), CLASH_WANTED)
    tried = measured_gradients(network.values, lambda: network.loss(network.forward(CLASH), CLASH_WANTED))
    assert far(found, tried) < TRIED
    v = {name: torch.tensor(value, requires_grad=True) for name, value in network.values.items()}
    p = torch.sigmoid(torch.tanh(torch.tensor(CLASH) @ v["W1"].T + v["b1"]) @ v["w2"] + v["b2"])
    torch.nn.functional.binary_cross_entropy(p, torch.tensor(CLASH_WANTED), reduction="sum").backward()
    assert far(found, {name: value.grad for name, value in v.items()}) < EXACT


@pytest.mark.parametrize("outputs", [0, 4])
def test_a_recurrent_network_finds_its_gradient(outputs) -> None:
    network, chance = Rnn(3, 5, outputs, 2), Chance(9)
    xs = chance.spread(7, 3)
    wanted = np.array([chance.below(4) for _ in range(7)]) if outputs else chance.spread(7, 5)
    loss = surprise if outputs else distance
    done = network.forward(xs)
    found, _ = network.backward(done, loss(done.ys, wanted)[1])
    assert far(found, measured_gradients(network.values, lambda: loss(network.forward(xs).ys, wanted)[0])) < TRIED
    theirs = torch.nn.RNN(3, 5).double()
    with torch.no_grad():
        for name, value in (("weight_ih_l0", "W"), ("weight_hh_l0", "U"), ("bias_ih_l0", "b")):
            getattr(theirs, name).copy_(torch.tensor(network.values[value]))
        theirs.bias_hh_l0.zero_()
    hs, _ = theirs(torch.tensor(xs))
    _backward(network, hs, wanted, outputs)
    assert far(found, {"W": theirs.weight_ih_l0.grad, "U": theirs.weight_hh_l0.grad, "b": theirs.bias_ih_l0.grad}) < EXACT


@pytest.mark.parametrize("outputs", [0, 4])
def test_an_lstm_finds_its_gradient(outputs) -> None:
    network, chance = Lstm(3, 5, outputs, 2), Chance(9)
    xs = chance.spread(7, 3)
    wanted = np.array([chance.below(4) for _ in range(7)]) if outputs else chance.spread(7, 5)
    loss = surprise if outputs else distance
    done = network.forward(xs)
    found = network.backward(done, loss(done.ys, wanted)[1])[0]
    assert far(found, measured_gradients(network.values, lambda: loss(network.forward(xs).ys, wanted)[0])) < TRIED
    theirs = torch.nn.LSTM(3, 5).double()
    turned = np.r_[0:5, 5:10, 15:20, 10:15]  # PyTorch's order is i, f, g, o
    with torch.no_grad():
        for name, value in (("weight_ih_l0", "W"), ("weight_hh_l0", "U"), ("bias_ih_l0", "b")):
            getattr(theirs, name).copy_(torch.tensor(network.values[value][turned]))
        theirs.bias_hh_l0.zero_()
    hs, _ = theirs(torch.tensor(xs))
    _backward(network, hs, wanted, outputs)
    grads = {"W": theirs.weight_ih_l0.grad, "U": theirs.weight_hh_l0.grad, "b": theirs.bias_ih_l0.grad}
    assert far({name: found[name][turned] for name in grads}, grads) < EXACT


def _backward(network, hs, wanted, outputs) -> None:
    """Let PyTorch go back through the same loss."""
    if outputs:
        scores = hs @ torch.tensor(network.values["V"]).T + torch.tensor(network.values["c"])
        torch.nn.functional.cross_entropy(scores, torch.tensor(wanted), reduction="sum").backward()
    else:
        (((hs - torch.tensor(wanted)) ** 2).sum() / 2).backward()


def test_adam_goes_as_pytorchs_does() -> None:
    value = {"w": np.array([0.5, -2.0])}
    theirs = torch.tensor(value["w"].copy(), requires_grad=True)
    ours, other = Adam(0.1), torch.optim.Adam([theirs], lr=0.1)
    for step in range(50):
        gradient = np.array([np.sin(step), 0.1 * step])
        ours.step(value, {"w": gradient})
        theirs.grad = torch.tensor(gradient)
        other.step()
    np.testing.assert_allclose(value["w"], theirs.detach(), rtol=1e-12)


def test_long_gradients_are_shortened_together() -> None:
    short = clip({"a": np.array([3.0]), "b": np.array([4.0])}, 1.0)
    assert (short["a"][0], short["b"][0]) == pytest.approx((0.6, 0.8))
    assert clip({"a": np.array([3.0])}, 5.0)["a"][0] == 3.0


def test_the_reports_plot_comes_out() -> None:
    curves, neuron = four_lessons(report_weights())
    assert [curve[0] for curve in curves] == pytest.approx([0.273, 0.991, 0.245, 0.999], abs=0.01)
    falls = [next((step for step, value in enumerate(curve) if value < 0.5), None) for curve in curves]
    assert falls == [0, pytest.approx(63, abs=10), 0, pytest.approx(640, abs=10)]
    assert neuron.right(XOR, XOR_WANTED) == 2
    assert together(report_weights())[-1] == pytest.approx([0.5] * 4, abs=1e-3)


def test_a_neuron_finds_the_line() -> None:
    neuron, errors = learn_points(3)
    assert neuron.right(*points(3)) >= 98
    assert sum(errors[-1]) < sum(errors[0]) / 5


def test_the_clash_needs_hidden_units() -> None:
    assert not any(solve_clash(1, seed, passes=400)[2] >= 0 for seed in range(100))
    assert sum(solve_clash(3, seed, passes=200)[2] >= 0 for seed in range(100)) >= 98


def test_a_cell_holds_the_accent_and_a_recurrent_neuron_does_not() -> None:
    right = 0
    for seed in range(12):
        cell, _ = learn_accents(seed)
        xs, wanted = accents(Chance(seed + 5000), 4 * ACCENT_LENGTH)
        right += held(cell.forward(xs).ys, wanted) == 1
        plain, adam, chance = Rnn(2, 1, 0, seed), Adam(0.2), Chance(seed + 1)
        for _ in range(75):
            given, answer = accents(chance, ACCENT_LENGTH)
            done = plain.forward(given)
            adam.step(plain.values, plain.backward(done, distance(done.ys, answer)[1])[0])
        assert held(plain.forward(xs).ys, wanted) < 1
    assert right >= 11


def test_a_poem_and_a_melody_are_learned() -> None:
    *_, (_, nats, write) = learn_text(POEM.read_text(), 25, 1)
    assert nats < 0.8
    assert "twinkle" in write(400)
    _, losses, played = learn_melody(MELODY, 1, 150)
    assert played == MELODY
    assert losses[-1] < 0.05


def test_a_visitors_tune_is_known_by_heart_and_played_back() -> None:
    wanted = tune.made_up(5)
    assert len(wanted) == tune.STEPS
    learned = tune.learn(wanted, 1)
    assert learned.losses[-1] < tune.ENOUGH
    answers = softmax(learned.network.forward(tune.rows(wanted)).ys).argmax(1)
    assert (
        sum(a == b for a, b in zip(answers.tolist(), wanted, strict=True)) >= tune.STEPS - 1
    )  # of 0.05 nats one may be undecided


@pytest.mark.parametrize("what", ["neuron", "rnn", "lstm"])
def test_the_command_shows_and_draws(what, tmp_path, capsys) -> None:
    assert main([what, "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / f"{what}.png").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert {"neuron": "begins at 0.273", "rnn": "plays   C4 D4 E4", "lstm": "100 % right"}[what] in said


def test_a_folder_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="give a folder you may write"):
        main(["neuron", "--out", str(tmp_path / "file")])


def test_a_curve_in_the_terminal_stays_in_its_room() -> None:
    lines = plotted([3.0, 2.0, 1.0, 0.0] * 100).splitlines()
    assert len(lines) == 8
    assert max(map(len, lines)) <= 83
    assert "3" in lines[0]
    assert plotted([0.0])  # nothing to scale by
