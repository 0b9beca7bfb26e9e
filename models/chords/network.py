"""The chord network: two LSTM layers over the set of chords as classes, one step a beat.

Shapes: B songs, T beats, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PLACES = 16  # beats after which the place repeats: four bars of four


class ChordNetwork(nn.Module):
    """Logits of the next beat's chord from the last beat's chord and the place in four bars."""

    def __init__(self, classes: int, sizes: tuple[int, ...] = (128, 128), width: int = 96, dropout: float = 0.3) -> None:
        super().__init__()
        self.classes, self.sizes, self.dropout = classes, sizes, dropout
        self.chord = nn.Embedding(classes, width)
        self.place = nn.Embedding(PLACES, width)
        self.layers = nn.ModuleList()
        inputs = width
        for size in sizes:
            layer = nn.LSTM(inputs, size, batch_first=True)
            layer.all_weights[0][2].data[size : 2 * size] = 1.0  # begin by remembering
            self.layers.append(layer)
            inputs = size
        self.head = nn.Linear(inputs, classes)

    def _dropped(self, signal: Tensor) -> Tensor:
        """Drop cells, the same ones at every beat."""
        if not self.training or self.dropout == 0:
            return signal
        return signal * torch.empty_like(signal[:, :1]).bernoulli_(1 - self.dropout) / (1 - self.dropout)

    def forward(
        self, last: Tensor, position: Tensor, states: list[tuple[Tensor, Tensor]] | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return logits (B, T, K) and the states after the last beat.

        last: int64 (B, T), class of the beat before; position: int64 (B, T), beats counted from a downbeat.
        """
        signal = self.chord(last) + self.place(position % PLACES)  # (B, T, W)
        after = []
        for at, layer in enumerate(self.layers):
            signal, state = layer(signal, None if states is None else states[at])
            after.append(state)
            signal = self._dropped(signal)
        return self.head(signal), after


def log_prob(logits: Tensor, chords: Tensor) -> Tensor:
    """Log-probability in nats of each beat's class: (B, T, K), (B, T) -> (B, T)."""
    return -F.cross_entropy(logits.transpose(1, 2), chords, reduction="none")
