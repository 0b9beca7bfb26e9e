"""The shipped files: each graph is its weights, and its card says what it was made from."""

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.biaxial import recipe
from models.chords import recipe as chord_recipe
from models.chords.network import log_prob as chord_log_prob
from models.graph.playing import nats, open_network
from models.music.chord_symbols import Classes
from models.music.representation import HELD, ONSET
from models.training.train import load_trained

HOME = Path(models.__file__).parent
SHIPPED = sorted((HOME / "biaxial").glob("*.onnx"))


def some_music(slots, steps=12):
    rng = np.random.default_rng(0)
    play = rng.random((steps, slots)) < 0.06
    roll = play.astype(np.uint8) * ONSET
    roll[1:][play[1:] & play[:-1]] = HELD
    return roll


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_the_graph_is_its_weights(path):
    graph = open_network(path)
    network, config, meta = load_trained(recipe, path.with_suffix(".safetensors"))
    roll = some_music(graph.card.slots)
    (found,) = nats(graph, [roll])
    batch = recipe._tensors([(np.zeros_like(roll[0]), roll)], config["articulates"])
    with torch.no_grad():
        wanted, steps, _ = recipe.loss(network, batch, {})
    assert int(steps) == len(roll)
    assert found.sum() == pytest.approx(float(wanted), rel=1e-4)
    assert graph.card.training["seed"] == meta["seed"]
    assert graph.card.training["data"] == meta["data"]["sources"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_the_card_names_data_licences_sizes_and_figures(path):
    card = open_network(path).card
    assert all(source["licence"] for source in card.training["data"])
    assert "-".join(str(a.shape[-1]) for a in card.activations if a.signal == "h") in card.description
    assert card.figures["test_nats_per_step"] > 0
    assert card.training["command"].startswith("algoritmo train biaxial")


def test_the_chord_graph_is_its_weights():
    path = HOME / "chords" / "chords.onnx"
    graph = open_network(path)
    network, config, _ = load_trained(chord_recipe, path.with_suffix(".safetensors"))
    classes = Classes(config["qualities"])
    assert (graph.card.model_extra or {})["classes"] == classes.names()
    chords = np.random.default_rng(0).integers(1, len(classes), 20)
    roll = np.zeros((20, graph.card.slots), np.uint8)
    roll[:, : classes.voicings().shape[1]] = classes.voicings()[chords] * ONSET
    (found,) = nats(graph, [roll])
    last = torch.from_numpy(np.concatenate([[0], chords[:-1]]))[None]
    with torch.no_grad():
        logits, _ = network(last, torch.arange(20)[None])
        wanted = -chord_log_prob(logits, torch.from_numpy(chords)[None])[0]
    assert found.sum(1) == pytest.approx(wanted.numpy(), abs=2e-3)
