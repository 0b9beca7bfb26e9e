"""How hard and how early the festival network strikes: a small recurrent layer beside the head that chooses the notes.

It hears the core's answer (which it does not train), the notes chosen for this step, how those of the step before were
struck, the player's among them, and how those the player dictates now are. For every slot it answers with a logistic
distribution of velocity, and for the drums with one of the offset from the step.

Shapes: T steps, B batch, S slots, D drum slots. Velocities are counted in 1/127, offsets in 1/OFFSETS of a step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.music.representation import BAND, OFFSETS

SLOTS = sum(len(t.pitches) for t in BAND)
DRUM_SLOTS = len(BAND[0].pitches)
UNITS = 64
LEVEL = 80  # velocity that every track of every piece is moved to on average, and what an unknown one counts as
LOUDEST = 127
FARTHEST = OFFSETS // 2
STEPS_PER_BAR = 16  # of 4/4; in other metres each step is like one of these
ANSWERS = 2 * SLOTS + 2 * DRUM_SLOTS  # location and log scale of velocity, then of offset
HEARD_EXPRESSION = SLOTS + DRUM_SLOTS  # velocities and offsets of one step's strikes
LEAST_SCALE, MOST_SCALE = -1.5, 5.0  # natural logarithm of a scale, in the units of what it spreads


class ExpressionHead(nn.Module):
    """Location and log scale of every slot's velocity and of every drum's offset."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.enter = nn.Linear(width, UNITS)
        self.hear = nn.Linear(
            SLOTS + 2 * HEARD_EXPRESSION, UNITS, bias=False
        )  # strikes now, expression before, expression dictated
        self.memory = nn.GRU(UNITS, UNITS)
        self.answer = nn.Linear(width + UNITS, ANSWERS)
        self.place = nn.Embedding(STEPS_PER_BAR, ANSWERS)
        nn.init.zeros_(self.place.weight)
        with torch.no_grad():
            self.answer.weight *= 0.1
            self.answer.bias.zero_()

    def forward(self, core: Tensor, told: Tensor, step: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """(T, B, H) core, (T, B, SLOTS + 2 HEARD_EXPRESSION) from `tell`, (T, B) steps of a bar -> (T, B, ANSWERS), state."""
        core = F.dropout(core, self.dropout, self.training)
        felt, state = self.memory(torch.tanh(self.enter(core) + self.hear(told)), state)
        answer: Tensor = self.answer(torch.cat([core, felt], -1)) + self.place(step)
        return answer, state


def tell(struck: Tensor, before: Tensor, dictated: Tensor) -> Tensor:
    """What it hears: (..., S) onsets now, (..., HEARD_EXPRESSION) expression of the step before and what is dictated now."""
    return torch.cat([struck, before, dictated], -1)


def deviations(struck: Tensor, velocity: Tensor, offset: Tensor) -> Tensor:
    """(..., S) strikes, velocities 0..127 (0: not known) and offsets in steps to (..., HEARD_EXPRESSION), each about 0."""
    loud = torch.where(velocity > 0, velocity - LEVEL, 0) * struck / 32
    late = offset[..., :DRUM_SLOTS] * struck[..., :DRUM_SLOTS]
    return torch.cat([loud, 4 * late], -1)


def distributions(answer: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(..., ANSWERS) to locations and scales: of velocity (..., S) in 1..127, of offset (..., D) in 1 / OFFSETS of a step."""
    where, spread, late, stray = answer.float().split([SLOTS, SLOTS, DRUM_SLOTS, DRUM_SLOTS], -1)
    return LEVEL + 32 * where, _scale(spread), 16 * late, _scale(stray)


def _scale(answer: Tensor) -> Tensor:
    return (2 + answer).clamp(LEAST_SCALE, MOST_SCALE).exp()


def log_prob(value: Tensor, location: Tensor, scale: Tensor, least: int, most: int) -> Tensor:
    """Log-probability of whole numbers under a logistic whose tails fall to the least and the most."""
    above = torch.where(value >= most, 40.0, (value + 0.5 - location) / scale)
    below = torch.where(value <= least, -40.0, (value - 0.5 - location) / scale)
    # sigmoid(a) - sigmoid(b), without losing what is small
    return F.logsigmoid(above) + F.logsigmoid(-below) + torch.log1p(-torch.exp((below - above).clamp(max=-1e-6)))
