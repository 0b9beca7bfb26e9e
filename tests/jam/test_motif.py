"""An answer keeps something of its phrase: where it begins, a half of it moved within the key, its rhythm and its loudness."""

from __future__ import annotations

import numpy as np

from engine.core.messages import NOTE_ON
from engine.jam.modes.trade import HINT_BARS
from engine.jam.motif import Motif
from engine.jam.roll import PlayedNote
from tests.jam.test_jam import Stage

BAR, BEAT = 16, 4
TUNE = ((0, 72), (4, 74), (6, 76), (8, 77), (12, 79), (16, 76), (20, 74), (24, 72))  # step, pitch


def phrase(first: int = 32, velocity: float = 0.5) -> list[PlayedNote]:
    return [PlayedNote(0, pitch, velocity, 0.0, first + at, first + at + 3) for at, pitch in TUNE]


def line(motif: Motif, first: int, steps: int) -> list[tuple[int, int]]:
    """Step and pitch of what is said again."""
    said = [(step, motif.at(step)[0]) for step in range(first, first + steps)]
    return [(step, note[0]) for step, note in said if note and note[2]]


def test_it_begins_where_in_the_bar_the_phrase_did():
    assert Motif(phrase(32), np.zeros(12), 60, BAR, BEAT, 1).begin == 64
    assert Motif(phrase(34), np.zeros(12), 60, BAR, BEAT, 1).begin == 66
    assert Motif(phrase(32), np.zeros(12), 51, BAR, BEAT, 1).begin == 52  # the bar line is far


def test_half_of_it_comes_back_in_its_rhythm_and_key_then_the_other():
    for seed in range(12):
        motif = Motif(phrase(), np.zeros(12), 64, BAR, BEAT, seed)
        head, tail = line(motif, 64, 32), line(motif, 96, 32)
        assert [step - 64 for step, _ in head] == [at for at, _ in TUNE[:5]]
        assert [step - 96 for step, _ in tail] == [at for at, _ in TUNE[5:]]
        for said, of in ((head, TUNE[:5]), (tail, TUNE[5:])):
            assert len({pitch - was for (_, pitch), (_, was) in zip(said, of, strict=True)}) == 1  # its intervals
            assert all(pitch % 12 in (0, 2, 4, 5, 7, 9, 11) for _, pitch in said)
        free = [step - 64 for step in range(64, 96) if motif.at(step)[1]]
        assert free == [at for at, _ in TUNE[5:]]  # the network's own notes begin where the phrase's did
    moved = {line(Motif(phrase(), np.zeros(12), 64, BAR, BEAT, seed), 64, 32)[0][1] for seed in range(12)}
    assert len(moved) > 1


TINY = ((0, 60), (2, 62), (4, 64), (6, 65), (8, 67), (12, 64))


def answered(path, **values: float) -> tuple[Stage, list[tuple]]:
    stage = Stage(path, "trade", rest=1, **values)
    for at, pitch in TINY:
        stage.player(at, pitch, velocity=110)
        stage.player(at + 1.5, pitch, on=False)
    stage.run(48)
    return stage, [e for e in stage.played if e[2] == NOTE_ON and e[3] == 2]


def test_in_a_jam_the_network_plays_the_motif_and_remembers_it(touch_onnx):
    stage, lead = answered(touch_onnx)
    begun = sorted({(e[1], e[4]) for e in lead})
    said = [(step, pitch) for step, pitch in begun if step < 20 + 12]
    assert [step - 20 for step, _ in said] == [at for at, _ in TINY[:5]]  # with the beat: the bar line is far
    assert np.diff([pitch for _, pitch in said]).tolist() == np.diff([pitch for _, pitch in TINY[:5]]).tolist()
    assert {e[3] for e in stage.played if e[2] == NOTE_ON} == {0, 1, 2}  # the others play on
    assert all(e[5] > 100 for e in lead if e[1] < 32)  # as loud as he


def test_his_note_ends_the_answer_and_no_note_of_the_motif_hangs(tiny_onnx):
    stage, lead = answered(tiny_onnx)
    assert lead
    stage.player(stage.step, 69)
    stage.advance()
    assert stage.jam.listening
    assert not stage.sounding


def test_who_never_rests_is_told_how_he_is_answered(tiny_onnx):
    stage = Stage(tiny_onnx, "trade")
    for step in range((HINT_BARS + 2) * BAR):
        stage.player(step, 60 + step % 7)
        if step:
            stage.player(step, 60 + (step - 1) % 7, on=False)
        stage.advance()
    told = [record["text"].decode() for record in stage.link["notices.network"].reader(0).read()]
    assert len([text for text in told if "no rest is heard" in text]) == 1
