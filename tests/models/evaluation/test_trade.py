"""How an answer is measured: what is counted, and what chance is; and the engine's own answers through the rehearsal."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.contract import Card
from engine.core.errors import NetworkError
from models.evaluation.trade import BEATS, PHRASE_BARS, PHRASES, REST_BARS, Turn, draw, figures, others, trade, trades, turns
from models.music.data import Piece
from models.music.representation import HELD, ONSET
from tests import tiny

CARD = Card.model_validate(tiny.card())
LEAD = CARD.track_slices()["lead"]
TUNE = (0, 2, 4, 5, 7, 4, 2, 0)


def piece(name: str = "one", turn: int = 0) -> Piece:
    """A tune of quarters, rolled on by a note every two bars."""
    roll = np.zeros((PHRASES * PHRASE_BARS * 16, CARD.slots), np.uint8)
    for beat in range(len(roll) // 4):
        slot = LEAD.start + TUNE[(beat + turn + beat // 8) % len(TUNE)]
        roll[4 * beat : 4 * beat + 4, slot] = (ONSET, HELD, HELD, HELD)
    return Piece(name, "test", roll)


def notes(pitches, begin: float, velocity: int = 80) -> np.ndarray:
    return np.asarray([(begin + at, begin + at + 0.9, pitch, velocity) for at, pitch in enumerate(pitches)], float)


def test_phrases_are_two_bars_of_melody_and_two_of_rest():
    take = trades(piece(), CARD, "lead", 3)
    assert take is not None
    assert take.begins == tuple(range(0, PHRASES * 16, 16))
    within = take.player[:, 0] % ((PHRASE_BARS + REST_BARS) * BEATS)
    assert (within < PHRASE_BARS * BEATS).all()
    assert set(take.keys) == {3}  # C major, moved
    few = piece()
    few.roll[200:] = 0
    assert trades(few, CARD, "lead", 0) is None


def test_a_motif_is_found_wherever_it_is_moved_and_whatever_its_rhythm():
    phrase = notes((60, 62, 64, 65, 67), 0)
    same = Turn(phrase, 0, {"lead": notes((69, 65, 67, 69, 70), 8)})
    other = Turn(phrase, 0, {"lead": notes((60, 61, 62, 63, 64), 8)})
    assert figures([same])["motif"] == 1
    assert figures([other])["motif"] == 0
    assert figures([same])["motif_longer"] == 0
    assert figures([other])["in_key"] == pytest.approx(3 / 5)
    assert figures([same])["lead_in_key"] == pytest.approx(4 / 5)
    assert figures([same])["after_beats"] == pytest.approx(8 - 4.9)


def test_an_answer_is_what_begins_between_the_phrase_and_the_next():
    take = trades(piece(), CARD, "lead", 0)
    assert take is not None
    heard = {"lead": notes((60, 62), 9), "bass": notes((40,), 2), "player": take.player}
    first, *rest = turns(take, heard)
    assert len(first.answer["lead"]) == 2
    assert not len(first.answer["bass"])
    assert figures([first])["no_lead"] == 0
    assert figures(rest)["no_lead"] == 1


def test_chance_is_what_another_was_answered():
    a, b = (Turn(notes((60,), 0), 0, {"lead": notes((pitch,), 8)}) for pitch in (60, 61))
    assert [t.answer["lead"][0, 2] for t in others([[a], [b]])] == [61, 60]


def test_the_engine_answers_with_a_motif(tiny_onnx, tmp_path):
    found = trade(tiny_onnx, [piece(), piece("two", 3)], 2, "lead", [1], [])
    assert found["turns"] == 2 * PHRASES
    motif = found["figures"]["motif"]
    assert motif["network"] > 0.7
    draw(found, "Tiny", tmp_path / "trade.png")
    assert (tmp_path / "trade.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(NetworkError, match="fewer than two"):
        trade(tiny_onnx, [piece()], 2, "lead", [1], [])
