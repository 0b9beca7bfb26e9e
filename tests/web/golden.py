"""What Python packs and JavaScript reads: written to tests/web/lib/*.json, and held to both sides by tests.

python -m tests.web.golden      # after a change that is meant
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.messages import NOTE_OFF, NOTE_ON, futures_dtype, signals_dtype
from engine.core.parameters import Parameter
from engine.web import frames
from engine.web.frames import Encoder
from tests.web import nn_golden, player_golden
from tests.web.stand import MadeUp, card_of

HERE = Path(__file__).parent / "lib"


def packed() -> dict[str, Any]:
    """One message of each kind, as bytes and as what it says."""
    card = card_of()
    source = MadeUp(card, seed=3)
    for step in range(5):
        source.play(step)
    record = source.desk.link["steps"].latest()
    assert record is not None
    encoder = Encoder(card)
    out: dict[str, Any] = {"layout": encoder.layout()}
    for fmt in ("f32", "u8"):
        data = encoder.step(record, fmt, frames.PAST)  # type: ignore[arg-type]
        dtype = np.dtype("u1" if fmt == "u8" else "<f4")
        values = np.frombuffer(data, dtype, encoder.size, len(data) - encoder.size * dtype.itemsize)
        cells = np.frombuffer(data, np.uint8, card.slots, frames.HEADER.size + 4 * len(card.tracks))
        out[fmt] = {
            "hex": data.hex(),
            "step": int(record["step"]),
            "beat": float(record["beat"]),
            "tempo": float(record["tempo_bpm"]),
            "mode": int(record["mode"]),
            "cells": cells.tolist(),
            "values": values.tolist(),
        }
    events = [(NOTE_ON, 1, 60, 99, 1.5), (NOTE_OFF, 0, 36, 0, 2.25)]
    packed = [np.array(event, frames.NOTE).tobytes() for event in events]
    names = ("kind", "track", "pitch", "velocity", "beat")
    out["notes"] = {
        "hex": frames.notes(packed, len(packed), lost=True).hex(),
        "events": [dict(zip(names, e, strict=True)) for e in events],
    }
    imagined = np.zeros((), futures_dtype(card))
    imagined["step"], imagined["count"] = 41, 2
    imagined["notes"][:2] = np.random.default_rng(1).integers(0, 3, imagined["notes"][:2].shape)
    out["futures"] = {
        "hex": frames.futures(imagined).hex(),
        "step": 41,
        "count": 2,
        "steps": int(imagined["notes"].shape[1]),
        "notes": imagined["notes"][:2].reshape(-1).tolist(),
    }
    moment = np.zeros((), signals_dtype(card))
    moment["beat"], moment["values"][:3], moment["raw"][:3], moment["trails"][:2] = 6.5, (0.25, 0.5, 1), (-30, 2, 440), (0, 1)
    out["signals"] = {
        name: {
            "hex": frames.signals(moment, 3, 2, raw).hex(),
            "beat": 6.5,
            "values": [0.25, 0.5, 1],
            "raw": [-30, 2, 440] if raw else None,
            "trails": [0, 255],
        }
        for name, raw in (("plain", False), ("raw", True))
    }
    samples = np.array([[0.5, -0.5], [2.0, -2.0]], np.float32)
    out["sound"] = {"hex": frames.sound(samples, 64).hex(), "samples": [16383, -16383, 32767, -32767]}
    return out


def parameters() -> list[dict[str, Any]]:
    """Every kind and scale that a parameter has, with its way to 0..1 and back as Python goes it."""
    some = [
        Parameter("tempo", 20, 400, 112, "Speed of the beat", "bpm", scale="exponential"),
        Parameter("temperature", 0.1, 2, 1, "Exponential, around one", scale="exponential"),
        Parameter("memory", 0, 1, 1, "Linear, from nothing"),
        Parameter("bars", 0, 16, 0, "Few whole numbers", "bars", "integer"),
        Parameter("seed", 0, 2**31 - 1, 1, "Many whole numbers", kind="integer"),
        Parameter("drums.mute", 0, 1, 0, "On or off", kind="switch"),
        Parameter("panic", 0, 2**52, 0, "Pulled", kind="trigger"),
        Parameter("mode", 0, 2, 1, "Few words", kind="choice", choices=("trade", "accompany", "solo")),
        Parameter("lead.cutoff", 20, 20000, 800, "Where the filter begins", "Hz", scale="exponential"),
        Parameter("lead.pan", -1, 1, 0, "Left to right"),
        Parameter("lead.steps", -3, 4, 1, "Whole numbers on both sides of nothing", kind="integer"),
        Parameter("lead.still", 2, 2, 2, "No range at all"),
        Parameter("lead.patch", 0, 5, 0, "Many words", kind="choice", choices=("a", "b", "c", "d", "e", "f")),
    ]
    out = []
    for p in some:
        reach = p.maximum - p.minimum if p.kind != "trigger" else 5
        values = [p.minimum + reach * part for part in (-0.1, 0, 0.001, 0.25, 0.5, 1 / 3, 0.9, 1, 1.5)] + [p.default]
        shares = [-0.5, 0.0, 1e-6, 0.1, 0.25, 0.5, 0.77, 0.999, 1.0, 2.0]
        out.append(
            {
                "parameter": p.describe(),
                "to_share": [[value, p.to_share(value)] for value in values],
                "from_share": [[share, p.from_share(share)] for share in shares],
            }
        )
    return out


GOLDEN = {
    "frames.json": packed,
    "parameters.json": parameters,
    "nn.json": nn_golden.golden,
    "player.json": player_golden.golden,
}


def main() -> None:
    """Write them."""
    for name, make in GOLDEN.items():
        (HERE / name).write_text(json.dumps(make(), indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
