"""Jams that are recorded and played once more: whether every note, and every sample, comes again.

    python tests/system/take_again.py --takes 20 --seconds 30

Each take is a jam of its own under JACK, or without any device, played by a musician who does by chance what musicians do:
notes, chords, controllers, parameters moved, controls learned, patches changed, charts typed, tempo tapped, the beat stopped
and begun, panic; in every third, scenes of a set with three networks. The network process, the feed and the audio process are
killed. Then `algoritmo render` plays it again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pythonosc.udp_client import SimpleUDPClient

from engine.app.take_render import render_take
from engine.record.markers import FILE as MARKERS
from engine.record.markers import read_markers
from tests.system.rig import RATE, JackServer, Jam, Stage, free_port, jack_settings, null_settings

SCALE = (48, 50, 52, 53, 55, 57, 59, 60, 62, 64, 65, 67, 69, 71, 72, 74, 76)
MODES = ("accompany", "trade", "solo")
PATCHES = ("keys", "pad", "lead", "pluck", "bass")
METRES = ("4/4", "3/4", "6/8", "7/8 (2+2+3)")
CHARTS = ("| C | G7 | Am F | % |", "|: Dm | G7 :| C |", "")
LEARNED = ("lead.level", "tempo", "density", "lead.mute", "energy")
CC = 20
SET = """
format = 1
name = "Take"
[[scene]]
name = "Band"
network = "festival"
parameters.tempo = 120
[[scene]]
name = "Choir"
network = "biaxial-jsb"
patches.choir = "strings"
chart = "| C | G |"
parameters.mode = "solo"
parameters.choir.level = 0.8
[[scene]]
name = "Band in three"
network = "festival"
patches.bass = "acid"
patches.lead = "glass"
parameters.mode = "accompany"
parameters.metre = "3/4"
parameters.tempo = 100
parameters.bass.cutoff = 700
[[scene]]
name = "Piano"
network = "biaxial"
patches.piano = "keys"
parameters.mode = "trade"
parameters.metre = "4/4"
parameters.tempo = 140
"""


@dataclass(frozen=True)
class Kind:
    """How one take is played."""

    settings: tuple[str, ...]
    kills: tuple[str, ...] = ()
    jack: bool = True
    scenes: bool = False


def kind_of(number: int) -> Kind:
    """Return how the take of this number is played: all sources, modes and ways to die come in twenty."""
    settings = [f"jam.mode={MODES[number % 3]}", f"jam.seed={number}", f"clock.tempo={80 + 7 * number % 60}"]
    if number % 4 == 1:
        settings.append("network.harmony=chords")
    if number % 4 == 2:
        settings.append(f"jam.metre={METRES[number // 4 % 4]}")
    if number % 5 == 3:
        settings += ["clock.source=follow", "parameters.clock.patience=1"]
    if number % 5 == 4:
        settings.append(f"jam.chart={CHARTS[0]}")
    if number % 7 == 6 and number % 3 and number % 4 != 1:
        settings.append("network.name=biaxial")
    kills = (("network",), (), ("network", "feed"), ("audio",), (), ("network", "network"), ())[number % 7]
    # The demo plays on the beat, so there is none that could follow it.
    jack = number % 4 != 3 or number % 5 == 3
    return Kind(tuple(settings), kills, jack, scenes=number % 3 == 0)


class Musician:
    """Plays for so long, by chance."""

    def __init__(self, jam: Jam, stage: Stage | None, control_port: int, seed: int, scenes: bool) -> None:
        self._jam, self._stage, self._scenes = jam, stage, scenes
        self._chance = random.Random(seed)
        self._osc = SimpleUDPClient("127.0.0.1", control_port)
        self._chord = 0
        self._to_play: list[tuple[int, bytes]] = []

    def _notes(self, begin: int) -> list[tuple[int, bytes]]:
        """A second of music."""
        chance = self._chance
        out: list[tuple[int, bytes]] = []
        step = RATE // 7
        for at in range(0, RATE, step):
            if chance.random() < 0.6:
                pitch, size = chance.choice(SCALE), chance.randrange(step // 3, 2 * step)
                frame = begin + at + chance.randrange(-600, 600)
                out += [(frame, bytes((0x90, pitch, chance.randrange(40, 120)))), (frame + size, bytes((0x80, pitch, 0)))]
        if chance.random() < 0.5:
            self._chord = chance.choice((0, 5, 7, 9))
            for tone in (0, 4, 7):
                pitch = 48 + self._chord + tone
                out += [(begin, bytes((0x90, pitch, 80))), (begin + RATE - 2000, bytes((0x80, pitch, 0)))]
        for at in range(0, RATE, 1500):
            if chance.random() < 0.3:
                out.append((begin + at, bytes((0xB0, CC, chance.randrange(128)))))
        if chance.random() < 0.2:
            out.append((begin + 700, bytes((0xE0, 0, chance.randrange(128)))))
        return out

    def _order(self) -> None:
        """One thing of those that are done beside playing."""
        chance, say = self._chance, self._osc.send_message
        what = chance.randrange(16)
        if self._scenes and chance.random() < 0.25:
            say(f"/algoritmo/param/scene/{chance.choice(('next', 'next', 'previous'))}", [])
        elif what == 0:
            say("/algoritmo/mode", chance.choice(MODES))
        elif what == 1:
            say("/algoritmo/param/temperature", chance.uniform(0.5, 1.5))
        elif what == 2:
            say("/algoritmo/param/tempo", chance.uniform(70, 140))
        elif what == 3:
            say("/algoritmo/learn", chance.choice(LEARNED))
        elif what == 4:
            say("/algoritmo/param/lead/patch", chance.choice(PATCHES))
        elif what == 5:
            say("/algoritmo/chart", chance.choice(CHARTS))
        elif what == 6:
            say("/algoritmo/panic", [])
        elif what == 7:
            for _ in range(4):
                say("/algoritmo/param/transport/tap", [])
                time.sleep(0.4)
        elif what == 8:
            say("/algoritmo/param/metre", chance.choice(METRES))
        elif what == 9:
            say("/algoritmo/param/loop", chance.choice((0, 1, 2)))
        elif what == 10:
            say("/algoritmo/param/energy", chance.random())
        elif what == 11:
            say(f"/algoritmo/param/{chance.choice(('drums', 'bass', 'lead'))}/punch", chance.choice((0, 1)))
        elif what == 12:
            say(f"/algoritmo/param/{chance.choice(('drums', 'bass', 'pad'))}/level", chance.random())
        elif what == 13:
            say(chance.choice(("/algoritmo/param/keep", "/algoritmo/param/more", "/algoritmo/param/forget")), [])
        elif what == 14:
            say("/algoritmo/param/swing", chance.uniform(0.5, 0.67))
        elif chance.random() < 0.5:
            say("/algoritmo/param/transport/stop", [])
            time.sleep(0.5)
            say(chance.choice(("/algoritmo/param/transport/continue", "/algoritmo/param/transport/start")), [])
        else:
            say(chance.choice(("/algoritmo/param/reset", "/algoritmo/param/transport/rewind")), [])

    def play(self, seconds: float, kills: Sequence[str]) -> None:
        """Play; kill what is to be killed on the way."""
        end, begun = time.monotonic() + seconds, time.monotonic()
        due = [begun + seconds * (n + 1) / (len(kills) + 1) for n in range(len(kills))]
        left = list(zip(due, kills, strict=True))
        written = 0 if self._stage is None else self._stage.now + RATE // 4
        while time.monotonic() < end:
            if self._stage is not None and written < self._stage.now + RATE // 2:
                written += RATE
                self._to_play = sorted([*self._to_play, *self._notes(written)])
                self._stage.send([event for event in self._to_play if event[0] < written])
                self._to_play = [event for event in self._to_play if event[0] >= written]
            if self._chance.random() < 0.25:
                self._order()
            if left and time.monotonic() >= left[0][0]:
                self._kill(left.pop(0)[1])
            time.sleep(0.2)

    def _kill(self, name: str) -> None:
        pid = self._jam.pids()[name]
        os.kill(pid, signal.SIGKILL)
        self._jam.wait(lambda report: report["processes"][name].get("pid") != pid, 30, f"another {name} process")
        if name == "audio" and self._stage is not None:
            self._stage.connect_to_jam(notes=False)


def play_a_take(folder: Path, number: int, kind: Kind, seconds: float, server: JackServer | None) -> Path:
    """Play and record a take; return its folder."""
    folder.mkdir(parents=True)
    base = jack_settings() if kind.jack else null_settings()
    port = free_port()
    env = dict(server.env) if server is not None and kind.jack else {}
    options = [] if kind.jack else ["--demo"]
    if kind.scenes:
        (folder / "set.toml").write_text(SET)
        options += ["--set", str(folder / "set.toml")]
    jam = Jam(folder, *base, *kind.settings, f"osc.control.port={port}", options=options, env=env)
    stage = None
    try:
        if server is not None and kind.jack:
            stage = Stage(server)
            stage.connect_to_jam(limit_s=60)
        jam.wait(lambda report: "processes" in report, 90, "the jam")
        if "clock.source=follow" not in kind.settings:
            jam.wait_playing(4, 90)
        Musician(jam, stage, port, number, kind.scenes).play(seconds, kind.kills)
        status = jam.end(limit_s=30)
        assert status == 0, jam.output
        return jam.session
    finally:
        if stage is not None:
            stage.close()
        jam.close()


def main() -> None:
    """Play so many takes and play each once more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takes", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first: the number says how it is played")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--keep", type=Path, help="keep the takes here")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        base = asked.keep or Path(temporary)
        base.mkdir(parents=True, exist_ok=True)
        server = JackServer(base / "jackd.log")
        try:
            server.wait_ready()
            for number in range(asked.first, asked.first + asked.takes):
                kind = kind_of(number)
                session = play_a_take(base / f"take-{number}", number, kind, asked.seconds, server)
                report = render_take(session, base / f"take-{number}" / "again", [])
                late = json.loads((session / "report.json").read_text())
                about = {
                    "take": number,
                    "kills": kind.kills,
                    "scenes": sum(marker.kind == "scene" for marker in read_markers(session / MARKERS)),
                    "notes": sum(report["notes"].values()),
                    "same_notes": report["same_notes"],
                    "same_sound": report["same_sound"],
                    "most_off": report.get("most_off"),
                    "first_other_frame": report["first_other_frame"],
                    "late_steps": late.get("late_steps"),
                    "seconds": round(report.get("frames", 0) / RATE, 1),
                    "remarks": report["remarks"],
                }
                found.append(about)
                _say(json.dumps(about))
        finally:
            server.close()
    notes = sum(of["notes"] for of in found)
    same, sound = sum(of["same_notes"] is True for of in found), sum(of["same_sound"] is True for of in found)
    _say(f"{same} of {len(found)} takes note for note, {sound} sample for sample; {notes} notes in all")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
