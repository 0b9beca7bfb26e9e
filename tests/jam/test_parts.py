"""Who plays what: the network imagines what is not played yet, takes his part over while he rests, and gives it back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.contract import HOLD, PLAY, Card
from engine.core.messages import ALL_OFF, BLOCK, LISTENING, NOTE_OFF, NOTE_ON, PLAYER
from engine.jam.modes import MODES
from engine.jam.roll import Roll
from tests import tiny
from tests.jam.test_jam import LEAD, STEP, TIMELINE, Stage
from tests.jam.test_performance import RATE, Hall

BAR = 16
BASS = slice(2, 7)


@pytest.fixture(scope="module")
def told_onnx(tmp_path_factory):
    """A network that is told which slots are the player's."""
    path = tmp_path_factory.mktemp("told") / "told.onnx"
    return tiny.write(path, bias=0.5, conditions=[{"name": "player", "shape": [tiny.SLOTS]}])


def test_unknown_is_not_silence_and_what_is_imagined_is_nobodys(told_onnx):
    stage = Stage(told_onnx, "accompany", takeover=0)
    imagined = 0
    for step in range(32):
        if step == 4:
            stage.player(4, 61)
        record = stage.advance()
        inputs = stage.runner.inputs
        known = [LEAD.start + 1] if step >= 4 else []
        assert np.flatnonzero(inputs["clamp_mask"][0]).tolist() == known
        assert inputs["player"][0, LEAD].all()
        assert not inputs["player"][0, : LEAD.start].any()
        assert record["clamped"][LEAD].all()
        imagined += int((record["probability"][LEAD, PLAY] > 0.5).sum())
        assert np.flatnonzero(record["notes"][LEAD, PLAY]).tolist() == [1] * bool(known)  # not shown as played
        assert np.flatnonzero(record["x"][LEAD, PLAY]).tolist() == [1] * (step > 4)  # nor remembered
    assert imagined > 50  # it would have played there
    assert {e[3] for e in stage.played if e[2] == NOTE_ON} == {0, 1}


