"""The biaxial network: an LSTM along time shared by all notes, then an LSTM along the notes from the lowest up.

Each step, every note is described by its surroundings one step ago; the time axis (one LSTM, the notes are its batch)
remembers what happened around it, and the note axis decides note after note, hearing what was decided below. After
D. Johnson's network of 2015, with tanh candidates, a vicinity padded with silence, zero initial states, and two
additions that made it learn faster: the note axis hears the note's own features again, and not only the note just
below but the whole octave (`reach`). A third keeps it in its key: how much of each pitch class has sounded lately (`recall`).

Shapes: B pieces, T steps, N notes, F features, R = reach, C = outputs per note (play, and articulate where there is one),
D = memories of pitch classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PITCH_CLASSES = 12
RECALL_GAIN = 4.0  # three notes at a time are a quarter of a note per pitch class: the memory of them is then about 1
RECALL_CHUNK = 128  # steps that a memory is reckoned for at once
BEAT_BITS = 4  # position in a bar of 16 steps, one bit each, as -1 or +1


@dataclass(frozen=True)
class BiaxialConfig:
    """Sizes of a biaxial network; the defaults are the full one."""

    low: int = 24  # lowest MIDI pitch
    high: int = 101  # highest, included
    time_sizes: tuple[int, ...] = (300, 300)
    note_sizes: tuple[int, ...] = (100, 50)
    articulates: bool = True  # False: rolls that do not tell a repeated note from a held one
    vicinity: int = 12  # semitones seen on either side, one step ago
    reach: int = 12  # notes below that the note axis hears directly; 1 is the network of 2015
    recall: tuple[float, ...] = ()  # share of each memory of pitch classes that is left after a step; 0.98 halves in 2 bars
    dropout: float = 0.5

    @property
    def notes(self) -> int:
        """Number of notes N."""
        return self.high - self.low + 1

    @property
    def voices(self) -> int:
        """Outputs per note C: play, and articulate where the network tells it."""
        return 2 if self.articulates else 1

    @property
    def features(self) -> int:
        """Features per note F."""
        around = (2 * self.vicinity + 1) * self.voices
        return 1 + PITCH_CLASSES + around + PITCH_CLASSES * (1 + len(self.recall)) + BEAT_BITS

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Width of every LSTM layer from the input."""
        return self.time_sizes + self.note_sizes

    def to_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint or a card."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BiaxialConfig:
        """The inverse of `to_json`."""
        known = dict(values)
        for key in ("time_sizes", "note_sizes", "recall"):
            if key in known:
                known[key] = tuple(known[key])
        return cls(**known)


def class_counts(previous: Tensor, config: BiaxialConfig) -> Tensor:
    """How many notes of each pitch class sounded: (..., N, C) flags to (..., 12)."""
    classes = (torch.arange(config.notes, device=previous.device) + config.low) % PITCH_CLASSES
    return previous[..., 0] @ F.one_hot(classes, PITCH_CLASSES).float()


def recall(previous: Tensor, config: BiaxialConfig, begin: Tensor | None = None) -> Tensor:
    """What is left of the pitch classes that sounded before each step: (B, T, N, C) flags to (B, T, D * 12).

    Each memory fades by its share a step. `begin` (B, D * 12) is what was left before the first step; None is silence.
    """
    counts = class_counts(previous, config).repeat(1, 1, len(config.recall))  # (B, T, D * 12)
    share = torch.tensor(config.recall, device=previous.device).repeat_interleave(PITCH_CLASSES)
    left = counts.new_zeros(counts[:, 0].shape) if begin is None else begin
    found = []
    for part in counts.split(RECALL_CHUNK, 1):
        step = torch.arange(part.shape[1], device=previous.device)
        ago = (step[:, None] - step).clamp(min=0)
        kernel = share ** ago[..., None] * (step[:, None] >= step)[..., None]  # (T, T, D * 12)
        part = RECALL_GAIN * (1 - share) * torch.einsum("tsk,bsk->btk", kernel, part)
        found.append(part + share ** (step[:, None] + 1) * left[:, None])
        left = found[-1][:, -1]
    return torch.cat(found, 1)


def features(previous: Tensor, position: Tensor, config: BiaxialConfig, recalled: Tensor | None = None) -> Tensor:
    """Describe every note from what sounded one step before.

    previous: (B, T, N, C) play and articulate flags; position: (B, T) step numbers counted from a downbeat; recalled:
    (B, T, D * 12) from `recall`, None where the piece begins here.
    Returns (B, T, N, F): place on the keyboard 0..1, own pitch class, the vicinity (play, articulate of each note from
    `vicinity` below to `vicinity` above; silence past the ends), sounding notes per pitch class with the own one first,
    the memories of them likewise, and the four bits of the position in a bar of 16.
    """
    batch, steps, notes, _ = previous.shape
    index = torch.arange(notes, device=previous.device)
    shape = (batch, steps, notes, -1)
    place = (index.float() / max(notes - 1, 1)).view(1, 1, notes, 1).expand(batch, steps, notes, 1)
    classes = (index + config.low) % PITCH_CLASSES
    own = F.one_hot(classes, PITCH_CLASSES).float().expand(batch, steps, notes, PITCH_CLASSES)

    padded = F.pad(previous, (0, 0, config.vicinity, config.vicinity))  # (B, T, N + 2V, C)
    around = padded.unfold(2, 2 * config.vicinity + 1, 1)  # (B, T, N, C, 2V + 1)
    around = around.transpose(-1, -2).reshape(shape)  # (B, T, N, (2V + 1) * C)

    turn = (torch.arange(PITCH_CLASSES, device=index.device) + classes[:, None]) % PITCH_CLASSES  # (N, 12)
    heard = [class_counts(previous, config)[:, :, turn]]  # (B, T, N, 12)
    if config.recall:
        memories = recall(previous, config) if recalled is None else recalled
        heard += [memory[:, :, turn] for memory in memories.split(PITCH_CLASSES, -1)]

    bits = torch.stack([(position >> bit) & 1 for bit in range(BEAT_BITS)], -1).float() * 2 - 1  # (B, T, 4)
    beat = bits[:, :, None].expand(batch, steps, notes, BEAT_BITS)
    return torch.cat([place, own, around, *heard, beat], -1)


