import math

import pytest

from engine.core.config import Config
from engine.core.errors import ConfigError
from engine.core.parameters import Live, Parameter, Registry, choice, switch, trigger
from engine.core.values import SLOTS, Values
from engine.jam.parameters import declared
from engine.jam.settings import set_defaults


@pytest.fixture
def live() -> Live:
    registry = Registry(["drums", "lead"], modes=declared())
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    return live


def test_every_default_is_legal(live):
    for parameter in live.registry:
        assert parameter.clamp(parameter.default) == parameter.default
        assert parameter.doc


def test_out_of_range_is_clamped_and_said(live):
    assert live.set("tempo", 1e9) == (400.0, True)
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


EVERY_KIND = [
    Parameter("level", 0, 1, 0.8, "..."),
    Parameter("tempo", 30, 300, 112, "...", "bpm", scale="exponential"),
    Parameter("below", -60, 6, 0, "...", "dB"),
    Parameter("zero", 0, 10, 1, "...", scale="exponential"),  # it has no logarithm: linear
    Parameter("bars", 0, 16, 0, "...", kind="integer"),
    Parameter("large", 1, 10000, 1, "...", kind="integer", scale="exponential"),
    choice("mode", ["a", "B", "c"], "B", "..."),
    switch("mute", "..."),
]


@pytest.mark.parametrize("parameter", EVERY_KIND, ids=lambda p: p.id)
def test_a_share_goes_over_the_range_and_back(parameter):
    assert parameter.from_share(0) == parameter.from_share(-3) == parameter.minimum
    assert parameter.from_share(1) == parameter.from_share(7) == parameter.maximum
    assert parameter.from_share(math.nan) == parameter.default
    values = [parameter.from_share(n / 127) for n in range(128)]
    assert values == sorted(values)
    for value in values:
        assert parameter.clamp(value) == value
        assert parameter.from_share(parameter.to_share(value)) == pytest.approx(value)


def test_an_exponential_scale_has_the_geometric_mean_in_its_middle():
    assert Parameter("f", 20, 20000, 440, "...", scale="exponential").from_share(0.5) == pytest.approx(math.sqrt(20 * 20000))


def test_a_trigger_is_pulled_from_the_middle_on():
    assert [trigger("panic", "...").from_share(value / 127) for value in (0, 63, 64, 127)] == [0, 0, 1, 1]


def test_the_unit_may_be_said():
    assert Parameter("tempo", 30, 300, 112, "...", "bpm").parse(" 120 BPM") == 120
    with pytest.raises(ValueError, match="30 to 300"):
        Parameter("tempo", 30, 300, 112, "...", "bpm").parse("nan")


def test_words_with_capitals_are_choices_too():
    assert choice("patch", ["Glass", "keys"], "keys", "...").parse("gLASS") == 0


def test_a_description_has_kind_and_scale_apart():
    told = Parameter("tempo", 30, 300, 112, "...", "bpm", scale="exponential").describe()
    assert (told["kind"], told["scale"], told["curve"]) == ("continuous", "exponential", "exp")
    assert trigger("panic", "...").describe()["curve"] == "trigger"


# Parameters that come and go.

CUTOFF = Parameter("lead.cutoff", 100, 10000, 2000, "Of the filter", "Hz", scale="exponential")
ROOM = Parameter("lead.room", 0, 1, 0.3, "Share of the room")


def other(live: Live) -> Live:
    """The same values as another process sees them."""
    return Live(Registry(live.registry.tracks, modes=declared()), live.values)


def test_declared_parameters_are_there_for_every_process(live):
    there = other(live)
    assert live.declare("lead", [CUTOFF, ROOM]) == ["lead.cutoff", "lead.room"]
    assert live.set("lead.cutoff", 440) == (440, False)
    assert "lead.cutoff" not in there.registry
    assert there.refresh()
    assert not there.refresh()
    assert there.registry["lead.cutoff"] == CUTOFF
    assert (there.get("lead.cutoff"), there.get("lead.room")) == (440, 0.3)
    assert list(there.registry)[-2:] == there.registry.declared == [CUTOFF, ROOM]
    assert len(there.registry) == len(live.registry.fixed) + 2


def test_fixed_parameters_stay_where_they_are(live):
    before = live.registry.index
    live.declare("lead", [CUTOFF])
    assert before.items() <= live.registry.index.items()
    live.withdraw("lead")
    assert live.registry.index == before


