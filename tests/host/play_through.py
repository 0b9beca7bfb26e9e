"""Plays a jam with plugins on all five tracks, on a JACK server without a device, and does to it all that may be done: kills,
hangs, other instruments, inserts that come and go, an editor. Then says what it cost.

    python tests/host/play_through.py                   # a minute and a half
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pythonosc.udp_client import SimpleUDPClient

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.host.conftest import fixtures as fixtures_of
from tests.host.screen import Screen
from tests.system.rig import JackServer, Jam, free_port, jack_settings, wait_for

TRACKS = ("drums", "bass", "chords", "pad", "lead")
ASKED = ("late_steps", "xruns", "xruns_own", "notes_late", "dsp_load")


def main() -> None:
    """Play, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two things that are done")
    words = parser.parse_args()
    fixtures = fixtures_of.__wrapped__()  # type: ignore[attr-defined]
    port, screen = free_port(), Screen()
    server = JackServer(Path(tempfile.gettempdir()) / "play-through-jackd.log", urgent=True)
    server.wait_ready()
    osc = SimpleUDPClient("127.0.0.1", port)
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        jam = Jam(
            Path(folder),
            *jack_settings(),
            f"osc.control.port={port}",
            *(f"patches.{track}={fixtures}/synth.clap" for track in TRACKS),
            f'rack.inserts.lead=["{fixtures}/effect.clap", "{fixtures}/odd.clap#odd.editor"]',
            'rack.own=["bass"]',
            options=["--demo", "--duration", "600"],
            env={"XDG_CACHE_HOME": folder, "DISPLAY": screen.display, **server.env},
        )
        before: dict[str, Any] = {}

        def figures(what: str) -> None:
            nonlocal before
            time.sleep(words.pause)
            now = {key: jam.report.get(key) for key in ASKED}
            said[what] = {k: v - before.get(k, 0) for k, v in now.items() if isinstance(v, int)} | {"dsp": now["dsp_load"]}
            before = {k: v for k, v in now.items() if isinstance(v, int)}

        try:
            for track in TRACKS:
                wait_for(lambda track=track: f"{track}: Fixture Synth is there" in jam.output, 60, track)
            jam.wait_playing(16)
            figures("begun")
            figures("undisturbed")
            os.kill(jam.pids()["host1"], signal.SIGKILL)
            figures("a process killed")
            osc.send_message("/algoritmo/param/bass/fixture_synth/trouble", 2.0)
            figures("a plugin hangs")
            for value in (1.0, 0.0, 1.0, 0.0):
                osc.send_message("/algoritmo/param/lead/fixture_effect/bypass", value)
                time.sleep(0.3)
            figures("bypassed four times")
            osc.send_message("/algoritmo/param/pad/patch", "pad")
            figures("another instrument")
            command = [sys.executable, "-m", "engine.cli", "plugins", "edit", "lead", "odd_editor"]
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "DISPLAY": screen.display}
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as editor:
                window = wait_for(lambda: screen.find("lead: Odd Editor"), 30, "the window")
                for x in (30, 90, 150, 210):
                    screen.click(window, x, 50)
                figures("a window opened, and clicked into")
                screen.click(window, 290, 50)
                editor.wait(30)
            figures("the window crashed")
            assert jam.end() == 0, jam.output
        finally:
            jam.close()
            screen.close()
            server.close()
    sys.stdout.write(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
