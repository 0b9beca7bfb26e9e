"""Measures how well a trained festival network knows how hard and how early notes are struck, against two baselines.

    python -m models.festival.expression_figures WEIGHTS --data PATH... [--split valid] [--json FILE] [--card NETWORK.onnx]

Nats for each strike whose velocity (1..127) or offset (121 values from half a step early to half a step late) is known, of
bands and of drums alone, in 4/4. The baselines are fitted on the training split: one logistic for each slot, and one for each
slot and position in the bar. Velocities are those of `recipe.levelled`: every track of a piece has the same mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.festival import recipe
from models.festival.expression import DRUM_SLOTS, FARTHEST, LOUDEST, SLOTS, STEPS_PER_BAR, log_prob
from models.festival.network import CHORDS, DECISIONS, HARMONY, WIDTHS, Festival, hear
from models.festival.place import PAST
from models.music.data import SPLITS, Piece, read_band
from models.music.grid import FOUR
from models.music.representation import BAND, UNKNOWN_OFFSET
from models.release.ship import add_figures
from models.training.train import Batch, Recipe, TrainingError, load_trained

REACH = {"velocity": (1, LOUDEST), "offset": (-FARTHEST, FARTHEST)}
FEW = 8  # strikes that a prior counts for where a slot is rarely struck
TRACK_OF = np.repeat([t.name for t in BAND], WIDTHS)
Strikes = tuple[np.ndarray, np.ndarray, np.ndarray]  # slot, position in the bar, value


def strikes(pieces: Sequence[Piece], what: str) -> Strikes:
    """All strikes whose velocity or offset is known."""
    slots, positions, known = [], [], []
    for piece in pieces:
        assert piece.expression is not None  # read_band always reads it
        values = piece.expression.velocity if what == "velocity" else piece.expression.offset[:, :DRUM_SLOTS]
        step, slot = np.nonzero(values if what == "velocity" else values != UNKNOWN_OFFSET)
        slots.append(slot)
        positions.append(step % STEPS_PER_BAR)
        known.append(values[step, slot].astype(float))
    return np.concatenate(slots), np.concatenate(positions), np.concatenate(known)


class Baseline:
    """A logistic for each slot, or for each slot and position, drawn towards that of all strikes where there are few."""

    def __init__(self, train: Strikes, what: str, by_position: bool) -> None:
        self.by_position, self.reach = by_position, REACH[what]
        slots, _, values = train
        self.shape = (SLOTS, STEPS_PER_BAR if by_position else 1)
        every = (float(values.mean()), float(values.var())) if len(values) else (0.0, 1.0)
        mean, var = np.full((SLOTS, 1), every[0]), np.full((SLOTS, 1), every[1])
        mean, var = self._fit((slots, np.zeros_like(slots)), values, mean, var)
        if by_position:
            mean, var = (np.repeat(v, STEPS_PER_BAR, 1) for v in (mean, var))
            mean, var = self._fit((slots, train[1]), values, mean, var)
        self.mean, self.scale = mean, np.sqrt(3 * var) / np.pi

    @staticmethod
    def _fit(
        cell: tuple[np.ndarray, np.ndarray], values: np.ndarray, mean: np.ndarray, var: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        count, one, two = (np.zeros(mean.shape) for _ in range(3))
        for into, what in ((count, np.ones_like(values)), (one, values), (two, values**2)):
            np.add.at(into, cell, what)
        new = (one + FEW * mean) / (count + FEW)
        return new, np.maximum((two + FEW * (var + mean**2)) / (count + FEW) - new**2, 0.25)

    def nats(self, some: Strikes) -> np.ndarray:
        """Nats of each strike."""
        cell = (some[0], some[1] if self.by_position else np.zeros_like(some[1]))
        value, mean, scale = (torch.from_numpy(v) for v in (some[2], self.mean[cell], self.scale[cell]))
        return -log_prob(value, mean, scale, *self.reach).numpy()


def batches(pieces: Sequence[Piece]) -> Iterator[tuple[Batch, list[Piece]]]:
    """Whole pieces, those of like length side by side."""
    ordered = sorted(pieces, key=lambda p: len(p.roll))
    for first in range(0, len(ordered), 8):
        some = ordered[first : first + 8]
        steps = max(len(p.roll) for p in some)
        yield recipe.collate([recipe.cut(p, 0, steps, 0) for p in some]), some


@torch.no_grad()
def network_nats(model: Festival, pieces: Sequence[Piece]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For velocity and offset: the slots of all known strikes and the nats of each under the network."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for batch, _ in batches(pieces):
        notes = recipe.decisions(batch["roll"])
        facts, place = recipe.placed(batch)
        heard, shape = hear(notes, facts), place.step.shape
        core, _ = model.core(heard, place, torch.zeros(*shape, HARMONY), torch.zeros(*shape, CHORDS), None)
        mask = torch.zeros(*shape, SLOTS)
        velocity, offset, _ = recipe.strike_nats(model, batch, core, heard[..., :DECISIONS], mask, None)
        known = batch["velocity"][PAST:] > 0, batch["offset"][PAST:, ..., :DRUM_SLOTS] != UNKNOWN_OFFSET
        for what, nats, where in zip(REACH, (velocity, offset), known, strict=True):
            found[what].append((where.nonzero()[:, 2], nats[where]))
    return {w: (torch.cat([s for s, _ in v]).numpy(), torch.cat([n for _, n in v]).numpy()) for w, v in found.items()}


def measure(model: Festival, train: Sequence[Piece], held_out: Sequence[Piece]) -> dict[str, Any]:
    """Nats per strike by source (bands, drums alone), by what (velocity, offset) and by track, beside the baselines."""
    found: dict[str, Any] = {}
    for source, alone in (("bands", False), ("drums alone", True)):
        learned, some = ([p for p in part if bool(p.unknown) == alone and p.metre == FOUR] for part in (train, held_out))
        if not learned or not some:
            continue
        ours = network_nats(model, some)
        for what in REACH:
            fitted, told = strikes(learned, what), strikes(some, what)
            if not len(told[0]) or not len(fitted[0]):
                continue
            slot, position = (Baseline(fitted, what, by).nats(told) for by in (False, True))
            for track in dict.fromkeys(TRACK_OF[told[0]].tolist()):
                mine, theirs = TRACK_OF[ours[what][0]] == track, TRACK_OF[told[0]] == track
                found.setdefault(source, {}).setdefault(what, {})[track] = {
                    "strikes": int(theirs.sum()),
                    "network": round(float(ours[what][1][mine].mean()), 3),
                    "slot": round(float(slot[theirs].mean()), 3),
                    "slot_and_position": round(float(position[theirs].mean()), 3),
                }
    return found


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.festival.expression_figures", description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="a best.safetensors of a festival run")
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="valid")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--card", type=Path, help="write the figures into the card of this network as well")
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    args = parser.parse_args(argv)
    as_recipe: Recipe = recipe
    try:
        model, _, _ = load_trained(as_recipe, args.weights)
        data = read_band(args.data, args.cache)
    except (TrainingError, FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    assert isinstance(model, Festival)
    train, held_out = ([recipe.tidy(p) for p in data.split(s)] for s in ("train", args.split))
    found = measure(model, train, held_out)
    for source, kinds in found.items():
        for what, tracks in kinds.items():
            for track, f in tracks.items():
                print(
                    f"{source:12} {what:9} {track:7} {f['strikes']:7} strikes: {f['network']:.3f} nats each; "
                    f"per slot {f['slot']:.3f}, per slot and position {f['slot_and_position']:.3f}"
                )
    if args.card:
        add_figures(args.card, {f"{args.split}_nats_per_strike": found})
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
