"""Whatever type tags an order comes with: it is followed, or costs itself alone."""

import struct

import pytest
from pythonosc.osc_message import OscMessage

from engine.core.parameters import Live, Parameter, Registry, choice
from engine.net import osc
from tests.control.test_osc_control import Desk


@pytest.fixture
def desk(schema, live):
    return Desk(schema, live)


def raw(address: str, tags: str, data: bytes = b"") -> bytes:
    return osc.string(address) + osc.string("," + tags) + data


@pytest.mark.parametrize("address", ["/algoritmo/panic", "/algoritmo/param/panic"])
@pytest.mark.parametrize(
    ("tags", "data"),
    [
        ("", b""),
        ("I", b""),
        ("N", b""),
        ("T", b""),
        ("i", struct.pack(">i", 1)),
        ("h", struct.pack(">q", 1)),
        ("d", struct.pack(">d", 0.1)),
        ("s", osc.string("bang")),
        ("S", osc.string("bang")),
        ("c", struct.pack(">I", 65)),
        ("b", struct.pack(">i", 0)),
        ("t", bytes(8)),
        ("r", bytes(4)),
        ("m", bytes(4)),
        ("[i]", bytes(4)),
        ("if", struct.pack(">if", 1, 0.5)),
    ],
)
def test_a_trigger_fires_for_any_argument(desk, address, tags, data):
    assert desk.send(raw(address, tags, data)) == []
    assert desk.live.get("panic") == 1


@pytest.mark.parametrize(("tags", "data"), [("F", b""), ("i", bytes(4)), ("f", bytes(4)), ("d", bytes(8))])
def test_a_button_that_is_let_go_does_nothing(desk, tags, data):
    assert desk.send(raw("/algoritmo/panic", tags, data)) == []
    assert desk.live.get("panic") == 0


def test_words_may_be_utf8_and_refusals_say_them(desk):
    ((_, (_, why)),) = desk.say("/algoritmo/mode", "größer")
    assert "größer" in why


def test_one_bad_message_in_a_bundle_costs_that_message(desk):
    data = osc.bundle(
        [osc.message("/algoritmo/tempo", 99.0), raw("/algoritmo/mode", "Q"), osc.message("/algoritmo/param/density", 2.0)]
    )
    (reply,) = map(OscMessage, desk.send(data))
    assert (reply.address, reply.params[0]) == ("/algoritmo/fail", "/algoritmo/mode")
    assert (desk.live.get("tempo"), desk.live.get("density")) == (99, 2)
    assert desk.control.ignored == 1


def test_what_is_shown_is_one_line_whatever_it_holds(desk):
    desk.say("/algoritmo/dumpOSC", 1)
    desk.say("/algoritmo/mode", "a\nb\x1b[2J")
    assert desk.shown[-1].isprintable()


def test_an_unknown_address_is_guessed(desk):
    ((_, (_, why)),) = desk.say("/algoritmo/param/temprature", 1.0)
    assert "did you mean /algoritmo/param/temperature?" in why
    ((_, (_, why)),) = desk.say("/algoritmo/param/lead/cutoff", 1.0)
    assert "did you mean" not in why


def test_the_transport_has_its_commands(desk):
    for word in ("start", "stop", "continue", "rewind", "tap"):
        assert desk.say(f"/algoritmo/{word}") == []
        assert desk.say(f"/algoritmo/{word}", 0) == []
        assert desk.live.get(f"transport.{word}") == 1


def test_a_knob_is_an_address_as_long_as_its_patch_is_loaded(desk):
    declarer = Live(Registry(desk.live.registry.tracks), desk.live.values)
    assert desk.say("/algoritmo/param/lead/cutoff", 440.0)[0][0] == "/algoritmo/fail"
    declarer.declare("lead", [Parameter("lead.cutoff", 100, 10000, 2000, "Of the filter", "Hz")])
    declarer.declare("lead.patch", [choice("lead.patch", ["glass", "keys"], "keys", "What it sounds like")])
    assert desk.say("/algoritmo/param/lead/cutoff", 440.0) == []
    assert desk.say("/algoritmo/param/lead/cutoff") == [("/algoritmo/param/lead/cutoff", [440.0])]
    assert desk.say("/algoritmo/param/lead/patch", "glass") == []
    assert desk.say("/algoritmo/param/lead/patch") == [("/algoritmo/param/lead/patch", ["glass"])]
    assert desk.say("/algoritmo/param/*/cutoff", 500.0) == []
    assert declarer.get("lead.cutoff") == 500
    declarer.withdraw("lead")
    assert desk.say("/algoritmo/param/lead/cutoff", 600.0)[0][0] == "/algoritmo/fail"


def test_a_subscription_ends_with_or_without_its_port(desk):
    desk.say("/algoritmo/notify", 1, "port", 7000, sender=("127.0.0.1", 40001))
    desk.say("/algoritmo/notify", 0, "port", 7000, sender=("127.0.0.1", 40002))
    assert len(desk.subscribers) == 0
