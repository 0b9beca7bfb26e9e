"""Plays a jam with plugins on all five tracks, on a JACK server without a device, and does to it all that may be done: kills,
hangs, other instruments, presets, inserts that come and go, an editor. Then says what each cost, and what was heard of it.

    python tests/host/play_through.py                   # two minutes

`jump`: the largest step from one sample to the next within 100 ms after what was done, of full scale; `around`: that in the
seconds before and after it. What is killed or hangs is not heard itself (its track is down), but the others are.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile
from pythonosc.udp_client import SimpleUDPClient

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.app.running import attach, running
from engine.transport.sample_clock import SampleClock
from tests.host.conftest import fixtures as fixtures_of
from tests.host.screen import Screen
from tests.system.jack_scenes import jumps
from tests.system.rig import JackServer, Jam, free_port, jack_settings, wait_for

INSTRUMENTS = {"drums": "MDA Piano", "chords": "MDA ePiano", "pad": "MDA JX10", "lead": "MDA DX10"}
ASKED = ("late_steps", "xruns", "xruns_own", "notes_late")


def main() -> None:
    """Play, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
            "jam.mode=solo",
            *(f"patches.{track}=lv2:{name}" for track, name in INSTRUMENTS.items()),
            f"patches.bass={fixtures}/synth.clap",  # does what it is told
            "parameters.bass.level=0",
            f'rack.inserts.lead=["clap:ZamComp", "{fixtures}/odd.clap#odd.editor"]',
            'rack.sends=[["lv2:MDA Ambience"]]',
            'rack.own=["bass"]',
            options=["--demo", "--duration", "600"],
            env={"XDG_CACHE_HOME": folder, "DISPLAY": screen.display, **server.env},
        )
        try:
            _play(jam, osc, screen, words.pause, said)
            assert jam.end() == 0, jam.output
            sound, _ = soundfile.read(jam.session / "session.wav", dtype="float32", always_2d=True)
        finally:
            jam.close()
            screen.close()
            server.close()
    frames = {name: [frame for frame in of.pop("frames") if frame + 48000 < len(sound)] for name, of in said.items()}
    after, around, _ = jumps(sound, [frame for of in frames.values() for frame in of])
    for name, of in frames.items():
        said[name] |= {
            "jump": round(max(after[: len(of)], default=0.0), 4),
            "around": round(max(around[: len(of)], default=0.0), 4),
        }
        after, around = after[len(of) :], around[len(of) :]
    sys.stdout.write(json.dumps(said, indent=1) + "\n")


def _play(jam: Jam, osc: SimpleUDPClient, screen: Screen, pause_s: float, said: dict[str, Any]) -> None:
    for track in (*INSTRUMENTS, "bass"):
        wait_for(lambda track=track: f"{track}: " in jam.output and f"{track}: " in _there(jam), 90, track)
    jam.wait_playing(16)
    (of,) = [one for one in running() if one.pid == jam.process.pid]
    link, _ = attach(of)
    orders = link.view("feed").writer("rack_orders")
    before: dict[str, int] = {}

    def frame() -> float:
        clock = link["clock"].latest()
        assert clock is not None
        return SampleClock.of(clock).frame_at(time.perf_counter_ns())

    def figures(what: str, *done: Callable[[], object]) -> None:
        """Do it, and say what it cost."""
        nonlocal before
        frames = []
        for do in done:
            frames.append(frame())
            do()
            time.sleep(1.0)
        time.sleep(pause_s)
        now = {key: jam.report.get(key) for key in (*ASKED, "dsp_load")}
        whole = {key: value for key, value in now.items() if isinstance(value, int)}
        said[what] = {key: value - before.get(key, 0) for key, value in whole.items()}
        said[what] |= {"dsp": now["dsp_load"], "frames": frames}
        before = whole

    def turn(name: str, value: object) -> Callable[[], object]:
        return lambda: osc.send_message(f"/algoritmo/param/{name}", value)

    def order(**what: object) -> Callable[[], object]:
        return lambda: orders.push((json.dumps(what).encode(),))

    figures("begun")
    figures("undisturbed", lambda: None)
    figures("a process killed", lambda: os.kill(jam.pids()["host1"], signal.SIGKILL))
    figures("a plugin hangs", turn("bass/fixture_synth/trouble", 2.0), turn("bass/fixture_synth/trouble", 0.0))
    assert "bass: Fixture Synth hangs" in jam.output
    figures("bypassed four times", *(turn("lead/zamcomp/bypass", value) for value in (1.0, 0.0, 1.0, 0.0)))
    figures("presets", *(turn("lead/mda_dx10/preset", number) for number in (3.0, 7.0)))
    figures(
        "another plugin, a patch, a plugin", *(turn("pad/patch", name) for name in ("plugin:MDA ePiano", "pad", "lv2:MDA JX10"))
    )
    add = [order(do="add", where="chords", effect=effect) for effect in ("plugin:ZamDelay", "board:Chorus", "filter")]
    figures("inserts added", *add)
    figures(
        "inserts moved, and taken out",
        order(do="move", where="chords", word="zamdelay", by=1),
        *(order(do="remove", where="chords", word=word) for word in ("zamdelay", "chorus", "filter")),
    )
    command = [sys.executable, "-m", "engine.cli", "plugins", "edit", "lead", "odd_editor", "--pid", str(jam.process.pid)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "DISPLAY": screen.display}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as editor:
        figures("an editor begun", lambda: None)
        window = wait_for(lambda: screen.find("lead: Odd Editor"), 30, "the window")
        figures("a window clicked into", *(lambda x=x: screen.click(window, x, 50) for x in (30, 90, 150, 210)))
        figures("the window crashed", lambda: screen.click(window, 290, 50))
        editor.wait(30)
    figures("all others killed", lambda: os.kill(jam.pids()["host0"], signal.SIGKILL))
    for track in (*INSTRUMENTS, "bass"):
        assert f"{track}: " in _there(jam), track
    link.close()


def _there(jam: Jam) -> str:
    """What it said of plugins that are there."""
    return "\n".join(line for line in jam.output.splitlines() if " is there" in line)


if __name__ == "__main__":
    main()
