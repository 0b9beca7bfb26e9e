"""What models/train.py needs to train the biaxial network on MIDI files or on a poly_splits roll.

The full piano network (300-300-100-50 are the defaults), then chorales in quarter notes; the card of each shipped file
holds the very command it came from:

    algoritmo train biaxial --data piano_midi_de mutopia_piano --lr 3e-3 --updates 20000 --decay 0.9 \\
        --out runs/biaxial --set eight_bits=true --set recall=[0.98,0.997]
    algoritmo train biaxial --data poly_splits/JSB_Chorales.npz --lr 3e-3 --updates 2200 --decay 0.9 \\
        --out runs/biaxial-jsb --set name=biaxial-jsb --set track=choir --set low=40 --set high=99 \\
        --set articulates=false --set steps_per_beat=1 --set time_sizes=[128,128] --set note_sizes=[64,32] \\
        --set segment=160 --set dropout=0.4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.biaxial.export import step_graph
from models.biaxial.network import PITCH_CLASSES, RECALL_GAIN, Biaxial, BiaxialConfig, log_prob, recall, to_flags
from models.graph.building import save_network
from models.music.data import Collection
from models.music.keyboard import read_keyboard
from models.music.representation import HELD, SILENT
from models.training.precision import narrow_products
from models.training.provenance import about_data, about_run
from models.training.stretches import draw
from models.training.train import TrainingError

BAR = 16  # steps; segments begin on one, so that the bits of the position mean the same everywhere
CHUNK = 256  # steps evaluated at once: bounds the memory of a long piece

DEFAULTS: dict[str, Any] = {
    "low": 24,
    "high": 101,
    "time_sizes": [300, 300],
    "note_sizes": [100, 50],
    "articulates": True,
    "vicinity": 12,
    "reach": 12,
    "recall": [],
    "dropout": 0.3,
    "order": 0,  # which of all orders the stretches come in; a run that goes on from another takes the next
    "batch": 4,
    "segment": 128,  # steps; a shorter piece is taken whole
    "shift": 5,  # semitones of random transposition either way, within the range
    "valid_steps": 20_000,  # at most so many steps of the validation split are measured
    "bfloat16": True,  # the products of training on a CPU in 16 bits: half the time; weights stay in 32
    "eight_bits": False,  # the step graph's time axis in 8 bits: for the full size, a third off the step
    "name": "biaxial",
    "title": "Biaxial network",
    "track": "piano",
    "steps_per_beat": 4,
}


def shape_of(config: dict[str, Any]) -> BiaxialConfig:
    """The network's sizes among the settings of a run."""
    names = {f.name for f in fields(BiaxialConfig)}
    return BiaxialConfig.from_json({k: v for k, v in config.items() if k in names})


def build(config: dict[str, Any]) -> nn.Module:
    """The network of these settings, newly initialised."""
    network = Biaxial(shape_of(config))
    network.narrow = config["bfloat16"]
    return network


