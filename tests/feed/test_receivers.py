"""Receivers named in the configuration: by address, by broadcast, and by a name that is known only later."""

from __future__ import annotations

import asyncio
import socket

import numpy as np
import pytest

from engine.core.errors import ConfigError
from engine.core.osc_section import Target
from engine.feed import receivers
from engine.feed.encoder import Encoder
from engine.feed.receivers import Receivers
from engine.feed.targets import Clocks, Targets, open_udp
from tests.feed.fakes import make_step


@pytest.fixture
def targets(schema, card):
    encoder = Encoder(schema)
    encoder.take(make_step(card, 1, np.random.default_rng(1)))
    return Targets(encoder)


@pytest.fixture
def ear():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        out.bind(("0.0.0.0", 0))
        out.settimeout(2.0)
        yield out


class Names:
    """A name server that learns a name after so many questions."""

    def __init__(self, name: str, after: int) -> None:
        self.name, self.left, self.asked_s = name, after, []

    async def __call__(self, host, port, **_options):
        self.asked_s.append(asyncio.get_running_loop().time())
        if host != self.name or self.left > 0:
            self.left -= 1
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port))]


def search(targets, names, monkeypatch, host="stage-pc", port=9000, wait_s=0.5):
    """Open one target by name and wait; return what was told."""
    told: list[str] = []
    monkeypatch.setattr(receivers, "FIRST_S", 0.01)
    monkeypatch.setattr(receivers, "LONGEST_S", 0.04)

    async def scenario():
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
        those = Receivers(targets, "festival", lambda level, text: told.append(text))
        those.open([Target(host=host, port=port)])
        async with asyncio.timeout(wait_s):
            while not targets.targets:
                await asyncio.sleep(0.005)
        those.close()

    asyncio.run(scenario())
    return told


def test_a_name_that_is_known_later_is_found_then(targets, ear, monkeypatch):
    names = Names("stage-pc", after=5)
    told = search(targets, names, monkeypatch, port=ear.getsockname()[1], wait_s=5.0)
    targets.publish(Clocks(0.0))
    assert ear.recv(65536).startswith(b"#bundle")
    assert [("not reached" in text, "reached now" in text) for text in told] == [(True, False), (False, True)]
    pauses = np.diff(names.asked_s)
    assert pauses[1] > pauses[0] * 1.2  # longer and longer
    assert len(names.asked_s) == 6


def test_a_name_that_is_known_at_once_says_nothing(targets, monkeypatch):
    assert search(targets, Names("stage-pc", after=0), monkeypatch, wait_s=5.0) == []


@pytest.mark.parametrize("host", ["nobody", "x" * 70 + ".local", "a..b"])
def test_a_name_that_is_never_known_is_told_once_and_ends_with_the_feed(targets, monkeypatch, host):
    told: list[str] = []
    monkeypatch.setattr(receivers, "FIRST_S", 0.01)

    async def scenario():
        if host == "nobody":
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names("", after=99))
        those = Receivers(targets, "festival", lambda level, text: told.append(text))
        those.open([Target(host=host)])
        await asyncio.sleep(0.2)
        those.close()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert len(told) == 1
    assert host in told[0]
    assert not targets.targets


@pytest.mark.parametrize("host", ["255.255.255.255", "127.255.255.255"])
def test_a_broadcast_address_is_sent_to(targets, host):
    out = open_udp(host, 9)
    assert out.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
    out.close()


def test_all_of_a_network_hear_a_broadcast(targets, ear):
    async def scenario():
        Receivers(targets, "festival", lambda *_: None).open([Target(host="127.255.255.255", port=ear.getsockname()[1])])

    asyncio.run(scenario())
    targets.publish(Clocks(0.0))
    assert ear.recv(65536).startswith(b"#bundle")


def test_an_ipv4_address_in_ipv6_is_a_target(targets, ear):
    with open_udp("::ffff:127.0.0.1", ear.getsockname()[1]) as out:
        assert out.family == socket.AF_INET
        out.send(b"here")
        assert ear.recv(100) == b"here"


def test_what_cannot_be_right_is_an_error_with_its_key(targets):
    async def scenario(target):
        Receivers(targets, "festival", lambda *_: None).open([Target(), target])

    with pytest.raises(ConfigError, match=r"osc\.targets\.1\.signals: festival has no signal q"):
        asyncio.run(scenario(Target(signals=("q",))))
    with pytest.raises(ConfigError, match=r"osc\.targets\.1: .* cannot be sent to"):
        asyncio.run(scenario(Target(host="::1%nowhere")))
