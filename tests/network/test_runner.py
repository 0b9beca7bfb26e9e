import numpy as np
import pytest

from engine.core.errors import NetworkError
from engine.network.runner import Runner, choose
from tests import tiny


def step(runner: Runner, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    runner.inputs["u"][...] = rng.random(runner.inputs["u"].shape, np.float32)
    runner.inputs["position"][...] = seed + 1
    runner.step()
    return runner.outputs["notes"].copy()


def test_states_are_carried_over_and_can_be_put_back(tiny_onnx):
    runner = Runner(tiny_onnx)
    step(runner, 0)
    kept = runner.states()
    first = step(runner, 1), runner.outputs["log_prob"].copy()
    assert not np.array_equal(kept["h0"], runner.states()["h0"])
    runner.restore(kept)
    second = step(runner, 1), runner.outputs["log_prob"].copy()
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_a_state_that_is_not_finite_is_not_put_back(tiny_onnx):
    runner = Runner(tiny_onnx)
    step(runner, 0)
    kept = runner.states()["h0"]
    runner.restore({"h0": np.full_like(kept, np.nan)})
    assert np.array_equal(runner.states()["h0"], kept)


def test_clamped_notes_are_given_back_and_counted(tiny_onnx):
    runner = Runner(tiny_onnx)
    runner.inputs["clamp_mask"].fill(1)
    value = np.zeros((1, tiny.SLOTS, 2), np.float32)
    value[0, [3, 8], 0] = 1
    runner.inputs["clamp_value"][...] = value
    assert np.array_equal(step(runner, 0), value)
    assert runner.outputs["log_prob"][0] < 0
    assert runner.outputs["log_prob_tracks"].sum() == pytest.approx(runner.outputs["log_prob"][0], rel=1e-5)


def test_the_batch_is_free_and_rows_do_not_mix(tiny_onnx):
    one, many = Runner(tiny_onnx), Runner(tiny_onnx, batch=5)
    u = np.random.default_rng(3).random((5, 2 * tiny.SLOTS), np.float32)
    many.inputs["u"][...] = u
    many.step()
    for row in range(5):
        one.reset()
        one.inputs["u"][0] = u[row]
        one.step()
        assert np.array_equal(one.outputs["notes"][0], many.outputs["notes"][row])


def test_measuring_leaves_no_trace(tiny_onnx):
    runner = Runner(tiny_onnx)
    step(runner, 0)
    kept = runner.states()["h0"]
    assert runner.measure(calls=3).provider == "cpu"
    assert np.array_equal(kept, runner.states()["h0"])


def test_fading_forgets(tiny_onnx):
    runner = Runner(tiny_onnx)
    step(runner, 0)
    kept = runner.states()["h0"]
    runner.fade(0.5)
    assert runner.states()["h0"] == pytest.approx(kept / 2)
    runner.fade(0)
    assert not runner.states()["h0"].any()


def test_a_provider_that_is_missing_is_an_error_that_names_the_remedy(tiny_onnx):
    with pytest.raises(NetworkError, match=r"network.provider: 'coreml'.*macOS"):
        choose(tiny_onnx, "coreml", 1)


def test_auto_takes_the_fastest_present(tiny_onnx):
    runner, timings = choose(tiny_onnx, "auto", 1)
    assert runner.provider == timings[0].provider
    assert timings[0].p99_ms == min(t.p99_ms for t in timings)


def test_damaged_weights_are_refused_before_anything_plays(tmp_path):
    with pytest.raises(NetworkError, match="not a number: the weights are damaged"):
        Runner(tiny.write(tmp_path / "nan.onnx", bias=float("nan")))
