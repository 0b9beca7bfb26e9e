"""Players of Pro DJ Link: who of them leads, where the beat is, and a transport that goes with them."""

from __future__ import annotations

import ipaddress
import socket
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.control.prodj_process import Listener
from engine.core.config import load, source_names
from engine.core.errors import ConfigError
from engine.core.link import Writer
from engine.core.messages import NOTICE, OUTSIDE
from engine.core.parameters import Live, Registry
from engine.core.values import Values
from engine.net.prodj import MIXER
from engine.transport.decks import Decks
from engine.transport.sources import Selected, parameters
from tests.net import prodj_packets as made
from tests.transport.conftest import RATE, Loop, rings

LATENCY = 480
NS = 1e9 / RATE


class Booth:
    """Decks that play, on one clock; a deck: tempo and the beat that it is at."""

    def __init__(self, decks: Decks, jitter_s: float = 0.0) -> None:
        self.decks, self.playing = decks, dict[int, list[float]]()
        self._jitter_s, self._rng = jitter_s, np.random.default_rng(5)
        self.now_s = 100.0
        self._sent: dict[int, int] = {}
        self._underway: list[tuple[float, int]] = []

    def play(self, number: int, tempo_bpm: float, beat: float = 0.0) -> None:
        self.playing[number] = [tempo_bpm, beat]
        self._sent[number] = int(np.ceil(beat)) - 1

    def stop(self, number: int) -> None:
        del self.playing[number]

    def pass_time(self, seconds: float) -> None:
        """Let time go by; beats come as late as the network brings them."""
        before, self.now_s = self.now_s, self.now_s + seconds
        for number, deck in self.playing.items():
            tempo_bpm, beat = deck
            deck[1] = beat + seconds * tempo_bpm / 60
            following = self._sent[number] + 1
            if following <= deck[1]:
                self._sent[number] = following
                at_s = before + max(following - beat, 0) * 60 / tempo_bpm + float(self._rng.uniform(0, self._jitter_s))
                self.decks.beat(number, f"10.0.0.{number}", at_s, tempo_bpm, following % 4 + 1)

    def off_ms(self, number: int) -> float:
        """How far what is said of it lies from where a deck is, within the bar."""
        deck = self.decks.look(self.now_s)
        assert deck is not None
        assert deck.number == number
        off = (deck.beat_at(self.now_s) - self.playing[number][1] + 2) % 4 - 2
        return off * 60 / deck.tempo_bpm * 1e3


def test_the_beat_is_where_the_deck_is_though_the_network_is_late():
    booth = Booth(Decks(), jitter_s=0.002)
    booth.play(2, 128.0, 5.3)
    for _ in range(400):
        booth.pass_time(0.05)
    off = []
    for _ in range(400):
        booth.pass_time(0.05)
        off.append(booth.off_ms(2))
    assert max(map(abs, off)) < 2.0
    deck = booth.decks.leader
    assert deck is not None
    assert 0.1 < deck.jitter_s * 1e3 < 1.5
    assert deck.jumps == 0


def test_the_master_leads_as_soon_as_it_is_told_and_else_who_has_played_longest():
    booth = Booth(Decks())
    booth.play(MIXER, 120)
    for _ in range(30):
        booth.pass_time(0.05)
    assert abs((booth.off_ms(MIXER) + 250) % 500 - 250) < 1
    booth.play(3, 126, 1.5)
    for _ in range(30):
        booth.pass_time(0.05)
    booth.play(1, 124, 2.5)
    for _ in range(30):
        booth.pass_time(0.05)
    assert abs(booth.off_ms(3)) < 1
    booth.decks.tell_master(1, booth.now_s)
    assert abs(booth.off_ms(1)) < 1
    for _ in range(60):  # nobody says so any more
        booth.pass_time(0.05)
    assert abs(booth.off_ms(1)) < 1, "who leads goes on leading"
    booth.stop(1)
    for _ in range(60):
        booth.pass_time(0.05)
    assert abs(booth.off_ms(3)) < 1
    booth.decks.choice = 1
    assert booth.decks.look(booth.now_s) is None, "the one that was chosen does not play"
    booth.decks.choice = MIXER
    deck = booth.decks.look(booth.now_s)
    assert deck is not None
    assert not deck.bars, "a mixer's bars mean nothing"
    assert booth.decks.count == 1