def test_what_stays_keeps_place_and_value_and_what_is_new_begins_at_its_default(live):
    live.declare("lead", [CUTOFF, ROOM])
    place = live.registry.place("lead.room")
    live.set("lead.room", 0.9)
    live.set("lead.cutoff", 5000)
    assert live.declare("lead", [ROOM]) == []
    assert live.declare("lead", [CUTOFF, ROOM]) == ["lead.cutoff"]
    assert live.registry.place("lead.room") == place
    assert (live.get("lead.room"), live.get("lead.cutoff")) == (0.9, 2000)


def test_a_value_that_the_new_range_does_not_have_is_clamped(live):
    live.declare("lead", [CUTOFF])
    live.set("lead.cutoff", 9000)
    live.declare("lead", [Parameter("lead.cutoff", 50, 500, 100, "Of the filter", "Hz")])
    assert live.get("lead.cutoff") == 500


def test_a_choice_keeps_its_word_when_others_come(live):
    live.declare("lead.patch", [choice("lead.patch", ["keys", "pad"], "pad", "...")])
    live.declare("lead.patch", [choice("lead.patch", ["glass", "keys", "pad"], "keys", "...")])
    assert live.registry["lead.patch"].text(live.get("lead.patch")) == "pad"
    live.declare("lead.patch", [choice("lead.patch", ["glass", "keys"], "keys", "...")])
    assert live.registry["lead.patch"].text(live.get("lead.patch")) == "keys"


def test_each_owner_has_its_own(live):
    live.declare("lead", [CUTOFF])
    live.declare("player", [Parameter("player.cutoff", 0, 1, 0, "...")])
    live.withdraw("lead")
    there = other(live)
    assert [p.id for p in there.registry.declared] == ["player.cutoff"]
    live.withdraw("nobody")


@pytest.mark.parametrize("ids", [["tempo"], ["player.cutoff"], ["lead.a", "lead.a"]])
def test_a_name_that_another_has_is_refused_and_nothing_changes(live, ids):
    live.declare("player", [Parameter("player.cutoff", 0, 1, 0, "...")])
    generation = live.generation
    with pytest.raises(ValueError, match=ids[-1]):
        live.declare("lead", [Parameter(name, 0, 1, 0, "...") for name in ["lead.first", *ids]])
    assert live.generation == generation
    assert "lead.first" not in live.registry


def test_no_more_are_declared_than_have_room(live):
    live.declare("many", [Parameter(f"lead.k{n}", 0, 1, 0, "...") for n in range(SLOTS)])
    with pytest.raises(ValueError, match=f"{SLOTS} can be declared"):
        live.declare("one", [CUTOFF])
    with pytest.raises(ValueError, match="room for"):
        live.declare("many", [Parameter("lead.long", 0, 1, 0, "x" * 200_000)])
    assert len(other(live).registry.declared) == SLOTS


def test_a_place_that_was_freed_is_given_out_last(live):
    """Somebody who has not heard yet may still write to it."""
    live.declare("lead", [CUTOFF])
    first = live.registry.place("lead.cutoff")
    seen = []
    for _ in range(SLOTS - 1):
        live.withdraw("lead")
        live.declare("lead", [CUTOFF])
        seen.append(live.registry.place("lead.cutoff"))
    assert first not in seen
    assert len(set(seen)) == SLOTS - 1


def test_a_process_that_takes_over_goes_on_from_what_was_declared(live):
    live.declare("lead", [CUTOFF])
    live.set("lead.cutoff", 300)
    restarted = other(live)
    assert restarted.declare("lead", [CUTOFF, ROOM]) == ["lead.room"]
    assert restarted.get("lead.cutoff") == 300
    assert live.refresh()
    assert live.get("lead.room") == 0.3


def test_a_snapshot_has_the_newest_set(live):
    there = other(live)
    live.declare("lead", [CUTOFF])
    assert there.snapshot()["lead.cutoff"] == 2000
    live.withdraw("lead")
    assert there.snapshot().keys() == {p.id for p in live.registry.fixed}


def test_the_transport_has_its_triggers(live):
    for word in ("start", "stop", "continue", "rewind", "tap"):
        assert live.registry[f"transport.{word}"].kind == "trigger"
    nudge = live.registry["transport.nudge"]
    assert (nudge.minimum, nudge.maximum, nudge.default) == (-1, 1, 0)
