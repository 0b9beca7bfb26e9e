"""Modes are found where they lie, and nothing else has to know them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.core.contract import PLAY
from engine.core.errors import AlgoritmoError
from engine.jam.mode import Mode
from engine.jam.modes import CLASSES, MODES, numbered
from engine.jam.parameters import declared
from engine.jam.parts import Parts
from engine.jam.roll import Roll
from engine.network.runner import Runner
from tests import tiny
from tests.jam.test_jam import Stage

ROOT = Path(__file__).parents[2]
DUET = '''
"""duet: every second bar is the player's alone."""

from engine.core.parameters import Parameter
from engine.jam.mode import Mode


class Duet(Mode):
    name = "duet"
    number = 3
    doc = "leaves every second bar to you"
    about = "it leaves every second bar to you."
    parameters = (Parameter("duet.swap", 0, 1, 0, "duet: the other bars are yours"),)
    takes_turns = True

    def advance(self, step, position):
        self.listening = bool(position // self.card.steps_per_bar % 2) != bool(self.live.get("duet.swap"))

    def clamp(self, value, mask):
        mask.fill(self.listening)
'''
ASK = """
import asyncio, contextlib, io, json, sys
from pathlib import Path
from engine import cli
from engine.core import config
from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.feed.orders import COMMANDS
from engine.feed.schema import Schema
from engine.jam import settings
from engine.jam.jam import Jam
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline
from engine.web.site import Site

network = Path(sys.argv[1])
card = read_card(network)
registry = registry_of(card)
schema = Schema(card, registry)
link = Link.private(Layout.of(card, len(registry)))
live = Live(registry, link.values)
chosen = config.load(None, [f"network.name={network}", "jam.mode=duet", "parameters.duet.swap=1"])
wrong = settings.faults(config.load(None, [f"network.name={network}", "jam.mode=duett"]))
settings.set_defaults(live, chosen)
help = io.StringIO()
with contextlib.redirect_stdout(help), contextlib.suppress(SystemExit):
    cli.main(["render", "--help"])
jam = Jam(Runner(network), live, link, "lead")
records = link["steps"].reader(0)
for step in range(32):
    jam.choose(step, BeatTimeline(0.0, 0.0, 120.0, 48000.0))
    jam.send(0)
    jam.publish(0.1, False)
flags = records.read()


async def hello():
    return json.loads(next(Site(link, live, card, config.Web()).pages["stage"].join({}).take()))


print(json.dumps({
    "modes": MODES,
    "mode": registry["mode"].choices,
    "doc": registry["mode"].doc,
    "faults": settings.faults(chosen),
    "wrong": wrong,
    "knob": live.get("duet.swap"),
    "help": help.getvalue(),
    "addresses": [a.path for a in schema.addresses()],
    "command": next(c.doc for c in COMMANDS if c.path == "/mode"),
    "hello": asyncio.run(hello()),
    "played": [flags["mode"].tolist(), (flags["flags"] & 2).tolist(), flags["clamped"].all(1).tolist()],
}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_onnx):
    """What the program says of itself once a file lies in the folder of the modes."""
    house = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("__pycache__", "*.wav", "*.onnx")
    shutil.copytree(ROOT / "engine", house / "engine", ignore=ignored)
    shutil.copytree(ROOT / "models/ear", house / "models/ear", ignore=ignored)
    (house / "engine/jam/modes/duet.py").write_text(DUET)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tiny_onnx)], capture_output=True, text=True, cwd=house, env={"PYTHONPATH": str(house)}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_file_in_the_folder_is_a_mode_everywhere(told):
    everyone = ["trade", "accompany", "solo", "duet"]
    assert told["modes"] == told["mode"] == everyone
    assert told["doc"].endswith("duet: leaves every second bar to you")
    assert "one of trade, accompany, solo, duet" in " ".join(told["help"].split())
    assert told["command"] == "Set the mode: trade, accompany, solo, duet"
    assert "/param/duet/swap" in told["addresses"]
    assert told["hello"]["modes"] == everyone
    assert told["hello"]["turns"] == ["trade", "duet"]
    assert {"duet.swap", "mode"} <= {p["id"] for p in told["hello"]["parameters"]}


def test_it_is_configured_and_a_slip_is_guessed(told):
    assert told["faults"] == []
    assert told["knob"] == 1
    assert told["wrong"] == ["jam.mode: there is no mode 'duett'; did you mean 'duet'?"]


def test_it_plays_by_its_own_rule_and_its_number_is_in_the_records(told):
    numbers, listening, clamped = told["played"]
    assert numbers == [3] * 32
    assert [bool(flag) for flag in listening] == [True] * 16 + [False] * 16
    assert clamped == [True] * 16 + [False] * 16


def test_each_mode_says_all_that_is_told_of_it():
    assert MODES == ("trade", "accompany", "solo")  # as records and receivers know them by their numbers
    for number, mode in enumerate(CLASSES):
        assert (mode.number, mode.name) == (number, MODES[number])
        assert mode.doc
        assert mode.about.endswith(".")
    ids = [parameter.id for parameter in declared()]
    assert ids[:3] == ["mode", "follow", "keep"]
    assert {parameter.id for mode in CLASSES for parameter in mode.parameters} <= set(ids)
    assert {"rest", "bars", "takeover"} <= set(ids)


@pytest.mark.parametrize("number", [1, 7, -1])
def test_a_number_that_is_taken_or_leaves_a_gap_is_refused_with_the_one_to_give(number):
    mode = type("Another", (Mode,), {"name": "zither", "number": number})
    with pytest.raises(AlgoritmoError, match=r"give \d"):
        numbered([*CLASSES, mode])
    mode.number = 3
    assert numbered([mode, *CLASSES])[3] is mode


def test_a_mode_that_says_nothing_clamps_his_notes_alone(tiny_onnx):
    stage = Stage(tiny_onnx)
    mode = Mode(stage.runner.card, stage.jam.roll, stage.live)
    value, mask = np.zeros((tiny.SLOTS, 2), np.float32), np.full(tiny.SLOTS, 9, np.float32)
    value[10, PLAY] = 1
    mode.clamp(value, mask)
    assert np.flatnonzero(mask).tolist() == [10]
    assert not mode.interruptible


def test_who_has_only_one_track_is_joined_on_it(tmp_path):
    """In accompany, where there is nothing to accompany on."""
    path = tmp_path / "alone.onnx"
    tiny.write(path)
    card = Runner(path).card
    alone = card.model_copy(update={"tracks": card.tracks[2:]})
    roll, live = Roll(alone, "lead"), Stage(path).live
    parts, mode = Parts(alone, "lead", roll, live), CLASSES[MODES.index("accompany")](alone, roll, live)
    parts.advance(0, 0, mode)
    assert not parts.his.any()


def test_turns_by_bars_begin_with_bar_one_wherever_the_steps_began(tiny_onnx):
    stage = Stage(tiny_onnx, mode="trade", bars=1)
    trade = CLASSES[0](stage.runner.card, stage.jam.roll, stage.live)
    trade.begin(1000)
    listened = []
    for position in range(-16, 32):
        trade.advance(1000 + position, position)
        listened.append(trade.listening)
    assert listened == [False] * 16 + [True] * 16 + [False] * 16


def test_panic_in_its_own_turn_by_bars_hands_the_rest_of_the_turn_to_the_player(tiny_onnx):
    stage = Stage(tiny_onnx, mode="trade", bars=1)
    stage.run(20)
    assert not stage.jam.listening
    stage.live.fire("panic")
    stage.run(12)
    assert stage.jam.listening
    stage.run(16)
    assert stage.jam.listening  # his turn
    stage.run(1)
    assert not stage.jam.listening


def test_modes_that_take_no_turns_never_listen(tiny_onnx):
    stage = Stage(tiny_onnx, mode="solo")
    stage.player(3, 60)
    stage.run(8)
    assert not stage.jam.listening
    assert not stage.jam.interruptible
