"""The knobs of patches, known without running them."""

from __future__ import annotations

import pytest

from engine.core.knobs import FOLDER, knobs_of


def test_the_knobs_of_all_shipped_patches_are_known():
    knobs = knobs_of()
    assert knobs.complete
    assert {"cutoff", "room", "resonance"} <= knobs.names
    assert not knobs.may_have("cutof")


def test_every_shipped_patch_has_just_the_knobs_that_are_known():
    from engine.audio.library import available, load

    loaded = {param.name for name in available(FOLDER) for param in load(name, FOLDER).params}
    assert loaded <= knobs_of().names


def test_a_patch_elsewhere_counts_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('class Mine(patch.Patch):\n    params = (patch.Param(name="shimmer", minimum=0, maximum=1, default=0),)\n')
    assert knobs_of(["glass", str(path)], tmp_path / "none").names == {"shimmer"}


@pytest.mark.parametrize(
    "text", ["def broken(:\n", "x = [Param(n, 0, 1, 0) for n in 'ab']\n", "x = Param(**given)\n", "\0", "\xff"]
)
def test_what_cannot_be_known_may_be_anything(tmp_path, text):
    (tmp_path / "odd.py").write_bytes(text.encode("latin-1"))
    knobs = knobs_of(folder=tmp_path)
    assert not knobs.complete
    assert knobs.may_have("anything")
