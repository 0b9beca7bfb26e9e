"""How the festival network is trained: streams of songs, random transposition, some tracks given, some never heard.

    algoritmo train festival --data ../shared/data/multitrack_free ../shared/data/ewld_mma_synth \\
        --out runs/festival --updates 20000 --decay 0.4 --lr 0.002 --weight-decay 0.03

and on a folder of one's own, from weights that exist: `--from runs/festival/best.safetensors --data FOLDER`, with a tenth
of the updates. Seam: `models.train.Recipe`. Runs on: training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.data import Collection, Piece, read_band
from models.festival.export import export as write_graph
from models.festival.network import DECISIONS, PAST, WIDTHS, Festival, Sizes, given_features, hear, log_prob_slots
from models.representation import BAND, HELD, SILENT, STRUCK, transpose
from models.train import Batch, Carry, Config, TrainingError

DEFAULTS: Config = {
    "width": 150,
    "layers": 6,
    "head": 256,
    "dropout": 0.3,
    "joint": True,
    "streams": 16,  # songs heard side by side
    "window": 64,  # steps an update: 4 bars; the state is carried on to the next window
    "transpose": 6,  # up to so many semitones either way
    "given": 0.5,  # share of windows in which some tracks are dictated
    "forget": 0.2,  # share of windows without the memory of earlier bars, and of tracks in the others
    "unheard": 0.4,  # share of songs in which it must play a track that it never hears
    "bf16": True,  # matrix products of training in bfloat16
}
BAR = 16
LONGEST = 4 * BAR  # steps of a note
_EDGES = np.cumsum(WIDTHS)[:-1]


def build(config: Config) -> nn.Module:
    """Return the network of these sizes."""
    sizes = Sizes(config["width"], config["layers"], config["head"], config["dropout"], config["joint"])
    network = Festival(sizes)
    network.given_share, network.forget_share = config["given"], config["forget"]
    network.low_precision = config["bf16"]
    return network


class Songs:
    """Streams of transposed songs, as a function of the update's number alone."""

    def __init__(self, collection: Collection, config: Config, seed: int = 0) -> None:
        self.facts: dict[str, Any] = {**collection.facts(), "density": _density(collection.split("train"))}
        self.train = [_tidy(p) for p in collection.split("train")]
        self.held_out = collection.split("valid")
        self.config, self.streams, self.seed = config, config["streams"], seed
        self._playing: dict[int, _Stream] = {}
        if not self.train:
            raise TrainingError("no piece is in the training split; give more --data")

    def batch(self, update: int, rank: int, world: int) -> Batch:  # noqa: ARG002 (streams are numbered by rank)
        """Tensors roll (PAST+T, B, S), position (B,), weight (T, B), fresh (B,), unheard (B, tracks)."""
        parts = []
        for index in range(rank * self.streams, (rank + 1) * self.streams):
            stream = self._playing.get(index)
            if stream is None or stream.window > update:
                stream = self._playing[index] = _Stream(self.train, self.config, (self.seed, index))
            parts.append(stream.at(update))
        return _collate(parts)

    def valid(self) -> Iterator[Batch]:
        """Whole pieces, those of like length side by side."""
        pieces = sorted(self.held_out, key=lambda p: len(p.roll))
        for first in range(0, len(pieces), 8):
            some = pieces[first : first + 8]
            steps = max(len(p.roll) for p in some)
            yield _collate([_cut(p.roll, 0, steps, 0) for p in some])


# roll (PAST+T, S), position, weight (T,), fresh, unheard (tracks,)
Cut = tuple[np.ndarray, int, np.ndarray, bool, np.ndarray]
_ALL_HEARD = np.zeros(len(WIDTHS), bool)


def _density(pieces: list[Piece]) -> dict[str, float]:
    """Strikes per step of each track, the median over pieces."""
    counts = [[p.sum() / len(piece.roll) for p in np.split(piece.roll == STRUCK, _EDGES, axis=1)] for piece in pieces]
    return {t.name: round(float(m), 4) for t, m in zip(BAND, np.median(counts, axis=0), strict=True)} if counts else {}


def _tidy(piece: Piece) -> Piece:
    """The piece as it is learned from: no silent bar, and no note longer than four bars (most are lost note-offs)."""
    bars = piece.roll.reshape(-1, BAR, piece.roll.shape[1])
    roll = bars[bars.any((1, 2))].reshape(-1, piece.roll.shape[1])
    begun = np.maximum.accumulate(np.where(roll == STRUCK, np.arange(len(roll))[:, None], -LONGEST), axis=0)
    return Piece(piece.name, piece.split, np.where(np.arange(len(roll))[:, None] - begun < LONGEST, roll, SILENT))


def _cut(roll: np.ndarray, start: int, steps: int, origin: int, unheard: np.ndarray = _ALL_HEARD) -> Cut:
    """`steps` steps of `roll` from `start`, with the past in front: silence before `origin`, where hearing began."""
    out = np.zeros((PAST + steps, roll.shape[1]), np.uint8)
    past = min(PAST, start - origin)
    some = roll[start - past : start + steps]
    out[PAST - past : PAST - past + len(some)] = some
    first = out[PAST + origin - start] if start - origin <= PAST else out[:0]
    first[first == HELD] = STRUCK  # nothing can be held on from silence
    return out, start - origin, np.arange(steps) < len(roll) - start, start == origin, unheard


