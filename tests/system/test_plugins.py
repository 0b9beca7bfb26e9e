"""A whole jam with plugins: they are loaded, killed, and heard again; nothing else is late for it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from pythonosc.udp_client import SimpleUDPClient

from tests.host.conftest import fixtures as fixtures  # for the test here
from tests.system.rig import Jam, free_port, null_settings, wait_for

pytestmark = pytest.mark.system


def test_a_plugin_is_killed_hangs_and_is_heard_again(fixtures: Path, tmp_path: Path):
    port = free_port()
    jam = Jam(
        tmp_path,
        *null_settings(),
        f"osc.control.port={port}",
        f"patches.bass={fixtures}/synth.clap",
        f'rack.inserts.lead=["{fixtures}/effect.clap"]',
        'rack.own=["bass"]',
        options=["--demo", "--duration", "120"],
        env={"XDG_CACHE_HOME": str(tmp_path)},
    )

    def there(what: str, times: int) -> None:
        wait_for(lambda: len(re.findall(what, jam.output)) >= times or jam.process.poll() is not None, 40, what)
        assert jam.process.poll() is None, jam.output

    try:
        there("bass: Fixture Synth is there", 1)
        there("lead: Fixture Effect is there", 1)
        jam.wait_playing(8)
        os.kill(jam.pids()["host1"], signal.SIGKILL)
        there("the host1 process died", 1)
        jam.wait(lambda report: "host1" in jam.pids() and report["steps"] > 16, 40, "the host again")
        SimpleUDPClient("127.0.0.1", port).send_message("/algoritmo/param/bass/fixture_synth/trouble", 2.0)
        there("bass: Fixture Synth hangs", 1)
        jam.wait_playing(int(jam.report["steps"]) + 8)
        assert "host0 process died" not in jam.output, "the lead's effect has another process"
        assert jam.end() == 0, jam.output
        assert not Path("/proc", str(jam.pids()["host0"])).exists(), "a host is left"
    finally:
        jam.close()
