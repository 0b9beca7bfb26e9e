"""What is held still for one process while the others go on."""

from __future__ import annotations

import numpy as np

from engine.core.held import HeldLink, HeldLive, HeldValues, cut
from engine.core.link import Layout, Link
from engine.core.messages import EVENT
from engine.core.parameters import Live, Registry
from engine.core.values import Values
from tests.audio.conftest import card


def test_a_ring_shows_what_there_was_when_it_was_looked_at():
    link = Link.private(Layout.of(card(), 8))
    held = HeldLink(link, ("events",))
    writer, reader = held.writer("events"), held["events"].reader()
    writer.push((1, 0, 1, 0, 60, 90, 0.0))
    assert len(reader.read()) == 0
    assert held.held["events"].hold()
    assert not held.held["events"].hold()
    writer.push((2, 0, 1, 0, 61, 90, 0.0))
    assert reader.read()["frame"].tolist() == [1]
    held.held["events"].hold(2)
    assert reader.read()["frame"].tolist() == [2]


def test_a_reader_that_begins_at_the_oldest_takes_the_same_however_far_the_writer_is():
    link = Link.private(Layout.of(card(), 8))
    held = HeldLink(link, ("events",))
    capacity = link["events"].capacity
    for frame in range(2 * capacity):
        link.writer("events").push((frame, 0, 1, 0, 60, 90, 0.0))
    held.held["events"].hold()
    for frame in range(100):
        link.writer("events").push((frame, 0, 1, 0, 60, 90, 0.0))
    found = held["events"].reader(0).read()
    assert found.dtype == EVENT
    assert found["frame"].tolist() == list(range(capacity + capacity // 8 + 1, 2 * capacity))


def test_what_was_written_and_is_taken_back_is_written_again():
    link = Link.private(Layout.of(card(), 8))
    writer = link.writer("events")
    for frame in range(5):
        writer.push((frame, 0, 1, 0, 60, 90, 0.0))
    cut(writer, 3)
    writer.push((9, 0, 1, 0, 60, 90, 0.0))
    assert link["events"].reader(0).read()["frame"].tolist() == [0, 1, 2, 9]


def test_values_are_those_of_the_last_look_and_ones_own():
    registry = Registry(["lead"])
    values = Values(memoryview(bytearray(Values.size(len(registry)))), len(registry))
    live = Live(registry, values)
    live.reset_to_defaults()
    held = HeldValues(values)
    mine = HeldLive(live, held)
    first = held.take()
    assert first is not None
    assert dict(first)[registry.place("tempo")] == live.get("tempo")
    assert held.take() is None
    version = held.version
    live.set("tempo", 99)
    assert mine.get("tempo") != 99
    assert held.version == version
    assert held.take() == [(registry.place("tempo"), 99.0)]
    assert mine.get("tempo") == 99
    assert held.version > version

    mine.set("lead.level", 0.25)
    assert live.get("lead.level") == 0.25
    assert held.take() == []  # something was set, and nothing that is news here
    assert held.take() is None
    # Set here and set back by another before the next look: what holds is the other's.
    before = live.get("seed")
    mine.set("seed", before + 1)
    live.set("seed", before)
    assert held.take() == [(registry.place("seed"), before)]
    assert np.array_equal(held.numbers, values.numbers)
