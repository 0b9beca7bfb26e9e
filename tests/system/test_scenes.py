"""Scenes of a real jam: on the bar line, with another network, without a gap; and what is left when something dies."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine.app.running import attach, running
from engine.control.scene_view import SceneView, scene_view
from engine.core.link import Link
from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER, PLAYS
from engine.core.parameters import Live
from engine.record.feed_file import FeedReader
from engine.transport.timeline import BeatTimeline
from tests import tiny
from tests.system.rig import ROOT, Jam, null_settings, wait_for

pytestmark = pytest.mark.system
SET = """
format = 1
name = "Test"
[[scene]]
name = "Fours"
network = "{fours}"
parameters.mode = "solo"
parameters.tempo = 150

[[scene]]
name = "Ones"
network = "{ones}"
chart = "| C | G |"
patches.choir = "strings"
patches.nowhere = "keys"
parameters.metre = "3/4"
parameters.tempo = 170
parameters.choir.level = 0.5

[[scene]]
name = "Same network"
network = "{fours}"
patches.bass = "acid"
parameters.metre = "4/4"
parameters.bass.cutoff = 500
"""


def a_set(folder: Path) -> Path:
    """A set with a network of four timesteps a beat and one of one, whose tracks are others."""
    fours = tiny.write(folder / "fours.onnx", seed=1, bias=0.0)
    tracks = [{"name": name, "pitches": pitches} for name, _, pitches in tiny.TRACKS]
    tracks[2]["name"] = "choir"
    ones = tiny.write(folder / "ones.onnx", seed=2, bias=0.5, name="ones", steps_per_beat=1, tracks=tracks)
    path = folder / "test.toml"
    path.write_text(SET.format(fours=fours.name, ones=ones.name))
    return path


@contextmanager
def looking_in(jam: Jam) -> Iterator[tuple[Link, Live]]:
    (of,) = [one for one in running() if one.pid == jam.process.pid]
    link, live = attach(of)
    try:
        yield link, live
    finally:
        link.close()


def view(link: Link) -> SceneView:
    return scene_view(link)


def switched(link: Link, number: int) -> np.void:
    """Wait until the scene of an order plays; return the record of it."""

    def plays() -> np.void | None:
        last = link["switched"].latest()
        done = last is not None and int(last["number"]) >= number and int(last["state"]) == PLAYS
        return last if done else None

    return wait_for(plays, 90, f"scene of order {number}")


def numbers(link: Link, ring: str) -> list[int]:
    return link[ring].reader(0).read()["step"].tolist()


def recorded(jam: Jam, file: str) -> list[int]:
    with FeedReader(jam.session / file) as feed:
        return [int(entry.step["step"]) for entry in feed if entry.step is not None]


def test_another_network_plays_from_the_bar_line_on_and_no_timestep_is_doubled_or_lost(
    tmp_path: Path, start_jam: Callable[..., Jam]
):
    jam = start_jam(*null_settings(), options=["--set", str(a_set(tmp_path))])
    jam.wait_playing(8, 120)
    with looking_in(jam) as (link, live):
        wait_for(lambda: int(link["playing"].latest()["loaded"]) == 3, 120, "both networks loaded")
        assert view(link).names == ("Fours", "Ones", "Same network")
        late = int(link["network"].latest()["late_steps"])
        live.fire("scene.next")
        beat = float(switched(link, 1)["beat"])
        assert beat % 4 == 0
        wait_for(lambda: link["steps.1"].count >= 5, 60, "the other network's steps")
        fours, ones = numbers(link, "steps"), numbers(link, "steps.1")
        assert fours == list(range(fours[0], round(4 * beat)))  # up to the bar line
        assert ones == list(range(round(beat), round(beat) + len(ones)))  # from it on, a timestep a beat
        line = BeatTimeline.of(link["timeline"].latest())
        assert (line.metre.name, line.bar_beat, round(line.tempo_bpm)) == ("3/4", beat, 170)
        assert link["chart"].latest()["text"].decode() == "| C | G |"
        live.fire("scene.next")
        again = float(switched(link, 2)["beat"])
        assert (again - beat) % 3 == 0
        wait_for(lambda: numbers(link, "steps")[-1] >= 4 * again + 4, 60, "the first network's steps")
        back = [step for step in numbers(link, "steps") if step >= 4 * again]
        assert back == list(range(round(4 * again), round(4 * again) + len(back)))
        assert numbers(link, "steps.1")[-1] == round(again) - 1
        live.refresh()
        assert live.get("bass.cutoff") == 500
        assert int(link["network"].latest()["late_steps"]) == late
        events = link["events"].reader(0).read()
        on = {int(e["track"]) for e in events if e["kind"] == NOTE_ON and e["track"] != PLAYER}
        assert 3 in on  # the choir, which the first network does not have
        frame = int(link["switched"].latest()["frame"])
        hanging = {(int(e["track"]), int(e["pitch"])) for e in events if e["kind"] == NOTE_ON and e["frame"] < frame - 64}
        ended = {(int(e["track"]), int(e["pitch"])) for e in events if e["kind"] == NOTE_OFF}
        assert hanging <= ended
    assert jam.end() == 0, jam.output
    for file, played in {"feed.bin": [*fours, *back], "feed-1.bin": ones}.items():
        assert recorded(jam, file)[: len(played)] == played, "each network has a file of its own"
    assert "patches.nowhere: there is no such track" in jam.output
    assert "is played by" not in jam.output


def test_what_stood_is_there_after_any_process_died_and_with_resume(tmp_path: Path, start_jam: Callable[..., Jam]):
    path = a_set(tmp_path)
    jam = start_jam(*null_settings(), options=["--set", str(path)])
    jam.wait_playing(8, 120)
    with looking_in(jam) as (link, live):
        wait_for(lambda: int(link["playing"].latest()["loaded"]) == 3, 120, "both networks loaded")
        live.set("scene.go", 2)
        switched(link, 1)
        for name in ("network", "audio", "feed"):
            os.kill(jam.pids()[name], signal.SIGKILL)
            count = link["steps.1"].count
            wait_for(lambda: jam.report["restarts"][name] == 1 and link["steps.1"].count > count + 2, 90, f"{name} is back")  # noqa: B023
        live.refresh()
        assert (view(link).now, live.get("choir.level"), int(link["playing"].latest()["number"])) == (2, 0.5, 1)
        live.set("choir.level", 0.25)
        live.set("scene.keep", 2)
        wait_for(lambda: "level = 0.25" in path.read_text(), 30, "the scene in its file")
        wait_for(lambda: "level = 0.25" in (jam.session_dir / "state.toml").read_text(), 30, "how it stands, written down")
    os.killpg(jam.process.pid, signal.SIGKILL)  # the supervisor too: the power goes
    jam.process.wait(5)
    steps = recorded(jam, "feed-1.bin")
    assert len(steps) > 8
    assert all(step < after for step, after in pairwise(steps)), "none is doubled where the feed was begun anew"
    shutil.rmtree(jam.session)
    again = start_jam(*null_settings(), options=["--resume"])
    again.wait_playing(4, 120)
    with looking_in(again) as (link, live):
        assert (view(link).now, view(link).name, view(link).set) == (2, "Ones", "Test")
        assert again.report["network_file"] == "ones.onnx"
        assert live.get("choir.level") == 0.25
        assert link["chart"].latest()["text"].decode() == "| C | G |"
    assert again.end() == 0, again.output


def test_a_set_that_is_wrong_is_told_whole_and_what_is_not_there_does_not_keep_a_jam_from_starting(
    tmp_path: Path, start_jam: Callable[..., Jam]
):
    bad = tmp_path / "bad.toml"
    bad.write_text("format = 9\n[[scene]]\nname = 'X'\n")
    jam = start_jam(*null_settings(), options=["--set", str(bad)])
    assert jam.process.wait(120) == 2
    assert "line 1: format 9: this version reads 1; update algoritmo" in jam.output
    jam = start_jam(*null_settings(), options=["--set", "nigth"])
    assert jam.process.wait(120) == 2
    assert "night" in jam.output
    assert (ROOT / "patches/sets/night.toml").exists()
