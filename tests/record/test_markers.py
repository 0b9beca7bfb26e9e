"""Markers: chords and panics find their places in the folder of the take and in its MIDI file."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np

from engine.core import tape
from engine.core.messages import CHORD, EVENT
from engine.core.tape import Tape
from engine.record.markers import Markers, read_markers
from engine.record.midi_file import MidiFile
from engine.record.moves import Move, moves
from engine.record.tape_file import FILE, TapeFile
from engine.transport.timeline import BeatTimeline
from tests.record.test_tape_file import a_link, card, render

PANIC = 3
RATE = 48000


def chord(frame: int, root: int, quality: int) -> np.ndarray:
    """An EVENT that tells a chord."""
    return np.array([(frame, frame // 100, CHORD, 0, root, quality, 0.0)], EVENT)


def test_chords_and_panics_are_marked_once_each(tmp_path: Path):
    link = a_link()
    sound = Tape(link, "audio")
    found = Markers(tmp_path / "markers.jsonl", PANIC)
    sound.put(tape.BLOCK, value=-1.0)
    sound.put(tape.CHANGE, place=PANIC, value=2.0)  # what it was before the take
    sound.put(tape.BLOCK, value=640.0)
    sound.put(tape.CHANGE, place=PANIC + 1, value=9.0)
    reader = link["tape.audio"].reader(0)
    found.look(reader.read())
    sound.put(tape.CHANGE, place=PANIC, value=3.0)  # of the block before
    found.look(reader.read())
    for events in (chord(100, 0, 1), chord(200, 0, 1), chord(300, 9, 0)):
        found.hear(events)
    written = found.write()
    assert found.write() == []
    found.close()
    assert [(m.frame, m.kind) for m in written] == [(640, "panic"), (100, "chord"), (300, "chord")]
    assert written[2].text == "-"
    assert read_markers(tmp_path / "markers.jsonl") == sorted(written)
    # A recorder that was killed writes its last ones again; a line half written is none.
    with (tmp_path / "markers.jsonl").open("a") as file:
        file.write((tmp_path / "markers.jsonl").read_text() + '{"frame": 1, "st')
    assert read_markers(tmp_path / "markers.jsonl") == sorted(written)
    assert read_markers(tmp_path / "nothing.jsonl") == []


def test_markers_of_the_midi_file_lie_at_their_seconds_after_a_resume_too(tmp_path: Path):
    file = MidiFile(tmp_path / "session.mid", card(), RATE, 120.0)
    file.follow([BeatTimeline(0.0, 0.0, 120.0, RATE), BeatTimeline(2.0 * RATE, 4.0, 90.0, RATE)])
    file.mark(3 * RATE, "late")
    file.mark(RATE, "early")  # told after a tempo that lies behind it
    file.write(4 * RATE)
    again = MidiFile(tmp_path / "session.mid", card(), RATE, 120.0)
    assert again.resume()
    again.mark(round(1.5 * RATE), "between")
    again.write(5 * RATE, final=True)
    second, tempo, at = 0.0, 500_000, {}
    for message in mido.MidiFile(tmp_path / "session.mid").tracks[0]:
        second += mido.tick2second(message.time, 960, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "marker":
            at[message.text] = second
    assert list(at) == ["early", "between", "late"]
    for name, expected in {"early": 1.0, "between": 1.5, "late": 3.0}.items():
        assert abs(at[name] - expected) < 0.001


def test_every_move_of_a_parameter_is_told(tmp_path: Path):
    link = a_link()
    sound, file = Tape(link, "audio"), TapeFile(tmp_path / FILE, link)
    sound.put(tape.BLOCK, value=-1.0)
    sound.put(tape.CHANGE, place=0, value=112.0)
    sound.put(tape.BLOCK, value=64.0)
    sound.put_text(tape.NAME, "lead.patch", 900)
    sound.put_text(tape.WORD, "pad", 900)
    sound.put(tape.CHANGE, place=900, value=4.0)
    sound.put(tape.BLOCK, value=128.0)
    sound.put(tape.MOVED, place=1, value=0.5)
    render(link, 3)
    file.drain()
    file.close()
    assert list(moves(tmp_path, ["tempo", "lead.level"])) == [
        Move(0, "tempo", 112.0, ""),
        Move(64, "lead.patch", 4.0, "pad"),
        Move(128, "lead.level", 0.5, ""),
    ]
