"""Another network of the same kind takes the place of the one that plays: on a bar line, or not at all."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engine.core import tape
from engine.core.config import load
from engine.core.ensemble import parts_of
from engine.core.link import Layout, Link
from engine.core.messages import REFUSED, SUCCEEDS
from engine.core.process import Spec
from engine.core.segment import claim
from engine.core.tape import Tape, records
from engine.jam.seats import Seats
from engine.jam.successor import Successor, is_alike, order, played_last
from engine.transport.timeline import BeatTimeline
from tests import tiny

LINE = BeatTimeline(0.0, 0.0, 120.0, 48000.0)


class House:
    """A jam's seats, without a jam."""

    def __init__(self, path: Path) -> None:
        (self.part,) = parts_of([path])
        card = self.part.card
        self.link = Link.private(Layout.of(card, 200))
        config = load(None, [f"network.name={path}"])
        spec = Spec(self.link.layout, "", config, card, path, None, None, (path,))
        self.seats = Seats(spec, [self.part], self.link)
        self.seat = self.seats.load(self.part, 4)
        self.successor = Successor(self.link, lambda part: self.seats.make(part, 4))

    def loaded(self, beat: float = 0.25) -> None:
        """Look as often as it takes to load what was asked for."""
        assert self.successor.look(self.part, beat, lambda: LINE) is None
        assert self.successor._loading is not None
        self.successor._loading.join()


@pytest.fixture
def house(tiny_onnx: Path) -> House:
    return House(tiny_onnx)


def test_it_begins_with_the_next_bar_line_and_with_what_was_remembered(house: House, tmp_path: Path) -> None:
    other = tiny.write(tmp_path / "bred.onnx", seed=9)
    assert order(house.link, other) == 1
    house.loaded()
    for beat in (0.25, 1.0, 3.75):
        assert house.successor.look(house.part, beat, lambda: LINE) is None
    heir = house.successor.look(house.part, 4.0, lambda: LINE)
    assert heir is not None
    assert heir.part.path == other
    house.seat.runner.inputs["h0"][...] = 0.25
    heir.runner.restore(house.seat.runner.states())
    assert (heir.runner.inputs["h0"] == 0.25).all()
    house.seats.put(heir)
    assert house.seats.at(0) is heir
    assert house.successor.look(heir.part, 8.0, lambda: LINE) is None  # once
    house.successor.begun(heir, 4321.0)
    last = house.link["succeeded"].latest()
    assert last is not None
    assert (int(last["serial"]), int(last["state"]), int(last["frame"])) == (1, SUCCEEDS, 4321)
    assert played_last(house.link, house.part).path == other  # after a restart, too


def test_where_the_beat_stands_at_once_and_of_several_orders_the_last(house: House, tmp_path: Path) -> None:
    order(house.link, tiny.write(tmp_path / "one.onnx", seed=1))
    assert order(house.link, tiny.write(tmp_path / "two.onnx", seed=2)) == 2
    house.loaded(math.inf)
    heir = house.successor.look(house.part, math.inf, lambda: LINE)
    assert heir is not None
    assert heir.part.path.name == "two.onnx"


def test_one_of_another_kind_or_damaged_is_refused_and_the_old_one_plays_on(house: House, tmp_path: Path) -> None:
    other = tiny.write(tmp_path / "other.onnx", states=[{"name": "h0", "shape": [tiny.HIDDEN], "initial": 1.0}])
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")
    for path, why in ((other, "another kind"), (damaged, ""), (tmp_path / "none.onnx", "")):
        order(house.link, path)
        house.loaded()
        assert house.successor.look(house.part, 4.0, lambda: LINE) is None
        last = house.link["succeeded"].latest()
        assert last is not None
        assert int(last["state"]) == REFUSED
        assert why in last["text"].decode()
    assert played_last(house.link, house.part) is house.part
    assert is_alike(house.part.card, house.part.card)


def test_the_tape_has_it_as_text(house: House, tmp_path: Path) -> None:
    path = tmp_path / ("a folder of a rather long name " * 4) / "bred.onnx"
    heard = house.link["tape.network"].reader()
    Tape(house.link, "network").put_text(tape.SUCCESSOR, str(path))
    (record,) = records(heard.read())
    assert (record.kind, record.text) == (tape.SUCCESSOR, str(path))


def test_one_booth_at_a_time_may_write_to_a_jam() -> None:
    link = Link.create(Layout((("booth", np.dtype([("a", "<i8")]), 4),), 8))
    try:
        first = claim(link.name)
        assert first is not None
        assert claim(link.name) is None
        first.close()
        again = claim(link.name)
        assert again is not None
        again.close()
    finally:
        link.close(unlink=True)
