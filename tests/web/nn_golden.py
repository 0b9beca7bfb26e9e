"""What the page's nn.js must compute, by the NumPy code that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.lstm import tune
from models.lstm.lstm import Lstm, accents, learn_accents
from models.neuron.layers import CLASH, CLASH_WANTED, Layers, solve_clash
from models.neuron.neuron import Neuron, four_lessons, learn_points, report_weights
from models.rnn.rnn import Rnn, distance, surprise
from models.training.by_hand import Adam, Chance


def flat(value: Any) -> Any:
    """Arrays as plain lists, row by row; what holds them likewise."""
    if isinstance(value, np.ndarray):
        return value.reshape(-1).tolist()
    if isinstance(value, dict):
        return {k: flat(v) for k, v in value.items()}
    return [flat(v) for v in value] if isinstance(value, list | tuple) else value


def sequences() -> dict[str, Any]:
    """Forward, backward and fifty steps of learning, of both kinds of recurrent network, with and without outputs."""
    out: dict[str, Any] = {}
    for kind in (Rnn, Lstm):
        for outputs in (0, 4):
            network, chance = kind(3, 5, outputs, 2), Chance(9)
            xs = chance.spread(7, 3)
            wanted = np.array([chance.below(4) for _ in range(7)]) if outputs else chance.spread(7, 5)
            loss = surprise if outputs else distance
            done = network.forward(xs)
            value, dys = loss(done.ys, wanted)
            found = network.backward(done, dys)
            entry = {"xs": list(xs), "wanted": wanted.tolist(), "ys": list(done.ys), "loss": value, "gradients": found[0]}
            entry["dhs"] = list(found[1])
            if isinstance(network, Lstm):
                entry |= {"gates": list(done.gates), "dcs": list(found[2])}
            adam, losses = Adam(0.02), []
            for _ in range(50):
                done = network.forward(xs)
                value, dys = loss(done.ys, wanted)
                losses.append(value)
                adam.step(network.values, network.backward(done, dys)[0])
            entry |= {"losses": losses, "after": network.values}
            out[f"{kind.__name__}{outputs}"] = flat(entry)
    return out


def golden() -> dict[str, Any]:
    """Everything that the page's numbers are held against."""
    chance = Chance(7)
    neuron = Neuron([0.3, -0.8, 0.1], 0.2)
    guess = neuron.guess(np.array([0.5, -1.2, 2.0]))
    layers = Layers(3, 4)
    done = layers.forward(CLASH)
    curves, after = four_lessons(report_weights(), 400)
    sorter, errors = learn_points(3, 20)
    solved, losses, since = solve_clash(3, 1, passes=50)
    cell, accent_losses = learn_accents(3, 50)
    xs, wanted = accents(Chance(11), 12)
    learned = tune.learn(tune.made_up(5), 1, 50)
    return flat(
        {
            "chance": [chance.number() for _ in range(8)],
            "choose": [chance.choose(np.array([0.2, 0.5, 0.3])) for _ in range(20)],
            "guess": {"weighted": guess.weighted, "z": guess.z, "p": guess.p, "gradients": neuron.gradients(guess, 1.0)},
            "report": {"weights": report_weights(), "curves": [np.array(c) for c in curves], "after": after.values["w"]},
            "points": {"errors": [sum(e) for e in errors], "after": sorter.values},
            "layers": {"h": list(done.h), "p": done.p, "gradients": layers.backward(done, CLASH_WANTED)},
            "clash": {"losses": losses, "since": since, "after": solved.values},
            "sequences": sequences(),
            "accents": {"xs": list(xs), "wanted": wanted, "losses": accent_losses, "after": cell.values},
            "tune": {"tune": tune.made_up(5), "losses": learned.losses, "after": learned.network.values},
        }
    )