def test_a_jump_in_the_track_is_a_jump_and_not_a_beat_that_came_early():
    booth = Booth(Decks())
    booth.play(2, 128)
    for _ in range(100):
        booth.pass_time(0.05)
    at = booth.playing[2][1]
    booth.play(2, 128, at + 6.4)  # a cue point
    for _ in range(60):
        booth.pass_time(0.05)
    assert abs(booth.off_ms(2)) < 1
    assert booth.decks.leader is not None
    assert booth.decks.leader.jumps == 1


def test_who_calls_himself_by_a_deck_that_plays_is_not_heard():
    booth = Booth(Decks())
    booth.play(2, 128)
    for step in range(400):
        booth.pass_time(0.05)
        booth.decks.beat(2, "10.0.0.66", booth.now_s, 200.0, step % 4 + 1)
        for number in range(1, 60):
            booth.decks.beat(number, "10.0.0.66", booth.now_s, 90.0, 1) if number != 2 else None
    assert abs(booth.off_ms(2)) < 1
    assert booth.decks.count <= 16


class AtTheBooth(Loop):
    """A transport beside decks."""

    def __init__(self) -> None:
        self.rings, self.booth = rings(), Booth(Decks())
        super().__init__(self._make)

    def _make(self, live: Any) -> Selected:
        live.set("clock.source", source_names().index("prodj"))
        return Selected(live, RATE, self.rings)

    def live_through(self, seconds: float) -> None:
        begun = self.frame
        while self.frame - begun < seconds * RATE:
            now = self.frame
            self.booth.now_s = now / RATE
            deck = self.booth.decks.look(now / RATE)
            if deck is not None:
                told = (int(now * NS), deck.beat_at(now / RATE), deck.tempo_bpm, self.booth.decks.count, 0, 0.0, deck.bars)
                self.rings["prodj"].push(told)
            clock = np.zeros((), self.rings["clock"].dtype)
            clock["frame"], clock["time_ns"], clock["ns_per_frame"], clock["latency_frames"] = now, now * NS, NS, LATENCY
            self.rings["clock"].push(clock[()])
            self.seconds(0.01)
            self.booth.pass_time((self.frame - now) / RATE)

    def off_ms(self, number: int) -> float:
        tempo_bpm, its = self.booth.playing[number]
        heard = self.line.place(self.line.beat_at(self.frame - LATENCY))
        return float(((heard - its + 2) % 4 - 2) * 60 / tempo_bpm * 1e3)

    def steadily(self) -> bool:
        return all(
            abs(after.beat - after.left_out - (before.beat_at(after.frame) - before.left_out)) < 1e-6
            for before, after in pairwise(line for line in self.lines if line.playing)
            if after.began == before.began
        )


def test_the_band_begins_with_the_decks_bar_goes_with_its_pitch_and_keeps_time_when_it_stops():
    loop = AtTheBooth()
    loop.booth.play(1, 126.0, 2.2)
    loop.live_through(2)
    assert not loop.line.playing
    loop.fire("start")
    loop.live_through(6)
    assert loop.line.playing
    assert loop.line.locked
    assert abs(loop.off_ms(1)) < 0.5
    for percent in range(1, 7):  # the pitch is moved
        loop.booth.playing[1][0] = 126 * (1 + percent / 100)
        loop.live_through(1)
    loop.live_through(4)
    assert loop.line.tempo_bpm == pytest.approx(126 * 1.06, rel=1e-3)
    assert abs(loop.off_ms(1)) < 1
    loop.booth.stop(1)
    loop.live_through(6)
    assert loop.line.playing
    assert not loop.line.locked
    assert loop.line.tempo_bpm == pytest.approx(126 * 1.06, rel=1e-3)
    loop.booth.play(2, 130, 0.7)
    loop.live_through(0.8)
    assert loop.line.tempo_bpm == pytest.approx(126 * 1.06, rel=1e-3), "not before its bar line"
    loop.live_through(6)
    assert loop.line.locked
    assert abs(loop.off_ms(2)) < 0.5
    assert loop.steadily()
    assert not loop.stops


