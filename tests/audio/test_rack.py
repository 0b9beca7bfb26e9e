"""The rack with real plugins in real host processes: notes at their frames, latencies, crashes and hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from engine.audio.engine import AudioEngine
from engine.core.config import load
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, EVENT, NOTE_OFF, NOTE_ON
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.core.roles import HOST, HOSTS
from engine.host.catalogue import Catalogue
from engine.host.exchange import SIZE
from engine.jam.parameters import registry_of
from tests.audio.conftest import RATE, card
from tests.host.conftest import fixtures as fixtures
from tests.host.conftest import missing  # for the tests here

LIMIT_S = 30.0


class Rig:
    """An engine, and its host processes as a supervisor would start them."""

    def __init__(self, *settings: str) -> None:
        self.config = load(None, settings)
        self.card = card()
        self.registry = registry_of(self.card)
        self.link = Link.create(Layout.of(self.card, len(self.registry), exchange=SIZE))
        view = Link.attach(self.link.layout, self.link.name, "audio")
        self.live = Live(self.registry, view.values)
        self.live.reset_to_defaults()
        self._view = view
        self._network = self.link.view("network")
        self._notices = self.link["notices.audio"].reader(0)
        self._spec = Spec(self.link.layout, self.link.name, self.config, self.card, Path("none"))
        self._children: dict[int, tuple[BaseProcess, object]] = {}
        # Here a block waits for as long as it takes: nothing is heard in real time.
        self.engine = AudioEngine(view, self.registry, self.card, self.config, RATE, plugins_wait_s=2.0)
        self.heard: list[np.ndarray] = []

    def pid(self, number: int = 0) -> int:
        """The process id of a host."""
        pid = self._children[number][0].pid
        assert pid is not None
        return pid

    def step(self) -> None:
        """Render a block, as the callback, the control thread and the supervisor do together."""
        self.heard.append(np.frombuffer(self.engine.render_block(), np.float32).reshape(-1, 2).copy())
        self.engine.rack.poll()
        latest = self.link["hosts"].latest()
        for number in range(HOSTS):
            child = self._children.get(number)
            is_dead = child is not None and not child[0].is_alive()
            if latest is not None and int(latest["hosts"]) >> number & 1 and (child is None or is_dead):
                self._children[number] = start(f"{HOST}{number}", self._spec)

    def blocks(self, count: int) -> np.ndarray:
        """Render so many blocks; return what is heard of them, float32 (n, 2)."""
        first = len(self.heard)
        for _ in range(count):
            self.step()
        return np.concatenate(self.heard[first:])

    def until(self, what: Callable[[], object], name: str) -> None:
        """Render until something is true."""
        end = time.monotonic() + LIMIT_S
        while not what():
            assert time.monotonic() < end, f"{name}: not within {LIMIT_S:g} s; told: {self.told()}"
            self.step()

    def wait_loaded(self, count: int) -> None:
        """Return when so many plugins are heard."""
        units = self.engine.mixer.hosts
        self.until(lambda: sum(unit.is_loaded for unit in units.units) == count, f"{count} plugins loaded")
        self.blocks(40)

    def told(self) -> list[str]:
        """What a person was told so far."""
        self._lines = [*getattr(self, "_lines", []), *(n["text"].decode() for n in self._notices.read())]
        return self._lines

    def note(self, frame: int, pitch: int, track: int = 1, kind: int = NOTE_ON, step: int = 0) -> None:
        """Send what the network sends."""
        record = np.zeros(1, EVENT)[0]
        record["frame"], record["kind"], record["track"], record["pitch"], record["velocity"] = frame, kind, track, pitch, 127
        record["step"] = step
        self._network.writer("notes").push(record)

    def set(self, parameter_id: str, value: float) -> None:
        """Turn a parameter."""
        self.live.refresh()
        self.live.set(parameter_id, value)

    def close(self) -> None:
        """End everything."""
        self.engine.mixer.hosts.close()
        self.engine.close()
        for child, _ in self._children.values():
            child.kill()
            child.join()
        self._view.close()
        self.link.close(unlink=True)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Return what makes a rig; one a test."""
    made: list[Rig] = []

    def make(*settings: str) -> Rig:
        made.append(Rig("clock.count_in=0", "parameters.bass.level=1", "parameters.lead.level=1", *settings))
        for track in ("bass", "lead", "drums"):
            made[-1].live.set(f"{track}.level", 1.0)
        return made[-1]

    yield make
    for one in made:
        one.close()


def onsets(sound: np.ndarray) -> list[int]:
    """Frames at which the fixture's notes begin: one sample far louder than its tone."""
    return np.flatnonzero(sound[:, 0] > 0.5).tolist()


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
    one.wait_loaded(1)
    one.set("bass.fixture_synth.gain", 0.75)
    one.blocks(40)
    os.kill(one.pid(), signal.SIGKILL)
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
