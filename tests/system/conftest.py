"""Fixtures of the system tests: real servers, each ended by its own process id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.rig import JackServer, Jam, OscDump, Stage, free_port


@pytest.fixture(scope="session")
def jack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JackServer]:
    """A JACK server without a sound card: 48 kHz, 64 frames."""
    server = JackServer(tmp_path_factory.mktemp("jack") / "jackd.log")
    yield server
    server.close()


@pytest.fixture
def stage(jack_server: JackServer) -> Iterator[Stage]:
    """A client of the JACK server that plays and listens."""
    client = Stage(jack_server)
    yield client
    client.close()


@pytest.fixture
def jack_env(jack_server: JackServer) -> dict[str, str]:
    """Environment of a program that is to use the JACK server."""
    return jack_server.env


@pytest.fixture
def osc_port() -> int:
    """A UDP port that nobody has."""
    return free_port()


@pytest.fixture
def oscdump(tmp_path: Path, osc_port: int) -> Iterator[OscDump]:
    """An OSC receiver on `osc_port`."""
    receiver = OscDump(tmp_path, osc_port)
    yield receiver
    receiver.close()


@pytest.fixture
def start_jam(tmp_path: Path) -> Iterator[Callable[..., Jam]]:
    """Start a jam: `start_jam("audio.device=null", options=["--demo"])`."""
    jams: list[Jam] = []

    def begin(*settings: str, **others: object) -> Jam:
        jams.append(Jam(tmp_path, *settings, **others))  # type: ignore[arg-type]  # passed on as they come
        return jams[-1]

    yield begin
    for jam in jams:
        jam.close()
