"""`algoritmo patches`: what is there and what can be turned, read without any sound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.app.instruments import show
from engine.audio.library import available, load
from engine.core.config import Config
from engine.core.errors import PatchError


def test_every_patch_is_listed_with_all_its_knobs() -> None:
    found = json.loads("\n".join(show(None, as_json=True)))
    assert set(found) == set(available())
    for name, told in found.items():
        patch = load(name)
        assert told["polyphony"] == patch.polyphony
        assert (patch.__doc__ or "").startswith(told["doc"])
        assert told["doc"]
        assert [knob["id"] for knob in told["knobs"]] == [param.name for param in patch.params]
        for knob, param in zip(told["knobs"], patch.params, strict=True):
            assert (knob["min"], knob["max"], knob["default"], knob["unit"]) == (
                param.minimum,
                param.maximum,
                param.default,
                param.unit,
            )


def test_one_is_told_alone_for_people() -> None:
    lines = show("lead", as_json=False)
    assert lines[0].startswith("lead: Singing lead")
    assert any("cutoff: 100 to 8000 Hz, 500 at first" in line for line in lines)


def test_one_that_cannot_be_loaded_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("def (")
    with pytest.raises(PatchError, match=r"odd\.py:1"):
        show(str(tmp_path / "odd.py"), as_json=False)


def test_player_and_chords_do_not_share_a_sound_by_default() -> None:
    patches = Config().patches
    assert patches["player"] != patches["chords"]
    assert set(patches.values()) <= set(available())
