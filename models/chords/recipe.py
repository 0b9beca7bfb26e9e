"""What models/train.py needs to train the chord network.

python -m models.training.train chords --data mcgill_billboard openewld_leadsheets nottingham_jukedeck --out runs/chords
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.chords.export import step_graph
from models.chords.network import ChordNetwork, log_prob
from models.graph.building import save_network
from models.music.chord_symbols import Classes
from models.music.songbook import ChordSong, Songbook, qualities_of, read_songs
from models.training.provenance import about_data, about_run
from models.training.stretches import draw

DEFAULTS: dict[str, Any] = {
    "sizes": [128, 128],
    "width": 96,
    "dropout": 0.3,
    "order": 0,  # which of all orders the stretches come in; a run that goes on from another takes the next
    "batch": 16,
    "segment": 128,  # beats
    "qualities": [],  # the set of chords; empty takes it from the training songs
}


def build(config: dict[str, Any]) -> nn.Module:
    """The network of these settings, newly initialised."""
    classes = Classes(config["qualities"])
    return ChordNetwork(len(classes), tuple(config["sizes"]), config["width"], config["dropout"])


@dataclass(slots=True)
class Progressions:
    """Random stretches of the training songs in random keys; the validation songs whole, in their own."""

    config: dict[str, Any]
    book: Songbook
    facts: dict[str, Any]

    def batch(self, update: int, rank: int, world: int) -> dict[str, Tensor]:
        """The same stretches for the same update and rank."""
        del world
        songs, classes = self.book.split("train"), Classes(self.config["qualities"])
        lengths = [len(s.chords) for s in songs]
        drawn, rng = draw(lengths, self.config["batch"], update, rank, self.config["order"])
        parts = []
        for index in drawn:
            start = 4 * int(rng.integers(0, max(1, (lengths[index] - self.config["segment"] // 2) // 4)))
            parts.append(_stretch(songs[index], classes, start, self.config["segment"], int(rng.integers(12))))
        return _tensors(parts)

    def valid(self) -> Iterator[dict[str, Tensor]]:
        """One song at a time."""
        for song in self.book.split("valid"):
            yield _tensors([_stretch(song, Classes(self.config["qualities"]), 0, len(song.chords), 0)])


def _stretch(song: ChordSong, classes: Classes, start: int, length: int, up: int) -> tuple[np.ndarray, np.ndarray]:
    """(classes from the beat before `start` on, positions), transposed; silence comes before the song."""
    known = np.asarray([0] + [classes.of(c) for c in song.chords[: start + length]])
    return classes.moved(known[start:], up), song.position[start : start + length]


def _tensors(parts: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, Tensor]:
    longest = max(len(position) for _, position in parts)
    chords = torch.zeros(len(parts), longest + 1, dtype=torch.int64)
    position = torch.zeros(len(parts), longest, dtype=torch.int64)
    mask = torch.zeros(len(parts), longest)
    for at, (known, places) in enumerate(parts):
        chords[at, : len(known)] = torch.from_numpy(known)
        position[at, : len(places)] = torch.from_numpy(places)
        mask[at, : len(places)] = 1
    return {"last": chords[:, :-1], "chords": chords[:, 1:], "position": position, "mask": mask}


def dataset(paths: list[Path], config: dict[str, Any], cache: Path) -> Progressions:
    """Read the songs; where the set of chords is not given it is taken from the training split, and kept in `config`."""
    del cache
    book = read_songs(paths)
    if not book.split("train"):
        raise ValueError("no song is in the training split; give more")
    if not config["qualities"]:
        config["qualities"] = qualities_of(book.split("train"))
    return Progressions(config, book, book.facts())


def loss(model: nn.Module, batch: dict[str, Tensor], carry: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Nats summed over the beats, and their number; each stretch begins with an empty memory."""
    del carry
    logits, _ = cast(ChordNetwork, model)(batch["last"], batch["position"])
    return -(log_prob(logits, batch["chords"]) * batch["mask"]).sum(), batch["mask"].sum(), {}


def export(model: nn.Module, config: dict[str, Any], training: dict[str, Any], path: Path) -> None:
    """Write the step graph with its card."""
    sizes = "-".join(map(str, config["sizes"]))
    about = {
        "title": "Chord network",
        "description": f"Two LSTM layers ({sizes}) over {len(Classes(config['qualities']))} chord classes; one step a beat.",
        "training": about_data(training) | about_run(training),
        "figures": {"valid_nats_per_step": round(training.get("best", 0.0), 4)},
    }
    save_network(step_graph(cast(ChordNetwork, model), Classes(config["qualities"]), about), path)
