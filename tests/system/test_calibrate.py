"""`algoritmo calibrate` over a cable of known length: a JACK client that brings back what comes, later."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import load
from tests.system.rig import BLOCK, RATE, ROOT, JackServer

pytestmark = [pytest.mark.system]


class Cable:
    """Brings back sound and MIDI so many frames later than a wire would."""

    def __init__(self, server: JackServer, frames: int) -> None:
        assert frames % BLOCK == 0
        self.client = server.client("cable")
        self._in, self._out = self.client.inports.register("in"), self.client.outports.register("out")
        self._midi_in, self._midi_out = (
            self.client.midi_inports.register("midi_in"),
            self.client.midi_outports.register("midi_out"),
        )
        self._under_way = [bytes(4 * BLOCK)] * (frames // BLOCK)
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, _frames: int) -> None:
        self._under_way.append(bytes(self._in.get_buffer()))
        self._out.get_buffer()[:] = self._under_way.pop(0)
        self._midi_out.clear_buffer()
        for offset, message in self._midi_in.incoming_midi_events():
            self._midi_out.write_midi_event(offset, bytes(message))

    def close(self) -> None:
        self.client.deactivate()
        self.client.close()


def ran(server: JackServer, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | server.env | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def calibrated(server: JackServer, folder: Path, *options: str) -> dict[str, Any]:
    """Run it; return what it has kept."""
    command = [sys.executable, "-m", "engine.cli", "calibrate", "--config", str(folder / "config.toml"), *options]
    done = subprocess.run(
        command,
        env=os.environ | server.env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tomllib.loads((folder / "calibration.toml").read_text())


def test_what_a_cable_takes_is_measured_kept_and_used(jack_server: JackServer, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        f'[audio]\ndevice = "cable"\nrate = {RATE}\nblock = {BLOCK}\n[midi]\nbackend = "jack"\n'
    )
    out_ms = []
    for frames in (960, 2880):
        cable = Cable(jack_server, frames)
        try:
            options = ("--sound", "--midi", "cable", "cable") if not out_ms else ("--sound",)
            kept = calibrated(jack_server, tmp_path, *options)
        finally:
            cable.close()
        (name,) = kept["audio"]["latencies"]
        assert name.startswith("cable")
        out_ms.append(kept["audio"]["latencies"][name])
    assert out_ms[1] - out_ms[0] == pytest.approx((2880 - 960) / RATE * 1e3 / 2, abs=2 * BLOCK / RATE * 1e3)
    (port,) = kept["midi"]["latencies"]
    assert 0 < kept["midi"]["latencies"][port] < 20
    config = load(tmp_path / "config.toml")
    assert config.audio.latencies == kept["audio"]["latencies"]
    assert config.midi.latency_ms("cable") == kept["midi"]["latencies"][port]
    own = load(tmp_path / "config.toml", ['midi.latencies={"cable"=7.5}'])
    assert own.midi.latencies == {"cable": 7.5}


def test_without_a_cable_it_says_what_to_do(jack_server: JackServer) -> None:
    command = [sys.executable, "-m", "engine.cli", "calibrate", "--midi", "nothing", "nowhere", "--set", "midi.backend=jack"]
    done = ran(jack_server, command)
    assert done.returncode == 2
    assert "there is no MIDI output 'nothing'" in done.stderr
