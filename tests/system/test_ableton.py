"""A jam in a session of Ableton Link with another program: one tempo, one beat, one bar; start and stop together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.system.link_phase import Band, Peer
from tests.system.rig import Jam, null_settings

pytest.importorskip("aalink")
pytestmark = [pytest.mark.system]


def test_one_session(start_jam: Callable[..., Jam]):
    jam = start_jam(*null_settings(), "clock.source=link", "parameters.clock.startstop=on")
    band = Band(jam)

    def plays() -> bool:
        line = band.line
        return line is not None and bool(line.playing) and bool(line.locked)

    async def together() -> None:
        peer = Peer(97.0)
        session = peer.session
        await peer.join()
        await peer.wait_for(lambda: session.num_peers == 1 and plays(), 60, "a band in the session")
        band.live.fire("clock.realign")  # who of the two came first is not known

        def is_near() -> bool:
            off = band.off_ms(peer)
            return off is not None and abs(off) < 10

        await peer.wait_for(is_near, 20, "its bar lines")
        session.tempo = 143.0
        await peer.wait_for(lambda: band.live.get("tempo") == 143.0, 10, "the session's tempo here")
        band.live.set("tempo", 88.0)
        await peer.wait_for(lambda: abs(session.tempo - 88) < 1e-3, 10, "our tempo there")
        await peer.wait_for(is_near, 20, "its bar lines at another tempo")
        band.live.fire("transport.stop")
        await peer.wait_for(lambda: not plays(), 10, "our stop")
        band.live.fire("transport.start")
        await peer.wait_for(lambda: session.playing, 10, "the others started by us")
        await peer.wait_for(is_near, 20, "our start, on a bar line")
        session.playing = False
        await peer.wait_for(lambda: not plays(), 10, "their stop")
        session.playing = True
        await peer.wait_for(plays, 20, "their start")
        await peer.wait_for(is_near, 20, "its bar lines")

    asyncio.run(together())
    jam.wait(lambda report: "Link: 1 peer" in jam.output, 10, "the peer told")
    band.close()
    assert jam.end() == 0, jam.output
