import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.link import Writer
from engine.core.messages import KEY, NOTE_OFF, NOTE_ON, PITCH_BEND
from engine.midi.channels import Channels
from engine.midi.inputs import KeysInput
from engine.web.keyboards import Keyboards, valid


def desk():
    ring = Writer(memoryview(bytearray(Writer.size(KEY, 256))), KEY, 256)
    return Keyboards(ring), ring.reader(0)


@pytest.mark.parametrize(
    "message", [(0x90, 60, 100), (0x80, 60, 0), (0xB3, 64, 127), (0xE0, 0, 64), (0xA0, 60, 9), (0xD2, 5), [0x9F, 127, 1]]
)
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


class Piano:
    """The page's keyboards and what the player's hearing makes of them."""

    def __init__(self):
        self.keyboards, reader = desk()
        self._input = KeysInput(reader)
        self._channels = Channels()

    def played(self):
        found = [p for message in self._input.due(0, 64) for p in self._channels.take(message)]
        return [(p.kind, p.number) for p in found]


def test_a_key_two_visitors_hold_ends_with_the_second():
    piano = Piano()
    piano.keyboards.play(1, (0x90, 60, 100))
    piano.keyboards.play(2, (0x90, 60, 80))
    piano.keyboards.play(1, (0x80, 60, 0))
    assert piano.played()[:2] == [(NOTE_ON, 60), (NOTE_ON, 60)]
    assert (NOTE_OFF, 60) not in piano.played()
    piano.keyboards.play(2, (0x90, 60, 0))
    assert piano.played() == [(NOTE_OFF, 60)]


def test_who_vanishes_leaves_nothing_behind():
    piano = Piano()
    for message in ((0x90, 60, 100), (0x91, 64, 100), (0xB0, 64, 127), (0xE0, 0, 127)):
        piano.keyboards.play(1, message)
    piano.keyboards.play(2, (0x90, 64, 100))
    piano.played()
    piano.keyboards.vanish(1)
    assert piano.played() == [(NOTE_OFF, 60), (PITCH_BEND, 0)]  # 64 is under the other's finger
    assert (piano.keyboards.has_played(1), piano.keyboards.has_played(2)) == (False, True)
    piano.keyboards.vanish(1)
    assert piano.played() == []


def test_who_never_played_vanishes_without_a_word():
    keyboards, reader = desk()
    reader.read()
    keyboards.vanish(1)
    assert len(reader.read()) == 0


def test_what_a_page_that_died_left_held_is_let_go_by_the_next_one():
    piano = Piano()
    piano.keyboards.play(3, (0x90, 60, 100))
    piano.keyboards.play(4, (0x90, 62, 100))
    piano.played()
    Keyboards(piano.keyboards._ring)
    assert piano.played() == [(NOTE_OFF, 60), (NOTE_OFF, 62)]


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.integers(1, 4),
                st.sampled_from([0x80, 0x90, 0xB0, 0xE0, 0xA0]),
                st.integers(0, 2),
                st.sampled_from([60, 62, 64, 66]),
                st.integers(0, 127),
            ),
            st.integers(1, 4),
        ),
        max_size=60,
    )
)
def test_after_everyone_has_vanished_no_note_sounds(moves):
    piano = Piano()
    sounding = set()
    for move in [*moves, 1, 2, 3, 4]:
        if isinstance(move, int):
            piano.keyboards.vanish(move)
        else:
            client, status, channel, first, second = move
            piano.keyboards.play(client, (status | channel, first, second))
        for kind, pitch in piano.played():
            if kind == NOTE_ON:
                sounding.add(pitch)
            elif kind == NOTE_OFF:
                sounding.remove(pitch)
    assert sounding == set()
