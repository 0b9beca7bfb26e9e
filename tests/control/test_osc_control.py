"""Orders over OSC: followed when they are sound, answered when they are not, and nothing else whatever comes."""

import json
import math
import random

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.osc_control import DEAR, TRUST_S, WORK_BURST, Control
from engine.control.osc_socket import ControlSocket
from engine.core.errors import ConfigError
from engine.core.osc_section import Control as ControlConfig
from engine.feed.encoder import Encoder
from engine.feed.orders import COMMANDS
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Targets
from engine.jam.modes import MODES
from engine.net import osc
from engine.net.guard import Guard

ME = ("127.0.0.1", 5555)


class Desk:
    """A control with everything behind it, and a clock that goes on by itself."""

    def __init__(self, schema, live, guard=None, link=None):
        self.live = live
        self.shown = []
        self.targets = Targets(Encoder(schema))
        self.subscribers = Subscribers(self.targets, lambda data, to: None)
        self.control = Control(schema, live, self.subscribers, lambda: {"steps": 7}, self.shown.append, guard, link)
        self.now_s = 0.0

    def send(self, data, sender=ME, wait_s=1.0):
        self.now_s += wait_s
        return self.control.handle(data, sender, self.now_s)

    def say(self, address, *arguments, **options):
        return [(m.address, list(m)) for m in map(OscMessage, self.send(osc.message(address, *arguments), **options))]

    def values(self):
        return self.live.values.numbers.tolist()


@pytest.fixture
def desk(schema, live):
    return Desk(schema, live)


def test_parameter_is_set_and_asked(desk):
    assert desk.say("/algoritmo/param/temperature", 0.5) == []
    assert desk.live.get("temperature") == 0.5
    assert desk.say("/algoritmo/param/temperature") == [("/algoritmo/param/temperature", [0.5])]
    assert desk.say("/algoritmo/param/drums/mute", True) == []
    assert desk.say("/algoritmo/param/drums/mute") == [("/algoritmo/param/drums/mute", [1])]


def test_value_out_of_range_is_clamped_and_said(desk):
    assert desk.say("/algoritmo/param/tempo", 1000) == [("/algoritmo/param/tempo", [400.0, "clamped"])]
    assert desk.say("/algoritmo/tempo", -math.inf) == [("/algoritmo/param/tempo", [20.0, "clamped"])]
    assert desk.live.get("tempo") == 20


@pytest.mark.parametrize("value", ["solo", 2, 2.0])
def test_mode_by_word_or_number(desk, value):
    assert desk.say("/algoritmo/mode", value) == []
    assert MODES[int(desk.live.get("mode"))] == "solo"
    assert desk.say("/algoritmo/param/mode") == [("/algoritmo/param/mode", ["solo"])]


def test_panic_and_reset_act_once_per_press(desk):
    desk.say("/algoritmo/panic")
    desk.say("/algoritmo/panic", 1.0)
    desk.say("/algoritmo/panic", 0.0)  # the button is let go
    desk.say("/algoritmo/param/reset", 1)
    assert (desk.live.get("panic"), desk.live.get("reset")) == (2, 1)


