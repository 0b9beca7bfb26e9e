"""Zones of keyboards: splits, layers, touch, and the hand that holds the chords; and notes that come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import load
from engine.core.errors import ConfigError
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.midi.channels import Channels
from engine.midi.loops import BACK_NS, Loops
from engine.midi.message import SUSTAIN, Kind, MidiMessage
from engine.midi.zones import Zones


def zones(text: str) -> Zones:
    return Zones(load(None, [f"midi.zones={text}"]).midi.zones)


def on(pitch: int, velocity: int = 100, port: str = "Keys", channel: int = 0) -> MidiMessage:
    return MidiMessage(0, port, channel, Kind.NOTE_ON, pitch, velocity)


def off(pitch: int, port: str = "Keys", channel: int = 0) -> MidiMessage:
    return MidiMessage(0, port, channel, Kind.NOTE_OFF, pitch, 0)


def test_without_zones_all_is_played_as_it_is():
    message = on(60)
    assert zones("[]").take(message) == (message,)


def test_a_split_and_a_layer_and_what_lies_in_no_zone():
    keyboard = zones('[{low="C2", high="B3", transpose=12}, {low="C4", high="C5"}, {low="C4", high="C5", transpose=-12}]')
    assert [m.number for m in keyboard.take(on(48))] == [60]
    assert [m.number for m in keyboard.take(on(60))] == [60, 48]
    assert keyboard.take(on(73)) == []
    assert keyboard.take(on(24)) == []


def test_ports_and_channels_are_told_apart_and_everything_of_them_goes_along():
    keyboard = zones('[{port="pads", channels=[10]}, {port="keys", channels=[1, 2], velocity="fixed"}]')
    assert keyboard.take(on(60, port="My Pads", channel=0)) == []
    assert len(keyboard.take(on(60, port="My Pads", channel=9))) == 1
    assert [m.value for m in keyboard.take(on(60, 12, channel=1))] == [100]
    pedal = MidiMessage(0, "Keys", 1, Kind.CONTROL, SUSTAIN, 127)
    assert [m.kind for m in keyboard.take(pedal)] == [Kind.CONTROL]
    assert keyboard.take(pedal._replace(channel=4)) == []
    assert len(keyboard.take(MidiMessage(0, "Keys", -1, Kind.GONE))) == 1


@pytest.mark.parametrize("touch", ["linear", "soft", "hard"])
def test_a_touch_changes_how_loud_it_is_and_never_the_order_or_the_ends(touch: str):
    keyboard = zones(f'[{{velocity="{touch}"}}]')
    found = [int(keyboard.take(on(60, velocity))[0].value) for velocity in range(1, 128)]
    assert found == sorted(found)
    assert (found[0] >= 1, found[-1]) == (True, 127)
    middle = found[63]
    assert {"linear": middle == 64, "soft": middle > 75, "hard": middle < 50}[touch]


@given(st.lists(st.tuples(st.booleans(), st.integers(36, 84)), max_size=80))
def test_whatever_is_played_in_layers_nothing_hangs(strokes: list[tuple[bool, int]]):
    keyboard = zones("[{}, {transpose=12}, {low=60, transpose=-12}]")
    channels, sounding = Channels(), set()

    def play(message: MidiMessage) -> None:
        for one in keyboard.take(message):
            for played in channels.take(one):
                if played.kind == NOTE_ON:
                    sounding.add(played.number)
                elif played.kind == NOTE_OFF:
                    sounding.discard(played.number)

    down: set[int] = set()
    for begins, pitch in strokes:
        play(on(pitch) if begins else off(pitch))
        (down.add if begins else down.discard)(pitch)
    wanted = down | {p + 12 for p in down} | {p - 12 for p in down if p >= 60}
    assert sounding == wanted
    for pitch in list(down):
        play(off(pitch))
    assert not sounding


def test_the_hand_of_chords_is_told_when_it_strikes_and_not_as_it_lets_go():
    keyboard = zones('[{low="C2", high="B3", to="chords", sounds=false}, {low="C4"}]')
    assert keyboard.take(on(48)) == []
    assert not keyboard.is_new, "one key is no chord"
    keyboard.take(on(52))
    keyboard.take(on(55))
    assert keyboard.is_new
    assert sorted(keyboard.hand) == [48, 52, 55]
    keyboard.is_new = False
    keyboard.take(off(52))
    assert not keyboard.is_new
    assert [m.number for m in keyboard.take(on(72))] == [72], "the right hand plays"
    assert not keyboard.is_new
    keyboard.take(MidiMessage(0, "Keys", -1, Kind.GONE))
    assert keyboard.hand == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{low="C5", high="C4"}]', "low must not be above high"),
        ('[{low="H2"}]', "midi.zones.0.low"),
        ("[{channels=[17]}]", "midi.zones.0.channels"),
        ('[{to="drums"}]', "midi.zones.0.to"),
    ],
)
def test_zones_with_faults_are_told_by_their_place(text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        zones(text)


def test_what_was_sent_a_moment_ago_and_comes_in_is_not_played():
    loops = Loops()
    loops.tell((0x91, 60, 100), 1000)
    loops.tell((0xB1, 7, 100), 1000)
    message = MidiMessage(2000, "Synth thru", 1, Kind.NOTE_ON, 60, 100)
    assert not loops.comes_back(message._replace(channel=2))
    assert not loops.comes_back(message._replace(value=90)), "struck by a hand"
    assert loops.comes_back(message)
    assert not loops.comes_back(message), "once"
    loops.tell((0x81, 60, 0), 5000)
    assert loops.comes_back(message._replace(kind=Kind.NOTE_OFF, value=64, time_ns=6000))
    loops.tell((0x91, 60, 100), 1000)
    assert not loops.comes_back(message._replace(time_ns=2000 + BACK_NS)), "long ago"
