"""Runs a step graph in a test, carrying its states from step to step."""

import numpy as np
import onnxruntime as ort

from engine.core.contract import CARD_KEY, parse_card


class Player:
    """Every call of `step` takes the inputs that are not neutral; noise is drawn where it is not given."""

    def __init__(self, graph: bytes | ort.InferenceSession, batch: int = 1, seed: int = 0) -> None:
        self.session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]) if isinstance(graph, bytes) else graph
        self.card = parse_card(self.session.get_modelmeta().custom_metadata_map[CARD_KEY], "test")
        self.names = [o.name for o in self.session.get_outputs()]
        self.random = np.random.default_rng(seed)
        self.batch, self.position = batch, 0
        self.x = np.zeros((batch, self.card.slots, 2), np.float32)
        self.states = {s.name: np.full((batch, *s.shape), s.initial, np.float32) for s in self.card.states}

    def step(self, **given: object) -> dict[str, np.ndarray]:
        batch, slots = self.batch, self.card.slots
        feed = {
            "x": self.x,
            "position": np.full(batch, self.position, np.int64),
            "u": self.random.random((batch, self.card.noise), np.float32),
            "clamp_mask": np.zeros((batch, slots), np.float32),
            "clamp_value": np.zeros((batch, slots, 2), np.float32),
        }
        feed |= {c.name: np.full(batch, c.neutral, np.float32) for c in self.card.controls}
        feed |= self.states
        feed |= {k: np.full(batch, v, np.float32) if np.isscalar(v) else v for k, v in given.items()}
        out = dict(zip(self.names, self.session.run(None, feed), strict=True))
        self.x, self.position = out["notes"], self.position + 1
        self.states = {s: out[f"{s}_next"] for s in self.states}
        return out
