"""What is held on every port and channel, from the bytes of keyboards to notes."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.messages import ALL_OFF, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND, PRESSURE
from engine.midi.channels import EVERY_NOTE, Channels, Played
from engine.midi.message import NO_CHANNEL, Kind, MidiMessage
from engine.midi.parser import Parser
from tests.midi.strategies import CHANNEL_MESSAGES

MPE = (0xB0, 101, 0, 100, 6, 6, 15)  # a lower zone of all channels
Heard = tuple[int, int, int]


class Stage:
    """Some keyboards, and how the notes that they play are bent."""

    def __init__(self, *mpe: str) -> None:
        self.channels = Channels(mpe)
        self._parsers: dict[str, Parser] = {}
        self.bent: dict[int, float] = {}  # pitch -> semitones

    def play(self, *data: int, port: str = "a") -> list[Heard]:
        """Play bytes; return (kind, number, value) of what came of them."""
        parser = self._parsers.setdefault(port, Parser(port))
        return [h for message in parser.feed(data) for h in self._take(self.channels.take(message))]

    def lose(self, port: str = "a") -> list[Heard]:
        """Unplug a keyboard."""
        return self._take(self.channels.take(MidiMessage(0, port, NO_CHANNEL, Kind.GONE)))

    def panic(self) -> list[Heard]:
        """Let go of everything."""
        return self._take(self.channels.release())

    def _take(self, found: list[Played]) -> list[Heard]:
        for kind, lane, number, _ in found:
            if kind == NOTE_ON:
                self.bent[number] = lane.semitones
            elif kind == PITCH_BEND:
                self.bent.update(dict.fromkeys(lane.pitches, lane.semitones))
        return [(kind, number, value) for kind, _, number, value in found]


def bend(channel: int, value: float) -> tuple[int, int, int]:
    """The bytes of a wheel at -1..1."""
    steps = round(8192 + value * 8191)
    return 0xE0 | channel, steps & 0x7F, steps >> 7


# --- keys and the pedal ----------------------------------------------------------------------------------------------------


def test_the_pedal_holds_what_the_fingers_let_go() -> None:
    stage = Stage()
    assert stage.play(0x90, 60, 100, 64, 100, 0xB0, 64, 127, 0x80, 60, 0)[2:] == []
    assert stage.play(0xB0, 64, 0) == [(NOTE_OFF, 60, 0)]  # 64 is still under a finger
    assert stage.play(0x80, 64, 0) == [(NOTE_OFF, 64, 0)]


def test_a_key_struck_again_under_the_pedal_ends_once() -> None:
    stage = Stage()
    stage.play(0xB0, 64, 127, 0x90, 60, 100, 60, 0, 60, 90)
    assert stage.play(0xB0, 64, 0) == []
    assert stage.play(0x90, 60, 0) == [(NOTE_OFF, 60, 0)]


@pytest.mark.parametrize("controller", [120, 123, 124, 127])
def test_all_notes_off_ends_what_the_pedal_holds_too(controller: int) -> None:
    stage = Stage()
    stage.play(0xB0, 64, 127, 0x90, 60, 100, 60, 0, 62, 100)
    ended = [(NOTE_OFF, 60, 0), (NOTE_OFF, 62, 0)]
    assert stage.play(0xB0, controller, 0) == ended + [(ALL_OFF, 0, 0)] * (controller == 120)


def test_sound_off_on_one_keyboard_leaves_the_others_notes() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100)
    stage.play(0x90, 62, 100, port="b")
    assert stage.play(0xB0, 120, 0) == [(NOTE_OFF, 60, 0)]


def test_reset_lifts_the_pedal_and_centres_the_wheel() -> None:
    stage = Stage()
    stage.play(0xB0, 64, 127, 0x90, 60, 100, 60, 0, *bend(0, 1))
    assert stage.play(0xB0, 121, 0) == [(NOTE_OFF, 60, 0), (PITCH_BEND, 0, 0)]
    assert stage.bent == {60: 0}


@pytest.mark.parametrize(("status", "port"), [(1, "a"), (0, "b")])
def test_a_pitch_held_twice_ends_with_the_second_release(status: int, port: str) -> None:
    """On two channels as on two keyboards; whichever is let go first."""
    for first, second in (((0, "a"), (status, port)), ((status, port), (0, "a"))):
        stage = Stage()
        stage.play(0x90, 60, 100)
        assert stage.play(0x90 | status, 60, 100, port=port) == [(NOTE_ON, 60, 100)]
        assert (NOTE_OFF, 60, 0) not in stage.play(0x80 | first[0], 60, 0, port=first[1])
        assert stage.play(0x80 | second[0], 60, 0, port=second[1]) == [(NOTE_OFF, 60, 0)]


def test_the_pedal_of_one_keyboard_does_not_hold_the_notes_of_another() -> None:
    stage = Stage()
    stage.play(0xB0, 64, 127)
    stage.play(0x90, 60, 100, port="b")
    assert stage.play(0x80, 60, 0, port="b") == [(NOTE_OFF, 60, 0)]


def test_half_pedals_and_soft_pedals_hold_nothing_and_are_passed_on() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100)
    assert stage.play(0xB0, 66, 127, 67, 127, 0x80, 60, 0) == [(CONTROL, 66, 127), (CONTROL, 67, 127), (NOTE_OFF, 60, 0)]


# --- a device that goes ----------------------------------------------------------------------------------------------------


def test_what_was_down_when_a_device_went_goes_back() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100, 62, 100, 0xB0, 64, 127, 0x80, 62, 0)
    stage.play(*bend(0, 1), 0xD0, 99, 0xB0, 1, 30, 66, 127, 74, 3, 7, 100)
    found = stage.lose()
    assert found[:2] == [(NOTE_OFF, 60, 0), (NOTE_OFF, 62, 0)]
    assert found[2:4] == [(PITCH_BEND, 0, 0), (PRESSURE, EVERY_NOTE, 0)]
    assert sorted(found[4:]) == [(CONTROL, 1, 0), (CONTROL, 66, 0), (CONTROL, 74, 64)]  # the volume is where it was put
    assert set(stage.bent.values()) == {0}
    assert stage.lose() == []


def test_a_device_that_went_takes_nothing_from_the_others() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100, 62, 100, *bend(0, 1))
    stage.play(0x90, 60, 100, 64, 100, *bend(0, -1), port="b")
    assert stage.bent == {60: -2, 62: 2, 64: -2}
    assert (NOTE_OFF, 60, 0) not in stage.lose("b")
    assert stage.bent == {60: 2, 62: 2, 64: 0}  # the first keyboard holds it, and its wheel is up
    assert stage.lose("a")[:2] == [(NOTE_OFF, 60, 0), (NOTE_OFF, 62, 0)]


def test_a_device_that_comes_back_begins_straight() -> None:
    stage = Stage()
    stage.play(*bend(0, 1), 0xB0, 64, 127)
    stage.lose()
    stage.play(0x90, 60, 100)
    assert stage.bent == {60: 0}
    assert stage.play(0x80, 60, 0) == [(NOTE_OFF, 60, 0)]


def test_after_a_panic_nothing_is_held_and_the_keyboard_is_the_same_one() -> None:
    stage = Stage()
    stage.play(0xB0, 101, 0, 100, 0, 6, 12, 0x90, 60, 100, *bend(0, 1))
    assert stage.bent == {60: 12}
    assert stage.panic() == [(NOTE_OFF, 60, 0), (PITCH_BEND, 0, 0)]
    assert stage.play(0x80, 60, 0) == []
    stage.play(0x90, 62, 100, *bend(0, 0.5))
    assert stage.bent[62] == pytest.approx(6, abs=0.01)  # it does not say its range again


# --- wheels ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "port"), [(1, "a"), (0, "b")])
def test_a_wheel_bends_the_notes_of_its_own_channel_only(status: int, port: str) -> None:
    stage = Stage()
    stage.play(0x90, 60, 100)
    stage.play(0x90 | status, 64, 100, *bend(status, 1), port=port)
    assert stage.bent == {60: 0, 64: 2}
    stage.play(*bend(0, -1))
    assert stage.bent == {60: -2, 64: 2}


def test_a_wheel_bends_what_rings_on_and_what_is_to_come() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100, 60, 0, *bend(0, 1), 0x90, 62, 100)
    assert stage.bent == {60: 2, 62: 2}


def test_the_range_of_a_wheel_is_what_its_keyboard_says() -> None:
    stage = Stage()
    stage.play(0xB0, 101, 0, 100, 0, 6, 7, 38, 50, 101, 127, 100, 127, 6, 99)  # data entry without a parameter says nothing
    stage.play(0x90, 60, 100, *bend(0, 1))
    stage.play(0x90, 61, 100, *bend(0, 1), port="b")
    assert stage.bent == {60: 7.5, 61: 2}


def test_data_entry_is_a_controller_like_any_other_where_no_parameter_is_meant() -> None:
    assert Stage().play(0xB0, 6, 99) == [(CONTROL, 6, 99)]
    assert Stage().play(0xB0, 99, 1, 98, 2, 6, 99)[-1] == (CONTROL, 6, 99)
    assert Stage().play(0xB3, 1, 99) == [(CONTROL, 1, 99)]


# --- MPE -------------------------------------------------------------------------------------------------------------------


def test_the_bend_of_one_finger_bends_one_note() -> None:
    stage = Stage()
    stage.play(*MPE, 0x91, 60, 100, 0x92, 64, 100, *bend(1, 0.5))
    assert stage.bent == {60: pytest.approx(24, abs=0.01), 64: 0}
    stage.play(*bend(0, 1))  # the master's wheel bends them all
    assert stage.bent == {60: pytest.approx(26, abs=0.01), 64: 2}
    assert (NOTE_OFF, 60, 0) in stage.play(0x81, 60, 0)


def test_the_range_of_one_finger_is_that_of_all() -> None:
    stage = Stage()
    stage.play(*MPE, 0x91, 60, 100, 0x92, 64, 100, 0xB1, 101, 0, 100, 0, 6, 12, *bend(2, 1), *bend(1, 1))
    assert stage.bent == {60: 12, 64: 12}


def test_a_new_finger_does_not_bend_what_the_one_before_left_ringing() -> None:
    stage = Stage()
    stage.play(*MPE, 0x91, 60, 100, 0x81, 60, 0, 0x91, 64, 100, *bend(1, 1))
    assert stage.bent == {60: 0, 64: 48}


def test_the_masters_pedal_holds_the_whole_zone() -> None:
    stage = Stage()
    stage.play(*MPE, 0x91, 60, 100, 0xB0, 64, 127)
    assert stage.play(0x81, 60, 0) == []
    assert stage.play(0xB0, 64, 0) == [(NOTE_OFF, 60, 0)]


def test_two_zones_share_the_channels() -> None:
    stage = Stage()
    stage.play(0xB0, 101, 0, 100, 6, 6, 15, 0xBF, 101, 0, 100, 6, 6, 7)
    for channel in (7, 8):
        stage.play(0x90 | channel, 60 + channel, 100, *bend(channel, 1))
    assert stage.bent == {67: 48, 68: 48}
    stage.play(*bend(15, 1))
    assert stage.bent == {67: 48, 68: 50}


def test_a_zone_that_is_given_up_leaves_plain_channels() -> None:
    stage = Stage()
    stage.play(*MPE, 0x91, 60, 100, *bend(1, 1))
    assert stage.play(0xB0, 101, 0, 100, 6, 6, 0)[2:] == [(NOTE_OFF, 60, 0), (PITCH_BEND, 0, 0)]
    stage.play(0x91, 62, 100, *bend(1, 1))
    assert stage.bent == {60: 0, 62: 2}


def test_a_keyboard_that_does_not_say_so_may_be_called_mpe() -> None:
    stage = Stage("seaboard")
    stage.play(0x91, 60, 100, *bend(1, 1), port="Seaboard RISE 24:0")
    stage.play(0x91, 61, 100, *bend(1, 1))
    assert stage.bent == {60: 48, 61: 2}


def test_pressure_and_timbre_are_of_their_own_lane() -> None:
    stage = Stage()
    stage.play(*MPE)
    assert stage.play(0x91, 60, 100, 0xD1, 80, 0xB1, 74, 20, 0xA1, 60, 5)[1:] == [
        (PRESSURE, EVERY_NOTE, 80),
        (CONTROL, 74, 20),
        (PRESSURE, 60, 5),
    ]


# --- anything --------------------------------------------------------------------------------------------------------------

MOVES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "page 1"]), st.one_of(CHANNEL_MESSAGES.map(mido.Message.bytes), st.none())),
    max_size=60,
)
FEW = st.integers(0, 2)
ZONES = st.sampled_from([MPE, (0xBF, 101, 0, 100, 6, 6, 5), (0xB0, 101, 0, 100, 6, 6, 0)])
CROWDED = st.lists(  # few pitches and channels, so that they meet
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.one_of(
            st.builds(lambda c, p: [0x90 | c, 60 + p, 100], FEW, FEW),
            st.builds(lambda c, p: [0x80 | c, 60 + p, 0], FEW, FEW),
            st.builds(lambda c, v: [0xB0 | c, 64, v * 63], FEW, FEW),
            st.builds(lambda c, v: list(bend(c, v - 1)), FEW, FEW),
            st.builds(lambda c, v: [0xB0 | c, v, 0], FEW, st.integers(118, 127)),
            ZONES.map(list),
            st.none(),
        ),
    ),
    max_size=60,
)


@given(st.one_of(MOVES, CROWDED))
def test_notes_begin_and_end_in_turn_and_nothing_is_left(moves: list[tuple[str, list[int] | None]]) -> None:
    stage = Stage()
    sounding: set[int] = set()

    def follow(found: list[Heard]) -> None:
        for kind, number, _ in found:
            if kind == NOTE_ON:
                sounding.add(number)
            elif kind == NOTE_OFF:
                sounding.remove(number)

    for port, data in moves:
        follow(stage.lose(port) if data is None else stage.play(*data, port=port))
        assert sounding == stage.channels.held()
    for port in ("a", "b", "page 1"):
        follow(stage.lose(port))
    assert sounding == set()
    assert all(semitones == 0 for semitones in stage.bent.values())


@given(CROWDED)
def test_each_port_and_channel_holds_what_it_holds_alone(moves: list[tuple[str, list[int] | None]]) -> None:
    """A note sounds as long as one of them would hold it if it were the only one."""
    together, alone = Stage(), {"a": Stage(), "b": Stage()}
    for port, data in moves:
        for stage in (together, alone[port]):
            stage.lose(port) if data is None else stage.play(*data, port=port)
        assert together.channels.held() == alone["a"].channels.held() | alone["b"].channels.held()


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_survive_and_leave_no_note_hanging(chunks: list[bytes]) -> None:
    stage = Stage()
    on: set[int] = set()
    for found in [*(stage.play(*chunk) for chunk in chunks), stage.lose()]:
        for kind, number, _ in found:
            if kind == NOTE_ON:
                on.add(number)
            elif kind == NOTE_OFF:
                on.remove(number)
    assert not on


# --- notes whose end was lost ----------------------------------------------------------------------------------------------


def test_a_note_whose_end_was_lost_ends_when_its_key_is_struck_again_and_let_go() -> None:
    stage = Stage()
    stage.play(0x90, 60, 100)
    assert stage.play(0x90, 60, 90) == [(NOTE_ON, 60, 90)]
    assert stage.play(0x80, 60, 0) == [(NOTE_OFF, 60, 0)]
    assert stage.channels.held() == set()


def test_a_note_that_is_held_for_longer_than_its_port_allows_is_ended() -> None:
    channels = Channels(longest_s={"Old": 30.0, "": 100.0})
    parser, other = Parser("old keys"), Parser("organ")
    for message in (*parser.feed(bytes((0x90, 60, 100, 0xB0, 64, 127, 0x80, 60, 0))), *other.feed(bytes((0x90, 72, 100)))):
        channels.take(message, 5.0)  # the first is held by a pedal that nobody lets go
    assert channels.overdue(34.9) == []
    assert [(played.kind, played.number) for played in channels.overdue(35.1)] == [(NOTE_OFF, 60)]
    assert channels.held() == {72}
    for message in other.feed(bytes((0x90, 72, 100))):
        channels.take(message, 90.0)
    assert channels.overdue(189.0) == [], "a key that is struck again begins anew"
    assert [played.number for played in channels.overdue(191.0)] == [72]
    assert channels.overdue(1e6) == []
    assert not Channels().is_guarded
