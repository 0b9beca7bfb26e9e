"""Measures note-on to first sample on a JACK server of its own, to the frame.

    python tests/system/jack_latency.py                 # the whole jam, 500 notes
    python tests/system/jack_latency.py --alone         # the audio process and nothing else

A client sends a note-on at frame f into the MIDI port and looks for the first sample at frame g that is not silence. The
server's log tells who was late: its own timer (the machine), an idle control client, this bench's client, or one of ours.
"""

# ruff: noqa: E402, T201  (runs from anywhere, and prints)

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine import config
from engine.link import Layout, Link
from engine.network.contract import parse_card
from engine.parameters import Live
from engine.process import Spec, registry_of, start
from tests.system.rig import BLOCK, RATE, JackServer, Jam, Stage

HEARD = 1e-5  # -100 dBFS: more than this is no silence
CLIENTS = ("control", "stage", "PortAudio")  # as the server's log names them
CONTROL = """
import jack, time
client = jack.Client("control", no_start_server=True)
client.set_process_callback(lambda frames: None)
client.activate()
time.sleep(3600)
"""
PATIENCE = RATE // 4  # frames after which a note counts as lost


@dataclass
class Figures:
    """Frames from note-on to first sample, and who was late meanwhile."""

    notes: int
    lost: int
    lost_without_xrun: int
    median: float
    p99: float
    maximum: float
    machine_late: int  # cycles that the server's own timer began late
    control_late: int  # cycles that the idle client did not finish in time
    bench_late: int  # ... that this bench's client did not
    ours_late: int  # ... that our audio client did not


class AudioAlone:
    """The audio process on a segment of its own, with no network and no feed."""

    def __init__(self, *settings: str) -> None:
        tracks = [{"name": name, "pitches": [60, 61]} for name in ("drums", "bass", "chords", "pad", "lead")]
        parts = {"contract": 1, "name": "none", "steps_per_beat": 4, "beats_per_bar": 4, "noise": 1, "tracks": tracks}
        card = parse_card(json.dumps(parts), "none")
        registry = registry_of(card)
        layout = Layout.of(card, len(registry))
        self.link = Link.create(layout)
        Live(registry, self.link.values).reset_to_defaults()
        spec = Spec(layout, self.link.name, config.load(None, settings), card, Path("none"))
        self._process, self._pipe = start("audio", spec)
        word, said = self._pipe.recv()
        if word != "ready":
            raise SystemExit(f"audio process: {said}")
        print(said)

    def close(self) -> None:
        """End it."""
        self._pipe.send(("stop",))
        self._process.join(5)
        self.link.close(unlink=True)


def measure(stage: Stage, notes: int, seed: int = 0) -> tuple[list[int], int, int]:
    """Return the latency of each note heard, in frames, how many were lost, and how many of those without an xrun."""
    rng = np.random.default_rng(seed)
    latencies, lost, unexcused = [], 0, 0
    for _ in range(notes):
        frame = stage.now + 10 * BLOCK + int(rng.integers(BLOCK))
        pitch, xruns = int(rng.integers(48, 84)), stage.xruns
        stage.send([(frame, bytes((0x90, pitch, 100))), (frame + 2400, bytes((0x80, pitch, 0)))])
        stage.wait_until(frame + PATIENCE)
        sent = stage.sent[-2][0]
        sound = np.nan_to_num(np.abs(stage.sound(sent, sent + PATIENCE)).max(axis=1))
        loud = np.flatnonzero(sound > HEARD)
        if len(loud):
            latencies.append(int(loud[0]))
        else:
            lost += 1
            unexcused += stage.xruns == xruns
        _wait_for_silence(stage)
    return latencies, lost, unexcused


def _wait_for_silence(stage: Stage) -> None:
    while True:
        end = stage.now
        if np.nan_to_num(np.abs(stage.sound(end - 16 * BLOCK, end))).max() < HEARD:
            break
        stage.wait_until(end + 16 * BLOCK)
    del stage.heard[:-64], stage.sent[:]


def figures(stage: Stage, log: Path, notes: int) -> Figures:
    """Measure, and read from the server's log who was late."""
    begin = len(log.read_text())
    latencies, lost, unexcused = measure(stage, notes)
    median, p99, maximum = np.percentile(latencies, [50, 99, 100]) if latencies else [float("nan")] * 3
    return Figures(notes, lost, unexcused, median, p99, maximum, *who_was_late(log.read_text()[begin:]))


def who_was_late(log: str) -> list[int]:
    """Return from the server's words how many cycles were late by its own timer, and by each of CLIENTS."""
    late: Counter[str] = Counter()
    for line in log.splitlines():
        if "JackTimedDriver::Process XRun" in line:
            late["machine"] += 1
        elif "was not finished" in line:
            late[line.split("client = ")[1].split(" was")[0]] += 1
    return [late[name] for name in ("machine", *CLIENTS)]


def main() -> None:
    """Set up, measure, print, take down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--alone", action="store_true", help="the audio process without network and feed")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "jackd.log"
        server = JackServer(log)
        os.environ.update(server.env)
        stage = Stage(server)
        control = subprocess.Popen([sys.executable, "-c", CONTROL])
        tracks = ("drums", "bass", "chords", "pad", "lead")
        settings = ["midi.backend=jack", *(f"parameters.{t}.mute=true" for t in tracks), *arguments.set]
        playing: AudioAlone | Jam
        if arguments.alone:
            playing = AudioAlone(*settings)
        else:
            playing = Jam(Path(folder), *settings, env=server.env)
            playing.wait_playing()
        try:
            stage.connect_to_jam()
            time.sleep(1.0)
            found = figures(stage, log, arguments.notes)
        finally:
            playing.close()
            control.kill()
            control.wait()
            stage.close()
            server.close()
    print(json.dumps(asdict(found), indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=2) + "\n")


if __name__ == "__main__":
    main()
