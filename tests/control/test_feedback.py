"""What lights and motor faders are shown: the value that the control would have sent, at a pace that a cable carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.feedback import AT_ONCE, HOLD_S, Surface, messages
from engine.control.surface_process import of_config
from engine.core.config import SHIPPED, load
from engine.core.contract import read_card
from engine.core.controllers import Controller, bundled, map_path, read
from engine.core.parameters import Live, Registry
from engine.core.values import Values
from engine.jam.parameters import registry_of


@pytest.fixture
def live() -> Live:
    registry = registry_of(read_card(SHIPPED / "festival" / "festival.onnx"))
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    return live


def control(**given: object) -> Controller:
    return Controller.model_validate(given)


@given(st.integers(0, 127), st.booleans(), st.sampled_from(["linear", "slow", "fast"]))
def test_what_is_shown_is_what_the_control_would_have_sent(value: int, invert: bool, curve: str):
    registry = Registry(["lead"])
    parameter = registry["lead.level"]
    by = control(cc=20, channel=3, invert=invert, curve=curve, min=0.2, max=0.6)
    share = value / 127
    way = (1 - share if invert else share) ** {"linear": 1.0, "slow": 2.0, "fast": 0.5}[curve]
    assert messages(by, parameter, 0.2 + 0.4 * way) == [(0xB2, 20, value)]


def test_every_kind_of_control_is_shown_in_its_own_way(live: Live):
    level, mute, panic = (live.registry[name] for name in ("lead.level", "lead.mute", "panic"))
    assert messages(control(cc=20, fine=True), level, 1.0) == [(0xB0, 20, 127), (0xB0, 52, 127)]
    assert messages(control(bend=True, channel=2), level, 0.5) == [(0xE1, 0, 64)]
    assert messages(control(nrpn=130), level, 1.0) == [(0xB0, 99, 1), (0xB0, 98, 2), (0xB0, 6, 127)]
    assert messages(control(note=36, channel=10), mute, 1) == [(0x99, 36, 127)]
    assert messages(control(note=36, channel=10), mute, 0) == [(0x99, 36, 0)]
    assert messages(control(note=36), panic, 3) == []
    assert messages(control(program=3), mute, 1) == []


def test_only_what_has_changed_is_sent_and_each_control_has_its_turn(live: Live):
    controls = [("lead.level", control(cc=number)) for number in range(40)]
    surface, sent = Surface("Faders:out 20:0"), []
    rounds = 0
    while found := list(surface.show(controls, live, rounds * 0.01)):
        assert len(found) <= AT_ONCE
        sent += found
        rounds += 1
    assert sorted(number for _, number, _ in sent) == list(range(40))
    assert rounds == 40 // AT_ONCE
    live.set("lead.level", live.get("lead.level") + 0.0001)  # less than a control can show
    assert list(surface.show(controls, live, 1.0)) == []
    surface.forget()
    assert len(list(surface.show(controls, live, 1.0))) == AT_ONCE


def test_a_fader_under_a_hand_is_left_to_it_and_another_devices_is_not(live: Live):
    controls = [("lead.level", control(cc=20, port="Faders")), ("lead.level", control(cc=1, port="Pads"))]
    faders, pads = Surface("Faders:MIDI 2"), Surface("Pads:MIDI 1")
    assert len(list(faders.show(controls, live, 0.0))) == 1
    assert len(list(pads.show(controls, live, 0.0))) == 1
    live.set("lead.level", 0.3)
    for surface in (faders, pads):
        surface.hold("lead.level", "Faders:MIDI 1 24:0", 1.0)
    assert list(faders.show(controls, live, 1.01)) == []
    assert [number for _, number, _ in pads.show(controls, live, 1.01)] == [1]
    assert [number for _, number, _ in faders.show(controls, live, 1.01 + HOLD_S)] == [20]


def test_bundled_maps_have_no_fault_and_move_what_there_is(live: Live):
    assert set(bundled()) >= {"eight-knobs", "grid"}
    for name in bundled():
        maps, faults = read(map_path(name), lambda parameter: [] if parameter in live.registry else [f"no {parameter}"])
        assert not faults
        assert len(maps) in (8, 16)
    config = load(None, ['midi.maps=["eight-knobs", "grid"]', 'midi.cc={"tempo"=1}', 'midi.controllers="/nowhere.toml"'])
    assert len(of_config(config.midi)) == 25