def test_another_master_is_handed_over_to_with_its_bars():
    loop = AtTheBooth()
    loop.booth.play(1, 126.0)
    loop.live_through(1)
    loop.fire("start")
    loop.live_through(4)
    loop.booth.play(2, 127.0, loop.booth.playing[1][1] + 2.1)  # mixed in two beats and a bit off
    loop.live_through(4)
    assert abs(loop.off_ms(1)) < 0.5
    loop.booth.decks.tell_master(2, loop.frame / RATE)
    loop.live_through(1.9)
    loop.booth.stop(1)
    loop.live_through(5)
    assert abs(loop.off_ms(2)) < 0.5
    assert loop.steadily()
    assert not loop.stops


@pytest.fixture
def listener() -> Any:
    """A listener on loopback, and what it writes."""

    class Link:
        def __init__(self) -> None:
            self.rings = {
                name: Writer(memoryview(bytearray(Writer.size(dtype, 64))), dtype, 64)
                for name, dtype in (("prodj", OUTSIDE), ("notices", NOTICE))
            }

        def writer(self, name: str) -> Writer:
            return self.rings[name]

        def notice(self, _process: str, level: int, text: str) -> None:
            self.rings["notices"].push((0, level, text.encode()))

    registry = Registry(["bass"], modes=parameters())
    live = Live(registry, Values(memoryview(bytearray(Values.size(len(registry)))), len(registry)))
    live.reset_to_defaults()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    out: Any = Listener(ipaddress.ip_network("127.0.0.1"), live, Link(), ports)  # type: ignore[arg-type]  # all it asks of one
    out.ports = ports
    yield out
    out.close()


def test_packets_over_a_socket_are_where_the_beat_is(listener: Any):
    listener.open(time.perf_counter())
    assert listener.is_open
    rng = np.random.default_rng(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        begun_s, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun_s) < 2.5:
            if passed >= sent * 0.2:  # 300 bpm
                player.sendto(made.beat(2, 280.0, sent % 4 + 1, 20 / 280), ("127.0.0.1", listener.ports[0]))
                player.sendto(made.player_status(2, master=True), ("127.0.0.1", listener.ports[1]))
                for _ in range(20):  # and what somebody hostile sends
                    data = made.MAGIC + rng.bytes(int(rng.integers(0, 1400)))
                    player.sendto(data, ("127.0.0.1", listener.ports[sent % 2]))
                sent += 1
            listener.listen(0.005)
    found = listener._link.rings["prodj"].latest()
    assert found["tempo_bpm"] == pytest.approx(300, abs=0.01)
    assert found["peers"] == 1
    assert found["bars"] == 1
    off = float(found["beat"]) - (found["time_ns"] * 1e-9 - begun_s) / 0.2
    assert abs((off + 2) % 4 - 2) * 0.2 < 0.02
    told = [n["text"].decode() for n in listener._link.rings["notices"].reader(0).read()]
    assert "Pro DJ Link: deck 2 leads at 300.0 bpm" in told
    until_s = time.perf_counter() + 1.5
    while time.perf_counter() < until_s:
        listener.listen(0.02)
    told = [n["text"].decode() for n in listener._link.rings["notices"].reader(0).read()]
    assert told[-1] == "Pro DJ Link: nothing plays any more, the band goes on at 300.0 bpm"


def test_a_port_that_is_taken_is_told_once_and_tried_again(listener: Any):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", listener.ports[1]))
        for now_s in (1.0, 2.0, 3.0, 9.0):
            listener.open(now_s)
            assert not listener.is_open
    told = [n["text"].decode() for n in listener._link.rings["notices"].reader(0).read()]
    assert len(told) == 1
    assert "close rekordbox" in told[0]
    listener.open(20.0)
    assert listener.is_open


def test_whose_packets_are_listened_to_is_an_address_or_a_network():
    assert load(None, ["clock.players=169.254.0.0/16"]).clock.players == "169.254.0.0/16"
    with pytest.raises(ConfigError, match=r"clock\.players.*give an address or a network"):
        load(None, ["clock.players=the booth"])
