"""A jam beside a deck of Pro DJ Link: one that is made up, and sends what the published protocol says over the loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from engine.net.prodj import BEATS_PORT, STATUS_PORT
from tests.net import prodj_packets as made
from tests.system.link_phase import Band
from tests.system.rig import Jam, null_settings, wait_for

pytestmark = [pytest.mark.system]

TRACK_BPM, PITCH = 120.0, 0.05  # heard at 126


class Deck:
    """A player, on a thread of its own: its beats begin on absolute deadlines."""

    def __init__(self) -> None:
        self.plays = True
        self.zero_s = time.perf_counter()
        self.tempo_bpm = TRACK_BPM * (1 + PITCH)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            beat = 0
            while not self._ended.wait(max(self.zero_s + beat * 60 / self.tempo_bpm - time.perf_counter(), 0)):
                if self.plays:
                    out.sendto(made.beat(2, TRACK_BPM, beat % 4 + 1, PITCH), ("127.0.0.1", BEATS_PORT))
                    out.sendto(made.player_status(2, master=True), ("127.0.0.1", STATUS_PORT))
                beat += 1

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def test_it_plays_with_a_deck_and_goes_on_without(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "clock.source=prodj")
    deck = Deck()
    try:
        band = Band(jam)

        def locked() -> bool:
            line = band.line
            return line is not None and bool(line.playing) and bool(line.locked)

        def together() -> bool:
            line = band.line
            return locked() and line is not None and abs(line.tempo_bpm / deck.tempo_bpm - 1) < 0.01

        wait_for(together, 150, "the deck's tempo")
        deck.plays = False
        wait_for(lambda: not locked(), 10, "a band on its own")
        line = band.line
        assert line is not None
        assert line.playing
        assert line.tempo_bpm == pytest.approx(deck.tempo_bpm, rel=0.02)
        deck.plays = True
        wait_for(together, 15, "the deck again")
        band.close()
    finally:
        deck.close()
    jam.wait(lambda report: "deck 2 leads at 126.0 bpm" in jam.output, 10, "who leads told")
    assert "nothing plays any more" in jam.output
    assert jam.end() == 0, jam.output
