"""One function for whatever is turned or pulled, whoever does it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.commands import Commands, Outcome, Share
from engine.core.parameters import Live, Parameter, Registry
from engine.core.values import Values
from engine.jam.parameters import declared


def fresh() -> Commands:
    registry = Registry(["drums", "lead"], modes=declared())
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    return Commands(live)


@pytest.fixture
def commands() -> Commands:
    return fresh()


@pytest.mark.parametrize("value", [120, 120.0, "120", " 120 BPM ", Share(math.log(6) / math.log(20))])
def test_a_number_a_text_and_a_share_are_three_ways_in(commands, value):
    outcome = commands.do("set", "tempo", value)
    assert outcome.status == "done"
    assert outcome.value == commands.live.get("tempo") == pytest.approx(120)


def test_words_and_switches(commands):
    assert commands.do("set", "mode", "Solo").value == 2
    assert commands.do("set", "drums.mute", "on") == commands.do("set", "drums.mute", True) == Outcome("done", "drums.mute", 1)


def test_what_is_out_of_range_is_clamped_and_said(commands):
    outcome = commands.do("set", "tempo", 10**400)
    assert outcome == Outcome("clamped", "tempo", 400)
    assert commands.explain(outcome) == "tempo is 400 bpm: its range ends there"
    assert commands.do("set", "tempo", -math.inf).value == 20


def test_what_is_not_known_is_said_with_what_is_like_it(commands):
    outcome = commands.do("set", "tempoo", 1)
    assert (outcome.status, outcome.is_done) == ("unknown", False)
    assert "did you mean tempo?" in commands.explain(outcome)
    assert commands.explain(commands.do("trigger", "xyz")) == "there is no xyz"


@pytest.mark.parametrize("value", ["fast", math.nan, None, [1.0], b"\x01", "nan"])
def test_what_is_no_value_is_refused_and_changes_nothing(commands, value):
    outcome = commands.do("set", "tempo", value)
    assert outcome.status == "refused"
    assert "tempo" in commands.explain(outcome)
    assert commands.live.get("tempo") == 112


def test_orders_that_are_none(commands):
    assert "set, trigger, transport" in commands.explain(commands.do("sing", "tempo"))
    assert commands.do("trigger", "tempo").status == "refused"
    assert "rewind" in commands.explain(commands.do("transport", "warp"))


@pytest.mark.parametrize("value", [None, 1, 0.001, True, "bang", "", b"", [], object(), -1])
def test_a_trigger_is_pulled_by_whatever_comes(commands, value):
    for kind in ("trigger", "set"):
        assert commands.do(kind, "panic", value).status == "done"
    assert commands.live.get("panic") == 2


@pytest.mark.parametrize("value", [0, 0.0, False])
def test_a_button_that_is_let_go_pulls_nothing(commands, value):
    assert commands.do("trigger", "panic", value) == Outcome("idle", "panic", 0)
    assert commands.live.get("panic") == 0


def test_a_control_pulls_a_trigger_as_it_rises_through_the_middle(commands):
    """A pad sends 127 and 0; a knob all that lies between; some repeat themselves."""
    for value in (127, 127, 0, 0, 1, 40, 63, 64, 65, 100, 127, 90, 64, 63, 64):
        commands.do("trigger", "reset", Share(value / 127), source="port 1, channel 1, controller 20")
    assert commands.live.get("reset") == 3


def test_each_control_has_its_own_position(commands):
    for source in ("a", "b"):
        commands.do("trigger", "reset", Share(1.0), source)
        commands.do("trigger", "panic", Share(1.0), source)
    assert (commands.live.get("reset"), commands.live.get("panic")) == (2, 2)


@given(st.lists(st.integers(0, 127)))
def test_so_often_as_it_rises_and_no_more(values):
    commands = fresh()
    for value in values:
        commands.do("trigger", "panic", Share(value / 127), "pad")
    highs = [value >= 64 for value in values]
    assert commands.live.get("panic") == sum(now and not before for before, now in zip([False, *highs], highs, strict=False))


def test_the_transport(commands):
    for word in ("start", "stop", "continue", "rewind", "tap"):
        assert commands.do("transport", word).status == "done"
        assert commands.live.get(f"transport.{word}") == 1
    assert commands.do("transport", "nudge", 0.25).value == commands.live.get("transport.nudge") == 0.25


def test_what_was_declared_meanwhile_is_known(commands):
    other = Live(Registry(commands.live.registry.tracks), commands.live.values)
    other.declare("lead", [Parameter("lead.cutoff", 100, 10000, 2000, "...", "Hz", scale="exponential")])
    assert commands.do("set", "lead.cutoff", Share(0.5)).value == pytest.approx(1000)
    other.withdraw("lead")
    assert commands.do("set", "lead.cutoff", 500).status == "unknown"
