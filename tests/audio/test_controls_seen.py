"""What is told of controls: where they stand, what devices send back, maps from files, and floods."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.control.status import standing
from engine.core.link import Writer
from engine.core.parameters import LEARN_PLACE
from engine.midi.inputs import MOST_AT_ONCE, PortInput
from tests.audio.conftest import Bench
from tests.audio.test_controls import level, play

Build = Callable[..., Bench]


def test_how_far_a_control_is_from_its_parameter_is_told_until_it_has_come(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=true}}')
    stage.live.set("lead.level", 60 / 127)
    for value in (10, 30):
        play(stage, "a", 0xB0, 20, value)
    assert standing(stage.link)["lead.level"] == pytest.approx((30 / 127, 60 / 127), abs=1e-3)
    play(stage, "a", 0xB0, 20, 61)
    assert standing(stage.link) == {}


def test_a_control_that_waits_is_told_no_more_than_fifty_times_a_second(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=true}}')
    stage.live.set("lead.level", 1.0)
    for value in range(100):
        play(stage, "a", 0xB0, 20, value // 2, blocks=1)
    assert stage.link["takeover"].count <= 100 * 64 / 48000 / 0.02 + 3


def test_what_a_device_sends_back_of_what_it_was_shown_moves_nothing(bench: Build) -> None:
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=false}}')
    play(stage, "a", 0xB0, 20, 64)
    stage.live.set("lead.level", 0.7071)
    shown: Writer = stage.link.writer("shown")
    shown.push((time.perf_counter_ns(), 0xB0, 20, 90))
    play(stage, "a", 0xB0, 20, 90)
    assert stage.live.get("lead.level") == 0.7071, "the parameter keeps what no fader can say"
    play(stage, "a", 0xB0, 20, 91)
    assert level(stage) == 91, "a hand moves it"
    shown.push((time.perf_counter_ns() - 1_000_000_000, 0xB0, 20, 33))
    play(stage, "a", 0xB0, 20, 33)
    assert level(stage) == 33, "long ago"


def test_a_terminal_has_a_control_learned_by_the_place_of_its_parameter(bench: Build, tmp_path: Path) -> None:
    stage = bench(f'midi.controllers="{tmp_path / "learned.toml"}"')
    stage.live.set(LEARN_PLACE, 1 + stage.live.registry.place("lead.level"))
    play(stage, "a", 0xB0, 33, 64)
    for value in (100, 110):
        play(stage, "a", 0xB0, 33, value)
    play(stage, "a", 0xB0, 33, round(stage.live.get("lead.level") * 127))
    play(stage, "a", 0xB0, 33, 90)
    assert "cc 33" in (tmp_path / "learned.toml").read_text()


def test_a_map_moves_what_it_says_below_what_the_configuration_says(bench: Build, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[""."1"]\n"cc 20" = {parameter = "lead.level", takeover = false}\n"cc 21" = {parameter = "lead.level"}\n"cc x" = {}\n'
        '"cc 22" = {parameter = "temperature", curve = "steep"}\n'
    )
    stage = bench(f'midi.maps=["{tmp_path / "mine.toml"}"]', 'midi.cc={"bass.level"=21}')
    stage.live.set("bass.level", 0)
    play(stage, "a", 0xB0, 20, 77)
    play(stage, "a", 0xB0, 21, 55)
    assert level(stage) == 77
    assert level(stage, "bass") == 55
    told = [n["text"].decode() for n in stage.link["notices.audio"].reader(0).read()]
    assert any("line 4" in text and "no such control" in text for text in told), told
    assert any("line 5" in text and "curve" in text for text in told), told


def test_a_flood_is_taken_in_turns_and_nothing_of_it_is_lost(bench: Build) -> None:
    ports = PortInput()
    ports.arrivals.extend((0, "a", (0xB0, 20, n % 128)) for n in range(8000))
    values = []
    for _ in range(8000 // MOST_AT_ONCE + 1):
        found = ports.due(0, 64)
        assert len(found) <= MOST_AT_ONCE
        values += [int(message.value) for message in found]
    assert values == [n % 128 for n in range(8000)]
    stage = bench('midi.cc={"lead.level"={cc=20, takeover=false}}')
    rng = np.random.default_rng(1)
    for _ in range(750):  # a second at 10,000 messages
        stage.engine.player.ports.arrivals.extend((0, "a", (0xB0, 20, int(v))) for v in rng.integers(0, 128, 13))
        stage.blocks(1)
    play(stage, "a", 0xB0, 20, 7)
    assert level(stage) == 7


def test_a_megabyte_of_system_exclusive_is_not_even_looked_at() -> None:
    from collections import deque

    from engine.midi.ports import inputs

    class Port:
        def ignore_types(self, **_types: bool) -> None: ...

        def set_callback(self, callback: Callable[..., None]) -> None:
            self.callback = callback

        def open_virtual_port(self, _name: str) -> None: ...

        def get_ports(self) -> list[str]:
            return []

    port, arrivals = Port(), deque()
    inputs(["virtual"], lambda: port, lambda *_: None, arrivals).open()
    port.callback(([0xF0, *[1] * 1_000_000, 0xF7], 0.0))
    port.callback(([0x90, 60, 100], 0.0))
    assert [data for _, _, data in arrivals] == [[0x90, 60, 100]]
