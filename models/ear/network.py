"""The ear's network: one recurrent layer that hears all keys alike.

Every signal is a number for each pitch class (12,) in several channels, and every weight depends only on how far apart two
pitch classes are: what it learned on C it knows on every root. Shapes: N beats, C channels, P planes, Q qualities; vectors are
channel by channel, twelve pitch classes each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.jam.chords import HEARD as QUALITIES
from engine.jam.hearing import HEARD, HORIZONS, PLAIN, PLANES

CLASSES = 12 * len(QUALITIES) + 1  # the last: no chord


class EarNetwork(nn.Module):
    """From what the ear is told of a beat, and its state, to logits of the chord now, a beat later and some beats ago."""

    def __init__(self, channels: int = 16, read: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.channels, self.read = channels, read
        self.drop = nn.Dropout(dropout)
        out = len(QUALITIES) * HORIZONS

        def weight(rows: int, columns: int, *more: int) -> nn.Parameter:
            fan = columns * (more[0] if more else 1)
            return nn.Parameter(torch.randn(rows, columns, *more) / fan**0.5)

        self.gates_told = weight(3 * channels, PLANES, 12)
        self.gates_plain = weight(3 * channels, PLAIN)
        self.gates_state = weight(3 * channels, channels, 12)
        self.gates_bias = nn.Parameter(torch.zeros(2, 3 * channels))
        with torch.no_grad():
            self.gates_bias[0, channels : 2 * channels] = 1.0  # begin by remembering
        self.read_told = weight(read, PLANES, 12)
        self.read_plain = weight(read, PLAIN)
        self.read_state = weight(read, channels, 12)
        self.read_bias = nn.Parameter(torch.zeros(read))
        self.out = weight(out, read, 12)
        self.out_bias = nn.Parameter(torch.zeros(out))
        self.none = nn.Parameter(torch.zeros(HORIZONS, read))
        self.none_bias = nn.Parameter(torch.full((HORIZONS,), -2.0))

    def dense(self) -> dict[str, Tensor]:
        """The weights written out for vectors: each (outputs, inputs)."""
        found = {}
        for name in ("gates_told", "gates_state", "read_told", "read_state", "out"):
            found[name] = _round(getattr(self, name))
        for name in ("gates_plain", "read_plain", "gates_bias", "read_bias", "out_bias"):
            value = getattr(self, name)
            found[name] = value.repeat_interleave(12, dim=-1 if "bias" in name else 0)
        return found

    def forward(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of beats that are told in turn.

        told (B, T, V, inputs): the last of V is the whole beat, by which the state goes on.
        Returns logits (B, T, V, HORIZONS, CLASSES) and the last state (B, 12 C).
        """
        dense = self.dense()
        told_gates = self._heard(told, dense, "gates") + dense["gates_bias"][0]
        size = 12 * self.channels
        state = told.new_zeros(len(told), size)
        states = []
        recurrent, bias = dense["gates_state"].T.contiguous(), dense["gates_bias"][1]
        whole = told_gates[:, :, -1]
        for beat in range(told.shape[1]):
            states.append(state)
            state = _advance(whole[:, beat], state @ recurrent + bias, state)
        before = torch.stack(states, 1)[:, :, None]  # (B, T, 1, 12 C)
        after = _advance(told_gates, before @ recurrent + bias, before)
        hidden = self.drop(after) @ dense["read_state"].T
        hidden = torch.relu(hidden + self._heard(told, dense, "read") + dense["read_bias"])
        hidden = self.drop(hidden)
        tones = hidden @ dense["out"].T + dense["out_bias"]
        tones = tones.unflatten(-1, (HORIZONS, CLASSES - 1))
        none = hidden.unflatten(-1, (self.read, 12)).mean(-1) @ self.none.T + self.none_bias
        return torch.cat([tones, none[..., None]], -1), state

    @staticmethod
    def _heard(told: Tensor, dense: dict[str, Tensor], part: str) -> Tensor:
        """What is told, weighed. What is not of the beat itself is the same in all of V, and is weighed once."""
        weight, own = dense[f"{part}_told"].T, 12 * HEARD
        found: Tensor = told[..., :own] @ weight[:own] + told[..., 12 * PLANES :] @ dense[f"{part}_plain"].T
        return found + (told[:, :, -1, own : 12 * PLANES] @ weight[own:])[:, :, None]


def _advance(told: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
    """A gated recurrent unit: gates from what is told and from the state."""
    size = state.shape[-1]
    both = torch.sigmoid(told[..., : 2 * size] + recurrent[..., : 2 * size])
    reset, keep = both[..., :size], both[..., size:]
    new = torch.tanh(told[..., 2 * size :] + reset * recurrent[..., 2 * size :])
    return keep * state + (1 - keep) * new


def _round(weight: Tensor) -> Tensor:
    """(O, C, 12) to (12 O, 12 C): the weight from pitch class j to i is that of the distance (j - i) mod 12."""
    classes = torch.arange(12)
    apart = (classes[None, :] - classes[:, None]) % 12
    whole = weight[:, :, apart]  # (O, C, 12 to, 12 from)
    return whole.permute(0, 2, 1, 3).reshape(12 * weight.shape[0], 12 * weight.shape[1])
