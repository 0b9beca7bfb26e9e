"""Receivers that are slow, gone, full or many: none of them costs another anything."""

import socket

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from engine.core.messages import EVENT, NOTE_ON, PLAYER
from engine.feed.encoder import Encoder, SubscriptionSpec
from engine.feed.targets import Clocks, Targets, open_udp, prepare_multicast
from tests.feed.fakes import make_step, received


@pytest.fixture
def encoder(schema, card, chance):
    encoder = Encoder(schema)
    encoder.take(make_step(card, 1, chance))
    return encoder


def receiver(family=socket.AF_INET, host="127.0.0.1"):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


def frames(datagrams):
    return [OscBundle(d).content(0).params[0] for d in datagrams]


def connect(targets, sock, spec=None, rate_hz=120.0):
    out = open_udp(*sock.getsockname()[:2])
    return targets.add("it", spec or SubscriptionSpec(), rate_hz, out.send)


def test_every_target_gets_every_datagram(encoder):
    targets = Targets(encoder)
    socks = [receiver() for _ in range(3)]
    for sock in socks:
        connect(targets, sock)
    targets.publish(Clocks(0.0))
    expected = [bytes(d) for d in targets.targets[0].template.datagrams]
    assert all(received(sock) == expected for sock in socks)
    assert (targets.sent, targets.dropped) == (3 * len(expected), 0)


def test_equal_wishes_are_encoded_once(encoder):
    targets = Targets(encoder)
    sock = receiver()
    first, second, other = connect(targets, sock), connect(targets, sock), connect(targets, sock, SubscriptionSpec(root="/x"))
    assert first.template is second.template
    assert other.template is not first.template
    targets.remove(first)
    targets.publish(Clocks(0.0))
    assert second.sent == len(second.template.datagrams)


def test_slow_target_gets_the_newest_step_when_it_is_due(encoder, card, chance):
    targets = Targets(encoder)
    slow, fast = receiver(), receiver()
    connect(targets, slow, SubscriptionSpec(tiers=("scalars",)), rate_hz=2.0)
    connect(targets, fast, SubscriptionSpec(tiers=("scalars",)), rate_hz=100.0)
    for number, now_s in ((1, 0.0), (2, 0.1), (3, 0.2)):
        encoder.take(make_step(card, number, chance))
        targets.publish(Clocks(now_s))
        targets.catch_up(now_s)
    assert frames(received(fast)) == [1, 2, 3]
    assert frames(received(slow)) == [1]
    targets.catch_up(0.4)
    assert received(slow) == []
    targets.catch_up(0.5)
    targets.catch_up(0.6)
    assert frames(received(slow)) == [3]


def test_rate_equal_to_the_steps_loses_none_to_jitter(encoder, card, chance):
    targets = Targets(encoder)
    sock = receiver()
    connect(targets, sock, SubscriptionSpec(tiers=("scalars",)), rate_hz=8.0)
    for number in range(64):
        encoder.take(make_step(card, number, chance))
        targets.publish(Clocks(number / 8 + 0.005 * float(chance.uniform(-1, 1))))
    assert frames(received(sock)) == list(range(64))


def test_receiver_that_is_gone_is_counted_and_one_that_comes_back_misses_nothing(encoder):
    targets = Targets(encoder)
    sock = receiver()
    address = sock.getsockname()
    target = connect(targets, sock)
    sock.close()
    for now_s in range(5):
        targets.publish(Clocks(float(now_s)))
    assert target.refused > 0
    assert target.dropped == 0
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back.bind(address)
    back.setblocking(False)
    targets.publish(Clocks(9.0))
    assert received(back) == [bytes(d) for d in target.template.datagrams]


def test_full_system_drops_and_counts(encoder):
    targets = Targets(encoder)
    taken = []

    def full(datagram):
        if len(taken) == 4:
            raise BlockingIOError
        taken.append(datagram)

    target = targets.add("full", SubscriptionSpec(), 120.0, full)
    targets.publish(Clocks(0.0))
    assert (target.sent, target.dropped) == (4, len(target.template.datagrams) - 4)
    targets.remove(target)
    assert (targets.sent, targets.dropped) == (4, len(target.template.datagrams) - 4)


def test_notes_go_to_every_target_however_slow(encoder):
    targets = Targets(encoder)
    sock, vectors_only = receiver(), receiver()
    connect(targets, sock, rate_hz=0.1)
    connect(targets, vectors_only, SubscriptionSpec(tiers=("vectors",)))
    event = np.array([(5, -1, NOTE_ON, PLAYER, 60, 90, 0)], EVENT)
    for _ in range(3):
        targets.notes(event)
    assert len(received(sock)) == 3
    assert received(vectors_only) == []


def test_multicast_group_is_reached(encoder):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    sock.setblocking(False)
    group = socket.inet_aton("239.0.77.1") + socket.inet_aton("127.0.0.1")
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    out = open_udp("239.0.77.1", sock.getsockname()[1], "127.0.0.1")
    targets = Targets(encoder)
    target = targets.add("group", SubscriptionSpec(), 120.0, out.send)
    targets.publish(Clocks(0.0))
    assert received(sock) == [bytes(d) for d in target.template.datagrams]


def test_multicast_leaves_by_the_interface_asked_for_and_crosses_no_router():
    out = open_udp("239.0.77.1", 9000, "127.0.0.1")
    assert out.getsockname()[0] == "127.0.0.1"
    assert out.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4) == socket.inet_aton("127.0.0.1")
    assert out.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
    assert out.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) == 1
    assert not out.getblocking()


def test_multicast_over_ipv6_leaves_by_the_interface_of_this_name():
    # Not by open_udp: a machine without IPv6 on a network has no way to such a group.
    out = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    prepare_multicast(out, "lo")
    assert out.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF) == socket.if_nametoindex("lo")
    assert out.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS) == 1
    assert out.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP) == 1


@pytest.mark.parametrize(
    ("group", "interface", "said"),
    [
        ("239.0.77.1", "eth0", "illegal IP address"),
        ("239.0.77.1", "203.0.113.9", "assign requested|No such device"),
        ("ff01::77", "no0", "no interface"),
    ],
)
def test_an_interface_that_is_not_here_is_an_error(group, interface, said):
    with pytest.raises(OSError, match=said):
        open_udp(group, 9000, interface)


def test_one_receiver_is_reached_however_far_it_is():
    out = open_udp("127.0.0.1", 9000)
    assert out.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) > 1


def test_ipv6_target(encoder):
    sock = receiver(socket.AF_INET6, "::1")
    targets = Targets(encoder)
    target = connect(targets, sock)
    targets.publish(Clocks(0.0))
    assert len(received(sock)) == len(target.template.datagrams)


def test_unknown_host_is_an_error():
    with pytest.raises(socket.gaierror):
        open_udp("no.such.host.invalid", 9000)
