"""The process that listens to the players and the mixer of a Pro DJ Link network, and tells where their beat is.

Runs on: prodj process. It is started when the parameter `clock.source` is `prodj`, and lets go of its ports while it is not.
It sends nothing: the players do not know that it is there.
"""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import select
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from engine.core.config import source_names
from engine.core.link import Link
from engine.core.messages import ERROR, INFO, WARNING
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.core.realtime import SOUND, be_urgent
from engine.jam.parameters import registry_of
from engine.net import prodj
from engine.net.guard import Bucket
from engine.net.prodj import MIXER
from engine.transport.decks import Deck, Decks

NAME = SOURCE = "prodj"
POLL_S = 0.01  # how often it is told where the beat is
IDLE_S = 0.2  # how often it is looked whether it is wanted
AGAIN_S = 5.0  # how often a port that is taken is tried again
RATE_HZ, BURST = 1000.0, 500.0  # packets that are looked at: six players and a mixer send a tenth of that
MOST_BYTES = 2048  # the longest packet has 0x200
AT_ONCE = 64  # packets of one port that are read before the next is told
CHOICES = (0, 1, 2, 3, 4, 5, 6, MIXER)  # what the parameter `clock.deck` means, in its order

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def main(spec: Spec, pipe: Connection) -> None:
    """Listen until told to stop."""
    link = spec.link(NAME)
    live = Live(registry_of(spec.card), link.values)
    number = source_names().index(SOURCE)
    listener = Listener(ipaddress.ip_network(spec.config.clock.players, strict=False), live, link)
    pipe.send(("ready", {}))
    be_urgent(SOUND)
    gc.disable()
    while not stop_requested(pipe, 0 if listener.is_open else IDLE_S):
        link.beat(NAME)
        if int(live.get("clock.source")) == number:
            listener.open(time.perf_counter())
            listener.listen(POLL_S)
        else:
            listener.close()
    listener.close()


class Listener:
    """The two ports, and who leads: `open` when it is wanted, then `listen` again and again."""

    def __init__(self, network: Network, live: Live, link: Link, ports: tuple[int, int] | None = None) -> None:
        """`network`: whose packets are listened to; any but this machine's own opens the ports to the network."""
        self._network, self._live, self._link = network, live, link
        self._ports = ports or (prodj.BEATS_PORT, prodj.STATUS_PORT)
        self._ring = link.writer(NAME)
        self._sockets: dict[socket.socket, Callable[[bytes, str, float], None]] = {}
        self._decks = Decks()
        self._bucket = Bucket(RATE_HZ, BURST)
        self._again_s = 0.0
        self._led: Deck | None = None
        self._told = ""

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return bool(self._sockets)

    def open(self, now_s: float) -> None:
        """Open the ports, unless they are; one that is taken is tried again after a while."""
        if self._sockets or now_s < self._again_s:
            return
        host = str(self._network.network_address) if self._network.is_loopback else ""
        host = "127.0.0.1" if host == "127.0.0.0" else host
        family = socket.AF_INET6 if self._network.version == 6 else socket.AF_INET
        for port, take in zip(self._ports, (self._beat, self._status), strict=True):
            out = socket.socket(family, socket.SOCK_DGRAM)
            try:
                out.setblocking(False)
                out.bind((host, port))
            except OSError as error:
                out.close()
                self.close()
                self._again_s = now_s + AGAIN_S
                why = f"UDP port {port} cannot be had ({error.strerror})"
                self._say(ERROR, f"Pro DJ Link: {why}: close rekordbox, if it runs here")
                return
            self._sockets[out] = take
        self._say(INFO, f"Pro DJ Link: listening to {self._network}; this was never tried with the devices themselves")

    def close(self) -> None:
        """Let go of the ports."""
        for out in self._sockets:
            out.close()
        self._sockets.clear()
        self._decks, self._led = Decks(), None

    def listen(self, timeout_s: float) -> None:
        """Take what comes within a time, and tell where the beat is."""
        if not self._sockets:
            time.sleep(timeout_s)
            return
        ready, _, _ = select.select(list(self._sockets), [], [], timeout_s)
        for out in ready:
            self._take(out)
        self._decks.choice = CHOICES[int(self._live.get("clock.deck"))]
        now_s = time.perf_counter()
        deck = self._decks.look(now_s)
        self._tell_leader(deck)
        if deck is not None:
            jitter_ms = deck.jitter_s * 1e3
            told = (int(now_s * 1e9), deck.beat_at(now_s), deck.tempo_bpm, self._decks.count, 0, jitter_ms, deck.bars)
            self._ring.push(told)

    def _take(self, out: socket.socket) -> None:
        for _ in range(AT_ONCE):
            with contextlib.suppress(ConnectionError):
                try:
                    data, (address, *_) = out.recvfrom(MOST_BYTES)
                except BlockingIOError:
                    return
                now_s = time.perf_counter()
                if self._bucket.take(now_s) and ipaddress.ip_address(address.partition("%")[0]) in self._network:
                    self._sockets[out](data, address, now_s)

    def _beat(self, data: bytes, address: str, now_s: float) -> None:
        if (beat := prodj.beat(data)) is not None:
            self._decks.beat(beat.device, address, now_s, beat.tempo_bpm, beat.place)

    def _status(self, data: bytes, _address: str, now_s: float) -> None:
        if (status := prodj.status(data)) is not None and status.is_master:
            self._decks.tell_master(status.yields_to or status.device, now_s)

    def _tell_leader(self, deck: Deck | None) -> None:
        before, self._led = self._led, deck
        if deck is not None and (before is None or before.number != deck.number):
            name = "the mixer" if deck.number == MIXER else f"deck {deck.number}"
            self._say(INFO, f"Pro DJ Link: {name} leads at {deck.tempo_bpm:.1f} bpm")
        elif deck is None and before is not None:
            self._say(WARNING, f"Pro DJ Link: nothing plays any more, the band goes on at {before.tempo_bpm:.1f} bpm")

    def _say(self, level: int, text: str) -> None:
        if text != self._told:
            self._told = text
            self._link.notice(NAME, level, text)
