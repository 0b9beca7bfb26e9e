import pytest

from engine.control.keyboard import Keyboard, matching, press, split
from engine.core.parameters import LEARN_PLACE, Live, Registry
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


def typed(keyboard: Keyboard, live: Live, keys: str) -> None:
    for key in keys:
        keyboard._ask(key, live)


def test_a_control_is_learned_by_typing_what_it_is_to_move(live):
    said = []
    keyboard = Keyboard(lambda _level, text: said.append(text))
    keyboard._name = ""
    typed(keyboard, live, "lead.lx\x7fe")
    assert said[-1].startswith("learn: lead.le_  lead.level")
    assert live.get(LEARN_PLACE) == 0
    typed(keyboard, live, "\n")
    assert said[-1] == "learn: move the control that is to move lead.level"
    assert live.get(LEARN_PLACE) == 1 + live.registry.place("lead.level")
    assert keyboard._name is None
    keyboard._name = ""
    typed(keyboard, live, "nothing of the kind\n")
    assert said[-1] == "learn: there is no nothing of the kind"
    keyboard._name = ""
    typed(keyboard, live, "te\x1b")
    assert live.get(LEARN_PLACE) == 0
    assert keyboard._name is None


def test_a_part_of_a_name_means_what_begins_so_first(live):
    assert matching("level", live) == ["lead.level", "drums.level"] or matching("level", live)[0].endswith("level")
    assert matching("mode", live)[0] == "mode"
    assert matching("", live) == []
    assert LEARN_PLACE not in matching("learn", live)
