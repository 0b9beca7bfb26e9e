"""Plugins that behave as none should: slow, talkative, restless, of another version; each costs its own sound at most."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio.host import Unit
from engine.core.messages import BLOCK
from engine.host.catalogue import Catalogue, scan_apart
from tests.audio.rack_rig import Rig, onsets
from tests.audio.rack_rig import rig as rig
from tests.host.conftest import fixtures as fixtures
from tests.host.screen import Screen
from tests.host.screen import screen as screen


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where scans are remembered."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def scanned(fixtures: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scan them before anything is asked of them: a scan loads each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    Catalogue().find(f"{fixtures}/odd.clap")


def insert(fixtures: Path, name: str, knobs: str = "") -> str:
    """How a configuration names one of the odd ones."""
    return f'{{effect="{fixtures}/odd.clap#odd.{name}", knobs={{{knobs}}}}}'


def unit_of(one: Rig, label: str) -> Unit:
    """The one of this label."""
    return next(unit for unit in one.engine.mixer.hosts.units if unit.label == label)


def sound(one: Rig, track: int = 1, latency: int = 0) -> float:
    """Play a note; return how loud it is, heard through `latency` frames more than a plugin's way there and back."""
    one.note(one.engine.frame + 64, 50, track=track, step=one.engine.frame)
    return float(np.abs(one.blocks(30 + latency // BLOCK)).max())


def test_a_slow_one_keeps_nobody_waiting(
    fixtures: Path, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("ODD_SLOW", str(tmp_path / "now"))
    one = rig(f"rack.inserts.lead=[{insert(fixtures, 'slow')}]", f"patches.bass={fixtures}/synth.clap")
    slow, quick = unit_of(one, "lead: Odd Slow"), unit_of(one, "bass: Fixture Synth")
    one.until(lambda: quick.is_loaded, "the other loaded in another process")
    assert slow.host is not quick.host
    one.blocks(40)
    one.note(one.engine.frame + 640, 50)
    assert onsets(one.blocks(30)) == [640 + BLOCK]
    assert slow.is_loading
    (tmp_path / "now").touch()
    one.until(lambda: slow.is_loaded, "the slow one, too")
    assert not slow.is_loading
    assert not any("hangs" in line or "ended" in line for line in one.told())


def test_one_that_is_slow_while_others_of_its_process_play(
    fixtures: Path, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("ODD_SLOW", str(tmp_path / "now"))
    monkeypatch.setattr("engine.audio.hosts.PATIENCE_S", 1000)
    both = f'[{{effect="{fixtures}/effect.clap", knobs={{gain=0.5}}}}, {insert(fixtures, "slow")}]'
    one = rig(f"rack.inserts.bass={both}")
    quick, slow = unit_of(one, "bass: Fixture Effect"), unit_of(one, "bass: Odd Slow")
    one.until(lambda: quick.is_loaded and slow.host.exchange.served == slow.slot, "the slow one begun")
    assert slow.host is quick.host
    assert min(sound(one) for _ in range(20)) > 0.01
    assert slow.is_loading
    (tmp_path / "now").touch()
    one.until(lambda: slow.is_loaded, "the slow one, too")
    assert not any("hangs" in line for line in one.told())


def test_one_that_never_loads_is_ended_and_left_out(
    fixtures: Path, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("ODD_SLOW", str(tmp_path / "never"))
    monkeypatch.setattr("engine.audio.hosts.LOAD_S", 2.5)
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.lead=[{insert(fixtures, 'slow')}]")
    slow, quick = unit_of(one, "lead: Odd Slow"), unit_of(one, "bass: Fixture Synth")
    one.until(lambda: slow.is_bypassed, "the slow one left out")
    assert any("lead: Odd Slow is not done after" in line for line in one.told())
    one.until(lambda: quick.is_loaded, "the other one there")
    one.blocks(40)
    assert sound(one) > 0.5


def test_ten_thousand_knobs_and_more(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.bass=[{insert(fixtures, 'many', 'knob_7=0.5')}]")
    one.wait_loaded(2)
    assert any("Odd Many is there; 4032 of its 4096 knobs are not live" in line for line in one.told())
    assert one.live.get("bass.odd_many.knob_7") == 0.5
    one.live.refresh()
    assert sum(p.id.startswith("bass.odd_many.") for p in one.live.registry.declared) == 65  # and its bypass
    assert sound(one) > 0.5


def test_names_that_are_there_twice(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"rack.inserts.bass=[{insert(fixtures, 'twin.1')}, {insert(fixtures, 'twin.2')}]")
    one.wait_loaded(2)
    one.live.refresh()
    ids = {p.id for p in one.live.registry.declared}
    assert {"bass.odd_twin.mix", "bass.odd_twin.mix_1", "bass.odd_twin2.mix", "bass.odd_twin2.mix_1"} <= ids
    one.set("bass.odd_twin2.mix_1", 0.75)
    one.blocks(10)
    first, second = (unit for unit in one.engine.mixer.hosts.units if unit.label == "bass: Odd Twin")
    assert (first.about.id, second.about.id) == ("odd.twin.1", "odd.twin.2")
    assert second.values == pytest.approx({"100": 0, "101": 0.75}, abs=1e-6)
    assert first.values.get("101", 0.0) == 0.0


def test_a_state_of_another_version_is_told_and_the_plugin_plays(
    fixtures: Path, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
):
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.bass=[{insert(fixtures, 'version')}]")
    one.wait_loaded(2)
    unit = unit_of(one, "bass: Odd Version")
    one.until(lambda: unit.state, "its state kept")
    monkeypatch.setenv("ODD_VERSION", "2")
    one.replace_waiting()
    os.kill(one.pid(), 9)
    one.until(lambda: any("refuses the state; it may be of another version" in line for line in one.told()), "the refusal")
    one.until(lambda: all(u.is_loaded for u in one.engine.mixer.hosts.units), "both back")
    one.blocks(40)
    assert sound(one) > 0.5


def test_a_talkative_one_fills_no_disk(
    fixtures: Path, rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("engine.audio.hosts.PATIENCE_S", 1000)  # all in one process
    four = ", ".join(insert(fixtures, "chatty") for _ in range(4))  # each says a megabyte and more as it begins
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.bass=[{four}]", session=tmp_path)
    one.wait_loaded(5)
    assert sound(one) > 0.5
    log = tmp_path / "log.txt"
    one.until(lambda: "left out" in log.read_text(errors="replace")[-200:], "the end of it told")
    size = log.stat().st_size
    one.blocks(500)
    assert log.stat().st_size == size < 16 << 20


def test_presets_are_a_choice_and_its_knobs_follow(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"rack.inserts.bass=[{insert(fixtures, 'presets')}]")
    one.wait_loaded(1)
    one.live.refresh()
    choice = one.live.registry["bass.odd_presets.preset"]
    assert choice.choices == ("-", "Half", "Quarter")
    one.set("bass.odd_presets.preset", 1)
    one.until(lambda: one.live.get("bass.odd_presets.mix") == 0.5, "the knob where the preset has it")


def test_one_that_opens_a_window_by_itself_and_offends_the_display(
    fixtures: Path, rig: Callable[..., Rig], screen: Screen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DISPLAY", screen.display)
    assert not scan_apart(fixtures / "odd.clap").fault
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.bass=[{insert(fixtures, 'window')}]")
    one.wait_loaded(2)
    assert sound(one) > 0.5
    assert not any(unit.crashes for unit in one.engine.mixer.hosts.units)


def test_one_whose_latency_and_buses_change_while_it_plays(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(
        f"patches.bass={fixtures}/synth.clap",
        f"patches.lead={fixtures}/synth.clap",
        f"rack.inserts.bass=[{insert(fixtures, 'restless')}]",
    )
    one.wait_loaded(3)
    unit = unit_of(one, "bass: Odd Restless")
    for latency, buses in ((512, 1), (96, 2), (2048, 0), (0, 2), (0, 0)):
        one.set("bass.odd_restless.latency", latency)
        one.set("bass.odd_restless.buses", buses)
        one.until(lambda wanted=latency: unit.latency_frames == wanted, "the latency told")
        one.blocks(60 + 2048 // BLOCK)
        assert one.engine.mixer._inserts[one.engine.mixer.tracks[1].bus].latency_frames == latency + BLOCK
        one.note(one.engine.frame + 640, 50, track=2, step=one.engine.frame)
        assert onsets(one.blocks(80)) == [640 + 2 * BLOCK + latency], "the others wait as long as it says"
        assert sound(one, latency=latency) > 0.5
    assert unit.crashes == 0


def test_a_knob_of_what_is_not_there_and_files_that_are_none(fixtures: Path, rig: Callable[..., Rig], tmp_path: Path):
    (tmp_path / "text.clap").write_text("no library")
    arm = bytearray((fixtures / "odd.clap").read_bytes())
    arm[18:20] = (183).to_bytes(2, "little")
    (tmp_path / "arm.clap").write_bytes(arm)
    (tmp_path / "other.vst3" / "Contents" / "aarch64-linux").mkdir(parents=True)
    (tmp_path / "half.clap").write_bytes((fixtures / "odd.clap").read_bytes()[:5000])
    files = [f'"{tmp_path}/{name}"' for name in ("text.clap", "arm.clap", "other.vst3", "half.clap", "none.clap")]
    one = rig(f"patches.bass={fixtures}/synth.clap", f"rack.inserts.bass=[{', '.join(files)}]")
    one.wait_loaded(1)
    told = " ".join(one.told())
    for what in (
        "text.clap: is no library",
        "arm.clap: was made for aarch64, and this is",
        "other.vst3: was made for aarch64-linux, and this is",
        "half.clap",
        "none.clap: is not there",
    ):
        assert what in told
    assert sound(one) > 0.5
