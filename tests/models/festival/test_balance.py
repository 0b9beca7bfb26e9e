"""A track is made busier for good: which decisions that moves, by how much, and what the file says of itself."""

import numpy as np
import pytest
import torch

from engine.core.contract import read_card
from models.festival import balance
from models.festival.network import DECISIONS, SLOTS, WIDTHS
from models.graph.building import open_session, random_inputs
from models.training.train import TrainingError, main, read_tensors
from tests.models.festival.test_festival import song_folder

PAD = slice(sum(WIDTHS[:3]), sum(WIDTHS[:4]))


def test_the_strikes_of_a_track_and_nothing_else():
    weights = {balance.BIAS: torch.zeros(DECISIONS), "other": torch.ones(3)}
    found = balance.balanced(weights, {"pad": 0.15, "drums": -1.0})
    wanted = torch.zeros(DECISIONS)
    wanted[PAD], wanted[: WIDTHS[0]] = 0.15, -1.0
    assert torch.equal(found[balance.BIAS], wanted)
    assert torch.equal(weights[balance.BIAS], torch.zeros(DECISIONS))
    assert found["other"] is weights["other"]
    with pytest.raises(TrainingError, match="no flute; the tracks are drums, bass"):
        balance.balanced(weights, {"flute": 1.0})


def test_a_run_becomes_another_whose_pad_is_likelier_by_that(tmp_path, capsys):
    songs, run, out = song_folder(tmp_path / "songs"), tmp_path / "run", tmp_path / "balanced"
    small = [part for s in ("width=10", "layers=2", "head=24", "window=16") for part in ("--set", s)]
    common = ["--data", str(songs), "--cache", str(tmp_path / "cache")]
    training = ["--updates", "2", "--valid-every", "2", "--device", "cpu", "--out", str(run)]
    assert main(["festival", *common, *training, *small]) == 0
    weights = str(run / "best.safetensors")
    assert balance.main([weights, "--by", "pad=0.7", *common, "--out", str(out)]) == 0
    assert "nats/step on the validation split" in capsys.readouterr().out
    _, meta = read_tensors(out / "best.safetensors")
    assert meta["command"].startswith("python -m models.festival.balance")
    assert [b["command"].split()[1] for b in meta["before"]] == ["train"]

    feed = random_inputs(read_card(out / "festival.onnx"), 4, np.random.default_rng(0))
    feed["clamp_mask"][...], feed["temperature"][...], feed["density"][...] = 1, 1, 1  # what it is told is the same in both
    names = [o.name for o in open_session(out / "festival.onnx").get_outputs()]
    before, after = (
        dict(zip(names, open_session(folder / "festival.onnx").run(None, feed), strict=True))["probability"][..., 0]
        for folder in (run, out)
    )
    moved = np.log(after / (1 - after)) - np.log(before / (1 - before))
    wanted = np.zeros(SLOTS)
    wanted[PAD] = 0.7
    np.testing.assert_allclose(moved, np.broadcast_to(wanted, moved.shape), atol=2e-3)
    assert balance.main([weights, "--by", "flute=1", *common, "--out", str(out)]) == 2
    assert "flute" in capsys.readouterr().err


@pytest.mark.parametrize("amount", ["pad", "pad=", "pad=more", "pad=nan", "pad=inf"])
def test_what_is_no_amount_is_named_with_an_example(amount, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        balance.main(["weights", "--by", amount, "--data", str(tmp_path), "--out", str(tmp_path)])
    assert f"'{amount}': give a track and a number, such as pad=0.15" in capsys.readouterr().err
