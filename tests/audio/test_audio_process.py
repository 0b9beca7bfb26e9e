"""The audio process as a program of its own: starts, plays on the null clock, stops; and says why when it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from engine.core.config import load
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.jam.parameters import registry_of
from engine.transport.timeline import BeatTimeline
from tests.audio.conftest import RATE, card, sounding

LIMIT_S = 60.0  # more than this is a failure, however busy the machine


class Running:
    """An audio process and what it says."""

    def __init__(self, *settings: str, **spec: Any) -> None:
        self.card = card()
        registry = registry_of(self.card)
        layout = Layout.of(self.card, len(registry))
        self.link = Link.create(layout)
        self.network = self.link.view("network")  # in whose place the test stands
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        self._notices = self.link["notices.audio"].reader(0)
        self._events = self.link["events"].reader(0)
        self.events: list[Any] = []
        config = load(None, ["audio.device=null", "midi.inputs=[]", "patches.player=keys", *settings])
        self.process: BaseProcess
        self.pipe: Connection
        self.process, self.pipe = start("audio", Spec(layout, self.link.name, config, self.card, Path("none"), **spec))
        assert self.pipe.poll(LIMIT_S)
        self.word, self.said = self.pipe.recv()

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait for a thing to happen."""
        end = time.monotonic() + LIMIT_S
        while not (found := what()):
            assert time.monotonic() < end
            assert self.process.is_alive()
            time.sleep(0.01)
        return found

    def notices(self) -> str:
        return "\n".join(n["text"].decode() for n in self._notices.read())

    def heard(self, pitch: int) -> bool:
        """Read the events; return whether this pitch has begun."""
        self.events += list(self._events.read())
        return any(e["kind"] == NOTE_ON and e["pitch"] == pitch for e in self.events)

    def stop(self) -> None:
        """Tell it to stop, and take what it wrote until then."""
        self.pipe.send(("stop",))
        self.process.join(LIMIT_S)
        self.heard(0)

    def close(self) -> None:
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.link.close(unlink=True)


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def begin(*settings: str, **spec: Any) -> Running:
        made.append(Running(*settings, **spec))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def test_it_plays_on_the_null_clock_and_ends_with_silence_and_no_hanging_note(run: Callable[..., Running]) -> None:
    audio = run()
    assert (audio.word, audio.said["device"], audio.said["rate"], audio.said["block"]) == ("ready", "null", RATE, BLOCK)
    clock = audio.until(audio.link["clock"].latest)
    wave = audio.link["wave"].reader()
    audio.network.writer("notes").push((int(clock["frame"]) + RATE // 2, 3, NOTE_ON, 1, 48, 100, 0.0))
    audio.until(lambda: audio.heard(48))
    audio.until(lambda: np.abs(wave.read()["samples"]).max(initial=0) > 0.01)
    audio.stop()
    assert audio.process.exitcode == 0
    assert sounding(np.array(audio.events)) == set()
    last = audio.link["wave"].latest()
    assert last is not None
    assert np.abs(last["samples"]).max() < 1e-4


def test_a_demonstration_without_a_device_goes_on_without_sound_and_says_so(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    song = mido.MidiFile()
    song.tracks.append(
        mido.MidiTrack([mido.Message("note_on", note=72, velocity=90), mido.Message("note_off", note=72, time=99)])
    )
    song.save(tmp_path / "demo.mid")
    audio = run("audio.device=no such device at all", demo=tmp_path / "demo.mid")
    assert (audio.word, audio.said["device"]) == ("ready", "null")
    assert "goes on without sound" in audio.until(audio.notices)
    clock = audio.until(audio.link["clock"].latest)
    beat_0 = int(clock["frame"]) + RATE // 2
    audio.link.view("audio").writer("timeline").push(BeatTimeline(beat_0, 0.0, 120.0, RATE).record())
    audio.until(lambda: audio.heard(72))
    begun = audio.events[0]
    assert begun["track"] == PLAYER
    assert abs(int(begun["frame"]) - beat_0) <= BLOCK
    audio.stop()
    assert [e["kind"] for e in audio.events] == [NOTE_ON, NOTE_OFF]


def test_without_a_device_it_does_not_start_and_says_why(run: Callable[..., Running]) -> None:
    audio = run("audio.device=no such device at all")
    assert audio.word == "error"
    assert "audio" in audio.said.lower()
    assert "null" in audio.said
    audio.process.join(LIMIT_S)
    assert audio.process.exitcode == 2


CALLBACK = """
from pyo import TrigFunc
from engine.audio.plain import Plain

class Calls(Plain):
    "Has pyo call a function that fails."
    def build(self, notes, p):
        self.calls = TrigFunc(notes.on, self.called)
        return super().build(notes, p)
    def called(self):
        raise ValueError("the function fails")
"""


def test_a_function_that_fails_within_a_patch_is_named_once_and_the_patch_plays_on(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "calls.py").write_text(CALLBACK)
    audio = run(f"patches.bass={tmp_path / 'calls.py'}")
    clock = audio.until(audio.link["clock"].latest)
    wave = audio.link["wave"].reader()
    for number in range(3):
        frame = int(clock["frame"]) + (number + 2) * RATE // 4
        audio.network.writer("notes").push((frame, 3, NOTE_ON, 1, 48 + number, 100, 0.0))
    audio.until(lambda: audio.heard(50))
    assert np.abs(wave.read()["samples"]).max() > 0.01
    audio.stop()
    assert audio.notices().count("calls.py:11: ValueError: the function fails") == 1


def test_panic_while_it_runs_ends_every_note(run: Callable[..., Running]) -> None:
    audio = run()
    clock = audio.until(audio.link["clock"].latest)
    for track in range(3):
        audio.network.writer("notes").push((int(clock["frame"]) + RATE // 2, 3, NOTE_ON, track, 50 + track, 100, 0.0))
    audio.until(lambda: audio.heard(52))
    audio.live.fire("panic")
    audio.until(lambda: not audio.heard(99) and not sounding(np.array(audio.events)))


def test_a_restarted_process_ends_the_notes_of_the_dead_one_and_goes_on_counting(run: Callable[..., Running]) -> None:
    audio = run()
    clock = audio.until(audio.link["clock"].latest)
    audio.network.writer("notes").push((int(clock["frame"]) + RATE // 2, 3, NOTE_ON, 1, 50, 100, 0.0))
    audio.until(lambda: audio.heard(50))
    audio.process.kill()
    audio.process.join()
    clock = audio.link["clock"].latest()
    assert clock is not None
    config = load(None, ["audio.device=null", "midi.inputs=[]"])
    spec = Spec(audio.link.layout, audio.link.name, config, audio.card, Path("none"), restarted=True)
    audio.process, audio.pipe = start("audio", spec)
    assert audio.pipe.recv()[0] == "ready"
    audio.heard(0)
    assert sounding(np.array(audio.events)) == set()
    count = audio.link["clock"].count
    audio.until(lambda: audio.link["clock"].count > count)
    later = audio.link["clock"].latest()
    assert later is not None
    went_by = (int(later["time_ns"]) - int(clock["time_ns"])) / 1e9 * RATE
    assert int(later["frame"]) - int(clock["frame"]) == pytest.approx(went_by, abs=RATE // 2)
    audio.stop()
