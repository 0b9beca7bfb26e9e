"""LSTM cells as nodes of a step graph, and a torch layer's weights as they want them.

Runs without torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.graph.building import Graph


class CellGraph(Graph):
    """A graph builder that knows an LSTM cell."""

    def scalar(self, value: float) -> str:
        """A constant float."""
        return self.floats(f"float_{value:g}".replace("-", "m").replace(".", "p"), value)

    def cell(self, gates: str, c: str, size: int, h_out: str, c_out: str) -> None:
        """Add one LSTM cell from its pre-activations, which come in the order i, f, o, g."""
        opened, candidate = self.split(gates, 3 * size, size)
        i, f, o = self.split(self.add("Sigmoid", opened), size, size, size)
        new = self.add("Mul", i, self.add("Tanh", candidate))
        self.add("Add", self.add("Mul", f, c), new, out=c_out)
        self.add("Mul", o, self.add("Tanh", c_out), out=h_out)


def gates_first(weight: np.ndarray) -> np.ndarray:
    """Turn PyTorch's gate rows i, f, g, o into columns i, f, o, g: (4H, K) -> (K, 4H)."""
    i, f, g, o = np.split(weight, 4)
    return np.ascontiguousarray(np.concatenate([i, f, o, g]).T)


def lstm_weights(layer: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input weights (K, 4H), recurrent weights (H, 4H) and bias (4H) of a torch LSTM layer, gates i, f, o, g."""
    w_in, w_rec, b_in, b_rec = (p.detach().cpu().float().numpy() for p in layer.all_weights[0])
    return gates_first(w_in), gates_first(w_rec), gates_first((b_in + b_rec)[:, None])[0]
