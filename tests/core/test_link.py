import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.core import messages
from engine.core.contract import Card
from engine.core.link import CHANNELS, DECLARES, Layout, Link, Reader, Ring, Writer
from engine.core.roles import PROCESSES, SUPERVISOR
from engine.core.values import Values
from tests import tiny

RECORD = np.dtype([("number", "<i8"), ("double", "<f8")])


@pytest.fixture
def ring() -> Writer:
    return Writer(memoryview(bytearray(Ring.size(RECORD, 8))), RECORD, 8)


def numbers(reader: Reader) -> list[int]:
    return reader.read()["number"].tolist()


def test_what_is_pushed_is_read_once_and_in_order(ring):
    reader = ring.reader()
    ring.push((1, 2.0))
    ring.push((2, 4.0))
    assert numbers(reader) == [1, 2]
    assert numbers(reader) == []


def test_queue_overflow_drops_oldest_and_counts(ring):
    reader = ring.reader()
    for n in range(20):
        ring.push((n, 0.0))
    assert numbers(reader) == list(range(13, 20))  # one slot is kept free for the record being written
    assert reader.lost == 13


RECORDS = {
    "EVENT": (-5, 2**40, 1, 255, 60, 127, -0.5),
    "CLOCK": (2**40, 2**50, 20833.3, 48000, 64, 128, 0.1, 0.2, 0.3, 1, 2, 3, 4, 5, 0.5, True),
    "TIMELINE": (1.5, -4.0, 112.5, 48000.0, 1, 0.0, 0.0, 0.0, 1, 7, 8, 1, 0b0101001),
    "OUTSIDE": (2**50, 1234.5, 123.4, 3, 5, 0.25, 1),
    "NETWORK_STATS": (1, 2, 0.1, 0.2, 0.3, 4, 3, 0.5, 0.6, 0.7, 8.5, 1, True, b"cpu", 0),
    "NOTICE": (3, 2, b"the text of a notice"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_tuple_is_written_as_numpy_would(name):
    dtype = getattr(messages, name)
    ring = Writer(memoryview(bytearray(Ring.size(dtype, 2))), dtype, 2)
    assert ring._packed is not None
    for _ in range(3):
        ring.push(RECORDS[name])
        assert ring.latest() == np.array(RECORDS[name], dtype)
        assert np.array(ring.numbers(), dtype) == np.array(RECORDS[name], dtype)


def test_a_record_can_be_given_as_bytes():
    dtype = messages.wave_dtype()
    ring = Writer(memoryview(bytearray(Ring.size(dtype, 3))), dtype, 3)
    assert ring._packed is None  # it has more than one number in a field
    reader = ring.reader()
    samples = np.arange(messages.BLOCK * messages.OUTPUTS, dtype=np.float32).reshape(messages.BLOCK, messages.OUTPUTS)
    for frame in (64, 128):
        ring.push_bytes(frame.to_bytes(8, "little"), (samples + frame).tobytes())
    found = reader.read()
    assert found["frame"].tolist() == [64, 128]
    assert np.array_equal(found["samples"][1], samples + 128)


def test_two_readers_do_not_disturb_each_other(ring):
    first, second = ring.reader(), ring.reader()
    ring.push((5, 0.0))
    assert numbers(first) == numbers(second) == [5]


def test_a_reader_can_take_up_where_another_left(ring):
    first = ring.reader()
    for n in range(3):
        ring.push((n, 0.0))
    first.read(most=1)
    assert numbers(ring.reader(first.position)) == [1, 2]


def test_latest_is_the_newest_and_none_before_the_first(ring):
    assert ring.latest() is None
    for n in range(11):
        ring.push((n, 0.0))
    assert ring.latest()["number"] == 10


def test_a_record_filled_in_place_is_seen_only_when_advanced(ring):
    reader = ring.reader()
    ring.slot()["number"] = 7
    assert numbers(reader) == []
    ring.advance()
    assert numbers(reader) == [7]


def test_values_count_their_writes():
    values = Values(memoryview(bytearray(Values.size(3))), 3)
    seen = values.version
    values.write(1, 2.5)
    assert values.numbers[:3].tolist() == [0, 2.5, 0]
    assert values.version != seen


CARD = Card.model_validate(tiny.card())
LAYOUT = Layout.of(CARD, 4, CARD, stems=True)


def test_a_second_process_sees_the_same_memory():
    link = Link.create(LAYOUT)
    other = Link.attach(LAYOUT, link.name, "audio")
    try:
        reader = link["events"].reader()
        other.writer("events").push((64, -1, 1, 255, 60, 100, 0.0))
        link.values.write(2, 0.5)
        assert reader.read()["pitch"].tolist() == [60]
        assert other.values.numbers[2] == 0.5
    finally:
        other.close()
        link.close(unlink=True)


def test_every_channel_has_one_writer_and_that_is_a_process_of_the_table():
    names = [channel.name for channel in CHANNELS]
    assert len(set(names)) == len(names)
    assert {channel.writer for channel in CHANNELS} == {*PROCESSES, SUPERVISOR}
    whole = Link.private(LAYOUT)
    views = {process: whole.view(process).writes for process in (*PROCESSES, SUPERVISOR)}
    assert sorted(name for view in views.values() for name in view) == sorted(name for name, _, _ in LAYOUT.rings)


def test_what_no_one_asked_for_takes_no_memory():
    plain, stems = Layout.of(CARD, 4), Layout.of(CARD, 4, stems=True)
    assert ("stems" in Link.private(plain), "stems" in Link.private(stems)) == (False, True)
    ring, returns = (ring for ring in stems.rings if ring[0] in ("stems", "returns"))
    buses = len(CARD.tracks) + 2
    assert ring[1]["samples"].shape == (messages.BLOCK, messages.OUTPUTS * buses)
    assert ring[2] * messages.BLOCK >= 4 * 48000
    assert stems.size() - plain.size() == Ring.size(*ring[1:]) + Ring.size(*returns[1:])
    stage = Layout.of(CARD, 4, stage=True)
    there = [[name in Link.private(layout) for name in ("stems", "buses")] for layout in (plain, stems, stage)]
    assert there == [[False, False], [True, False], [False, True]]
    assert Layout.of(CARD, 4, stems=True, stage=True).rings == stems.rings


def test_the_maker_of_a_link_writes_what_the_table_gives_the_supervisor():
    link = Link.create(LAYOUT)
    try:
        assert set(link.writes) == {channel.name for channel in CHANNELS if channel.writer == SUPERVISOR}
    finally:
        link.close(unlink=True)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_view_writes_what_the_table_gives_it_and_reads_the_rest(process: str):
    view = Link.private(LAYOUT).view(process)
    for channel in CHANNELS:
        if channel.of_buses:  # which a run with stems has not
            assert channel.name not in view
            continue
        ring = view[channel.name]
        assert not hasattr(ring, "push")
        with pytest.raises(ValueError, match="read-only"):
            ring._records[0] = ring._records[1]
        if channel.writer == process:
            view.writer(channel.name).advance()
            assert ring.count == 1
        else:
            with pytest.raises(KeyError):
                view.writer(channel.name)


@pytest.mark.parametrize("process", ["supervisor", *PROCESSES])
def test_one_process_says_which_parameters_there_are_and_each_reads_and_sets_them(process: str):
    whole = Link.private(LAYOUT)
    whole.values.definitions.write(b"before")
    view = whole.view(process)
    if process == DECLARES:
        view.values.definitions.write(b"after")
        assert whole.values.definitions.read() == (2, b"after")
    else:
        with pytest.raises(TypeError, match="read-only"):
            view.values.definitions.write(b"after")
        assert whole.values.definitions.read() == view.values.definitions.read() == (1, b"before")
    view.values.write(2, 0.5)
    assert whole.values.numbers[2] == 0.5


def test_a_notice_is_its_own_processs():
    view = Link.private(LAYOUT).view("feed")
    view.notice("feed", 1, "here")
    with pytest.raises(KeyError):
        view.notice("audio", 1, "not here")


@pytest.mark.skipif(not Path("/proc/self").exists() or not Path("/dev/shm").exists(), reason="shared memory is no file here")
def test_what_a_run_that_was_killed_left_behind_is_removed_by_the_next():
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    left = Path(f"/dev/shm/algoritmo-{ended.stdout.strip()}-00000000")
    left.write_bytes(b"left")
    mine = Link.create(Layout.of(Card.model_validate(tiny.card()), 4))
    try:
        assert not left.exists()
        assert Path("/dev/shm", mine.name).exists()
    finally:
        mine.close(unlink=True)


def test_the_middle_of_a_long_notice_is_left_out_between_characters():
    link = Link.private(Layout.of(Card.model_validate(tiny.card()), 1))
    reader = link["notices.audio"].reader()
    link.notice("audio", 1, "é" * 300 + "; it is left out")
    assert reader.read()[0]["text"].decode() == "é" * 122 + " ... " + "é" * 114 + "; it is left out"
