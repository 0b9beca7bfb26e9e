"""The step graph of a small random chord network against PyTorch, and how it listens."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from engine.core.contract import faults
from models.chords.export import EAR, MOST_PUSHED, PATIENCE, PUSH, step_graph
from models.chords.network import ChordNetwork, log_prob
from models.graph.playing import nats, open_network
from models.music.chord_symbols import PITCHES, PLAYER, QUALITIES, Classes
from models.music.songbook import read_rolls, read_songs
from tests.models.graph_player import Player

CLASSES = Classes(list(QUALITIES))
VOICINGS = CLASSES.voicings()
CHORDS = len(PITCHES)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = ChordNetwork(len(CLASSES), (12, 9), width=8).eval()
    with torch.no_grad():
        made.head.weight.mul_(6)
    return made


@pytest.fixture(scope="module")
def session(network):
    return ort.InferenceSession(step_graph(network, CLASSES, {}).SerializeToString(), providers=["CPUExecutionProvider"])


def dictate(player, index):
    """Clamp the whole chord track to the voicing of a class."""
    mask = np.zeros((1, player.card.slots), np.float32)
    mask[0, :CHORDS] = 1
    value = np.zeros((1, player.card.slots, 2), np.float32)
    value[0, :CHORDS, 0] = VOICINGS[index]
    return player.step(clamp_mask=mask, clamp_value=value)


def class_of(notes):
    (found,) = np.flatnonzero((notes[:CHORDS, 0] == VOICINGS).all(1))
    return int(found)


def test_keeps_the_contract(session):
    player = Player(session)
    assert faults(player.card, session.get_inputs(), session.get_outputs()) == []
    assert player.card.model_extra["classes"] == CLASSES.names()


def test_agrees_with_torch_step_by_step(network, session):
    """What sounded is heard again as the class it was, so the likelihoods are PyTorch's own."""
    player, steps = Player(session, batch=4), 24
    out = [player.step() for _ in range(steps)]
    chosen = np.asarray([[class_of(o["notes"][b]) for o in out] for b in range(4)])
    last = np.concatenate([np.zeros((4, 1), int), chosen[:, :-1]], 1)
    with torch.no_grad():
        logits, states = network(torch.from_numpy(last), torch.arange(steps).expand(4, steps))
        wanted = log_prob(logits, torch.from_numpy(chosen))
    assert len(set(chosen.ravel())) > 20
    assert np.stack([o["log_prob"] for o in out], 1) == pytest.approx(wanted.numpy(), abs=1e-4)
    assert player.states["h1"] == pytest.approx(states[1][0][0].numpy(), abs=1e-5)
    assert player.states["c0"] == pytest.approx(states[0][1][0].numpy(), abs=1e-5)


def test_every_class_is_heard_as_itself(session):
    for index in range(len(CLASSES)):
        player = Player(session)
        dictate(player, index)
        probability = player.step(temperature=1.0)
        again = Player(session)
        dictate(again, index)
        assert class_of(dictate(again, index)["notes"][0]) == index
        # what sounded goes on held only in the chord that was heard
        may_hold = probability["probability"][0, :CHORDS, 1] > 0
        assert (may_hold <= (VOICINGS[index] > 0)).all()


def test_a_chord_that_goes_on_is_held(session):
    player = Player(session, batch=64, seed=1)
    player.step()
    for _ in range(6):
        before = [class_of(n) for n in player.x]
        after = player.step(density=0.01)["notes"]
        stayed = [b for b in range(64) if class_of(after[b]) == before[b]]
        assert stayed
        for b in range(64):
            held = after[b, :CHORDS, 1]
            assert (held == (after[b, :CHORDS, 0] if b in stayed else 0)).all()


def test_density_is_the_odds_of_a_change(session):
    def changes(density):
        player = Player(session, batch=256, seed=2)
        player.step()
        before = [class_of(n) for n in player.x]
        return np.mean([class_of(n) != b for n, b in zip(player.step(density=density)["notes"], before, strict=True)])

    assert changes(0.02) < changes(1.0)


