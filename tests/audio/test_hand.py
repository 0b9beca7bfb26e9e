"""A hand that holds the chords, from the keys' bytes to what the network process hears."""

from __future__ import annotations

from collections.abc import Callable

from engine.core.messages import GIVEN_CHORD, NOTE_ON, PLAYER
from engine.jam.chords import of_code
from tests.audio.conftest import Bench
from tests.audio.test_controls import play

ZONES = 'midi.zones=[{low="C1", high="B3", to="chords", sounds=false}, {low="C4", transpose=-12}]'


def test_the_left_hand_gives_the_chord_and_the_right_hand_plays(bench: Callable[..., Bench]) -> None:
    stage = bench(ZONES)
    events = stage.link["events"].reader()
    for pitch in (45, 48, 52):  # A minor
        play(stage, "Keys", 0x90, pitch, 100, blocks=2)
    play(stage, "Keys", 0x90, 72, 100, blocks=2)
    found = events.read()
    given = found[found["kind"] == GIVEN_CHORD][-1]
    chord = of_code(int(given["pitch"]), int(given["velocity"]))
    assert chord is not None
    assert chord.name == "Am"
    assert found[(found["kind"] == NOTE_ON) & (found["track"] == PLAYER)]["pitch"].tolist() == [60]
