"""The player as the leader: what he is told where his beat or his bar line is not to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.core.config import source_names
from engine.core.messages import EVENT, NOTE_ON, PLAYER
from engine.core.metre import choice_of
from engine.jam.leader import FOLLOW, NOT_FOUND_S, Leader
from tests.jam.test_charts import notices
from tests.jam.test_jam import Stage

RATE = 48000.0


def led(path: Path, metre: str = "4/4") -> tuple[Stage, Leader]:
    """A stage whose beat stands until the player's is found."""
    stage = Stage(path, "accompany")
    stage.live.set("metre", choice_of(metre))
    stage.live.set("clock.source", source_names().index(FOLLOW))
    return stage, Leader(path, stage.runner.card, "lead", stage.live, stage.link, RATE)


def play(leader: Leader, seconds: np.ndarray) -> None:
    """A note at each of these seconds, while the beat stands."""
    for second in seconds.tolist():
        record = np.array([(round(second * RATE), -1, NOTE_ON, PLAYER, 72, 90, 0.0)], EVENT)
        leader.hear(record, 0)
        leader.advance(second * RATE, stands=True)


def test_who_plays_without_a_beat_is_told_so_once_and_what_he_can_do(tiny_onnx):
    stage, leader = led(tiny_onnx)
    rng = np.random.default_rng(4)
    seconds = np.cumsum(0.1 + rng.exponential(0.6, 60))
    play(leader, seconds[seconds < NOT_FOUND_S - 1])
    assert notices(stage) == []
    play(leader, seconds[seconds >= NOT_FOUND_S - 1])
    assert notices(stage) == ["no steady beat is found in what you play; pull clock.alone to begin at the set tempo"]


def test_who_is_to_be_followed_in_bars_of_no_whole_beats_is_told_so_once(tiny_onnx):
    stage, leader = led(tiny_onnx, "7/8")
    play(leader, np.arange(1, 3, 0.25))
    assert notices(stage) == [
        "in 7/8 your bar line is not found, and your beat not surely: pull clock.alone to begin at the set tempo"
    ]
    for metre in ("6/8", "5/4", "7/8"):
        stage.live.set("metre", choice_of(metre))
        play(leader, np.arange(3, 4, 0.25))
    assert len(notices(stage)) == 1
