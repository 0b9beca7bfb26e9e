"""Scenes as TOML: what is read, and how what is wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.scene import SETS, Scene, find, is_of_sound, parse, read, shipped

GOOD = """
format = 1
name = "Night"

[[scene]]
name = "Opening"
network = "festival"
chart = "| Am | F |"
patches.lead = "glass"
parameters.tempo = 118
parameters.lead.level = 0.7

[[scene]]
name = "Lift"
bars = 4
[scene.patches]
bass = "own.py"
[scene.parameters]
"lead.level" = 0.5
mode = "solo"
"""


def test_a_set_is_read_with_its_scenes_in_order(tmp_path: Path):
    found, faults = parse(GOOD, "night.toml", tmp_path)
    assert faults == []
    assert [scene.name for scene in found.scene] == ["Opening", "Lift"]
    assert found.scene[0].parameters == {"tempo": 118, "lead.level": 0.7}
    assert found.scene[1] == Scene(
        name="Lift", bars=4, patches={"bass": f"{tmp_path}/own.py"}, parameters={"lead.level": 0.5, "mode": "solo"}
    )
    assert found.scene[1].chart is None  # stays as it is; "" would be: by ear


def test_all_faults_are_told_at_once_with_their_lines_and_the_rest_is_there():
    text = """format = 1
[[scene]]
name = "A"
netwrk = "x"
[scene.parameters]
tempo = 3
lead.level = [3]

[[scene]]
patches.lead = 5
name = 7
"""
    found, faults = parse(text, "set.toml")
    assert sorted(faults) == [
        "set.toml: line 10: scene.2.patches.lead: should be a valid string (it is 5)",
        "set.toml: line 11: scene.2.name: should be a valid string (it is 7)",
        "set.toml: line 4: scene.1.netwrk: there is no such key; did you mean network?",
        "set.toml: line 7: scene.1.parameters.lead.level: give a number, a word, true or false (it is [3])",
    ]
    assert [(scene.name, scene.parameters) for scene in found.scene] == [("A", {"tempo": 3}), ("Scene 2", {})]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n\nformat = 2", "line 3: format 2: this version reads 1; update algoritmo"),
        ("format = 'old'", "line 1: format 'old': this version reads 1; write format = 1"),
        ("format = 1\n[[scene]\n", "is not TOML"),
        ("[[scene]]\nchart = ''", "line 1: scene.1.name: is missing; write it"),
        ("scene = 3", "line 1: scene: "),
    ],
)
def test_what_cannot_be_read_says_what_to_do(text: str, told: str):
    _, faults = parse(text, "x.toml")
    assert len(faults) == 1
    assert told in faults[0]


def test_a_file_that_is_not_there_has_no_scene_and_one_that_is_too_large_is_not_read(tmp_path: Path):
    assert read(tmp_path / "none.toml") == (type(parse("", "")[0])(), [])
    (tmp_path / "large.toml").write_text("# " + "x" * 4_000_001)
    assert "larger" in read(tmp_path / "large.toml")[1][0]
    (tmp_path / "bytes.toml").write_bytes(b"name = '\xff'")
    assert "cannot be read" in read(tmp_path / "bytes.toml")[1][0]


def test_the_audio_process_turns_what_is_heard_and_the_network_what_it_chooses_by():
    assert all(map(is_of_sound, ("tempo", "metre", "lead.level", "player.level", "bass.patch", "pad.send1")))
    assert not any(map(is_of_sound, ("temperature", "mode", "lead.punch", "swing", "bass.register")))


def test_a_set_is_found_by_its_name_or_its_path(tmp_path: Path):
    assert find(str(tmp_path / "own.toml")) == tmp_path / "own.toml"
    for name in shipped():
        assert find(name) == SETS / f"{name}.toml"