class _Stream:
    """One of the songs heard side by side: which song, how transposed, from which bar, all from its seed."""

    def __init__(self, pieces: list[Piece], config: Config, seed: tuple[int, int]) -> None:
        self.pieces, self.length, self.reach = pieces, config["window"], config["transpose"]
        self.share_unheard = config["unheard"]
        self.chance = np.random.default_rng(seed)
        self.window = 0  # the next window to give
        self._draw()

    def _draw(self) -> None:
        piece = self.pieces[int(self.chance.integers(len(self.pieces)))]
        self.shift = int(self.chance.integers(-self.reach, self.reach)) if self.reach else 0
        bars = len(piece.roll) // BAR
        # A quarter of the songs from their beginning, which is often thin; the others from anywhere, so that a network
        # that begins from silence begins with the whole band.
        anywhere = int(self.chance.integers(0, max(1, bars - 4)))
        self.start = self.origin = BAR * anywhere * (self.chance.random() < 0.75)
        self.source, self.roll = piece.roll, None
        self.unheard = np.zeros(len(WIDTHS), bool)
        self.unheard[self.chance.integers(len(WIDTHS))] = self.chance.random() < self.share_unheard

    def at(self, window: int) -> Cut:
        """The cut for a window at or after the last one given."""
        while True:
            if self.start >= len(self.source):
                self._draw()
            start = self.start
            self.start += self.length
            self.window += 1
            if self.window > window:
                break
        if self.roll is None:
            self.roll = transpose(self.source, self.shift)
        return _cut(self.roll, start, self.length, self.origin, self.unheard)

    roll: np.ndarray | None


def _collate(parts: list[Cut]) -> Batch:
    rolls, positions, weights, fresh, unheard = zip(*parts, strict=True)
    return {
        "roll": torch.from_numpy(np.stack(rolls, 1)),  # (PAST+T, B, S)
        "position": torch.tensor(positions),
        "weight": torch.from_numpy(np.stack(weights, 1)),  # (T, B)
        "fresh": torch.tensor(fresh),
        "unheard": torch.from_numpy(np.stack(unheard)),  # (B, tracks)
    }


def dataset(paths: list[Path], config: Config, cache: Path) -> Songs:
    """Read the band data under `paths`."""
    try:
        return Songs(read_band(paths, cache), config)
    except (FileNotFoundError, ValueError) as error:
        raise TrainingError(str(error)) from error


def _decisions(roll: Tensor) -> Tensor:
    """(..., S) roll to (..., N) planar play and hold."""
    return torch.cat([roll != 0, roll == HELD], -1).float()


def _random_tracks(batch: int, share: float, device: torch.device) -> Tensor:
    """Which tracks are dictated, float (batch, tracks): often none, mostly one, sometimes any subset."""
    tracks = len(WIDTHS)
    one = nn.functional.one_hot(torch.randint(tracks, (batch,), device=device), tracks).bool()
    several = torch.rand(batch, tracks, device=device) < 0.5
    several &= ~several.all(-1, keepdim=True)  # something must be left to choose
    pick = torch.rand(batch, 2, device=device)
    chosen = torch.where(pick[:, :1] < 0.7, one, several)
    return (chosen & (pick[:, 1:] < share)).float()


def _forget(heard: Tensor, share: float) -> Tensor:
    """Erase the memory of earlier bars in some streams of (T, B, HEARD), and that of some tracks in others.

    A network that always has the last bars before it only repeats them: what falls silent once never comes back.
    """
    streams = heard.shape[1]
    kept = torch.rand(streams, len(WIDTHS) + 1, device=heard.device) >= share
    slots = _per_slot(kept[:, 1:] & kept[:, :1])
    lags = slots.repeat(1, heard.shape[-1] // slots.shape[-1] - 2).float()
    return torch.cat([heard[..., :DECISIONS], heard[..., DECISIONS:] * lags], -1)


def _per_slot(tracks: Tensor) -> Tensor:
    """(..., tracks) to (..., S)."""
    return torch.repeat_interleave(tracks, torch.tensor(WIDTHS, device=tracks.device), -1)


def loss(model: nn.Module, batch: Batch, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
    """Nats and timesteps of one batch.

    In training some windows have tracks dictated; those tracks' nats are not counted there, so the training figure lies
    below the validation figure by as much. In some songs a track is not heard and has to be played all the same: left
    to itself a network loses a track now and then, and must learn to come back. There only its strikes count, since
    what does not sound cannot be held.
    """
    assert isinstance(model, Festival)
    roll, weight = batch["roll"], batch["weight"].float()
    steps, streams = weight.shape
    unheard = _per_slot(batch["unheard"])  # (B, S)
    notes = _decisions(roll * ~((roll == HELD) & unheard))  # (PAST+T, B, N)
    heard, chosen = hear(notes * ~torch.cat([unheard, unheard], -1)), notes[PAST:]
    position = batch["position"] + torch.arange(steps, device=roll.device)[:, None]  # (T, B)
    tracks = _random_tracks(streams, model.given_share if model.training else 0.0, roll.device)  # (B, tracks)
    mask = _per_slot(tracks).expand(steps, -1, -1)
    state = carry.get("state")
    if state is not None:
        state = state * (~batch["fresh"])[:, None]
    low = model.training and model.low_precision
    if model.training and model.forget_share:
        heard = _forget(heard, model.forget_share)
    with torch.autocast(roll.device.type, torch.bfloat16, enabled=low):
        logits, state = model(heard, position, chosen, given_features(chosen, mask), state)
    counts = (1 - mask) * ~((roll[PAST:] == HELD) & unheard)
    slots = log_prob_slots(logits.float(), heard[..., :DECISIONS], chosen) * counts
    nats = -(slots.sum(-1) * weight).sum()
    return nats, weight.sum(), {"state": state}


def export(model: nn.Module, config: Config, training: dict[str, Any], path: Path) -> None:  # noqa: ARG001
    """Write the step graph (the sizes are the model's own)."""
    assert isinstance(model, Festival)
    write_graph(model, training, path)
