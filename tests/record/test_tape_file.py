"""Tapes: what is written on them, and what of it is on the disk whatever happens to the writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import tape
from engine.core.errors import SessionError
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, OUTPUTS
from engine.core.tape import Tape, records
from engine.record.tape_file import TapeFile, read_tapes
from tests.audio.conftest import card


def a_link() -> Link:
    """Channels of nobody's."""
    return Link.private(Layout.of(card(), 8))


def render(link: Link, blocks: int) -> None:
    """As if so many blocks had been rendered."""
    for block in range(blocks):
        link.writer("wave").push((block * BLOCK, np.zeros((BLOCK, OUTPUTS), np.float32)))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=8), st.binary(max_size=8))
def test_what_is_written_is_read(texts: list[str], data: bytes):
    link = a_link()
    written = Tape(link, "audio")
    for place, text in enumerate(texts):
        written.put_text(tape.NAME, text, place)
        written.put(tape.CHANGE, 1, place, 7, 0.25)
        written.put_bytes(tape.MIDI, data, place)
    found = list(records(link["tape.audio"].reader(0).read()))
    assert [(r.place, r.text) for r in found if r.kind == tape.NAME] == list(enumerate(texts))
    assert [(r.size, r.place, r.count, r.value) for r in found if r.kind == tape.CHANGE] == [
        (1, place, 7, 0.25) for place in range(len(texts))
    ]
    assert [r.data for r in found if r.kind == tape.MIDI] == [data] * len(texts)


def test_a_text_that_is_cut_off_is_left_out():
    link = a_link()
    Tape(link, "audio").put_text(tape.NAME, "a name that takes several records")
    whole = link["tape.audio"].reader(0).read()
    assert len(list(records(whole))) == 1
    assert list(records(whole[:-1])) == []


def test_a_writer_goes_on_where_a_killed_one_left_off(tmp_path: Path):
    link, path = a_link(), tmp_path / "take.bin"
    sound, band = Tape(link, "audio"), Tape(link, "network")
    file = TapeFile(path, link)
    sound.put(tape.BLOCK, value=0.0)
    band.put(tape.NOW, value=1.0)
    render(link, 3)
    assert len(file.drain()) == 1
    whole = path.stat().st_size
    sound.put(tape.BLOCK, value=64.0)
    file.drain()
    # The last block half written, as by a writer that was killed.
    path.write_bytes(path.read_bytes()[:-5])
    assert len(read_tapes(path).records["audio"]) == 1
    again = TapeFile(path, link, resume=True)
    assert path.stat().st_size == whole
    sound.put(tape.BLOCK, value=128.0)
    again.drain()
    again.close()
    found = read_tapes(path)
    assert found.records["audio"]["value"].tolist() == [0.0, 64.0, 128.0]
    assert found.records["network"]["value"].tolist() == [1.0]
    assert found.frame == 3 * BLOCK
    assert found.lost == 0


def test_a_tape_ends_where_records_were_lost(tmp_path: Path):
    link, path = a_link(), tmp_path / "take.bin"
    file, sound = TapeFile(path, link), Tape(link, "audio")
    sound.put(tape.BLOCK, value=-1.0)
    file.drain()
    for _ in range(link["tape.audio"].capacity + 10):
        sound.put(tape.BLOCK)
    file.drain()
    found = read_tapes(path)
    assert found.records["audio"]["value"].tolist() == [-1.0]
    assert found.lost > 0


@pytest.mark.parametrize("data", [b"", b"ALGT", b"ALGT\1\0\0\0" + b"\xff" * 200])
def test_what_is_no_tape(data: bytes, tmp_path: Path):
    path = tmp_path / "take.bin"
    path.write_bytes(data)
    if data.startswith(b"ALGT\1"):
        assert len(read_tapes(path).records["audio"]) == 0  # a good beginning and nothing behind it
    else:
        with pytest.raises(SessionError, match="is not the tape"):
            read_tapes(path)