def heard_below(current: Tensor, reach: int) -> Tensor:
    """Flags of the `reach` notes under each one, the nearest first: (B, T, N, C) -> (B, T, N, R * C)."""
    batch, steps, notes, voices = current.shape
    padded = F.pad(current, (0, 0, reach, 0))[:, :, :-1]  # (B, T, N + R - 1, C)
    windows = padded.unfold(2, reach, 1).flip(-1)  # (B, T, N, C, R), nearest first
    return windows.transpose(-1, -2).reshape(batch, steps, notes, reach * voices)


def to_flags(play: Tensor, hold: Tensor, articulates: bool) -> Tensor:
    """Turn play and hold (B, T, N) into the network's own flags (B, T, N, C): play, articulate."""
    if not articulates:
        return play[..., None]
    return torch.stack([play, play * (1 - hold)], -1)


class Biaxial(nn.Module):
    """Logits of play (and articulate) of every note, the notes below at the same step being known."""

    def __init__(self, config: BiaxialConfig) -> None:
        super().__init__()
        self.config = config
        self.narrow = False  # train with products in bfloat16
        inputs = config.features
        self.time_layers = nn.ModuleList()
        for size in config.time_sizes:
            self.time_layers.append(nn.LSTM(inputs, size, batch_first=True))
            inputs = size
        inputs += config.features + config.reach * config.voices
        self.note_layers = nn.ModuleList()
        for size in config.note_sizes:
            self.note_layers.append(nn.LSTM(inputs, size, batch_first=True))
            inputs = size
        self.head = nn.Linear(inputs, config.voices)
        self._initialise()

    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if "weight_hh" in name:
                for gate in weight.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "bias" in name:
                nn.init.zeros_(weight)
                if "bias_ih" in name:  # gates i, f, g, o: begin by remembering
                    size = weight.shape[0] // 4
                    weight.data[size : 2 * size] = 1.0
        nn.init.constant_(self.head.bias, -2.5)  # few notes sound

    def _dropped(self, signal: Tensor) -> Tensor:
        """Drop cells, the same ones at every place of the scanned axis (dim 1)."""
        rate = self.config.dropout
        if not self.training or rate == 0:
            return signal
        mask = torch.empty_like(signal[:, :1]).bernoulli_(1 - rate) / (1 - rate)
        return signal * mask

    def forward(
        self,
        previous: Tensor,
        current: Tensor,
        position: Tensor,
        states: list[tuple[Tensor, Tensor]] | None = None,
        recalled: Tensor | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the logits (B, T, N, C) and the time layers' states after the last step, each (1, B * N, H).

        previous, current: flags (B, T, N, C) one step before and at the step; position: (B, T); states: as returned;
        recalled: as for `features`.
        """
        batch, steps, notes, _ = previous.shape
        described = features(previous, position, self.config, recalled)  # (B, T, N, F)
        signal = described.transpose(1, 2).reshape(batch * notes, steps, -1)  # (B * N, T, F)
        after = []
        for at, layer in enumerate(self.time_layers):
            signal, state = layer(signal, None if states is None else states[at])
            after.append(state)
            signal = self._dropped(signal)
        signal = signal.view(batch, notes, steps, -1).transpose(1, 2)  # (B, T, N, H)
        below = heard_below(current, self.config.reach)
        signal = torch.cat([signal, described, below], -1).reshape(batch * steps, notes, -1)
        for layer in self.note_layers:
            signal, _ = layer(signal)
            signal = self._dropped(signal)
        return self.head(signal).view(batch, steps, notes, -1), after


def log_prob(logits: Tensor, current: Tensor, previous: Tensor) -> Tensor:
    """Log-probability in nats of every step, (B, T), from logits and flags (B, T, N, C).

    Articulation counts where a note plays that already sounded one step before: elsewhere it is certain.
    """
    play = -F.binary_cross_entropy_with_logits(logits[..., 0], current[..., 0], reduction="none")
    if logits.shape[-1] == 1:
        return play.sum(-1)
    strike = -F.binary_cross_entropy_with_logits(logits[..., 1], current[..., 1], reduction="none")
    return (play + strike * current[..., 0] * previous[..., 0]).sum(-1)