def test_a_network_that_cannot_be_told_whose_slots_they_are_imagines_too(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", density=4, takeover=0)
    records = stage.run(32)
    assert not stage.runner.inputs["clamp_mask"].any()
    assert not records["notes"][:, LEAD].any()
    assert {e[3] for e in stage.played if e[2] == NOTE_ON} == {0, 1}


def test_after_silent_bars_it_takes_his_part_over_with_a_bar_line(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", takeover=2, density=4)
    stage.player(3, 60)
    stage.player(5, 60, on=False)
    stage.run(3 * BAR)
    assert not [e for e in stage.played if e[3] == 2]
    assert not stage.jam.interruptible
    stage.run(BAR)
    begun = [e for e in stage.played if e[2] == NOTE_ON and e[3] == 2]
    assert begun
    assert min(e[1] for e in begun) >= 3 * BAR
    assert stage.jam.interruptible


def test_a_note_that_he_holds_is_no_silence(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", takeover=1, density=4)
    stage.player(1, 60)
    stage.run(6 * BAR)
    assert not [e for e in stage.played if e[3] == 2]


@pytest.mark.parametrize("name", ["takeover", "mode"])
def test_what_it_plays_for_him_is_let_go_when_it_may_not(tiny_onnx, name):
    stage = Stage(tiny_onnx, "accompany", takeover=1, density=4)
    stage.run(3 * BAR)
    assert any(track == 2 for track, _ in stage.sounding)
    stage.live.set(name, {"takeover": 0, "mode": MODES.index("trade")}[name])
    stage.advance()
    assert not any(track == 2 for track, _ in stage.sounding)


def test_his_first_note_has_his_part_at_once_and_the_rest_plays_on(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", takeover=1, density=4)
    stage.run(2 * BAR)
    while not any(track == 2 for track, _ in stage.sounding):
        stage.advance()
    rest = {key for key in stage.sounding if key[0] != 2}
    now = stage.step - 0.7
    stage.player(now, 66)
    assert stage.jam.hear(stage.heard.read(), TIMELINE, 0)
    stage.jam.interrupt(now * STEP, stage.step)
    sent = stage.sent.read()
    assert [(e["kind"], e["track"], e["frame"]) for e in sent] == [(ALL_OFF, 2, round(now * STEP))]
    assert not stage.jam.interruptible
    stage.sounding = rest
    for track, pitch in [(2, p) for p in range(60, 72)]:
        stage.link.writer("events").push((round(now * STEP), -1, NOTE_OFF, track, pitch, 0, 0.0))
    before = len(stage.played)
    records = stage.run(BAR // 2)
    assert not [e for e in stage.played[before:] if e[3] == 2 and e[2] == NOTE_ON]
    assert records["clamped"][:, LEAD].all()
    assert records["notes"][:, LEAD.start + 6, PLAY].all()  # his note is remembered and never blocked


def test_he_punches_in_and_gives_it_back(tiny_onnx):
    stage = Stage(tiny_onnx, "solo", density=4)
    stage.run(BAR)
    assert any(track == 1 for track, _ in stage.sounding)
    stage.live.set("bass.punch", 1)
    stage.advance()
    assert not any(track == 1 for track, _ in stage.sounding)
    stage.player(stage.step, 42)
    records = stage.run(4)
    assert records["clamped"][:, BASS].all()
    assert not records["clamped"][:, LEAD].any()
    assert records["notes"][:, BASS.start + 2, PLAY].all()  # his note is the bass
    stage.live.set("bass.punch", 0)
    stage.player(stage.step, 42, on=False)
    assert not stage.advance()["clamped"][BASS].any()
    assert not stage.jam.roll.player_sounds


def test_a_key_that_is_down_while_he_punches_in_ends_where_it_began(tiny_onnx):
    stage = Stage(tiny_onnx, "accompany", takeover=0)
    stage.player(0, 62)
    stage.run(4)
    stage.live.set("bass.punch", 1)
    record = stage.advance()
    assert record["notes"][LEAD.start + 2].tolist() == [1, 1]  # it still sounds in the lead
    stage.player(stage.step - 0.2, 62, on=False)
    stage.run(2)
    assert not stage.jam.roll.player_sounds


def test_two_hands_on_two_tracks_each_by_its_register():
    card = Card.model_validate(tiny.card())
    roll = Roll(card, "lead")
    roll.give([0, 1, 2])
    out = np.zeros((tiny.SLOTS, 2), np.float32)
    for pitch in (41, 66):
        roll.note_on(PLAYER, pitch, 0.5, 0)
    roll.fill(0, out)
    assert np.flatnonzero(out[:, PLAY]).tolist() == [BASS.start + 1, LEAD.start + 6]
    roll.give([0])  # drums are all he has
    roll.note_on(PLAYER, 38, 0.5, 1)
    roll.fill(1, out)
    assert out[1].tolist() == [1, 0]


def test_it_listens_as_if_it_played_and_begins_what_goes_on(tiny_onnx):
    stage = Stage(tiny_onnx, "trade", density=4)
    stage.player(0, 64)
    for _ in range(BAR):
        record = stage.advance()
        assert record["flags"] & LISTENING
        assert not [e for e in stage.played if e[2] == NOTE_ON]
        assert not record["notes"][: LEAD.start].any()  # nothing of it is played
    assert stage.runner.inputs["x"][0, : LEAD.start].any()
    stage.player(BAR, 64, on=False)
    while record["flags"] & LISTENING:
        record = stage.advance()
    mind = stage.runner.inputs["x"][0, : LEAD.start, PLAY] > 0
    went_on = mind & (record["notes"][: LEAD.start, PLAY] > 0)
    assert went_on.any()
    assert not record["notes"][: LEAD.start][went_on][:, HOLD].any()
    begun = {(e[3], e[4]) for e in stage.played if e[2] == NOTE_ON}
    assert begun == stage.sounding


@settings(max_examples=15, deadline=None)
@given(
    keys=st.lists(st.tuples(st.floats(0, 60), st.floats(0.05, 6), st.integers(40, 75)), max_size=8),
    turned=st.dictionaries(
        st.integers(1, 2600),
        st.tuples(st.sampled_from(["takeover", "lead.punch", "bass.punch", "drums.punch", "mode"]), st.integers(0, 2)),
        max_size=6,
    ),
)
def test_whoever_takes_what_from_whom_no_note_hangs_and_none_of_his_is_blocked(tiny_onnx, keys, turned):
    """Through the real performance loop."""
    script = {block: (name, min(value, 2 if name in ("mode", "takeover") else 1)) for block, (name, value) in turned.items()}
    hall = Hall(tiny_onnx, {0: "start", 2800: ("metronome", 0.0), **script}, mode="accompany")
    hall.live.set("takeover", 1)
    hall.live.set("density", 3)
    pressed = [(round(at * 4000), NOTE_ON, pitch) for at, _, pitch in keys]
    pressed = sorted(pressed + [(round((at + long) * 4000), NOTE_OFF, pitch) for at, long, pitch in keys])
    block, down = hall.block, set()

    def with_keys() -> None:
        while pressed and pressed[0][0] <= hall.frame:
            _, kind, pitch = pressed.pop(0)
            if (kind == NOTE_ON) != (pitch in down):
                down.symmetric_difference_update({pitch})
                hall.link.writer("events").push((hall.frame, -1, kind, PLAYER, pitch, 90, 0.0))
        block()

    hall.block = with_keys
    hall.run()
    assert hall.performance.late == 0
    roll = hall.performance._jam.roll
    hall.performance._hear()
    assert len({n.pitch for n in roll._player if n.end > 2**60}) == len(down)  # what he holds, and nothing else
    for mode in ("solo", "trade"):  # which listens first
        hall.live.set("mode", MODES.index(mode))
        hall.end = hall.frame + 300 * BLOCK
        hall.run()
    assert hall.down == {}
    assert hall.frame > 2800 * BLOCK > RATE
