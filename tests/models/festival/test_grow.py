"""A festival network of an earlier release is given what it lacks: it plays on as before, and can be trained on."""

import torch

from models.festival import grow, recipe
from models.festival.network import CHORDS, DECISIONS, GIVEN, HARMONY, HEARD, WISHES
from models.training.train import load_trained, write_tensors

SMALL = {**recipe.DEFAULTS, "width": 10, "layers": 2, "head": 24, "voicing": 3}
LATER = ("head.voicing", "head.likely", "chords")
META = {"command": "algoritmo train festival", "best_update": 7, "seconds": 9.4, "before": [{"command": "first"}], "seed": 1}


def test_it_says_what_it_said_before_and_remembers_where_it_comes_from(tmp_path):
    torch.manual_seed(1)
    model = recipe.build(SMALL).eval()  # the units of a new one say nothing either
    torch.nn.init.normal_(model.head.chosen_direct.weight)
    old, new = tmp_path / "old.safetensors", tmp_path / "runs" / "new.safetensors"
    weights = {f"model.{k}": v for k, v in model.state_dict().items() if not k.startswith(LATER)}
    weights["model.head.wish.weight"] = weights["model.head.wish.weight"][:, :1]
    write_tensors(old, weights, {**META, "config": SMALL})
    assert grow.main([str(old), str(new)]) == 0
    grown, config, meta = load_trained(recipe, new)
    told = [torch.randn(2, 10), torch.rand(2, HEARD), torch.rand(2, DECISIONS).round()]
    told += [torch.zeros(2, GIVEN), torch.zeros(2, HARMONY), torch.zeros(2, WISHES), torch.ones(2, CHORDS)]
    assert torch.equal(grown.head(*told)[0], model.head(*told)[0])
    assert config == SMALL
    assert [b["command"] for b in meta["before"]] == ["first", META["command"]]
    assert meta["command"].startswith("python -m models.festival.grow ")


def test_one_that_has_them_is_refused(tmp_path, capsys):
    weights = {f"model.{k}": v for k, v in recipe.build(SMALL).state_dict().items()}
    write_tensors(tmp_path / "old.safetensors", weights, {**META, "config": SMALL})
    assert grow.main([str(tmp_path / "old.safetensors"), str(tmp_path / "new.safetensors")]) == 2
    assert "lacks nothing" in capsys.readouterr().err
    assert grow.main([str(tmp_path / "none.safetensors"), str(tmp_path / "new.safetensors")]) == 2
    assert "is not a checkpoint" in capsys.readouterr().err
