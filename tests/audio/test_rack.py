"""The rack with real plugins in real host processes: notes at their frames, latencies, crashes and hangs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio.host import HUNG_BLOCKS
from engine.audio.process import BUSY_S, CALM_S, pause_s
from engine.core.messages import BLOCK, NOTE_OFF
from engine.host.catalogue import Catalogue
from tests.audio.rack_rig import Rig, onsets
from tests.audio.rack_rig import rig as rig
from tests.host.conftest import fixtures as fixtures
from tests.host.conftest import missing  # for the tests here


def test_a_plugin_plays_a_track_at_the_exact_frames(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    begin = one.engine.frame + 4 * BLOCK
    frames = [begin + 640 * n + offset for n, offset in enumerate((0, 1, 17, 40, 63))]
    way = BLOCK  # what a plugin makes of a block comes with the next one
    for n, frame in enumerate(frames):
        one.note(frame, 40 + n, step=n)
        one.note(frame + 320, 40 + n, kind=NOTE_OFF, step=n)
    first = one.engine.frame
    assert [first + at for at in onsets(one.blocks(60))] == [frame + way for frame in frames]


def test_other_tracks_wait_for_a_late_one(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(
        f"patches.bass={fixtures}/synth.clap",
        f"patches.lead={fixtures}/synth.clap",
        f'rack.inserts.lead=["{fixtures}/effect.clap"]',
    )
    one.wait_loaded(3)
    one.set("lead.fixture_effect.latency", 512)
    one.until(lambda: any(unit.latency_frames == 512 for unit in one.engine.mixer.hosts.units), "the latency told")
    one.blocks(20)
    at = one.engine.frame + 4 * BLOCK
    one.note(at, 40, track=1)
    alone = onsets(one.blocks(40))
    one.note(one.engine.frame + 4 * BLOCK, 40, track=2)
    other = onsets(one.blocks(40))
    late = 512 + 2 * BLOCK  # what it declares, and the block that an instrument and an insert take each
    assert alone == other == [4 * BLOCK + late]


def test_the_player_waits_for_nothing(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.player={fixtures}/synth.clap", f"patches.bass={fixtures}/synth.clap", "parameters.player.level=1")
    one.set("player.level", 1.0)
    one.wait_loaded(2)
    one.engine.player.ports.arrivals.append((0, "keyboard", (0x90, 60, 127)))
    assert onsets(one.blocks(10)) == [0]


def test_a_killed_process_costs_its_own_sound_and_comes_back_with_its_state(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    assert pause_s(one.engine) == BUSY_S, "a plugin is to come"
    one.wait_loaded(1)
    one.set("bass.fixture_synth.gain", 0.75)
    one.blocks(40)
    assert pause_s(one.engine) == CALM_S, "nobody waits for the control thread"
    os.kill(one.pid(), signal.SIGKILL)
    one.until(lambda: pause_s(one.engine) == BUSY_S, "the crash seen")
    one.until(lambda: any("took its process down" in line or "begun anew" in line for line in one.told()), "the crash told")
    one.until(lambda: all(unit.is_loaded for unit in one.engine.mixer.hosts.units), "the plugin back")
    one.blocks(40)
    one.note(one.engine.frame + 64, 50)
    assert one.blocks(20).max() == pytest.approx(0.75, abs=0.01)


def test_a_plugin_that_hangs_is_waited_for_once(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    one.engine.mixer.hosts._hosts[0]._wait_s = 0.001
    waited = one.engine.mixer.hosts._hosts[0].waited
    one.set("bass.fixture_synth.trouble", 2)
    one.until(lambda: any("hangs" in line for line in one.told()), "the hang told")
    assert one.engine.mixer.hosts._hosts[0].waited - waited <= 3  # the one, and what a loaded machine was late before
    assert "bass: Fixture Synth hangs" in " ".join(one.told())


def test_one_that_is_slow_to_begin_after_a_hang_is_let_begin(
    fixtures: Path, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    (unit,) = one.engine.mixer.hosts.units
    host = unit.host
    assert host is not None
    host._wait_s = 0.001
    monkeypatch.setattr("engine.audio.host.GRACE_S", 0.0)
    os.kill(one.pid(), signal.SIGSTOP)
    one.until(lambda: not unit.is_loaded, "the hang seen")
    monkeypatch.setattr("engine.audio.host.GRACE_S", 60.0)  # a second is too short where a test has to wait for others
    one.until(lambda: unit.is_loaded, "the plugin back")
    os.kill(one.pid(), signal.SIGSTOP)  # as on a machine that has no time for it
    one.blocks(4 * HUNG_BLOCKS)
    os.kill(one.pid(), signal.SIGCONT)
    one.blocks(40)

    def sounds() -> bool:
        one.note(one.engine.frame + 64, 50, step=one.engine.frame)
        return bool(np.abs(one.blocks(20)).max() > 0.5)

    one.until(sounds, "its sound")
    assert sum("hangs" in line for line in one.told()) == 1
    assert not unit.crashes, "nobody was at work"


def test_a_plugin_that_fails_again_and_again_is_left_out(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    one.set("bass.fixture_synth.trouble", 1)  # and again, as soon as its knobs are where they were
    one.until(lambda: any("is left out" in line for line in one.told()), "the plugin left out")
    assert np.isfinite(one.blocks(100)).all()
    assert one.live.get("bass.fixture_synth.bypass") == 1
    one.set("bass.fixture_synth.trouble", 0)
    one.set("bass.fixture_synth.bypass", 0)
    one.until(lambda: one.engine.mixer.hosts.units[0].is_loaded, "the plugin tried again")
    one.blocks(40)
    one.note(one.engine.frame + 640, 50)
    assert onsets(one.blocks(30)) == [640 + BLOCK]


@pytest.mark.parametrize(("trouble", "why"), [(4, "no number"), (5, "no number"), (6, "direct current")])
def test_what_is_no_sound_is_muted_and_named(fixtures: Path, rig: Callable[..., Rig], trouble: int, why: str):
    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    broken = one.engine.mixer.limiter.broken_blocks
    one.set("bass.fixture_synth.trouble", trouble)
    one.until(lambda: any(why in line for line in one.told()), "the fault told")
    assert not one.blocks(100).any()
    assert one.engine.mixer.limiter.broken_blocks == broken


def test_a_missing_plugin_is_told_and_the_track_keeps_its_sound(rig: Callable[..., Rig]):
    one = rig("patches.bass=/nowhere/synth.clap", 'rack.inserts.lead=["/nowhere/effect.clap"]')
    one.blocks(2)
    told = " ".join(one.told())
    assert "the bass keeps its sound" in told
    assert "sound passes in its place" in told
    one.note(one.engine.frame + 64, 60)
    assert np.abs(one.blocks(20)).max() > 0.01


def test_an_instrument_of_its_own_process_is_not_taken_down_with_others(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap", f"patches.lead={fixtures}/synth.clap", 'rack.own=["lead"]')
    one.wait_loaded(2)
    os.kill(one.pid(0), signal.SIGKILL)
    one.note(one.engine.frame + 640, 60, track=2)
    assert onsets(one.blocks(30)) == [640 + BLOCK]


def test_a_compressor_is_moved_by_another_track(rig: Callable[..., Rig], fixtures: Path):
    if not Path("/usr/lib/clap/ZamComp.clap").exists():
        missing("ZamComp is not here: apt install zam-plugins")
    insert = '[{effect="/usr/lib/clap/ZamComp.clap", side="drums", knobs={threshold=-40, ratio=20, sidechain=1}}]'
    one = rig(f"patches.bass={fixtures}/synth.clap", f"patches.drums={fixtures}/synth.clap", f"rack.inserts.bass={insert}")
    one.wait_loaded(3)
    one.set("drums.level", 0.0)  # it is listened to, not heard
    one.note(one.engine.frame + 64, 50, track=1)
    one.blocks(300)
    alone = np.abs(one.blocks(100)).max()
    for step in range(40):
        one.note(one.engine.frame + 640 * step + 64, 60, track=0, step=step)
    beside = np.abs(one.blocks(400)[-100 * BLOCK :]).max()
    assert alone > 0.01
    assert beside < 0.7 * alone


def test_an_effect_of_pedalboards_own_is_an_insert_with_its_knobs(fixtures: Path, rig: Callable[..., Rig]):
    pytest.importorskip("pedalboard")
    one = rig(
        f"patches.bass={fixtures}/synth.clap",
        'rack.inserts.bass=[{effect="board:clipping", knobs={threshold_db=-12}}]',
        'rack.inserts.lead=["board:Reverbb"]',
    )
    one.wait_loaded(2)
    assert "did you mean 'Reverb'?" in " ".join(one.told())

    def loudest() -> float:
        one.note(one.engine.frame + 640, 50, step=one.engine.frame)
        return float(np.abs(one.blocks(40)).max())

    assert loudest() == pytest.approx(10 ** (-12 / 20), abs=0.01)
    one.set("bass.clipping.threshold_db", -24)
    one.blocks(20)
    assert loudest() == pytest.approx(10 ** (-24 / 20), abs=0.01)
    os.kill(one.pid(), signal.SIGKILL)
    one.until(lambda: not any(unit.is_loaded for unit in one.engine.mixer.hosts.units), "the crash seen")
    one.wait_loaded(2)
    assert loudest() == pytest.approx(10 ** (-24 / 20), abs=0.01)


def test_what_plays_a_track_is_chosen_while_it_plays(
    fixtures: Path, rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Catalogue().scan([fixtures / "synth.clap"])
    one = rig()
    one.blocks(2)
    one.live.refresh()
    which = one.live.registry["bass.patch"]
    assert "plugin:Fixture Synth" in which.choices
    one.set("bass.patch", which.choices.index("plugin:Fixture Synth"))
    one.until(lambda: any("bass: Fixture Synth is there" in line for line in one.told()), "the plugin there")
    one.blocks(10)
    one.note(one.engine.frame + 640, 50)
    assert onsets(one.blocks(20)) == [640 + BLOCK]
    one.set("bass.patch", which.choices.index("bass"))
    one.blocks(10)
    one.note(one.engine.frame + 640, 50)
    assert not onsets(one.blocks(20)), "a patch plays again"
    one.live.refresh()
    assert "bass.cutoff" in one.live.registry


def test_the_rack_is_changed_while_it_plays(fixtures: Path, rig: Callable[..., Rig]):
    one = rig(f"patches.bass={fixtures}/synth.clap", 'rack.inserts.bass=["gain"]')
    one.wait_loaded(1)

    def order(**words: object) -> None:
        one.link.view("feed").writer("rack_orders").push((json.dumps(words).encode(),))

    def stands() -> list[tuple[str, str]]:
        said = json.loads(one.link["rack"].latest()["text"])["places"]
        return [(place["word"], place["state"]) for place in said if place["where"] == "bass" and not place["plays"]]

    def through() -> list[str]:
        return [processor.name for processor in one.engine.mixer.chain("bass").processors]

    order(do="add", where="bass", effect=f"{fixtures}/effect.clap")
    order(do="add", where="bass", effect="filter")
    order(do="add", where="bass", effect="plugin:Nowhere")
    one.until(lambda: ("fixture_effect", "on") in stands(), "the plugin there")
    one.blocks(20)
    assert stands() == [("gain", "on"), ("fixture_effect", "on"), ("filter", "on"), ("nowhere", "missing")]
    assert through() == ["gain", "Fixture Effect", "filter"], "in the order in which they stand, whenever they came"
    order(do="move", where="bass", word="fixture_effect", by=-1)
    one.blocks(20)
    assert through() == ["Fixture Effect", "gain", "filter"]
    one.live.refresh()
    assert "bass.fixture_effect.gain" in one.live.registry
    order(do="remove", where="bass", word="fixture_effect")
    one.until(lambda: len(one.engine.mixer.hosts.units) == 1, "its plugin let go of")
    assert through() == ["gain", "filter"]
    one.live.refresh()
    assert "bass.fixture_effect.gain" not in one.live.registry
    order(do="add", where="send1", effect="delay")
    one.blocks(20)
    one.live.refresh()
    assert "bass.send1" in one.live.registry
    for wrong in (
        {"do": "add", "where": "nowhere"},
        {"do": "burn", "where": "bass"},
        {"do": "remove", "where": "bass", "word": 7},
    ):
        order(**wrong)
    for _ in range(12):
        order(do="add", where="lead", effect="gain")
    one.blocks(40)
    assert len(one.engine.mixer.chain("lead").processors) == 8
    one.note(one.engine.frame + 640, 50)
    assert len(onsets(one.blocks(30))) == 1
