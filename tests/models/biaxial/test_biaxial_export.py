"""The step graph of a small random biaxial network against PyTorch, and the promises of the contract."""

import numpy as np
import pytest
import torch

from engine.core.contract import faults
from models.biaxial.export import LEAST_THRIFT, PIVOT, step_graph
from models.biaxial.network import Biaxial, BiaxialConfig, log_prob, to_flags
from tests.models.graph_player import Player

SHAPES = {
    "articulates": BiaxialConfig(low=40, high=63, time_sizes=(9, 7), note_sizes=(6, 5)),
    "roll": BiaxialConfig(low=50, high=70, time_sizes=(8, 6), note_sizes=(5, 4), articulates=False),
    "one note heard, three layers": BiaxialConfig(low=30, high=45, time_sizes=(6,), note_sizes=(5, 4, 3), reach=1, vicinity=3),
    "recalls": BiaxialConfig(low=40, high=63, time_sizes=(9, 7), note_sizes=(6, 5), recall=(0.5, 0.9)),
}


def player_of(network, batch=1, seed=0, eight_bits=False):
    return Player(step_graph(network, {}, eight_bits).SerializeToString(), batch, seed)


def random_network(config, seed=0):
    torch.manual_seed(seed)
    network = Biaxial(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2).add_(torch.randn_like(weight) * 0.1)
        network.head.bias.fill_(-1.0)
    return network


@pytest.fixture(params=SHAPES)
def network(request):
    return random_network(SHAPES[request.param])


def test_keeps_the_contract(network):
    player = player_of(network)
    assert faults(player.card, player.session.get_inputs(), player.session.get_outputs()) == []


def test_agrees_with_torch_step_by_step(network):
    """Random noise and random clamps: what the graph chose is as likely under PyTorch, and leaves the same memory."""
    batch, steps = 3, 9
    player, config = player_of(network, batch), network.config
    heard, found, states = [player.x], [], None
    for _ in range(steps):
        mask = (player.random.random((batch, config.notes)) < 0.3).astype(np.float32)
        play = (player.random.random((batch, config.notes)) < 0.4).astype(np.float32)
        hold = play * player.x[..., 0] * (player.random.random((batch, config.notes)) < 0.5)
        out = player.step(clamp_mask=mask, clamp_value=np.stack([play, hold], -1))
        assert np.array_equal(out["notes"][mask > 0], np.stack([play, hold], -1)[mask > 0])
        heard.append(out["notes"])
        found.append(out["log_prob"])
        assert out["log_prob_tracks"].sum(1) == pytest.approx(out["log_prob"], abs=1e-5)
    notes = torch.from_numpy(np.stack(heard, 1))
    flags = to_flags(notes[..., 0], notes[..., 1], config.articulates)
    with torch.no_grad():
        logits, states = network(flags[:, :-1], flags[:, 1:], torch.arange(steps).expand(batch, steps))
        wanted = log_prob(logits, flags[:, 1:], flags[:, :-1])
    assert np.stack(found, 1) == pytest.approx(wanted.numpy(), abs=2e-4)
    for at, (h, c) in enumerate(states):
        assert player.states[f"h{at}"] == pytest.approx(h.view(batch, config.notes, -1).numpy(), abs=1e-5)
        assert player.states[f"c{at}"] == pytest.approx(c.view(batch, config.notes, -1).numpy(), abs=1e-5)


def test_everything_clamped_is_its_own_evaluator(network):
    """The likelihood of given notes does not depend on the noise or the controls."""
    config = network.config
    rng = np.random.default_rng(5)
    play = (rng.random((4, 1, config.notes)) < 0.3).astype(np.float32)
    value = np.stack([play, np.zeros_like(play)], -1)
    mask = np.ones((1, config.notes), np.float32)
    seen = []
    for seed, controls in ((0, {}), (1, {"temperature": 0.3, "density": 3.0, "conservativity": 2.0, "adaptive": 1.0})):
        player = player_of(network, seed=seed)
        seen.append([float(player.step(clamp_mask=mask, clamp_value=value[t], **controls)["log_prob"][0]) for t in range(4)])
    assert seen[0] == pytest.approx(seen[1], abs=1e-4)


def test_nothing_is_held_that_did_not_sound(network):
    player = player_of(network, batch=2)
    for _ in range(12):
        before = player.x[..., 0]
        out = player.step(density=4.0)
        assert (out["notes"][..., 1] <= before * out["notes"][..., 0]).all()
        assert (out["probability"][..., 1][before == 0] == 0).all()
        assert ((out["probability"] >= 0) & (out["probability"] <= 1)).all()


