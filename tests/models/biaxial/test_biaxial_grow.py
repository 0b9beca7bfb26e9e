"""A network that has been given memories finds music as likely as before, and can be trained on from there."""

import numpy as np
import pytest
import torch

from models.biaxial import grow, recipe
from models.music.representation import ONSET
from models.training.train import load_trained, write_tensors

SMALL = {"low": 45, "high": 68, "time_sizes": [6, 5], "note_sizes": [5, 4]}


@pytest.mark.parametrize("articulates", [True, False])
def test_nothing_changes_until_it_is_trained(tmp_path, capsys, articulates):
    torch.manual_seed(0)
    config = {**recipe.DEFAULTS, **SMALL, "articulates": articulates}
    network = recipe.build(config)
    old, new = tmp_path / "old.safetensors", tmp_path / "runs" / "new.safetensors"
    write_tensors(old, {f"model.{k}": v for k, v in network.state_dict().items()}, {"network": "biaxial", "config": config})
    assert grow.main([str(old), str(new), "--recall", "0.9", "0.99"]) == 0
    wider, found, _ = load_trained(recipe, new)
    assert found["recall"] == [0.9, 0.99]
    roll = (np.random.default_rng(0).random((40, 24)) < 0.1).astype(np.uint8) * ONSET
    batch = recipe._tensors([(np.zeros_like(roll[0]), roll)], articulates)
    with torch.no_grad():
        before, after = (recipe.loss(model.eval(), batch, {})[0] for model in (network, wider))
    assert float(after) == pytest.approx(float(before), rel=1e-6)
    loss, _, _ = recipe.loss(wider.train(), {**batch, "recalled": torch.zeros(1, 24)}, {})
    loss.backward()
    assert wider.time_layers[0].weight_ih_l0.grad[:, -28:-4].abs().sum() > 0
    assert grow.main([str(new), str(new), "--recall", "0.5"]) == 2
    assert "has memories already" in capsys.readouterr().err
