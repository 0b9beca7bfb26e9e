"""From music to a network in its place: train a few updates, ship, measure; and going on after a stop."""

import json

import numpy as np
import pytest

from engine.core.contract import read_card
from models.evaluation import evaluate
from models.release import ship
from models.training import train


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    """An archive in the form of poly_splits: a scale over a drone, three splits."""
    path = tmp_path_factory.mktemp("data") / "Tunes.npz"
    roll = np.zeros((48, 88), np.uint8)
    roll[:, 48 - 21] = 1
    roll[np.arange(48), 60 - 21 + np.arange(48) % 5] = 1
    parts = dict.fromkeys(("train", "valid", "test"), np.packbits(roll, axis=1))
    np.savez(path, **parts, **{f"{split}_len": np.asarray([48], np.int32) for split in parts})
    return path


SMALL = ["low=45", "high=68", "articulates=false", "time_sizes=[6,5]", "note_sizes=[5,4]", "segment=32", "name=biaxial-tunes"]


def run(tunes, out, updates, *more):
    settings = [part for setting in SMALL for part in ("--set", setting)]
    arguments = ["biaxial", "--data", str(tunes), "--out", str(out), "--updates", str(updates), "--device", "cpu"]
    assert train.main([*arguments, "--lr", "0.02", "--valid-every", "10", *settings, *more]) == 0
    return out / "best.safetensors"


def test_a_run_is_shipped_with_its_test_figures(tunes, tmp_path, capsys):
    weights = run(tunes, tmp_path / "run", 40)
    path = tmp_path / "models" / "tunes.onnx"
    assert ship.main(["biaxial", str(weights), str(path), "--test", str(tunes), "--cache", str(tmp_path)]) == 0
    card = read_card(path)
    assert card.name == "biaxial-tunes"
    assert card.training["data"][0]["name"] == "poly_splits/Tunes"
    assert card.figures["test_steps"] == 48
    # the same tune is in both splits: measured by PyTorch while training, by the graph when shipped
    assert card.figures["test_nats_per_step"] == pytest.approx(card.figures["valid_nats_per_step"], abs=1e-3)
    assert path.with_suffix(".safetensors").read_bytes() == weights.read_bytes()
    assert {layer: len(units) for layer, units in card.order.items()} == {0: 6, 1: 5, 2: 5, 3: 4}
    assert (card.model_extra or {})["picture"] == "tunes.png"
    assert (tmp_path / "models" / "tunes.png").read_bytes().startswith(b"\x89PNG")
    report = tmp_path / "figures.json"
    assert evaluate.main([str(path), str(tunes), "--split", "test", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["nats_per_step"] == pytest.approx(card.figures["test_nats_per_step"], abs=1e-4)
    assert "biaxial-tunes" in capsys.readouterr().out


def test_the_weights_of_a_large_network_are_kept_in_half_precision_and_training_goes_on_from_them(tunes, tmp_path, monkeypatch):
    weights = run(tunes, tmp_path / "run", 10)
    monkeypatch.setattr(ship, "LARGEST_WEIGHTS_BYTES", 1000)
    half = tmp_path / "half.safetensors"
    ship.ship_weights(weights, half)
    assert half.stat().st_size < weights.stat().st_size
    (small, told), (large, whole) = train.read_tensors(half), train.read_tensors(weights)
    assert told == whole
    assert small.keys() == large.keys()
    assert all(np.allclose(small[k], large[k], rtol=1e-3, atol=1e-6) for k in small)
    again = train.read_tensors(run(tunes, tmp_path / "on", 10, "--from", str(half)))[0]
    assert all(str(v.dtype) == "torch.float32" for v in again.values())


def test_training_learns_the_tune(tunes, tmp_path):
    run(tunes, tmp_path / "run", 60)
    rows = (tmp_path / "run" / "history.csv").read_text().split()[1:]
    first, last = (float(rows[i].split(",")[3]) for i in (0, -1))
    assert last < first - 1  # still warming up, and already a nat better


def test_a_wrong_weights_file_is_refused(tmp_path, capsys):
    (tmp_path / "best.safetensors").write_bytes(b"nothing")
    assert ship.main(["biaxial", str(tmp_path / "best.safetensors"), str(tmp_path / "x.onnx")]) == 2
    assert "not a checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "x.onnx").exists()