@dataclass(slots=True)
class Segments:
    """Random stretches of the training pieces, transposed; the validation pieces whole."""

    config: dict[str, Any]
    pieces: Collection
    facts: dict[str, Any]

    def batch(self, update: int, rank: int, world: int) -> dict[str, Tensor]:
        """`batch` stretches of similar length; the same for the same update and rank."""
        del world
        size, segment = self.config["batch"], self.config["segment"]
        pieces = self.pieces.split("train")
        lengths = np.asarray([len(p.roll) for p in pieces])
        # Stretches of like length pad each other least: draw many, sort, take neighbours.
        drawn, rng = draw(lengths.tolist(), 8 * size, update, rank, self.config["order"])
        drawn = drawn[np.argsort(np.minimum(lengths[drawn], segment), kind="stable")]
        first = int(rng.integers(0, len(drawn) - size + 1))
        parts, memories = [], []
        for index in drawn[first : first + size]:
            roll = self._moved(pieces[index].roll, rng)
            last = max(0, len(roll) - segment // 2) // BAR if len(roll) > segment else 0
            start = BAR * int(rng.integers(0, last + 1))
            before = roll[start - 1] if start else np.zeros_like(roll[0])
            parts.append((before, roll[start : start + segment]))
            memories.append(self._left_of(roll[: max(start - 1, 0)]))
        return {**_tensors(parts, self.config["articulates"]), "recalled": torch.from_numpy(np.stack(memories))}

    def _left_of(self, past: np.ndarray) -> np.ndarray:
        """What the memories of pitch classes hold after a roll: float32 (D * 12,)."""
        classes = np.eye(PITCH_CLASSES, dtype=np.float32)[(np.arange(past.shape[1]) + self.config["low"]) % PITCH_CLASSES]
        counts = (past != SILENT) @ classes  # (T, 12)
        ago = np.arange(len(past))[::-1]
        left = [RECALL_GAIN * (1 - share) * share**ago @ counts for share in self.config["recall"]]
        return np.concatenate([np.zeros(0, np.float32), *left]).astype(np.float32)

    def _moved(self, roll: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The roll transposed at random, so that no note leaves the keyboard."""
        sounding = np.flatnonzero(roll.any(0))
        reach = self.config["shift"]
        down = max(-reach, -int(sounding[0]))
        up = min(reach, roll.shape[1] - 1 - int(sounding[-1]))
        return np.roll(roll, int(rng.integers(down, up + 1)), axis=1)

    def valid(self) -> Iterator[dict[str, Tensor]]:
        """Whole pieces one by one, up to `valid_steps` in all."""
        steps = 0
        for piece in self.pieces.split("valid"):
            if steps >= self.config["valid_steps"]:
                return
            roll = piece.roll[: self.config["valid_steps"] - steps]
            steps += len(roll)
            yield _tensors([(np.zeros_like(roll[0]), roll)], self.config["articulates"])


def _tensors(parts: list[tuple[np.ndarray, np.ndarray]], articulates: bool) -> dict[str, Tensor]:
    """Pad (roll of the step before, roll) pairs to one batch: previous, current (B, T, N, C), position, mask (B, T)."""
    longest = max(len(roll) for _, roll in parts)
    padded = np.zeros((len(parts), longest + 1, parts[0][1].shape[1]), np.uint8)
    mask = torch.zeros(len(parts), longest)
    for at, (before, roll) in enumerate(parts):
        padded[at, 0], padded[at, 1 : len(roll) + 1] = before, roll
        mask[at, : len(roll)] = 1
    rolls = torch.from_numpy(padded)
    flags = to_flags((rolls != SILENT).float(), (rolls == HELD).float(), articulates)
    position = torch.arange(longest).expand(len(parts), longest)
    return {"previous": flags[:, :-1], "current": flags[:, 1:], "position": position, "mask": mask}


def dataset(paths: list[Path], config: dict[str, Any], cache: Path) -> Segments:
    """Read poly_splits archives (.npz) and MIDI folders; nothing is cached, reading takes seconds."""
    del cache
    pieces = read_keyboard(paths, config["low"], config["high"], config["steps_per_beat"])
    if not pieces.split("train"):
        raise TrainingError("no piece is in the training split; give more --data")
    return Segments(config, pieces, pieces.facts())


def loss(model: nn.Module, batch: dict[str, Tensor], carry: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Nats summed over the batch and the number of its steps; each stretch begins with an empty memory."""
    del carry
    network = cast(Biaxial, model)
    recalled = recall(batch["previous"], network.config, batch.get("recalled")) if network.config.recall else None
    previous, current, position, mask = (batch[k] for k in ("previous", "current", "position", "mask"))
    if model.training:
        with narrow_products(current.device, network.narrow):
            logits, _ = network(previous, current, position, recalled=recalled)
        nats = -(log_prob(logits.float(), current, previous) * mask).sum()
        return nats, mask.sum(), {}
    nats, states = mask.new_zeros(()), None
    for at in range(0, mask.shape[1], CHUNK):
        now = slice(at, at + CHUNK)
        left = recalled[:, now] if recalled is not None else None
        logits, states = network(previous[:, now], current[:, now], position[:, now], states, left)
        nats = nats - (log_prob(logits, current[:, now], previous[:, now]) * mask[:, now]).sum()
    return nats, mask.sum(), {}


def export(model: nn.Module, config: dict[str, Any], training: dict[str, Any], path: Path) -> None:
    """Write the step graph with its card."""
    about = {
        "name": config["name"],
        "title": config["title"],
        "description": describe(shape_of(config)),
        "track": config["track"],
        "steps_per_beat": config["steps_per_beat"],
        "training": about_data(training) | about_run(training),
        "figures": {"valid_nats_per_step": round(training.get("best", 0.0), 4)},
    }
    save_network(step_graph(cast(Biaxial, model), about, config["eight_bits"]), path)


def describe(shape: BiaxialConfig) -> str:
    """One sentence on the sizes, for the card."""
    sizes = "-".join(map(str, shape.layer_sizes))
    tells = "play and articulate per note" if shape.articulates else "play per note; a repeated note is held"
    size = "Full size" if shape.layer_sizes == BiaxialConfig().layer_sizes else "Smaller than the full 300-300-100-50"
    recalls = " It remembers how much of each pitch class has sounded." if shape.recall else ""
    return f"{size}: {sizes} cells, {shape.notes} notes, {tells}.{recalls}"
