"""Training in bfloat16 only where the processor can."""

from __future__ import annotations

import pytest
import torch

from models.training.precision import narrow_products


@pytest.mark.parametrize("supported", [True, False])
def test_a_processor_without_bfloat16_trains_in_32_bits(monkeypatch, supported):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported, raising=False)
    with narrow_products("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if supported else torch.float32)
    with narrow_products("cpu", wanted=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_an_lstm_learns_on_this_machine():
    lstm = torch.nn.LSTM(3, 4)
    with narrow_products("cpu"):
        out, _ = lstm(torch.ones(2, 40, 3))
    out.float().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in lstm.parameters())
