"""MIDI ports that come and go, on a fake of python-rtmidi."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
import rtmidi

from engine.core.errors import DeviceError
from engine.midi.inputs import Arrival
from engine.midi.ports import Outputs, Ports, find, inputs, open_all


class FakeMidi:
    """What python-rtmidi's clients see: ports that a test plugs in and out."""

    def __init__(self, *present: str) -> None:
        self.present = list(present)
        self.clients: list[FakePort] = []
        self.busy: set[str] = set()

    def make(self) -> FakePort:
        self.clients.append(FakePort(self))
        return self.clients[-1]

    def port(self, name: str) -> FakePort:
        """Return the open port of this name."""
        return next(c for c in self.clients if c.name == name)


class FakePort:
    """rtmidi.MidiIn and MidiOut in one."""

    def __init__(self, midi: FakeMidi) -> None:
        self._midi = midi
        self.name = ""
        self.callback: Callable[..., None] | None = None
        self.sent: list[Any] = []

    def get_ports(self) -> list[str]:
        return list(self._midi.present)

    def ignore_types(self, timing: bool) -> None:
        assert not timing, "a clock that comes in is listened to"

    def open_port(self, index: int, _name: str) -> None:
        if self._midi.present[index] in self._midi.busy:
            raise rtmidi.SystemError("busy")
        self.name = self._midi.present[index]

    def open_virtual_port(self, name: str) -> None:
        self.name = name

    def close_port(self) -> None:
        assert self.callback is None, "closed while it may still call"
        self.name = ""

    def set_callback(self, callback: Callable[..., None]) -> None:
        self.callback = callback

    def cancel_callback(self) -> None:
        self.callback = None

    def send_message(self, message: Any) -> None:
        if self.name not in self._midi.present:
            raise rtmidi.SystemError("gone")
        self.sent.append(message)


class Stand:
    """Input ports on a fake, with what they told."""

    def __init__(self, midi: FakeMidi, *names: str) -> None:
        self.told: list[str] = []
        self.arrivals: deque[Arrival] = deque()
        self.threads: list[int] = []
        self.ports: Ports = inputs(
            names,
            midi.make,
            lambda _, text: self.told.append(text),
            self.arrivals,
            lambda: self.threads.append(threading.get_ident()),
        )


def test_the_virtual_port_passes_on_what_comes_with_its_time() -> None:
    midi = FakeMidi()
    stand = Stand(midi, "virtual")
    stand.ports.open()
    callback = midi.port("Algoritmo input").callback
    assert callback is not None
    callback(([0x90, 60, 100], 0.0), None)
    callback(([0x80, 60, 0], 0.1), None)
    (first_ns, name, data), (second_ns, _, _) = stand.arrivals
    assert (name, data) == ("Algoritmo:Algoritmo input", [0x90, 60, 100])
    assert second_ns >= first_ns
    assert stand.threads == [threading.get_ident()]  # once, where the messages come
    assert not stand.ports.watches


def test_a_named_port_is_found_by_a_part_of_its_name() -> None:
    midi = FakeMidi("Midi Through:Midi Through Port-0 14:0", "nanoKEY2:nanoKEY2 MIDI 1 20:0")
    stand = Stand(midi, "nanokey")
    stand.ports.open()
    assert stand.ports.connected == ["nanoKEY2:nanoKEY2 MIDI 1 20:0"]


def test_an_ambiguous_name_is_an_error_that_lists_the_candidates() -> None:
    with pytest.raises(DeviceError, match=r"'key'[\s\S]*nanoKEY[\s\S]*KeyLab"):
        Stand(FakeMidi("nanoKEY 20:0", "KeyLab 24:0", "Drums 28:0"), "key").ports.open()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("0", 0),
        ("7", None),
        ("Piano 20:0", 0),
        ("Piano", 0),  # exact but for ALSA's numbers, though "Piano 2" has it as well
        ("2", 1),  # a name has it
        (2, 2),
        ("1", 1),  # no name has it
        ("28", None),  # ALSA's numbers are no names
        ("organ", None),
        ("algoritmo", None),  # never our own
    ],
)
def test_how_names_are_read(wanted: str | int, found: int | None) -> None:
    assert find(wanted, ["Piano 20:0", "Piano 2 24:0", "Drums 28:0", "Algoritmo:Algoritmo output 130:0"]) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("61", 1),
        ("Keystation", 1),
        ("algoritmo", 2),  # a foreign instrument, though its name begins like ours
        ("Algoritmo Keys", 2),
        ("Algoritmo input", None),
        (61, 1),  # as --set midi.inputs=61 is read
        ("6", None),  # not a part of a number
    ],
)
def test_a_number_may_be_a_name_and_only_our_own_ports_are_ours(wanted: str | int, found: int | None) -> None:
    own = ["Algoritmo:Algoritmo input 129:0", "Algoritmo-01:Algoritmo output 2", "Algoritmo input 1"]
    ports = ["Through:Through Port-0 14:0", "Keystation 61:Keystation 61 MIDI 1 20:0", "Algoritmo Keys:Port 3 24:0", *own]
    assert find(wanted, ports) == found


