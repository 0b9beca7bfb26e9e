"""A JACK server that comes back at another rate, with another period: followed, or named while the music goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import rig

OTHER_RATE, OTHER_PERIOD = 44100, 128


@pytest.fixture
def server(tmp_path: Path) -> Iterator[rig.JackServer]:
    server = rig.JackServer(tmp_path / "jackd.log")
    yield server
    server.close()


def come_back(server: rig.JackServer, jam: rig.Jam, rate_hz: int, period: int) -> None:
    """Let the server die, and begin again once the jam has noticed."""
    server.kill()
    rig.wait_for(lambda: "is gone" in jam.output, 20, "the notice that the server is gone")
    server.begin(rate_hz, period)


@pytest.mark.parametrize("rate", ["device", "48000"])
def test_a_server_that_comes_back_at_another_rate(rate: str, server: rig.JackServer, tmp_path: Path) -> None:
    server.wait_ready()
    jam = rig.Jam(tmp_path, *rig.jack_settings(), f"audio.rate={rate}", env=server.env)
    try:
        jam.wait_playing(3)
        come_back(server, jam, OTHER_RATE, OTHER_PERIOD)
        if rate == "device":
            jam.wait(lambda report: report["processes"]["audio"]["rate"] == OTHER_RATE, 30, "the rate of the server")
            assert "JACK" in jam.report["processes"]["audio"]["device"]
        else:
            rig.wait_for(lambda: "it runs at 44100 Hz" in jam.output, 30, "the rate of the server, named")
            steps = int(jam.report["steps"])
            jam.wait(lambda report: report["steps"] > steps + 20, 20, "music without sound")
            server.kill()
            server.begin()
            jam.wait(lambda report: "JACK" in report["processes"]["audio"]["device"], 60, "the device")
        assert jam.end() == 0, jam.output
    finally:
        jam.close()


def test_a_first_start_on_a_server_of_another_rate_names_it_and_what_to_set(server: rig.JackServer, tmp_path: Path) -> None:
    server.wait_ready()
    server.kill()
    server.begin(OTHER_RATE)
    server.wait_ready()
    jam = rig.Jam(tmp_path, *rig.jack_settings(), env=server.env)
    try:
        assert jam.process.wait(40) == 2
        assert "it runs at 44100 Hz: set audio.rate to 44100" in jam.output
    finally:
        jam.close()
