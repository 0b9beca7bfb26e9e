"""What the page's player.js must play: the shipped networks as onnxruntime plays them, alone and with a player dictated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.graph.playing import open_network

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"festival": 40, "chords": 60}
BITS = 16  # of a number by lot: written down in four digits


def played(name: str, count: int, seed: int = 1) -> dict[str, Any]:
    """`count` steps from silence: the lots, what was dictated (first and last slot, the note), the notes, nats."""
    graph = open_network(ROOT / "models" / name / f"{name}.onnx")
    card, chance = graph.card, np.random.default_rng(seed)
    feed = graph.begin(1)
    last = card.slots
    first = last - len(card.tracks[-1].pitches)
    steps = []
    for step in range(count):
        lots = chance.integers(0, 2**BITS, card.noise)
        feed["u"] = (lots / 2**BITS).astype(np.float32)[None]
        feed["clamp_mask"], feed["clamp_value"] = np.zeros_like(feed["clamp_mask"]), np.zeros_like(feed["clamp_value"])
        clamped = None
        if 8 <= step < 24 and step % 2 == 0:
            clamped = [first, last, first + 12 + step % 7]
            feed["clamp_mask"][0, first:last] = 1
            feed["clamp_value"][0, clamped[2], 0] = 1
            if len(card.channels) > 2:
                feed["clamp_value"][0, clamped[2], 2] = 0.75
        out = graph.step(feed)
        steps.append(
            {
                "u": "".join(f"{lot:04x}" for lot in lots.tolist()),
                "clamped": clamped,
                "notes": np.flatnonzero(out["notes"][0, :, 0] > 0.5).tolist(),
                "nats": round(-float(out["log_prob_tracks"].sum()), 4),
            }
        )
    return {"steps": steps}


def golden() -> dict[str, Any]:
    """Both networks that the page can play."""
    return {name: played(name, count) for name, count in STEPS.items()}