def test_a_chord_that_has_stood_long_is_left_more_readily_and_likelihood_does_not_mind(session):
    player = Player(session)
    player.step()
    now, heard, states = class_of(player.x[0]), player.x, dict(player.states)

    def after(still, told=None, **controls):
        player.x, player.position = heard, 1
        player.states = {**states, "still": np.full((1, 1), still, np.float32)}
        return player.step(**controls) if told is None else dictate(player, told)

    chances = [float(after(still)["classes"][0, now]) for still in (0, PATIENCE, PATIENCE + 4, 1000)]
    odds = np.log([p / (1 - p) for p in chances])
    assert odds[0] - odds == pytest.approx([0, 0, 4 * PUSH, MOST_PUSHED], abs=1e-3)
    assert float(after(1000, restless=0.0)["classes"][0, now]) == pytest.approx(chances[0])
    assert after(1000, told=now)["log_prob"] == pytest.approx(after(0, told=now)["log_prob"])


def test_beats_since_the_last_change_are_counted(session):
    player = Player(session)
    counted = []
    for index in (5, 5, 5, 9, 9, 0, 0, 0, 5):
        dictate(player, index)
        counted.append(float(player.states["still"][0, 0]))
    assert counted == [0, 1, 2, 0, 1, 0, 1, 2, 0]


def player_notes(card, *pitches):
    mask = np.zeros((1, card.slots), np.float32)
    value = np.zeros((1, card.slots, 2), np.float32)
    mask[0, CHORDS:] = 1
    for pitch in pitches:
        value[0, CHORDS + PLAYER.index(pitch), 0] = 1
    return {"clamp_mask": mask, "clamp_value": value}


def test_the_players_notes_weigh_the_chords(session):
    def chance(follow, *pitches):
        player = Player(session)
        classes = player.step(follow=follow, **player_notes(player.card, *pitches))["classes"][0]
        return sum(p for p, tones in zip(classes, CLASSES.tones(), strict=True) if tones[[1, 5, 8]].all())

    assert chance(3.0, 61, 65, 68) > 2 * chance(3.0)
    assert chance(0.0, 61, 65, 68) == pytest.approx(chance(0.0))


def test_the_player_is_heard_for_some_beats_and_then_forgotten(session):
    player = Player(session)
    player.step(**player_notes(player.card, 61))
    assert player.states["ear"][0, 1] == 0
    heard = [float(player.step(**player_notes(player.card)) and player.states["ear"][0, 1]) for _ in range(3)]
    assert heard == pytest.approx([1.0, EAR, EAR**2])


def test_the_network_never_plays_the_players_track(session):
    player = Player(session, batch=32)
    for _ in range(8):
        out = player.step(temperature=2.0)
        assert not out["notes"][:, CHORDS:].any()
        assert not out["probability"][:, CHORDS:].any()
        assert (out["log_prob_tracks"][:, 1] == 0).all()


def test_probability_of_each_note_is_what_the_classes_say(session):
    player = Player(session, batch=8)
    for _ in range(4):
        out = player.step(temperature=1.5, density=2.0)
        assert out["classes"].sum(1) == pytest.approx(1, abs=1e-5)
        assert out["probability"][:, :CHORDS, 0] == pytest.approx(out["classes"] @ VOICINGS, abs=1e-5)
        assert (out["probability"] <= 1).all()


def test_noise_near_one_draws_the_last_class_that_can_be(session):
    out = Player(session).step(u=np.full((1, 1), np.nextafter(np.float32(1), np.float32(0)), np.float32))
    assert class_of(out["notes"][0]) < len(CLASSES)


def test_evaluating_songs_through_the_graph_gives_torchs_likelihood(network, tmp_path):
    """The voiced songs, everything dictated, are as likely as their classes under PyTorch."""
    bars = " | ".join(["C:maj", "A:min7 D:7", "N", "G:maj . . G:7"] * 3)
    folder = tmp_path / "songs" / "0001"
    folder.mkdir(parents=True)
    (folder / "salami_chords.txt").write_text(f"# title: t\n# artist: a\n# metre: 4/4\n\n1.0\tA, | {bars} |\n")
    path = tmp_path / "chords.onnx"
    onnx.save(step_graph(network, CLASSES, {}), str(path))
    graph = open_network(path)
    (song,) = read_songs([tmp_path / "songs"]).songs
    (piece,) = read_rolls([tmp_path / "songs"], CLASSES.names()).pieces
    (found,) = nats(graph, [piece.roll])
    chords = torch.tensor([[0] + [CLASSES.of(c) for c in song.chords]])
    with torch.no_grad():
        logits, _ = network(chords[:, :-1], torch.arange(len(found))[None])
        wanted = -log_prob(logits, chords[:, 1:])[0]
    assert found.sum(1) == pytest.approx(wanted.numpy(), abs=1e-4)
