import numpy as np

from engine.core.contract import Card
from engine.jam.continuations import Asked, imagine, key_of, pitch_classes
from engine.network.runner import Runner
from tests import tiny

CARD = Card.model_validate(tiny.card())


def start(path):
    """A state after a few steps, and what sounded last."""
    runner = Runner(path)
    for step in range(5):
        runner.inputs["position"].fill(step)
        runner.inputs["u"].fill(0.1 * step)
        runner.step()
        runner.inputs["x"][...] = runner.outputs["notes"]
    return runner.states(), runner.inputs["x"][0].copy()


def test_a_future_is_the_same_whatever_the_batch(tiny_onnx):
    states, heard = start(tiny_onnx)
    many = imagine(Runner(tiny_onnx, batch=6), states, heard, 5, 32)
    alone = [imagine(Runner(tiny_onnx), states, heard, 5, 32, seed=1 + b) for b in range(6)]
    best_first = sorted(alone, key=lambda f: -f.log_prob[0])
    assert np.array_equal(many.notes, np.concatenate([f.notes for f in best_first]))
    assert np.allclose(many.log_prob, [f.log_prob[0] for f in best_first], rtol=1e-5)


def test_the_likeliest_is_first_when_nothing_is_asked(tiny_onnx):
    states, heard = start(tiny_onnx)
    futures = imagine(Runner(tiny_onnx, batch=16), states, heard, 5, 32)
    assert (np.diff(futures.log_prob) <= 0).all()


def test_what_is_asked_moves_to_the_front(tiny_onnx):
    states, heard = start(tiny_onnx)
    runner = Runner(tiny_onnx, batch=32)
    in_key = imagine(runner, states, heard, 5, 16, asked=Asked(key=6))
    assert in_key.in_key[:8].mean() > in_key.in_key.mean()
    dense = imagine(runner, states, heard, 5, 16, asked=Asked(onsets_per_beat=100.0))
    assert dense.onsets_per_beat[:8].mean() > dense.onsets_per_beat.mean()


def test_drums_have_no_key():
    onsets = np.zeros((2, CARD.slots), bool)
    onsets[:, 0] = True
    onsets[1, 7] = True  # lead, pitch 60
    assert pitch_classes(CARD, onsets).tolist() == [1] + [0] * 11


def test_a_scale_is_recognised():
    for key in range(12):
        classes = np.zeros(12)
        classes[(np.array([0, 2, 4, 5, 7, 9, 11]) + key) % 12] = 1
        assert key_of(classes) == key