def test_a_roll_network_holds_whatever_goes_on_at_no_cost():
    network = random_network(SHAPES["roll"])
    player = player_of(network)
    assert player.card.model_extra["articulation"] is False
    slots = player.card.slots
    on = np.zeros((1, slots, 2), np.float32)
    on[0, 5, 0] = 1
    mask = np.ones((1, slots), np.float32)
    player.step(clamp_mask=mask, clamp_value=on)
    states = dict(player.states)
    struck = float(player.step(clamp_mask=mask, clamp_value=on)["log_prob"][0])
    player.states, player.x, player.position = states, on, 1
    on[0, 5, 1] = 1
    held = float(player.step(clamp_mask=mask, clamp_value=on)["log_prob"][0])
    assert struck == held


def frequency(network, steps=400, **controls):
    player = player_of(network, batch=8, seed=3)
    heard = [player.step(x=np.zeros_like(player.x), **controls) for _ in range(steps // 8)]
    return np.mean([h["notes"][..., 0] for h in heard]), np.mean([h["probability"][..., 0] for h in heard])


@pytest.mark.parametrize(
    "controls", [{}, {"temperature": 0.5}, {"density": 3.0}, {"conservativity": 2.0}, {"density": 0.3, "temperature": 1.5}]
)
def test_notes_come_as_often_as_the_probability_says(controls):
    drawn, said = frequency(random_network(SHAPES["articulates"]), **controls)
    assert drawn == pytest.approx(said, abs=0.015)


def test_controls_do_what_they_say():
    network = random_network(SHAPES["roll"])
    plain, denser, sparser = (frequency(network, **c)[1] for c in ({}, {"density": 3.0}, {"conservativity": 2.0}))
    assert sparser < plain < denser


def test_adaptive_conservativity_falls_in_silence_has_an_end_and_comes_back():
    network = random_network(SHAPES["roll"])
    player = player_of(network)
    slots = player.card.slots
    mask, silence = np.ones((1, slots), np.float32), np.zeros((1, slots, 2), np.float32)
    thrift = []
    for _ in range(60):
        player.step(clamp_mask=mask, clamp_value=silence, adaptive=1.0)
        thrift.append(float(player.states["thrift"][0, 0]))
    assert thrift[0] == pytest.approx(0.98)
    assert thrift[-1] == pytest.approx(LEAST_THRIFT)
    chord = silence.copy()
    chord[0, :4, 0] = 1
    player.step(clamp_mask=mask, clamp_value=chord, adaptive=1.0)
    player.step(clamp_mask=mask, clamp_value=chord, adaptive=1.0)
    assert float(player.states["thrift"][0, 0]) == pytest.approx(LEAST_THRIFT + 0.3 * (1 - LEAST_THRIFT))


def test_eight_bits_cost_little_and_mix_no_batch():
    """Rounding moves the likelihood by less than a hundredth, and an item alone is what it is among others."""
    network = random_network(BiaxialConfig(low=40, high=63, time_sizes=(24, 20), note_sizes=(6, 5)))
    exact, rounded, alone = (
        player_of(network, 3),
        player_of(network, 3, eight_bits=True),
        player_of(network, 1, eight_bits=True),
    )
    rng = np.random.default_rng(1)
    totals = np.zeros(2)
    for _ in range(12):
        value = np.zeros((3, 24, 2), np.float32)
        value[..., 0] = rng.random((3, 24)) < 0.2
        given = {"clamp_mask": np.ones((3, 24), np.float32), "clamp_value": value}
        one, two = exact.step(**given), rounded.step(**given)
        single = alone.step(**{k: v[:1] for k, v in given.items()})
        totals += one["log_prob"].sum(), two["log_prob"].sum()
        assert np.abs(two["h1_next"] - one["h1_next"]).mean() < 0.03
        assert single["log_prob"][0] == pytest.approx(two["log_prob"][0], abs=1e-5)
    assert totals[0] != totals[1]
    assert totals[1] == pytest.approx(totals[0], rel=0.01)


def test_the_batch_is_many_independent_steps():
    network = random_network(SHAPES["articulates"])
    one, many = player_of(network, seed=1), player_of(network, batch=4, seed=1)
    noise = np.random.default_rng(2).random((6, 4, one.card.noise), np.float32)
    for k in range(6):
        alone, together = one.step(u=noise[k, :1]), many.step(u=noise[k])
        assert np.array_equal(alone["notes"][0], together["notes"][0])
        assert alone["h3"][0] == pytest.approx(together["h3"][0], abs=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.25])
def test_temperature_leaves_the_odds_of_a_seldom_note_and_moves_those_on_either_side(temperature):
    network = random_network(SHAPES["articulates"])
    # What sounds is dictated: else the logits, which hear the notes below, would be of other notes.
    told = {"clamp_mask": np.ones((1, 24), np.float32), "clamp_value": np.zeros((1, 24, 2), np.float32), "adaptive": 0.0}
    one, other = (player_of(network).step(temperature=t, **told)["probability"][0, :, 0] for t in (1.0, temperature))
    odds, now = (np.log(p / (1 - p)) for p in (one, other))
    assert now - PIVOT == pytest.approx((odds - PIVOT) / temperature, abs=1e-3)
