"""The ear's network: all keys alike, the engine's numbers are PyTorch's, and it learns a made-up song."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engine.core.errors import NetworkError
from engine.jam.chords import CLASSES
from engine.jam.hearing import HORIZONS, PLANES
from engine.jam.recognition import WEIGHTS, Recognition, read, shipped
from models.ear.network import EarNetwork
from models.ear.players import MADE, perform, scene
from models.ear.progressions import progression
from models.ear.recipe import TOLD, VARIANTS, heard, losses, save, scenes, weights_of
from models.evaluation.songs import Tune
from models.music import sounding_chords


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return EarNetwork(4, 5).eval()


@pytest.fixture(scope="module")
def told():
    return np.random.default_rng(1).random((2, 6, VARIANTS, TOLD)).astype(np.float32)


def as_one(told):
    """What is not of a beat itself is the same in all variants."""
    same = told.copy()
    same[:, :, :, 60 : 12 * PLANES] = told[:, :, -1:, 60 : 12 * PLANES]
    return same


def test_the_engine_agrees_with_torch_beat_by_beat(network, told):
    told = as_one(told)
    with torch.no_grad():
        wanted = network(torch.from_numpy(told))[0].softmax(-1).numpy()
    for song in range(2):
        recognition = Recognition(weights_of(network))
        for beat in range(told.shape[1]):
            for variant in range(VARIANTS):
                found = recognition.judge(told[song, beat, variant])
                np.testing.assert_allclose(found, wanted[song, beat, variant], atol=2e-6)
                few = recognition.judge(told[song, beat, variant], 2)
                np.testing.assert_allclose(few, found[:2], atol=1e-6)
            recognition.go_on()


def test_all_keys_are_heard_alike(network, told):
    up = 5
    turned = told.copy()
    planes = turned[..., : 12 * PLANES].reshape(*turned.shape[:-1], PLANES, 12)
    turned[..., : 12 * PLANES] = np.roll(planes, up, -1).reshape(*turned.shape[:-1], 12 * PLANES)
    with torch.no_grad():
        plain, moved = (network(torch.from_numpy(as_one(of)))[0] for of in (told, turned))
    roots = plain[..., :-1].unflatten(-1, (-1, 12)).roll(up, -1).flatten(-2)
    torch.testing.assert_close(moved[..., :-1], roots, atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., -1], plain[..., -1], atol=1e-5, rtol=0)


def test_its_classes_are_those_that_songs_are_told_by():
    known = [sounding_chords.CLASSES.chord(1 + at) for at in range(len(CLASSES))]
    assert [of.root for of in CLASSES] == [root for root, _ in known]
    tones = sounding_chords.CLASSES.tones()[1:]
    assert [of.tones for of in CLASSES] == [frozenset(np.flatnonzero(row).tolist()) for row in tones]


def test_weights_are_written_and_read(network, tmp_path, told):
    save(network, tmp_path / "ear.npz")
    one, other = Recognition(read(tmp_path / "ear.npz")), Recognition(weights_of(network))
    np.testing.assert_array_equal(one.judge(told[0, 0, 0]), other.judge(told[0, 0, 0]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "ear.npz").read_bytes()[:500])
    with pytest.raises(NetworkError, match="no weights of an ear"):
        read(tmp_path / "cut.npz")
    with np.load(tmp_path / "ear.npz") as file:
        other_ear = {**file, "out": file["out"][:-1]}
    np.savez(tmp_path / "other.npz", **other_ear)
    with pytest.raises(NetworkError, match="weights of another ear"):
        read(tmp_path / "other.npz")


def test_it_learns_one_song(network):
    rng = np.random.default_rng(0)
    tune = Tune("", "train", 4, progression(rng, 32))
    notes = np.asarray(MADE["blocks"](tune, rng), float)
    learner = EarNetwork(4, 5, dropout=0.0)
    told, wanted = (torch.from_numpy(part[None]) for part in heard(notes, tune.classes, 4, rng, weights_of(learner)))
    optimiser = torch.optim.Adam(learner.parameters(), 0.01)
    nats = []
    for _ in range(40):
        found = losses(learner, told, wanted)
        optimiser.zero_grad()
        found["after"].backward()
        optimiser.step()
        nats.append(found["after"].item())
    assert nats[-1] < nats[0] / 3


def test_scenes_come_again_for_a_seed_and_are_whole(network):
    weights = weights_of(network)
    tune = Tune("song", "train", 3, np.full(48, 8), {"lead": np.asarray([[k, k + 1, 60 + k % 5] for k in range(48)], float)})
    one, other = scenes([tune], 4, 9, weights), scenes([tune], 4, 9, weights)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    rng = np.random.default_rng(5)
    for _ in range(30):
        notes, classes, bar = scene(rng, [tune], 40)
        assert len(classes) <= 40
        assert bar in (2, 3, 4, 5)
        assert (notes[:, 1] > notes[:, 0]).all()
        assert not len(notes) or (notes[:, 2].min() > 20 and notes[:, 2].max() < 110)
    assert len(perform(tune, rng))


def test_the_shipped_ear_has_a_card():
    card = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert card["licence"] == "GPL-3.0-or-later"
    assert all(source["licence"] != "not stated" for source in card["training"]["sources"])
    assert Recognition(shipped()).judge(np.zeros(TOLD, np.float32)).shape == (HORIZONS, len(CLASSES) + 1)