@pytest.mark.parametrize(
    ("address", "arguments", "reason"),
    [
        ("/algoritmo/param/tempo", ["fast"], "tempo"),
        ("/algoritmo/param/tempo", [math.nan], "not a number"),
        ("/algoritmo/param/tempo", [1.0, 2.0], "other arguments"),
        ("/algoritmo/param/nothing", [1.0], "no such address"),
        ("/algoritmo/mode", [], "other arguments"),
        ("/algoritmo/mode", ["loud"], "trade, accompany, solo"),
        ("/algoritmo/sync", ["now"], "whole number"),
        ("/algoritmo/*****", [], "pattern"),
        ("/somewhere/else", [], "no such address"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(desk, address, arguments, reason):
    before = desk.values()
    ((reply, (named, why)),) = desk.say(address, *arguments)
    assert (reply, named) == ("/algoritmo/fail", address)
    assert reason in why
    assert desk.values() == before
    assert desk.control.ignored == 1


def test_pattern_reaches_all_it_means(desk):
    assert desk.say("/algoritmo/param/*/mute", 1) == []
    assert all(desk.live.get(f"{t}.mute") == 1 for t in ("drums", "bass", "chords", "pad", "lead"))
    assert desk.say("/algoritmo/param/{drums,bass}/mute", 0) == []
    assert [desk.live.get(f"{t}.mute") for t in ("drums", "bass", "lead")] == [0, 0, 1]


def test_bundle_is_followed_at_once_whatever_its_time(desk):
    builder = OscBundleBuilder(2.08e9)
    for tempo in (100.0, 140.0):
        message = OscMessageBuilder("/algoritmo/tempo")
        message.add_arg(tempo)
        builder.add_content(message.build())
    desk.send(builder.build().dgram)
    assert desk.live.get("tempo") == 140


def test_questions_are_answered(desk):
    ((address, (text,)),) = desk.say("/algoritmo/status")
    assert (address, json.loads(text)) == ("/algoritmo/status.reply", {"steps": 7})
    assert desk.say("/algoritmo/version")[0][0] == "/algoritmo/version.reply"
    assert desk.say("/algoritmo/sync", 99) == [("/algoritmo/synced", [99])]


def test_info_comes_in_parts_that_make_the_whole(desk, schema):
    replies = desk.say("/algoritmo/info")
    assert [r[1][0] for r in replies] == list(range(len(replies)))
    assert {r[1][1] for r in replies} == {len(replies)}
    assert json.loads("".join(r[1][2] for r in replies)) == json.loads(json.dumps(schema.info()))


def test_dump_shows_what_comes_in(desk):
    desk.say("/algoritmo/dumpOSC", 1)
    desk.say("/algoritmo/tempo", 99.0)
    desk.say("/algoritmo/dumpOSC", 0)
    desk.say("/algoritmo/tempo", 98.0)
    assert any("/algoritmo/tempo 99.0" in line for line in desk.shown)
    assert not any("98.0" in line for line in desk.shown)


def test_every_command_of_the_page_is_understood(desk):
    for command in COMMANDS:
        if "<" not in command.path:
            for address, (_, reason) in (r for r in desk.say("/algoritmo" + command.path) if r[0] == "/algoritmo/fail"):
                assert "no such address" not in reason, address


def test_too_much_at_once_is_left_undone_and_later_done_again(desk):
    for _ in range(3 * WORK_BURST):
        desk.say("/algoritmo/tempo", 200.0, wait_s=0.0)
    desk.say("/algoritmo/tempo", 50.0, wait_s=0.0)
    assert desk.live.get("tempo") == 200
    desk.say("/algoritmo/tempo", 50.0, wait_s=5.0)
    assert desk.live.get("tempo") == 50


def test_complaints_and_long_answers_are_rationed(desk):
    assert sum(len(desk.say("/nothing", wait_s=0.0)) for _ in range(500)) <= 20
    assert sum(len(desk.say("/algoritmo/status", wait_s=0.0)) for _ in range(500)) <= 40


def test_patterns_count_for_what_they_cost(desk):
    done = sum(desk.say("/algoritmo/sy?c", 1, wait_s=0.0) == [("/algoritmo/synced", [1])] for _ in range(WORK_BURST))
    assert done <= WORK_BURST // DEAR


def test_only_who_has_the_token_changes_things_where_the_network_comes_in(schema, live):
    desk = Desk(schema, live, Guard("0.0.0.0", "sesame"))
    far, near, other = ("10.0.0.7", 5000), ("127.0.0.1", 5000), ("10.0.0.8", 5000)
    before = desk.values()
    for address, arguments in (("/algoritmo/tempo", [99.0]), ("/algoritmo/panic", []), ("/algoritmo/dumpOSC", [1])):
        ((reply, (_, why)),) = desk.say(address, *arguments, sender=far)
        assert reply == "/algoritmo/fail"
        assert "/algoritmo/token" in why
    assert desk.values() == before
    assert desk.say("/algoritmo/param/tempo", sender=far) == [("/algoritmo/param/tempo", [112.0])]  # who asks may
    assert desk.say("/algoritmo/tempo", 100.0, sender=near) == []  # this machine may
    assert desk.say("/algoritmo/token", "open", sender=far)[0][0] == "/algoritmo/fail"
    assert desk.say("/algoritmo/token", "sesame", sender=far) == [("/algoritmo/done", ["/algoritmo/token"])]
    assert desk.say("/algoritmo/tempo", 99.0, sender=far) == []
    assert desk.say("/algoritmo/tempo", 98.0, sender=other)[0][0] == "/algoritmo/fail"
    assert desk.live.get("tempo") == 99
    desk.say("/algoritmo/sync", 1, sender=far, wait_s=TRUST_S - 1)  # still there
    assert desk.say("/algoritmo/tempo", 97.0, sender=far, wait_s=TRUST_S - 1) == []
    assert desk.say("/algoritmo/tempo", 96.0, sender=far, wait_s=TRUST_S + 1)[0][0] == "/algoritmo/fail"
    assert desk.live.get("tempo") == 97


def test_tokens_cannot_be_tried_out(schema, live):
    desk = Desk(schema, live, Guard("0.0.0.0", "sesame"))
    for number in range(1000):
        desk.say("/algoritmo/token", str(number), sender=("10.0.0.7", 5000), wait_s=0.01)
    desk.say("/algoritmo/token", "sesame", sender=("10.0.0.7", 5000), wait_s=0.01)
    assert desk.say("/algoritmo/tempo", 99.0, sender=("10.0.0.7", 5000))[0][0] == "/algoritmo/fail"


def test_100000_random_datagrams_change_nothing(desk):
    chance = random.Random(1)
    before = desk.values()
    seeds = [
        osc.message("/algoritmo/param/tempo", 120.0),
        osc.bundle([osc.message("/algoritmo/mode", "solo"), osc.message("/algoritmo/panic")]),
        osc.message("/algoritmo/notify", 1, "rate", 30.0),
    ]
    for number in range(100_000):
        if number % 2:
            data = chance.randbytes(chance.randrange(200))
        else:  # almost right: a bit is wrong, and often the end is missing
            data = bytearray(chance.choice(seeds))
            data[chance.randrange(8)] ^= 1 << chance.randrange(8)
            data = bytes(data[: chance.randrange(8, 2 * len(data))])
        desk.send(data, wait_s=0.001)
    assert desk.values() == before
    assert len(desk.subscribers) == 0
    assert desk.control.received == 100_000


def test_busy_port_names_the_key():
    first = ControlSocket(ControlConfig(port=39001))
    with pytest.raises(ConfigError, match=r"osc\.control\.port"):
        ControlSocket(ControlConfig(port=39001))
    first.close()
    ControlSocket(ControlConfig(port=39001)).close()


def test_a_parameter_waits_for_a_midi_control(schema, live, link):
    desk = Desk(schema, live, link=link)
    before = desk.values()
    for name in ("temperature", "panic", ""):
        assert desk.say("/algoritmo/learn", name) == []
        assert link["learn"].latest()["id"].decode() == name
    assert desk.say("/algoritmo/learn", "temperture") == [
        ("/algoritmo/fail", ["/algoritmo/learn", "there is no temperture; did you mean temperature?"])
    ]
    for wrong in (5, "x" * 10000):
        assert desk.say("/algoritmo/learn", wrong)[0][0] == "/algoritmo/fail"
    assert link["learn"].count == 3
    assert desk.values() == before
    stranger = Desk(schema, live, Guard("0.0.0.0", "secret"), link)
    assert stranger.say("/algoritmo/learn", "panic", sender=("10.0.0.9", 5))[0][0] == "/algoritmo/fail"
    assert link["learn"].count == 3


def test_a_chart_is_given_asked_for_and_refused_with_what_is_wrong(schema, live, link):
    desk = Desk(schema, live, link=link)
    assert desk.say("/algoritmo/chart", "| C | G7 | Am F |") == []
    assert link["charts"].latest()["text"] == b"| C | G7 | Am F |"
    assert desk.say("/algoritmo/chart") == [("/algoritmo/chart", [""])]
    link.writer("chart").push(link["charts"].latest())  # the network has taken it up
    assert desk.say("/algoritmo/chart") == [("/algoritmo/chart", ["| C | G7 | Am F |"])]
    [(address, [_, reason])] = desk.say("/algoritmo/chart", "| C | Xm | H |")
    assert address == "/algoritmo/fail"
    assert "bar 3: 'Xm'" not in reason
    assert "bar 2: 'Xm' is no chord that is known here; write a root" in reason
    assert desk.say("/algoritmo/chart", 5)[0][0] == "/algoritmo/fail"
    assert desk.say("/algoritmo/chart", "C" * 5000)[0][0] == "/algoritmo/fail"
    assert link["charts"].count == 1
    assert desk.say("/algoritmo/chart", "") == []
    assert link["charts"].latest()["text"] == b""


def test_what_was_played_is_kept_by_a_trigger(desk):
    before = desk.live.get("keep")
    desk.say("/algoritmo/param/keep", 1)
    desk.say("/algoritmo/param/keep", 0)  # the button let go
    assert desk.live.get("keep") == before + 1
