import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.link import Ring
from engine.core.messages import KEY
from engine.midi.parser import Parser
from engine.web.keyboards import Keyboards, valid


def desk():
    ring = Ring(memoryview(bytearray(Ring.size(KEY, 256))), KEY, 256)
    return Keyboards(ring), ring.reader(0)


def sent(reader):
    return [tuple(record["data"].tolist()) for record in reader.read()]


@pytest.mark.parametrize("message", [(0x90, 60, 100), (0x80, 60, 0), (0xB3, 64, 127), (0xE0, 0, 64), [0x9F, 127, 1]])
def test_what_plays_passes(message):
    assert valid(message) == tuple(message)


@pytest.mark.parametrize(
    "message",
    [None, 5, "abc", b"\x90<d", (), (0x90, 60), (0x90, 60, 100, 1), (0x90, 128, 1), (0x90, 60, -1), (0xF0, 1, 2), (0xFF, 0, 0),
     (0x70, 1, 1), (0xC0, 1, 1), (0x190, 60, 1), (0x90, 60.0, 1), (True, 60, 1), (0x90, True, 1), ("0x90", 60, 1), {"0": 1}],
)  # fmt: skip
def test_what_does_not_play_is_dropped(message):
    assert valid(message) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_only_bytes_of_channel_messages_ever_pass(message):
    passed = valid(message)
    assert passed is None or (0x80 <= passed[0] < 0xF0 and max(passed[1:]) < 128)


def test_a_key_two_visitors_hold_ends_with_the_second():
    keyboards, reader = desk()
    keyboards.play(1, (0x90, 60, 100))
    keyboards.play(2, (0x90, 60, 80))
    keyboards.play(1, (0x80, 60, 0))
    assert sent(reader) == [(0x90, 60, 100), (0x90, 60, 80)]
    keyboards.play(2, (0x90, 60, 0))
    assert sent(reader) == [(0x90, 60, 0)]


def test_who_vanishes_leaves_nothing_behind():
    keyboards, reader = desk()
    keyboards.play(1, (0x90, 60, 100))
    keyboards.play(1, (0x91, 64, 100))
    keyboards.play(1, (0xB0, 64, 127))
    keyboards.play(1, (0xE0, 0, 127))
    keyboards.play(2, (0x90, 64, 100))
    sent(reader)
    keyboards.vanish(1)
    assert sorted(sent(reader)) == [(0x80, 60, 0), (0x81, 64, 0), (0xB0, 64, 0), (0xE0, 0, 64)]
    assert (keyboards.held(1), keyboards.held(2)) == (0, 1)
    keyboards.vanish(1)
    assert sent(reader) == []


@pytest.mark.parametrize("seed", range(20))
def test_after_everyone_has_vanished_the_parser_holds_no_note(seed):
    rng = random.Random(seed)
    keyboards, reader = desk()
    parser = Parser()
    sounding = set()
    for _ in range(40):
        for _ in range(rng.randrange(12)):
            message = (
                rng.choice([0x80, 0x90, 0x90, 0xB0, 0xE0]) | rng.randrange(3),
                rng.choice([60, 62, 64]),
                rng.randrange(128),
            )
            keyboards.play(rng.randrange(4), message)
        keyboards.vanish(rng.randrange(4))
        for data in sent(reader):
            listen(parser, data, sounding)
    for client in range(4):
        keyboards.vanish(client)
    for data in sent(reader):
        listen(parser, data, sounding)
    assert sounding == set()


def listen(parser, data, sounding):
    for heard in parser.feed(data):
        if heard.kind == 1:
            sounding.add(heard.number)
        elif heard.kind == 0:
            sounding.discard(heard.number)
