"""The step graph of a small random chord network against PyTorch, and how it listens."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from engine.network.contract import CARD_KEY, faults, parse_card
from models.chords.export import EAR, step_graph
from models.chords.harmony import PITCHES, PLAYER, QUALITIES, Classes
from models.chords.network import ChordNetwork, log_prob
from models.chords.songs import read_rolls, read_songs
from models.playing import nats, open_network

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


class Player:
    """Runs the graph, carrying its states."""

    def __init__(self, session, batch=1, seed=0):
        self.session, self.batch, self.position = session, batch, 0
        self.card = parse_card(session.get_modelmeta().custom_metadata_map[CARD_KEY], "test")
        self.names = [o.name for o in session.get_outputs()]
        self.random = np.random.default_rng(seed)
        self.x = np.zeros((batch, self.card.slots, 2), np.float32)
        self.states = {s.name: np.full((batch, *s.shape), s.initial, np.float32) for s in self.card.states}

    def step(self, **given):
        batch, slots = self.batch, self.card.slots
        feed = {
            "x": self.x,
            "position": np.full(batch, self.position, np.int64),
            "u": self.random.random((batch, 1), np.float32),
            "clamp_mask": np.zeros((batch, slots), np.float32),
            "clamp_value": np.zeros((batch, slots, 2), np.float32),
        }
        feed |= {c.name: np.full(batch, c.neutral, np.float32) for c in self.card.controls} | self.states
        feed |= {k: np.full(batch, v, np.float32) if np.isscalar(v) else v for k, v in given.items()}
        out = dict(zip(self.names, self.session.run(None, feed), strict=True))
        self.x, self.position = out["notes"], self.position + 1
        self.states = {s: out[f"{s}_next"] for s in self.states}
        return out

    def dictate(self, index):
        """Clamp the whole chord track to the voicing of a class."""
        mask = np.zeros((1, self.card.slots), np.float32)
        mask[0, :CHORDS] = 1
        value = np.zeros((1, self.card.slots, 2), np.float32)
        value[0, :CHORDS, 0] = VOICINGS[index]
        return self.step(clamp_mask=mask, clamp_value=value)


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
        player.dictate(index)
        probability = player.step(temperature=1.0)
        again = Player(session)
        again.dictate(index)
        assert class_of(again.dictate(index)["notes"][0]) == index
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
