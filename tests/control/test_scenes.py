"""The set of a jam: orders, what is made ready, what is undone; whoever plays is told, and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.control.commands import Commands
from engine.control.scene_book import Book
from engine.control.scene_view import scene_view
from engine.control.scenes import PATIENCE_S, Scenes, begins
from engine.core.config import Config, load
from engine.core.contract import Card
from engine.core.ensemble import Part
from engine.core.link import Layout, Link
from engine.core.messages import BEGIN, DROP, MAKE_READY, PLAYS, READY
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.jam.parameters import registry_of
from engine.transport.timeline import BeatTimeline
from tests import tiny

RATE = 48000
CARD = Card.model_validate(tiny.card())
SET = """
[[scene]]
name = "One"
parameters.tempo = 100
[[scene]]
name = "Two"
parameters.lead.level = 0.3
parameters.lead.nothing = 1
patches.lead = "nowhere"
[[scene]]
name = "Three"
bars = 4
parameters.mode = "solo"
"""


class Evening:
    """A set over channels of one process; `play` answers as the audio process does."""

    def __init__(self, folder: Path, text: str = SET) -> None:
        self.path = folder / "set.toml"
        if text:
            self.path.write_text(text)
        registry = registry_of(CARD)
        self.link = Link.private(Layout.of(CARD, len(registry)))
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        config: Config = load(None, [f"session.dir={folder}/sessions"])
        self.said: list[str] = []
        part = Part(0, Path("tiny.onnx"), CARD, (0, 1, 2))
        book = Book(self.path, config, registry)
        self.scenes = Scenes(self.link, self.live, config, lambda _l, text: self.said.append(text), book, [("festival", part)])
        self.commands = Commands(self.live, self.link)
        self.asked = self.link["switches"].reader(0)
        self.frame = 0
        self.clock()
        self.link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())
        self.link.writer("chart").advance()

    def clock(self) -> None:
        record = np.zeros((), self.link["clock"].dtype)
        record["frame"], record["time_ns"], record["ns_per_frame"], record["rate_hz"] = self.frame, 0, 1e9 / RATE, RATE
        self.link.writer("clock").push(record)

    def look(self, second: float = 0.0) -> list[tuple[int, int, float]]:
        """Look at a second of the jam; return what was asked of who plays."""
        self.scenes.look(round(second * 1e9))
        return [(int(r["number"]), int(r["what"]), float(r["beat"])) for r in self.asked.read()]

    def answer(self, number: int, state: int, beat: float = 0.0) -> None:
        self.link.writer("switched").push((number, state, 0, beat))

    def play(self, order: Callable[[], object], second: float, number: int) -> float:
        """Order a scene and see it through; return the beat at which it began."""
        order()
        assert (number, MAKE_READY) in [asked[:2] for asked in self.look(second)]
        self.answer(number, READY)
        ((_, what, beat),) = self.look(second)
        assert what == BEGIN
        self.answer(number, PLAYS, beat)
        self.look(second)
        return beat


@pytest.fixture
def evening(tmp_path: Path) -> Evening:
    return Evening(tmp_path)


def test_a_scene_is_made_ready_and_begins_with_the_next_bar(evening: Evening):
    assert evening.play(lambda: evening.commands.do("scene", "go", 1), 0.1, 1) == 4.0
    shown = scene_view(evening.link)
    assert (shown.now, shown.name, shown.next, shown.names) == (1, "One", 0, ("One", "Two", "Three"))
    assert evening.play(lambda: evening.commands.do("scene", "go", "three"), 2.1, 2) == 16.0  # bars of its own: 4
    assert evening.play(lambda: evening.commands.do("scene", "previous"), 8.1, 3) == 20.0


def test_too_near_the_bar_line_it_waits_for_the_one_after(evening: Evening):
    assert evening.play(lambda: evening.commands.do("scene", "go", 1), 1.9, 1) == 8.0


def test_orders_in_a_row_go_on_from_the_one_that_is_to_come(evening: Evening):
    for _ in range(3):
        evening.commands.do("scene", "next")
    asked = evening.look(0.1)
    assert [number for number, _, _ in asked] == [1, 2, 3]
    evening.answer(3, READY)
    evening.look(0.2)
    evening.answer(3, PLAYS, 4.0)
    evening.look(2.0)
    assert scene_view(evening.link).now == 3
    evening.commands.do("scene", "next")
    assert evening.look(2.1) == []
    assert evening.said[-1] == "this is the last scene of the set"


def test_an_order_just_before_the_bar_line_waits_until_the_scene_plays(evening: Evening):
    evening.commands.do("scene", "go", 1)
    evening.look(0.1)
    evening.answer(1, READY)
    evening.look(0.2)
    evening.commands.do("scene", "go", 3)
    assert evening.look(1.95) == []
    evening.answer(1, PLAYS, 4.0)
    assert evening.look(2.0)[0][:2] == (2, MAKE_READY)


def test_undo_and_the_other_of_two(evening: Evening):
    evening.live.set("tempo", 130)
    evening.play(lambda: evening.commands.do("scene", "go", 1), 0.1, 1)
    evening.live.set("tempo", 100)  # as the audio process writes it
    evening.play(lambda: evening.commands.do("scene", "go", 3), 2.1, 2)
    evening.live.set("tempo", 101)
    evening.play(lambda: evening.commands.do("scene", "ab"), 4.1, 3)
    told = bytes(evening.link["switches"].latest()["text"])
    assert b'"tempo": 100' in told
    assert scene_view(evening.link).now == 1
    evening.play(lambda: evening.commands.do("scene", "ab"), 6.1, 4)
    assert b'"tempo": 100' in told
    assert scene_view(evening.link).now == 3
    evening.play(lambda: evening.commands.do("scene", "undo"), 8.1, 5)
    assert scene_view(evening.link).now == 1


def test_a_scene_to_come_is_taken_back(evening: Evening):
    evening.commands.do("scene", "go", 1)
    evening.look(0.1)
    evening.commands.do("scene", "undo")
    assert evening.look(0.2)[-1][:2] == (1, DROP)
    assert scene_view(evening.link).next == 0
    evening.commands.do("scene", "undo")
    evening.look(0.3)
    assert evening.said[-1] == "there is nothing to undo"


def test_what_is_now_is_kept_and_that_undone(evening: Evening):
    before = evening.path.read_text()
    evening.live.set("lead.level", 0.123)
    evening.commands.do("scene", "keep", 9)  # behind the last is the next free place
    evening.look(0.1)
    assert scene_view(evening.link).names == ("One", "Two", "Three", "Scene 4")
    assert "lead.level = 0.123" in evening.path.read_text()
    evening.commands.do("scene", "undo")
    evening.look(0.2)
    assert evening.path.read_text() == before


def test_a_jam_without_a_set_begins_one(tmp_path: Path):
    evening = Evening(tmp_path, "")
    evening.commands.do("scene", "go", 4)
    evening.look(0.1)
    assert evening.said == ["there is no scene 4; there is none yet: keep one with scene.keep"]
    evening.commands.do("scene", "keep", 1)
    evening.look(0.2)
    assert scene_view(evening.link).names == ("Scene 1",)


def test_what_is_not_there_is_listed_and_the_rest_is_sent(evening: Evening):
    evening.commands.do("scene", "go", 2)
    evening.look(0.1)
    assert any("there is no patch nowhere" in said for said in evening.said)
    assert any("lead.nothing: there is no such parameter" in said for said in evening.said)
    text = bytes(evening.link["switches"].latest()["text"])
    assert b'"lead.level": 0.3' in text
    assert b"nothing" not in text
    assert len(scene_view(evening.link).faults) == 2


def test_it_does_not_wait_for_ever(evening: Evening):
    evening.commands.do("scene", "go", 1)
    evening.look(0.1)
    assert evening.look(PATIENCE_S - 0.1) == []
    assert evening.look(PATIENCE_S + 0.2)[0][1] == BEGIN


def test_beyond_the_set_and_unknown_names_change_nothing(evening: Evening):
    assert evening.commands.do("scene", "go", "Thre").reason == "there is no scene 'Thre'; did you mean Three?"
    assert not evening.commands.do("scene", "jump", 3).is_done
    evening.commands.do("scene", "go", 99)
    assert evening.look(0.1) == []
    assert evening.said == ["there is no scene 99; the set has 3"]


def test_a_file_that_is_saved_is_read_again_and_a_faulty_one_is_not(evening: Evening):
    evening.look(0.1)
    evening.path.write_text(SET + '[[scene]]\nname = "Four"\n')
    evening.look(2.0)
    assert scene_view(evening.link).names[-1] == "Four"
    evening.path.write_text("[[scene]")
    evening.look(4.0)
    assert scene_view(evening.link).names[-1] == "Four"


@pytest.mark.parametrize(
    ("earliest", "bars", "beat"), [(0.5, 1, 4.0), (4.0, 1, 4.0), (4.1, 1, 8.0), (4.1, 4, 16.0), (4.1, 0, 4.25), (-3.0, 1, 0.0)]
)
def test_where_a_scene_may_begin(earliest: float, bars: int, beat: float):
    assert begins(BeatTimeline(0.0, -4.0, 120.0, RATE), earliest, bars, 4) == beat


def test_bars_are_counted_in_the_metre_that_holds():
    line = BeatTimeline(0.0, 0.0, 120.0, RATE).in_metre(Metre(3, 4), 4.0)
    assert begins(line, 8.0, 1, 4) == 10.0
