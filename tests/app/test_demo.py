"""The bundled performance: the file is what the score says, and it is played by a person."""

from __future__ import annotations

import io
from itertools import pairwise

import mido
import pytest

from engine.app import demo

BEAT_S = 60 / demo.TEMPO_BPM


def timed() -> list[tuple[float, mido.Message]]:
    """(beat, message) of the shipped file."""
    at, events = 0, []
    for message in mido.MidiFile(demo.PATH).tracks[0]:
        at += message.time
        events.append((at / demo.TICKS_PER_BEAT, message))
    return events


def strikes() -> list[tuple[float, mido.Message]]:
    return [(beat, m) for beat, m in timed() if m.type == "note_on"]


def test_shipped_file_is_what_the_score_gives() -> None:
    written = io.BytesIO()
    demo.compose().save(file=written)
    assert written.getvalue() == demo.PATH.read_bytes()


def test_it_lasts_40_seconds_at_one_tempo() -> None:
    file = mido.MidiFile(demo.PATH)
    assert file.length == pytest.approx(40, abs=0.01)
    assert [m.type for m in file.tracks[0]].count("set_tempo") == 1


def test_every_note_ends_before_it_is_struck_again() -> None:
    down: set[int] = set()
    for _, message in timed():
        if message.type == "note_on":
            assert message.velocity > 0
            assert message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            down.remove(message.note)
    assert not down


def test_wheel_and_pedal_come_to_rest() -> None:
    wheel = [m.pitch for _, m in timed() if m.type == "pitchwheel"]
    pedal = [m.value for _, m in timed() if m.type == "control_change" and m.control == 64]
    assert min(wheel) < -1000
    assert wheel[-1] == 0
    assert pedal == [127, 0] * (len(pedal) // 2)
    assert len(pedal) >= 8


def test_one_player_on_one_channel() -> None:
    assert {m.channel for _, m in timed() if not m.is_meta} == {0}
    assert {m.type for _, m in timed() if not m.is_meta} == {"note_on", "note_off", "control_change", "pitchwheel"}


def test_he_rests_long_enough_to_be_answered() -> None:
    beats = [beat for beat, _ in strikes()]
    rests = [later - earlier for earlier, later in pairwise(beats)]
    assert sum(rest > 8 for rest in rests) == 3


def test_he_is_nearly_in_time_and_never_exactly() -> None:
    off_s = [(beat * 4 - round(beat * 4)) / 4 * BEAT_S for beat, _ in strikes()]
    assert max(map(abs, off_s)) < 0.045, "later than that and a sixteenth is heard as the next one"
    assert len({round(s, 4) for s in off_s}) > 20
    assert abs(sum(off_s) / len(off_s)) < 0.01
    assert len({m.velocity for _, m in strikes()}) > 20


def test_score_says_which_bar_is_wrong() -> None:
    with pytest.raises(ValueError, match="bar 3: 'H4-2'"):
        demo.read("3: H4-2")
    with pytest.raises(ValueError, match="bar 5: is 18 sixteenths"):
        demo.read("5: C4-16 D4-2")
