"""Controls of MIDI devices, from their bytes to what they move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.control.commands import Commands
from engine.core.controllers import read
from tests.audio.conftest import Bench, sounding

Build = Callable[..., Bench]


def play(stage: Bench, port: str, *data: int, blocks: int = 80) -> None:
    """Send bytes; then more than 50 ms go by."""
    stage.engine.player.ports.arrivals.append((0, port, data))
    stage.blocks(blocks)


def arm(stage: Bench, parameter: str) -> None:
    assert Commands(stage.live, stage.link).do("learn", parameter).is_done


def level(stage: Bench, of: str = "lead") -> int:
    return round(stage.live.get(f"{of}.level") * 127)


def test_a_fader_with_takeover_waits_until_it_has_come_to_its_parameter(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=true}}')
    stage.live.set("lead.level", 60 / 127)
    for value, found in ((10, 60), (30, 60), (58, 58), (57, 57)):
        play(stage, "a", 0xB0, 20, value)
        assert level(stage) == found
    stage.live.set("lead.level", 20 / 127)  # from the page
    for value, found in ((56, 20), (40, 20), (10, 10)):
        play(stage, "a", 0xB0, 20, value)
        assert level(stage) == found


def test_of_two_controls_of_one_parameter_the_last_wins_and_nothing_jumps(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"=20}')
    for value in (10, 20, 30):
        play(stage, "a", 0xB0, 20, value, blocks=2)
        assert level(stage) == value
    before = level(stage)
    for value in range(120, 40, -4):  # another keyboard's fader comes down while the first one trembles
        play(stage, "b", 0xB0, 20, value, blocks=1)
        play(stage, "a", 0xB0, 20, 30 + value % 8 // 4, blocks=1)
        assert abs(level(stage) - before) <= 7
        before = level(stage)
    for value in (40, 36, 31, 27, 20):
        play(stage, "b", 0xB0, 20, value)
    assert level(stage) == 20
    play(stage, "b", 0xB0, 20, 90)
    assert level(stage) == 90  # it has it now, and is as free as one that is alone


@pytest.mark.parametrize(("encoding", "up", "down"), [("twos", 1, 127), ("offset", 65, 63), ("sign", 1, 65), ("inc", 1, 127)])
def test_encoders_turn_from_where_the_parameter_is(bench: Build, encoding: str, up: int, down: int) -> None:
    stage = bench(
        f'midi.cc={{"lead.level"={{cc=20, relative="{encoding}", step=0.1}}, "mode"={{cc=21, relative="{encoding}"}}}}'
    )
    stage.live.set("lead.level", 0.5)
    stage.live.set("mode", 0)
    play(stage, "a", 0xB0, 20, up, 20, up, 20, up, 20, down, 21, up)
    assert stage.live.get("lead.level") == pytest.approx(0.7)
    assert stage.live.get("mode") == 1
    play(stage, "a", 0xB0, *(20, up) * 20)
    assert stage.live.get("lead.level") == 1


def test_range_inversion_and_curve(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, min=0.2, max=0.6, invert=true, curve="slow"}}')
    for value, found in ((0, 0.6), (127, 0.2), (64, 0.2 + 0.4 * (63 / 127) ** 2)):
        play(stage, "a", 0xB0, 20, value)
        assert stage.live.get("lead.level") == pytest.approx(found)


def test_fourteen_bits_nrpn_and_the_wheel(bench: Build) -> None:
    stage = bench(
        'midi.cc={"lead.level"={cc=20, fine=true}, "bass.level"={nrpn=300}, "drums.level"={nrpn=301, fine=true}, '
        '"player.level"={bend=true, channel=2}}'
    )
    play(stage, "a", 0xB0, 20, 64, 52, 3)
    assert stage.live.get("lead.level") == pytest.approx((64 * 128 + 3) / 16383)
    play(stage, "a", 0xB0, 99, 2, 98, 44, 6, 127)
    assert stage.live.get("bass.level") == 1
    play(stage, "a", 0xB0, 98, 45, 6, 1, 38, 2)
    assert stage.live.get("drums.level") == pytest.approx(130 / 16383)
    play(stage, "a", 0xB0, 101, 0, 100, 0, 6, 12)  # data entry of something else
    assert stage.live.get("bass.level") == 1
    play(stage, "a", 0xE1, 0, 64)
    assert stage.live.get("player.level") == pytest.approx(0.5, abs=0.001)


def test_a_key_and_a_program_pull_flip_and_go_on_and_are_not_played(bench: Build) -> None:
    stage = bench('midi.cc={"reset"={note=36}, "lead.mute"={note=37}, "mode"={program=5}}')
    stage.live.set("mode", 0)
    play(stage, "pads", 0x90, 36, 100, 0x80, 36, 0, 0x90, 37, 100, 37, 0, 0xC0, 5, 6)
    assert (stage.live.get("reset"), stage.live.get("lead.mute"), stage.live.get("mode")) == (1, 1, 1)
    assert not len(stage.events())
    play(stage, "pads", 0x90, 37, 100)
    assert stage.live.get("lead.mute") == 0


def test_a_control_is_learned_by_moving_it_and_kept(bench: Build, tmp_path: Path) -> None:
    file = tmp_path / "controllers.toml"
    stage = bench(f"midi.controllers={file}", 'midi.cc={"density"=20}')
    stage.live.set("lead.level", 30 / 127)
    density = stage.live.get("density")
    arm(stage, "lead.level")
    play(stage, "nano 24:0", 0x90, 60, 100, 0x80, 60, 0, 0xB0, 64, 0, 20, 100)  # what is played is not learned
    assert "learned: cc 20 of nano, channel 1 moves lead.level and density no more" in stage.notices()
    told = stage.link["learned"].latest()
    assert told is not None
    assert told.tolist() == (b"lead.level", b"nano", 1, b"cc 20", b"density")
    assert sounding(stage.events()) == set()
    play(stage, "nano 24:0", 0xB0, 20, 90)
    assert level(stage) == 30
    play(stage, "nano 24:0", 0xB0, 20, 29)
    assert level(stage) == 29
    assert stage.live.get("density") == density
    arm(stage, "reset")
    play(stage, "nano 24:0", 0x90, 36, 100, 0x80, 36, 0)
    assert stage.live.get("reset") == 0
    play(stage, "nano 24:0", 0x90, 36, 100, 0x80, 36, 0)
    assert stage.live.get("reset") == 1
    stage.engine.close()
    again = bench(f"midi.controllers={file}")
    play(again, "nano 28:0", 0x90, 36, 100)  # plugged in elsewhere
    assert again.live.get("reset") == 1
    assert [parameter for parameter, _ in read(file)[0].values()] == ["reset", "lead.level"]


def test_learning_can_be_called_off(bench: Build, tmp_path: Path) -> None:
    stage = bench(f"midi.controllers={tmp_path / 'c.toml'}")
    for _ in range(100):  # more than there is room for
        arm(stage, "lead.level")
    arm(stage, "")
    play(stage, "a", 0xB0, 20, 100)
    assert not (tmp_path / "c.toml").exists()


def test_a_port_that_comes_back_may_stand_elsewhere(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=true}, "reset"={note=36}}')
    stage.live.set("lead.level", 60 / 127)
    play(stage, "a", 0x90, 36, 100, 0xB0, 20, 60, 20, 61)
    assert level(stage) == 61
    stage.engine.player.ports.arrivals.append((0, "a", None))
    play(stage, "a", 0xB0, 20, 90)
    assert level(stage) == 61
    play(stage, "a", 0x80, 36, 0, 0xB0, 20, 100)
    assert level(stage) == 61


def test_a_file_with_faults_is_told_and_the_rest_of_it_is_good(bench: Build, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[a.1]\n"cc 20" = {parameter = "lead.level"}\n"cc 64" = {parameter = "tempo"}\n')
    stage = bench(f"midi.controllers={file}")
    play(stage, "a", 0xB0, 20, 127)
    assert level(stage) == 127
    assert "line 3" in stage.notices()


def test_ten_thousand_messages_of_every_kind_do_no_harm(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, fine=true}, "tempo"={nrpn=1}, "reset"={program=1}, "density"={bend=true}}')
    for seed in range(10_000):
        status = (0xB0, 0x90, 0xC0, 0xE0)[seed % 4] | seed % 16
        data = (seed * 31 % 128, seed * 17 % 128)[: 1 if seed % 4 == 2 else 2]
        stage.engine.player.ports.arrivals.append((0, f"port {seed % 5}", (status, *data)))
        if seed % 1000 == 999:
            stage.blocks(2)
    assert 0 <= stage.live.get("lead.level") <= 1


def test_a_program_change_goes_straight_to_a_scene(bench: Build):
    stage = bench('midi.cc={"scene.go" = {program = 2, value = 3}}')
    stage.play(0xC0, 1)
    stage.blocks(1)
    assert stage.live.get("scene.go") == 0
    stage.play(0xC0, 2)
    stage.blocks(1)
    assert stage.live.get("scene.go") == 3