def test_a_number_that_two_names_have_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"'61'[\s\S]*Keystation 61[\s\S]*Oxygen 61"):
        find("61", ["Keystation 61 20:0", "Oxygen 61 24:0"])


def test_two_places_on_one_port_are_told_apart() -> None:
    midi = FakeMidi("Piano 20:0")
    stand = Stand(midi, "piano", "Piano 20:0")
    stand.ports.open()
    for client in midi.clients:
        if client.callback is not None:
            client.callback(([0xFE], 0.0))
    assert [name for _, name, _ in stand.arrivals] == ["Piano 20:0", "Piano 20:0 #2"]


def test_a_port_may_be_unplugged_and_plugged_in_again() -> None:
    midi = FakeMidi("Piano 20:0")
    stand = Stand(midi, "piano")
    stand.ports.open()
    assert stand.told == []
    midi.present = []
    stand.ports.poll()
    assert "'Piano 20:0' is gone: waiting for 'piano'" in stand.told.pop()
    assert stand.arrivals.pop()[1:] == ("Piano 20:0", None)  # so that its notes end
    stand.ports.poll()
    assert stand.told == []
    midi.present = ["Piano 24:0"]
    stand.ports.poll()
    assert "'Piano 24:0' is connected" in stand.told.pop()
    callback = midi.port("Piano 24:0").callback
    assert callback is not None
    callback(([0x90, 60, 1], 0.0))
    assert stand.arrivals.pop()[2] == [0x90, 60, 1]


def test_looking_for_ports_takes_one_client_however_long() -> None:
    midi = FakeMidi()
    stand = Stand(midi, "piano")
    stand.ports.open()
    for _ in range(100):
        stand.ports.poll()
    assert len(midi.clients) == 1


def test_a_missing_port_is_waited_for_aloud() -> None:
    stand = Stand(FakeMidi("Drums 28:0"), "piano")
    stand.ports.open()
    assert "'piano' is not there: waiting for it (there are: Drums 28:0)" in stand.told[0]


def test_a_busy_port_is_complained_of_once_and_taken_when_it_is_free() -> None:
    midi = FakeMidi()
    stand = Stand(midi, "piano")
    stand.ports.open()
    stand.told.clear()
    midi.present, midi.busy = ["Piano 20:0"], {"Piano 20:0"}
    for _ in range(3):
        stand.ports.poll()
    assert len(stand.told) == 1
    assert "close the program that uses it" in stand.told[0]
    midi.busy = set()
    stand.ports.poll()
    assert stand.ports.connected == ["Piano 20:0"]


def test_a_busy_port_at_the_start_is_an_error() -> None:
    midi = FakeMidi("Piano 20:0")
    midi.busy = {"Piano 20:0"}
    with pytest.raises(DeviceError, match="close the program that uses it"):
        Stand(midi, "piano").ports.open()


def test_all_ports_that_cannot_be_had_are_named_at_once() -> None:
    midi = FakeMidi("Piano 20:0", "Synth 24:0", "Synth 28:0", "Drums 32:0")
    midi.busy = {"Piano 20:0", "Drums 32:0"}
    stand = Stand(midi, "piano", "virtual", "synth")
    outputs = Outputs(("drums",), midi.make, lambda _level, _text: None)
    with pytest.raises(DeviceError) as error:
        open_all([stand.ports, outputs])
    said = str(error.value)
    assert "input 'Piano 20:0' cannot be opened" in said
    assert "output 'Drums 32:0' cannot be opened" in said
    assert "'synth' may mean any of these" in said
    assert stand.ports.connected == ["Algoritmo:Algoritmo input"]  # what could be had, was


def test_closing_unhooks_the_callback_first() -> None:
    midi = FakeMidi("Piano 20:0")
    stand = Stand(midi, "virtual", "piano")
    stand.ports.open()
    stand.ports.close()
    assert stand.ports.connected == []
    assert all(client.callback is None and not client.name for client in midi.clients)


def test_every_output_gets_every_message_and_one_that_is_gone_stops_none() -> None:
    midi = FakeMidi("Synth 20:0", "Sampler 24:0")
    outputs = Outputs(("synth", "sampler"), midi.make, lambda _level, _text: None)
    outputs.open()
    midi.present = ["Sampler 24:0"]
    outputs.send((0x90, 60, 100))
    assert midi.port("Sampler 24:0").sent[-1] == (0x90, 60, 100)


def test_a_synth_that_comes_back_is_told_to_end_what_it_holds() -> None:
    midi = FakeMidi("Synth 20:0")
    outputs = Outputs(("synth",), midi.make, lambda _level, _text: None)
    outputs.open()
    midi.port("Synth 20:0").sent.clear()
    midi.present = []
    outputs.poll()
    midi.present = ["Synth 24:0"]
    outputs.poll()
    assert midi.port("Synth 24:0").sent == [[0xB0 | channel, 123, 0] for channel in range(16)]
