"""Those who asked for the feed themselves: they come, change their minds, go, or vanish, and nobody else notices."""

import pytest
from pythonosc.osc_bundle import OscBundle

from engine.feed.encoder import Encoder, SubscriptionSpec
from engine.feed.subscribers import LEASE_S, MOST, MOST_SPECS, Subscribers
from engine.feed.targets import Clocks, Targets
from tests.feed.fakes import make_step

ME = ("127.0.0.1", 5000)


class Wire:
    def __init__(self):
        self.sent = []

    def __call__(self, data, to):
        self.sent.append((to, bytes(data)))

    def addresses(self, to):
        return {m.address for where, data in self.sent if where == to for m in OscBundle(data)}


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def targets(schema, card, chance):
    encoder = Encoder(schema)
    encoder.take(make_step(card, 1, chance))
    return Targets(encoder)


@pytest.fixture
def subscribers(targets, wire):
    return Subscribers(targets, wire)


def test_sender_gets_what_it_asked_for(targets, subscribers, wire):
    number, lease_s = subscribers.join(
        ME, ["tiers", "vectors", "signals", "h,c", "layers", "0,5", "root", "/x", "rate", 30.0], 0.0
    )
    assert (number, lease_s) == (1, LEASE_S)
    targets.publish(Clocks(0.0))
    assert wire.addresses(ME) == {"/x/frame", *(f"/x/act/{k}/{s}/000" for k in (0, 5) for s in "hc")}
    assert targets.targets[0].template.spec == SubscriptionSpec("/x", 256, ("vectors",), ("h", "c"), (0, 5))


def test_another_port_of_the_sender(targets, subscribers, wire):
    subscribers.join(ME, ["port", 7000], 0.0)
    targets.publish(Clocks(0.0))
    assert {to for to, _ in wire.sent} == {("127.0.0.1", 7000)}


def test_asking_again_changes_the_wish_and_keeps_the_number(targets, subscribers):
    assert subscribers.join(ME, [], 0.0)[0] == 1
    assert subscribers.join(("127.0.0.1", 5001), [], 0.0)[0] == 2
    assert subscribers.join(ME, ["tiers", "scalars"], 1.0)[0] == 1
    assert len(targets.targets) == len(subscribers) == 2


def test_until_it_says_stop(targets, subscribers):
    subscribers.join(ME, [], 0.0)
    subscribers.leave(ME)
    subscribers.leave(ME)
    assert len(targets.targets) == len(subscribers) == 0


def test_until_it_has_been_silent(targets, subscribers):
    subscribers.join(ME, [], 0.0)
    subscribers.heard(ME, LEASE_S - 1)
    subscribers.heard(("127.0.0.1", 1), LEASE_S)
    subscribers.expire(LEASE_S + 1)
    assert len(subscribers) == 1
    subscribers.expire(2 * LEASE_S)
    assert len(targets.targets) == len(subscribers) == 0


def test_200_that_come_and_vanish_leave_nothing(targets, subscribers, wire):
    for generation in range(20):
        now_s = generation * 2 * LEASE_S
        for port in range(200):
            subscribers.join(("127.0.0.1", 6000 + 200 * generation + port), ["rate", 1.0 + port % 7], now_s)
        targets.publish(Clocks(now_s))
        subscribers.expire(now_s + LEASE_S + 1)
        wire.sent.clear()
    assert len(subscribers) == len(targets.targets) == len(targets.templates._templates) == 0


def test_house_has_a_size(subscribers):
    for port in range(MOST):
        subscribers.join(("127.0.0.1", 1000 + port), [], 0.0)
    with pytest.raises(ValueError, match="already"):
        subscribers.join(("127.0.0.1", 9), [], 0.0)
    subscribers.join(("127.0.0.1", 1000), ["tiers", "scalars"], 0.0)  # one that is in may change its mind


def test_wishes_have_a_number(subscribers):
    for n in range(MOST_SPECS):
        subscribers.join(("127.0.0.1", 1000 + n), ["root", f"/r{n}"], 0.0)
    with pytest.raises(ValueError, match="different"):
        subscribers.join(("127.0.0.1", 9), ["root", "/another"], 0.0)
    subscribers.join(("127.0.0.1", 9), ["root", "/r1"], 0.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rate"], "in turn"),
        (["speed", 3], "not one of"),
        (["rate", -1.0], "max_rate_hz"),
        (["rate", "fast"], "max_rate_hz"),
        (["signals", "q"], "there are h, c"),
        (["layers", "first"], "layers"),
        (["tiers", "everything"], "tiers"),
        (["chunk", 1], "chunk"),
        (["root", "no slash"], "root"),
        (["port", 0], "port"),
        (["port", 70000], "port"),
        ([3, 4], "not one of"),
    ],
)
def test_a_wrong_wish_says_what_is_wrong_and_subscribes_nobody(targets, subscribers, words, said):
    with pytest.raises(ValueError, match=said):
        subscribers.join(ME, words, 0.0)
    assert len(targets.targets) == len(subscribers) == 0


def from_port(port):
    return ("127.0.0.1", port)


def test_one_receiver_is_sent_to_once_whoever_asks(targets, subscribers, wire):
    """A program that opens a socket for each message asks from another port each time."""
    numbers = {subscribers.join(from_port(40000 + n), ["port", 7000], 0.0)[0] for n in range(5)}
    targets.publish(Clocks(0.0))
    assert numbers == {1}
    assert len(subscribers) == len(targets.targets) == 1
    assert {to for to, _ in wire.sent} == {from_port(7000)}


@pytest.mark.parametrize(
    "goodbye", [(from_port(40001), []), (from_port(40002), ["port", 7000]), (from_port(40003), []), (from_port(7000), [])]
)
def test_a_receiver_is_let_go_whoever_says_so(targets, subscribers, goodbye):
    subscribers.join(from_port(40001), ["port", 7000], 0.0)
    subscribers.leave(*goodbye)
    assert len(subscribers) == len(targets.targets) == 0
    subscribers.leave(*goodbye)


def test_a_goodbye_ends_what_is_ones_own(targets, subscribers):
    subscribers.join(from_port(5000), [], 0.0)
    subscribers.join(from_port(5001), [], 0.0)
    subscribers.leave(from_port(5001))
    subscribers.leave(from_port(5999))  # it has none; nobody else's is ended by it
    subscribers.leave(("10.0.0.9", 5000), ["port", 5000])  # another machine
    subscribers.leave(from_port(5002), ["port", "none", "rate"])
    assert [t.name for t in targets.targets] == ["127.0.0.1:5000"]


def test_one_that_asks_for_two_ports_keeps_and_ends_both(targets, subscribers):
    for port in (7000, 7001):
        subscribers.join(ME, ["port", port], 0.0)
    subscribers.heard(ME, LEASE_S - 1)
    subscribers.expire(LEASE_S + 1)
    assert len(subscribers) == 2
    subscribers.leave(ME)
    assert len(targets.targets) == 0


def test_the_receiver_itself_keeps_its_lease(subscribers):
    subscribers.join(from_port(40000), ["port", 7000], 0.0)
    subscribers.heard(from_port(7000), LEASE_S - 1)
    subscribers.expire(LEASE_S + 1)
    assert len(subscribers) == 1


def test_nothing_is_kept_of_those_who_have_gone(subscribers):
    for n in range(1000):
        subscribers.join(from_port(10000 + n), ["port", 7000 + n % 3], 0.0)
    subscribers.expire(LEASE_S + 1)
    assert len(subscribers) == 0
    assert not subscribers._asked
