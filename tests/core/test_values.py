"""A text that one process replaces while others read it: whole, or not at all."""

from __future__ import annotations

import threading

import pytest

from engine.core.values import ROOM, SLOTS, Definitions, Values


@pytest.fixture
def definitions() -> Definitions:
    return Definitions(memoryview(bytearray(Definitions.SIZE)))


def test_before_the_first_text_there_is_none(definitions):
    assert definitions.read() == (0, b"")


def test_the_newest_text_is_read_with_its_generation(definitions):
    for number in range(1, 6):
        definitions.write(b"%d" % number)
        assert definitions.read() == (number, b"%d" % number)


def test_the_longest_text_has_room(definitions):
    definitions.write(b"x" * ROOM)
    assert definitions.read()[1] == b"x" * ROOM


def test_a_writer_that_dies_half_way_has_changed_nothing(definitions):
    definitions.write(b"old")
    definitions._buffers[0][:40] = b"half of a new text, and then the process"
    assert definitions.read() == (1, b"old")


def test_a_reader_that_was_overtaken_reads_again(definitions):
    """Both buffers are rewritten between the reader's copy and its second look at the generation."""
    definitions.write(b"a" * 100)
    overtaken = _Overtaken(definitions)
    assert overtaken.read() == (3, b"c" * 100)
    assert overtaken.looks > 2


class _Overtaken(Definitions):
    """Reads the memory of another; while it does so for the first time two texts are written."""

    def __init__(self, other: Definitions) -> None:
        self._other = other
        self._buffers = other._buffers
        self.looks = 0

    @property
    def _generation(self):  # type: ignore[override]
        self.looks += 1
        if self.looks == 2:
            self._other.write(b"b" * 100)
            self._other.write(b"c" * 100)
        return self._other._generation


def test_stores_seen_in_another_order_are_noticed(definitions):
    definitions.write(b"a" * 100)
    data = definitions._buffers[1]
    whole = bytes(data[:200])
    data[20] = 0x62
    healed = threading.Timer(0.05, lambda: data.__setitem__(slice(0, 200), whole))
    healed.start()
    assert definitions.read() == (1, b"a" * 100)
    healed.join()


def test_no_text_is_ever_torn():
    memory = memoryview(bytearray(Definitions.SIZE))
    writer, reader = Definitions(memory), Definitions(memory)
    texts = {bytes([65 + n]) * (1000 + 991 * n) for n in range(20)}
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for text in texts:
                writer.write(text)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        while writer.generation == 0:
            pass
        assert {reader.read()[1] for _ in range(3000)} <= texts
    finally:
        stop.set()
        writing.join()


def test_declared_values_lie_behind_the_fixed_ones():
    values = Values(memoryview(bytearray(Values.size(3))), 3)
    values.write(3 + SLOTS - 1, 0.5)
    assert len(values.numbers) == 3 + SLOTS
    assert values.numbers[-1] == 0.5
    assert values.definitions.generation == 0
