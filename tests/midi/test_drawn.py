"""What visitors of the booth drew comes ahead of time and sounds at its frame, whatever came before it."""

from __future__ import annotations

import numpy as np

from engine.core.link import Ring, Writer
from engine.core.messages import DUE
from engine.midi.inputs import DRAWN, MOST_WAITING, DrawnInput
from engine.midi.message import Kind


def drawn() -> tuple[Writer, DrawnInput]:
    """A ring and what reads it."""
    memory = memoryview(bytearray(Ring.size(DUE, 2048)))
    writer = Writer(memory, DUE, 2048)
    return writer, DrawnInput(writer.reader())


def test_each_note_is_due_in_its_own_block_alone() -> None:
    ring, source = drawn()
    ring.push((200, 3, (0x90, 60, 100)))
    ring.push((500, 3, (0x80, 60, 0)))
    ring.push((300, 3, (0x90, 64, 90)))  # sooner than what came before it
    found = [(frame, message) for frame in range(0, 640, 64) for message in source.due(frame, frame + 64)]
    assert [(frame, message.kind) for frame, message in found] == [
        (192, Kind.NOTE_ON),
        (256, Kind.NOTE_ON),
        (448, Kind.NOTE_OFF),
    ]
    assert {message.port for _, message in found} == {DRAWN}
    assert source.due(640, 704) == ()


def test_what_is_late_sounds_at_once_and_more_than_there_is_room_for_is_left_out() -> None:
    ring, source = drawn()
    ring.push((10, 3, (0x90, 60, 100)))
    assert len(source.due(1000, 1064)) == 1
    for number in range(MOST_WAITING + 50):
        ring.push((10_000, 3, (0x90, number % 128, 100)))
    assert source.due(1064, 1128) == ()
    assert len(source.due(9984, 10_048)) == MOST_WAITING
    assert np.isfinite(source.ignored)
