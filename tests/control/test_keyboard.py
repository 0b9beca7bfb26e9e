import pytest

from engine.control.keyboard import press, split
from engine.core.parameters import Live, Registry
from engine.core.values import Values
from engine.jam.parameters import declared


@pytest.fixture
def live() -> Live:
    registry = Registry(["drums", "lead"], modes=declared())
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    return live


def test_arrows_come_as_three_characters():
    assert split("m\x1b[A\x1b[D q\x1b") == ["m", "up", "left", " ", "q", "\x1b"]


def test_keys_turn_what_they_say(live):
    said = []
    for key in "m2 ":
        assert not press(key, live, lambda level, text: said.append(text))
    assert (live.get("mode"), live.get("lead.mute"), live.get("panic")) == (2, 1, 1)
    assert said == ["mode solo", "lead.mute on", "panic"]
    press("up", live, lambda *_: None)
    assert live.get("temperature") == pytest.approx(1.1)
    assert press("q", live, lambda *_: None)


@pytest.mark.parametrize("key", ["\x1b", "9", "0", "é", "\x00", "[", "z"])
def test_other_keys_do_nothing(live, key):
    before = live.values.version
    assert not press(key, live, lambda *_: None)
    assert live.values.version == before


def test_a_knob_ends_at_its_range(live):
    for _ in range(100):
        press("up", live, lambda *_: None)
    assert live.get("temperature") == 2


def test_the_tempo_is_tapped(live):
    assert not press("t", live, lambda *_: None)
    assert live.get("transport.tap") == 1
