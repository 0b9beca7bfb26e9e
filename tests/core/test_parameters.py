import math

import pytest

from engine.core.config import Config
from engine.core.errors import ConfigError
from engine.core.link import Values
from engine.core.parameters import Live, Parameter, Registry
from engine.core.settings import set_defaults


@pytest.fixture
def live() -> Live:
    registry = Registry(["drums", "lead"])
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    return live


def test_every_default_is_legal(live):
    for parameter in live.registry:
        assert parameter.clamp(parameter.default) == parameter.default
        assert parameter.doc


def test_out_of_range_is_clamped_and_said(live):
    assert live.set("tempo", 1e9) == (300.0, True)
    assert live.set("tempo", 120) == (120.0, False)
    assert live.get("tempo") == 120


def test_not_a_number_gives_the_default(live):
    assert live.set("temperature", math.nan)[0] == 1.0


def test_whole_numbers_stay_whole(live):
    assert live.set("mode", 1.4) == (1.0, False)
    assert live.set("drums.mute", 0.7) == (1.0, False)


def test_a_trigger_counts(live):
    live.fire("panic")
    live.fire("panic")
    assert live.get("panic") == 2


def test_words_are_understood(live):
    assert live.registry["mode"].parse("Solo") == 2
    assert live.registry["drums.mute"].parse("on") == 1
    with pytest.raises(ValueError, match="trade, accompany, solo"):
        live.registry["mode"].parse("duet")


def test_addresses_follow_the_ids(live):
    assert live.registry["drums.level"].address == "/param/drums/level"


def test_a_network_can_bring_its_own_control():
    registry = Registry(["piano"], [Parameter("conservativity", 0.2, 5, 1, "..."), Parameter("density", 0, 9, 3, "...")])
    assert registry["conservativity"].maximum == 5
    assert registry["density"].maximum == 4  # the engine's own stays


def test_configured_values_are_set_and_all_faults_named(live):
    set_defaults(live, Config.model_validate({"clock": {"tempo": 90}, "parameters": {"mode": "trade", "lead.level": 0.5}}))
    assert (live.get("tempo"), live.get("mode"), live.get("lead.level")) == (90, 0, 0.5)
    with pytest.raises(ConfigError) as error:
        set_defaults(live, Config.model_validate({"parameters": {"tempoo": 1, "density": 99, "mode": "duet"}}))
    for part in ("3 faults", "tempoo", "density: 99 is not within", "duet"):
        assert part in str(error.value)
