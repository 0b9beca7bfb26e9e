"""Scenes written into a file that people write in too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.scene_file import keep, state_text, with_scene
from engine.core.scene import Scene, State, parse

BY_HAND = """# hello
# mine
[[scene]]
name = "A" # x
bars = 4
parameters.tempo = 100 # slow
parameters.lead.level = 0.1

[[scene]]
name = "B"
[scene.parameters]
tempo = 3
[scene.parameters.lead]
level = 0.4 # w
"""
VALUES = st.dictionaries(
    st.sampled_from(["tempo", "mode", "lead.level", "lead.pan", "bass.zam.ratio", "swing", "bass.level", "lead.cutoff"]),
    st.floats(-1e6, 1e6, allow_nan=False) | st.booleans() | st.text(max_size=8).filter(str.isprintable),
)


def test_the_first_scene_makes_the_file_and_the_next_is_put_behind_it(tmp_path: Path):
    path = tmp_path / "deeper" / "set.toml"
    assert keep(path, 1, Scene(name="One", network="festival", chart="", parameters={"tempo": 120.0}), "Night") == ""
    keep(path, 3, Scene(name="Three", patches={"lead": "glass"}))
    found, faults = parse(path.read_text(), "")
    assert faults == []
    assert found.name == "Night"
    assert [scene.name for scene in found.scene] == ["One", "Scene 2", "Three"]
    assert found.scene[0].chart == ""
    assert path.read_text().startswith("# A set")


def test_what_people_wrote_stays():
    written = with_scene(BY_HAND, 1, Scene(name="A", parameters={"tempo": 90.0, "lead.level": 0.5, "lead.pan": -1.0}))
    written = with_scene(
        written, 2, Scene(name="B", parameters={"tempo": 5.0, "lead.level": 0.6, "lead.pan": 0.2, "swing": 0.1})
    )
    for remark in ("# hello", "# mine", '"A" # x', "= 90.0 # slow", "= 0.6 # w", "bars = 4"):
        assert remark in written
    scenes = parse(written, "")[0].scene
    assert scenes[0].parameters == {"tempo": 90.0, "lead.level": 0.5, "lead.pan": -1.0}
    assert scenes[1].parameters == {"tempo": 5.0, "lead.level": 0.6, "lead.pan": 0.2, "swing": 0.1}


@given(VALUES, VALUES, st.sampled_from(["", BY_HAND]), st.integers(1, 4))
def test_what_is_kept_is_what_is_read_however_often_it_is_written_over(first, second, text: str, number: int):
    for values in (first, second):
        text = with_scene(text, number, Scene(name="X", parameters=values))
        found = parse(text, "")[0].scene[number - 1].parameters
        assert {key: found[key] for key in values} == values


def test_a_file_with_faults_is_not_written_over(tmp_path: Path):
    path = tmp_path / "set.toml"
    path.write_text("format = 1\n[[scene]]\nnam = 3\n")
    with pytest.raises(ValueError, match="there is no such key"):
        keep(path, 1, Scene(name="One"))
    assert path.read_text() == "format = 1\n[[scene]]\nnam = 3\n"


def test_how_a_jam_stands_is_a_scene_that_knows_its_set(tmp_path: Path):
    scene = Scene(name="Lift", network="festival", chart="| C |", patches={"lead": "glass"}, parameters={"lead.level": 0.5})
    state, faults = parse(state_text(scene, tmp_path / "night.toml", 2), "", tmp_path, State)
    assert faults == []
    assert isinstance(state, State)
    assert (state.set, state.number, state.scene) == (str(tmp_path / "night.toml"), 2, (scene,))
