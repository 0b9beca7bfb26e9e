"""A jam's MIDI clock, as a sequencer on JACK hears it: every tick, from a process that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

import jack
import pytest

from engine.net import osc
from engine.transport.midi_clock import START, STOP, TICK
from tests.system.rig import Jam, Stage, free_port, jack_settings, wait_for

pytestmark = pytest.mark.system


def test_a_sequencer_follows_the_jam(stage: Stage, start_jam: Callable[..., Jam], jack_env: dict[str, str]):
    port = free_port()
    settings = (*jack_settings(), 'midi.clock.outputs=["virtual"]', "clock.tempo=150", f"osc.control.port={port}")
    jam = start_jam(*settings, env=jack_env)

    def ports() -> list[object]:
        return list(stage.client.get_ports("^Algoritmo", is_midi=True, is_output=True))

    def connected() -> bool:
        """Whether the port could be connected: one that is just vanishing cannot."""
        for found in ports():
            with contextlib.suppress(jack.JackError):
                stage.client.connect(found, stage._ear)
                return True
        return False

    wait_for(connected, 30, "the clock's port")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:

        def order(word: str) -> None:
            control.sendto(osc.message(f"/algoritmo/param/transport/{word}", 1), ("127.0.0.1", port))

        def heard(kind: int) -> list[int]:
            return [frame for frame, data in list(stage.received) if data[0] == kind]

        wait_for(lambda: len(heard(TICK)) > 48, 30, "ticks")
        order("stop")
        wait_for(lambda: heard(STOP), 20, "the stop")
        stage.received.clear()
        order("start")
        wait_for(lambda: heard(START), 20, "the start")
        began = heard(START)[0]  # ticks come while it stands, too
        wait_for(lambda: sum(frame >= began for frame in heard(TICK)) > 72, 30, "ticks again")
        assert len(heard(START)) == 1
        os.kill(jam.pids()["clock"], signal.SIGKILL)
        wait_for(lambda: "the clock process died" in jam.output, 20, "its death told")
        wait_for(connected, 30, "the port again")
        stage.received.clear()
        wait_for(lambda: len(heard(TICK)) > 24, 30, "ticks of the next one")
    assert jam.end() == 0, jam.output
