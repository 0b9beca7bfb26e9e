"""Half-width products in training, where the device can compute them."""

from __future__ import annotations

import torch


def narrow_products(device: torch.device | str, wanted: bool = True) -> torch.autocast:
    """Return a context in which matrix products are computed in bfloat16, if `wanted` and this device can.

    A processor without such instructions has no bfloat16 LSTM at all: there everything stays in 32 bits.
    """
    kind = torch.device(device).type
    can = kind != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and can)
