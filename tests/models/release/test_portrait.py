"""A shipped file's card is completed in place: order, picture, and nothing else changed."""

import shutil

from engine.core.contract import read_card
from models.graph.playing import open_network
from models.release.portrait import SHOWN_BARS, main, solo_moment
from tests.models.evaluation.test_evaluate import write_song


def test_order_and_picture_are_added_and_the_rest_stays(tiny_onnx, tmp_path, capsys):
    path = tmp_path / "own.onnx"
    shutil.copyfile(tiny_onnx, path)
    write_song(tmp_path / "a.mid", {"bass": [40, 43], "lead": [60, 64, 67]})
    before = read_card(path)
    assert main([str(path), str(tmp_path / "a.mid"), "--cache", str(tmp_path / "cache")]) == 0
    card = read_card(path)
    assert sorted(card.order[0]) == [0, 1, 2, 3]
    assert (card.model_extra or {})["picture"] == "own.png"
    assert (tmp_path / "own.png").read_bytes().startswith(b"\x89PNG")
    changed = {"order", "picture"}
    assert card.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    first = (path.read_bytes(), (tmp_path / "own.png").read_bytes())
    assert main([str(path), str(tmp_path / "a.mid"), "--cache", str(tmp_path / "cache")]) == 0
    assert (path.read_bytes(), (tmp_path / "own.png").read_bytes()) == first
    assert main([str(path), str(tmp_path / "none.mid")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_picture_ends_where_it_played_most(tiny_onnx):
    graph = open_network(tiny_onnx)
    moment = solo_moment(graph)
    assert len(moment.steps) == SHOWN_BARS * graph.card.steps_per_bar
    assert (moment.steps["h0_next"] != 0).any()
    assert moment.steps["notes"][-1, :, 0].sum() > 0
