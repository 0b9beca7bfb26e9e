"""Imagined futures: whole ones or none, from what was settled, and never while a step needs the time."""

import numpy as np
import pytest

from engine.core.messages import FUTURE_STEPS
from engine.jam.continuations import imagine
from engine.jam.imagination import NEVER, PATIENCE, REST_S, SPARE_S, Imagination
from engine.network.noise import noise
from engine.network.runner import Runner
from tests.jam.test_jam import STEP, Stage

LONG_S = 10.0


class Time:
    """A clock that goes on only when it is told to, and by `each_s` whenever it is looked at."""

    def __init__(self):
        self.ns = 0
        self.each_s = 0.0

    def __call__(self):
        self.ns += round(self.each_s * 1e9)
        return self.ns


@pytest.fixture
def stage(tiny_onnx):
    stage = Stage(tiny_onnx, mode="solo", futures=3, seed=5)
    stage.time = Time()
    stage.imagination = Imagination(tiny_onnx, 1, stage.jam, stage.live, stage.link, stage.time)
    stage.told = stage.link["futures"].reader(0)
    stage.run(20)
    settle(stage)
    stage.imagination._loading.join()
    settle(stage)
    return stage


def settle(stage):
    stage.advance()
    stage.imagination.begin(stage.step - 1, (stage.step - 1) * STEP)
    stage.time.ns += round(REST_S * 1e9)


def think(stage, left_s=LONG_S):
    while (pause_s := stage.imagination.think(left_s)) == 0:
        continue
    return pause_s


def test_futures_are_those_the_network_rolls_from_the_same_state(stage, tiny_onnx):
    settle(stage)
    states = {s.name: stage.runner.inputs[s.name].copy() for s in stage.runner.card.states}
    heard = stage.runner.outputs["notes"][0].copy()
    assert think(stage) == NEVER
    (record,) = stage.told.read()
    expected = imagine(Runner(tiny_onnx, batch=3), states, heard, stage.step, FUTURE_STEPS, seed=6)
    found = record["notes"][:3].astype(int)
    wanted = (2 * expected.notes[..., 0] - expected.notes[..., 1]).astype(int)  # sorted by likelihood
    assert {f.tobytes() for f in found} == {w.tobytes() for w in wanted}
    assert sorted(record["log_prob"][:3]) == pytest.approx(sorted(expected.log_prob), abs=1e-4)
    assert (record["step"], record["count"]) == (stage.step - 1, 3)
    assert not record["notes"][3:].any()


def test_the_jam_plays_the_same_with_futures_and_without(stage, tiny_onnx):
    for _ in range(12):
        settle(stage)
        think(stage)
    alone = Stage(tiny_onnx, mode="solo", seed=5)
    alone.run(stage.step)
    assert stage.played == alone.played
    assert stage.link["futures"].count == 12


def test_nothing_is_imagined_right_after_a_step_nor_right_before(stage):
    settle(stage)
    stage.time.ns -= round(REST_S * 1e9)
    assert stage.imagination.think(LONG_S) == pytest.approx(REST_S)
    stage.time.ns += round(REST_S * 1e9)
    assert stage.imagination.think(LONG_S) == 0
    assert stage.imagination.think(SPARE_S / 2) == NEVER
    settle(stage)
    assert len(stage.told.read()) == 0  # half futures are none
    assert think(stage) == NEVER
    assert len(stage.told.read()) == 1


def test_slices_are_not_begun_that_would_not_end_in_time(stage):
    settle(stage)
    stage.time.each_s = 0.05
    assert stage.imagination.think(LONG_S) == 0
    assert stage.imagination.think(0.05 + SPARE_S) == NEVER


def test_who_asks_for_more_than_fits_is_told(stage):
    for _ in range(PATIENCE):
        settle(stage)
        think(stage, left_s=0.001)
    (said,) = stage.link["notices.network"].reader(0).read()
    assert b"3 futures take longer" in said["text"]


def test_another_number_of_futures_is_loaded_beside_the_music(stage):
    stage.live.set("futures", 5)
    settle(stage)
    assert think(stage) == NEVER
    stage.imagination._loading.join()
    settle(stage)
    think(stage)
    assert [int(r["count"]) for r in stage.told.read()] == [5]
    stage.live.set("futures", 0)
    settle(stage)
    assert think(stage) == NEVER


def test_a_network_that_cannot_be_loaded_again_is_told_and_asked_for_no_more(tiny_onnx, tmp_path):
    stage = Stage(tiny_onnx, mode="solo", futures=2)
    imagination = Imagination(tmp_path / "gone.onnx", 1, stage.jam, stage.live, stage.link)
    stage.advance()
    imagination.begin(0, 0)
    imagination._loading.join()
    imagination.begin(0, 0)
    assert stage.live.get("futures") == 0
    assert b"gone.onnx" in stage.link["notices.network"].reader(0).read()[0]["text"]


def test_futures_differ_from_one_another_and_from_the_noise_of_the_jam():
    drawn = [noise(seed, 3, 40) for seed in range(5, 9)]
    assert len({d.tobytes() for d in drawn}) == 4
    assert np.isfinite(drawn).all()
