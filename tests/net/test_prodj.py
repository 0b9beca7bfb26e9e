"""Packets of Pro DJ Link, read as they are described, and nothing of what is not as it should be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.net import prodj
from tests.net import prodj_packets as made


@pytest.mark.parametrize(("bpm", "pitch", "heard"), [(128.0, 0.0, 128.0), (126.5, 0.0312, 130.45), (120.0, -0.5, 60.0)])
def test_a_beat_tells_deck_place_and_the_tempo_that_is_heard(bpm: float, pitch: float, heard: float):
    data = made.beat(2, bpm, 3, pitch)
    assert len(data) == 0x60
    found = prodj.beat(data)
    assert found is not None
    assert (found.device, found.place) == (2, 3)
    assert found.tempo_bpm == pytest.approx(heard, abs=0.01)


def test_who_is_the_master_stands_in_the_status():
    assert prodj.status(made.player_status(3, master=True)) == prodj.Status(3, True, 0)
    assert prodj.status(made.player_status(1, master=False)) == prodj.Status(1, False, 0)
    assert prodj.status(made.player_status(2, master=True, yields_to=4, size=0x200)) == prodj.Status(2, True, 4)
    assert prodj.status(made.mixer_status(master=True, yields_to=2)) == prodj.Status(prodj.MIXER, True, 2)
    assert prodj.status(made.player_status(2, master=True)[:0x90]) is None


def broken() -> dict[str, bytes]:
    whole = made.beat(2, 128, 1)
    return {
        "cut": whole[:-1],
        "longer": whole + b"\0",
        "another magic": b"X" + whole[1:],
        "another kind": whole[:0x0A] + b"\x03" + whole[0x0B:],
        "no deck": made.beat(0, 128, 1),
        "two decks": whole[:-1] + b"\x05",
        "another rest": whole[:0x22] + b"\xff\xff" + whole[0x24:],
        "no tempo": whole[:0x5A] + b"\xff\xff" + whole[0x5C:],
        "standing still": made.beat(2, 128, 1, -1.0),
        "far too fast": made.beat(2, 650, 1, 1.0),
        "a fifth beat": made.beat(2, 128, 5),
        "no beat": made.beat(2, 128, 0),
    }


@pytest.mark.parametrize("what", broken())
def test_what_is_not_as_it_should_be_tells_nothing(what: str):
    assert prodj.beat(broken()[what]) is None


@given(st.binary(max_size=600), st.booleans())
def test_whatever_comes_nothing_breaks(data: bytes, with_magic: bool):
    data = prodj.MAGIC + data if with_magic else data
    found = prodj.beat(data)
    assert found is None or 10 <= found.tempo_bpm <= 1000
    prodj.status(data)
