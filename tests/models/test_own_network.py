"""The example of bringing one's own network: it exports, keeps the contract, and the engine plays it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.network.runner import Runner

HERE = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def gru(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("own") / "gru.onnx"
    command = [sys.executable, HERE / "examples" / "own_network.py", out]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(HERE)}, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


def test_it_keeps_the_contract_and_plays(gru):
    runner = Runner(gru, batch=3)
    rng = np.random.default_rng(0)
    played = 0.0
    for step in range(16):
        before = runner.outputs["notes"].copy()
        runner.inputs["x"][...] = before
        runner.inputs["position"].fill(step)
        rng.random(out=runner.inputs["u"], dtype=np.float32)
        runner.step()
        notes = runner.outputs["notes"]
        assert not (notes[..., 1] > before[..., 0]).any()
        played += notes[..., 0].sum()
    assert played > 0


def test_what_it_says_of_music_is_what_torch_says(gru):
    sys.path.insert(0, str(HERE / "examples"))
    try:
        import own_network
    finally:
        sys.path.pop(0)
    torch.manual_seed(1)  # as the example does: the same weights
    step = own_network.Step().eval()
    runner = Runner(gru)
    rng = np.random.default_rng(0)
    x = np.zeros((1, own_network.S, 2), np.float32)
    h = torch.zeros(1, own_network.HIDDEN)
    for position in range(8):
        notes = np.zeros_like(x)
        notes[..., 0] = rng.random((1, own_network.S)) < 0.2
        notes[..., 1] = notes[..., 0] * x[..., 0] * (rng.random((1, own_network.S)) < 0.5)
        runner.inputs["x"][...] = x
        runner.inputs["position"].fill(position)
        runner.inputs["clamp_mask"].fill(1)
        runner.inputs["clamp_value"][...] = notes
        runner.step()
        given = torch.from_numpy(x), torch.full((1,), position)
        with torch.no_grad():
            logits, h = step.logits(*given, h)
            nats = own_network.log_prob(logits, torch.from_numpy(notes), given[0]).sum()
        assert runner.outputs["log_prob"][0] == pytest.approx(float(nats), rel=1e-4)
        assert runner.states()["h0"] == pytest.approx(h.numpy(), abs=1e-5)
        x = notes


def test_the_engine_renders_with_it(gru, tmp_path):
    demo = HERE / "engine" / "app" / "demo.mid"
    command = [sys.executable, "-m", "engine.cli", "render", demo, "--out", tmp_path, "--network", gru, "--bars", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "session.mid").exists()
