"""Between two sets of weights: what is averaged, what is kept, and what the file says of itself."""

import json

import numpy as np
import pytest
import torch

from engine.core.contract import read_card
from models.graph.playing import nats, open_network
from models.training import average, train
from models.training.train import TrainingError, read_tensors


def test_shares_new_parameters_and_kept_ones():
    later = {"a": torch.ones(2), "new": torch.ones(1), "head.b": torch.ones(1)}
    earlier = {"a": torch.zeros(2), "head.b": torch.zeros(1), "gone": torch.zeros(3)}
    found = average.average(later, earlier, 0.25, ["head"])
    assert {k: v.tolist() for k, v in found.items()} == {"a": [0.25, 0.25], "new": [1.0], "head.b": [1.0]}
    with pytest.raises(TrainingError, match=r"a is \(2,\) in one and \(3,\) in the other"):
        average.average(later, {"a": torch.zeros(3)}, 0.5)


def test_two_runs_become_a_network_that_says_where_it_comes_from(tmp_path, capsys):
    path = tmp_path / "Tunes.npz"
    roll = np.zeros((48, 88), np.uint8)
    roll[:, 27] = roll[np.arange(48), 39 + np.arange(48) % 5] = 1
    parts = dict.fromkeys(("train", "valid", "test"), np.packbits(roll, axis=1))
    np.savez(path, **parts, **{f"{split}_len": np.asarray([48], np.int32) for split in parts})
    small = ["low=45", "high=68", "articulates=false", "time_sizes=[6,5]", "note_sizes=[5,4]", "segment=32"]
    command = ["biaxial", "--data", str(path), "--updates", "20", "--lr", "0.02", "--valid-every", "10", "--device", "cpu"]
    command += [part for setting in small for part in ("--set", setting)]
    one, two, out = (tmp_path / n for n in ("one", "two", "both"))
    assert train.main([*command, "--out", str(one)]) == 0
    assert train.main([*command, "--out", str(two), "--from", str(one / "best.safetensors")]) == 0
    arguments = ["biaxial", str(two / "best.safetensors"), "--with", str(one / "best.safetensors"), "--data", str(path)]
    assert average.main([*arguments, "--share", "0.5", "--out", str(out)]) == 0
    halves = [read_tensors(run / "best.safetensors")[0] for run in (one, two)]
    both, meta = read_tensors(out / "best.safetensors")
    assert all(torch.allclose(both[k], (halves[0][k] + halves[1][k]) / 2) for k in both)
    assert len(meta["before"]) == 2
    assert meta["command"].startswith("python -m models.training.average biaxial")
    card = read_card(out / "biaxial.onnx")
    assert json.loads(card.model_dump_json())["training"]["updates"] == 0
    assert f"{card.figures['valid_nats_per_step']:.4f} nats/step" in capsys.readouterr().out
    assert average.main([*arguments[:-1], str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    assert nats(open_network(out / "biaxial.onnx"), [np.zeros((4, 24), np.uint8)])[0].shape == (4, 1)
