"""What was measured goes into the card, and what is no report is refused."""

import json
import shutil

from engine.core.contract import read_card
from models.release import figures


def test_reports_stand_in_the_card_under_their_names(tiny_onnx, tmp_path, capsys):
    path, report = tmp_path / "net.onnx", tmp_path / "melody.json"
    shutil.copyfile(tiny_onnx, path)
    follow = {"takes": 1, "seeds": [1], "figures": {"bass_root": {"network": 0.123456, "data": None}}, "per_take": [{}]}
    report.write_text(json.dumps({"network": "net", "follow": follow}))
    before = read_card(path).figures
    assert figures.main([str(path), f"melody={report}"]) == 0
    assert figures.main([str(path), f"chords={report}"]) == 0
    found = read_card(path).figures
    kept = {"takes": 1, "seeds": [1], "figures": {"bass_root": {"network": 0.1235, "data": None}}}
    assert found == {**before, "follow": {"melody": kept, "chords": kept}}
    report.write_text("{}")
    assert figures.main([str(path), f"melody={report}"]) == 2
    assert "is no report of `algoritmo evaluate --follow --json`" in capsys.readouterr().err
