"""What is said of the networks that are here."""

import json

import pytest

from engine.app.catalogue import shipped, show
from engine.cli import main
from engine.core.errors import ConfigError, NetworkError
from tests import tiny


def test_every_shipped_network_says_title_size_data_with_licences_figures_controls_and_picture():
    lines = show(None, as_json=False)
    starts = [n for n, line in enumerate(lines) if not line.startswith(" ")]
    assert len(starts) == len(shipped())
    for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        said = "\n".join(lines[begin:end])
        for wanted in (" MB", "trained on ", "valid nats per step: ", "controls: temperature", "picture: "):
            assert wanted in said, said
        assert "not stated)" not in said


@pytest.mark.parametrize("name", [path.stem for path in shipped()])
def test_a_whole_card_can_be_read(name):
    said = "\n".join(show(name, as_json=False))
    for heading in ("Tracks", "Controls", "Layers", "Training", "Figures"):
        assert f"\n{heading}\n" in said
    assert "algoritmo train" in said
    assert "its units are in order" in said
    assert "{" not in said


def test_any_file_that_keeps_the_contract_can_be_asked_for(tmp_path):
    path = tiny.write(tmp_path / "own.onnx", title="My own", training={"data": [{"name": "songs", "licence": "mine"}]})
    said = "\n".join(show(str(path), as_json=False))
    assert said.startswith("My own (")
    assert "songs (mine)" in said
    assert "drums: drums, 2 pitches from 36 to 38" in said
    assert "temperature: 0.1 to 2, neutral 1" in said
    assert "picture" not in said
    (found,) = json.loads("\n".join(show(str(path), as_json=True))).values()
    assert found["bytes"] == path.stat().st_size
    assert found["title"] == "My own"


def test_what_is_not_here_is_named(tmp_path, capsys):
    with pytest.raises(ConfigError, match="no network 'nothing' is shipped; there are: "):
        show("nothing", as_json=False)
    with pytest.raises(NetworkError, match="cannot be read"):
        show(str(tmp_path / "none.onnx"), as_json=False)
    assert main(["models", "nothing"]) == 2
    assert "there are: " in capsys.readouterr().err
    assert main(["models", "chords"]) == 0
    assert "Chord network" in capsys.readouterr().out
