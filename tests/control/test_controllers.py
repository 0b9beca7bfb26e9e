"""Soft takeover, encoders, and the file of what was learned; what controls do is in tests/audio/test_controls.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.takeover import HOLD_S, NEAR, Takeover, clicks
from engine.core.config import load
from engine.core.controllers import Place, keep, parse, read, with_learned

shares = st.integers(0, 127).map(lambda value: value / 127)


@given(st.lists(shares, min_size=1, max_size=60), shares)
def test_a_control_that_comes_slowly_never_makes_its_parameter_jump(positions: list[float], current: float) -> None:
    takeover, before = Takeover(), None
    for number, share in enumerate(positions):
        accepted = takeover.accepts(share, current, number * 1.0, has_it=True)
        if before is None:
            assert not accepted
        elif accepted:  # it has been here on its way, or is near
            assert abs(share - current) <= abs(share - before) + NEAR + 1e-9
            current = share
        else:
            assert (share - current) * (before - current) > 0
            assert min(abs(share - current), abs(before - current)) > NEAR
        before = share


def test_what_follows_within_50_ms_is_taken_and_later_it_is_not() -> None:
    assert Takeover(before=0.9, taken_s=1.0).accepts(0.8, 0.2, 1.0 + HOLD_S - 0.01, has_it=True)
    assert not Takeover(before=0.9, taken_s=1.0).accepts(0.8, 0.2, 1.01 + HOLD_S, has_it=True)
    assert not Takeover(before=0.9, taken_s=1.0).accepts(0.8, 0.2, 1.04, has_it=False)  # somebody else moved it meanwhile


@given(st.integers(-63, 63))
def test_encoders_count_alike_in_every_encoding(count: int) -> None:
    assert clicks("twos", count % 128) == count
    assert clicks("offset", 64 + count) == count
    assert clicks("sign", count if count >= 0 else 64 - count) == count
    assert [clicks("inc", value) for value in (1, 127, 0, 64)] == [1, -1, 0, 0]


ports = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
places = st.builds(Place, ports, st.integers(1, 16), st.sampled_from(["cc", "note"]), st.integers(1, 60))


@given(st.lists(st.tuples(places, st.sampled_from(["lead.level", "panic"]), st.booleans()), min_size=1, max_size=8))
def test_what_is_learned_is_read_again_whatever_the_port_is_called(learned: list[tuple[Place, str, bool]]) -> None:
    text, wanted = "# mine\n", {}
    for place, parameter, takeover in learned:
        text = with_learned(text, place, parameter, takeover)
        wanted[place] = (parameter, takeover or None)
    found, faults = parse(text, "it")
    assert not faults
    assert {place: (parameter, controller.takeover) for place, (parameter, controller) in found.items()} == wanted
    assert text.startswith("# mine\n")


def test_all_faults_of_a_file_are_told_at_once_with_their_lines() -> None:
    text = """# mine
["Keys".1]
"cc 20" = {parameter = "lead.level"}
"cc 64" = {parameter = "lead.level"}
"cc 21" = {parameter = "lead.level", min = 3, max = 2}

["Keys".17]
"cc 20" = {parameter = "lead.level"}

["Pads".10]
"note 200" = {parameter = "panic"}
"note 36" = {paramter = "panic"}
"bend" = {parameter = "tempo", curve = "steep"}
"""
    found, faults = parse(text, "c.toml")
    assert list(found) == [Place("Keys", 1, "cc", 20)]
    assert [int(fault.split("line ")[1].split(":")[0]) for fault in faults] == [4, 5, 8, 11, 12, 13]
    assert parse("[", "c.toml")[1][0].startswith("c.toml: is not TOML")


@given(st.text(st.sampled_from('[]{}="\n.1 abcnote#'), max_size=60))
def test_any_text_is_read(text: str) -> None:
    parse(text, "c.toml")


def test_a_line_that_stands_there_is_written_over_and_what_people_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "controllers.toml"
    path.write_text(
        '# mine\n[Keys.1]  # the old one\n"cc 20" = {parameter = "tempo", invert = true}\nbend = {parameter = "density"}\n'
    )
    keep(path, Place("Keys", 1, "cc", 20), "lead.level", True)
    keep(path, Place("Keys", 1, "note", 36), "panic", False)
    assert path.read_text().splitlines() == [
        "# mine",
        "[Keys.1]  # the old one",
        '"note 36" = {parameter = "panic"}',
        '"cc 20" = {parameter = "lead.level", takeover = true}',
        'bend = {parameter = "density"}',
    ]
    assert len(read(path)[0]) == 3


def test_the_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[audio]\nblock = 128\n")
    assert load(path).midi.controllers == tmp_path / "controllers.toml"
    path.write_text('[midi]\ncontrollers = "mine.toml"\n')
    assert load(path).midi.controllers == tmp_path / "mine.toml"


@pytest.mark.parametrize(
    "setting", ["{cc=1, note=2}", "{note=1, fine=true}", '{note=1, relative="twos"}', "{cc=1, min=2, max=1}"]
)
def test_a_control_that_cannot_be_is_a_fault(setting: str) -> None:
    with pytest.raises(Exception, match=r"midi\.cc"):
        load(None, [f'midi.cc={{"tempo"={setting}}}'])
