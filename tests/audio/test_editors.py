"""Windows of plugins: what is turned in them is turned in the one that plays, and whatever they do costs it nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.host import wire
from engine.host.x11 import NO_DISPLAY
from tests.audio.rack_rig import Rig
from tests.audio.rack_rig import rig as rig
from tests.host.conftest import fixtures as fixtures
from tests.host.conftest import missing
from tests.host.screen import Screen
from tests.host.screen import screen as screen


class Window:
    """An editor's process."""

    def __init__(self, one: Rig, said: Path, where: str, word: str = "", env: dict[str, str] | None = None) -> None:
        address = wire.editors(one.link.name).replace("\0", "@", 1)
        self.said = said
        with said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine.host.editor", address, where, word],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "DISPLAY": ""} | (env or {}),
            )

    @property
    def is_open(self) -> bool:
        """Whether it says so."""
        return "its window is open" in self.said.read_text()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None


def opened(one: Rig, window: Window) -> None:
    """Wait until it is open."""
    one.until(lambda: window.is_open or window.is_over, "the window open")
    assert window.process.poll() is None, window.said.read_text()


def test_what_is_turned_on_one_side_is_turned_on_the_other(
    fixtures: Path, rig: Callable[..., Rig], screen: Screen, tmp_path: Path
):
    one = rig(f'rack.inserts.bass=["{fixtures}/effect.clap", {{effect="{fixtures}/odd.clap#odd.editor", knobs={{mix=0.125}}}}]')
    one.wait_loaded(2)
    window = Window(one, tmp_path / "said", "bass", "odd_editor", screen.env)
    opened(one, window)
    one.until(lambda: screen.find("mix 0.125"), "where the knob is, in the window")
    one.set("bass.odd_editor.mix", 0.25)
    one.until(lambda: screen.find("mix 0.250"), "what was turned here, in the window")
    screen.click(screen.find("bass: Odd Editor"), 150, 50)
    one.until(lambda: one.live.get("bass.odd_editor.mix") == pytest.approx(0.5, abs=0.01), "what was turned there, here")
    one.until(lambda: screen.find("mix 0.500"), "what was clicked, in the window")
    unit = next(unit for unit in one.engine.mixer.hosts.units if unit.label == "bass: Odd Editor")
    one.until(lambda: unit.values["100"] == pytest.approx(0.5, abs=0.01), "what a new instance would be given")
    screen.click(screen.find("bass: Odd Editor"), 290, 50)  # where it crashes
    one.until(lambda: window.is_over, "the window gone")
    assert window.process.returncode == -11
    assert all(unit.is_loaded and not unit.crashes for unit in one.engine.mixer.hosts.units)
    one.note(one.engine.frame + 64, 50)
    assert np.abs(one.blocks(30)).max() > 0.01


@pytest.mark.parametrize(("path", "title"), [("lv2", "ZamDelay"), ("vst3", "Pedalboard"), ("clap", "ZamDelay")])
def test_windows_of_others(rig: Callable[..., Rig], screen: Screen, tmp_path: Path, path: str, title: str):
    path = f"/usr/lib/{path}/ZamDelay.{path}"
    if not Path(path).exists():
        missing(f"{path} is not here: apt install zam-plugins")
    if path.endswith("vst3"):
        pytest.importorskip("pedalboard")
    one = rig(f'rack.inserts.bass=["{path}"]')
    one.wait_loaded(1)
    window = Window(one, tmp_path / "said", "bass", env=screen.env)
    opened(one, window)
    one.until(lambda: screen.find(title), "the window")
    one.set("bass.zamdelay.feedback", 0.5)
    one.blocks(200)
    assert window.process.poll() is None, window.said.read_text()
    one.engine.rack._remove(one.engine.rack._places[0])
    one.until(lambda: window.is_over, "the window closed, for its plugin is gone")
    assert "is not there any more" in window.said.read_text()


def test_what_cannot_be_shown_is_told(fixtures: Path, rig: Callable[..., Rig], screen: Screen, tmp_path: Path):
    one = rig(f"patches.bass={fixtures}/synth.clap", f'rack.inserts.lead=["{fixtures}/effect.clap"]')
    one.wait_loaded(2)
    for where, word, env, why in (
        ("bass", "", {}, NO_DISPLAY),
        ("bass", "", screen.env, "has no window of its own; its knobs are on the page"),
        ("drums", "", screen.env, "there is no plugin on drums; plugins are on bass, lead"),
        ("lead", "other", screen.env, "there is no plugin other on lead; there are fixture_effect"),
    ):
        window = Window(one, tmp_path / "said", where, word, env)
        one.until(lambda window=window: window.is_over, "its end")
        assert why in window.said.read_text()
        assert window.process.returncode == 2
    wrong = subprocess.run(
        [sys.executable, "-m", "engine.host.editor", "@nobody-there", "bass"],
        capture_output=True,
        text=True,
        env=os.environ | screen.env | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert "the jam is over" in wrong.stderr


def test_nonsense_at_the_door_costs_nothing(fixtures: Path, rig: Callable[..., Rig]):
    import socket

    one = rig(f"patches.bass={fixtures}/synth.clap")
    one.wait_loaded(1)
    before = dict(one.engine.mixer.hosts.units[0].values)
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"", wire._HEAD.pack(3, 0) + b"no!"):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(wire.editors(one.link.name))
            caller.sendall(said)
            one.blocks(20)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(wire.editors(one.link.name))
        words = wire.Words(caller)
        words.say({"do": "edit", "where": "bass"})
        words.say({"do": "turn", "key": "nothing", "value": 1.0})
        words.say({"do": "turn", "key": next(iter(before)), "value": float("nan")})
        one.blocks(20)
        assert words.heard()[0][0]["said"] == "plugin"
    one.blocks(20)
    assert one.engine.mixer.hosts.units[0].values == before
    assert not one.engine.rack.editors._open
