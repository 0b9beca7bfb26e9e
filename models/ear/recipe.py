"""Trains the ear.

    python -m models.ear.recipe --data ../shared/data/openewld_leadsheets ../shared/data/nottingham_jukedeck \\
        ../shared/data/mcgill_billboard ../shared/data/ewld_mma_synth ../shared/data/multitrack_free --out runs/ear

Scenes are drawn from the training songs (models/ear/players.py) and heard by the engine's own code; what comes of it is kept
where it was best on the validation songs. `python -m models.ear.ship` puts it in its place. Runs on: training.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from engine.jam.hearing import AGO, AGO_BEATS, NEXT, NOW, PLAIN, PLANES, Beat, Hearing
from engine.jam.recognition import Recognition, Weights, written_out
from models.ear.network import CLASSES, EarNetwork
from models.ear.players import STEPS, scene
from models.evaluation.songs import Tune, bands, charts, sheets

Array = np.ndarray
BEATS = 96  # of a scene
TOLD = 12 * PLANES + PLAIN
VARIANTS = 3  # of a beat: before his notes of its first step are known, after those of one of its steps, and whole
UNKNOWN = -1  # class where nobody knows the chord
BAND_FOLDERS, CHART_FOLDERS = ("ewld_mma_synth", "multitrack_free"), ("mcgill_billboard",)


def read(paths: Sequence[Path], cache: Path | None = None) -> list[Tune]:
    """All songs of the folders, each read as what it is."""
    found: list[Tune] = []
    for path in paths:
        name = path.resolve().name
        if name in BAND_FOLDERS:
            found += bands([path], cache)
        elif name in CHART_FOLDERS:
            found += charts(path)
        else:
            found += sheets(path)
    return found


def heard(notes: Array, classes: Array, bar: int, rng: np.random.Generator, weights: Weights) -> tuple[Array, Array]:
    """What the ear is told of a scene, float16 (beats, VARIANTS, TOLD), and the classes (beats,), UNKNOWN where it cannot know.

    With `weights`, those of an earlier update: it is told what it believed a round ago.
    """
    hearing, recognition = Hearing(bar), Recognition(weights)
    told = np.zeros((len(classes), VARIANTS, TOLD), np.float16)
    wanted = np.where(classes == 0, CLASSES - 1 if not classes.any() else UNKNOWN, classes - 1)
    struck: list[list[int]] = [[] for _ in range(STEPS * len(classes))]
    held: list[list[int]] = [[] for _ in range(STEPS * len(classes))]
    for start, end, pitch in notes.tolist():
        first = round(start * STEPS)
        if first < len(struck):
            struck[first].append(int(pitch))
            for step in range(first + 1, min(round(end * STEPS), len(held))):
                held[step].append(int(pitch))
    chosen = rng.integers(0, STEPS, len(classes)).tolist()
    for at in range(len(classes)):
        beat = Beat()
        told[at, 0] = hearing.told(beat, at, 0.0)
        for step in range(STEPS):
            now = STEPS * at + step
            beat.add(struck[now], held[now], step == 0, 1 / STEPS)
            if step == chosen[at]:
                told[at, 1] = hearing.told(beat, at, step / STEPS)
        told[at, 2] = whole = hearing.told(beat, at, 1.0)
        if not hearing.sounded.any() and not beat.together:
            wanted[at] = UNKNOWN
        likely = recognition.judge(whole)
        recognition.go_on()
        hearing.end(beat, at, likely)
    return told, wanted


def scenes(songs: Sequence[Tune], count: int, seed: int, weights: Weights) -> tuple[Array, Array]:
    """So many scenes: float16 (count, BEATS, VARIANTS, TOLD) and int64 (count, BEATS)."""
    told = np.zeros((count, BEATS, VARIANTS, TOLD), np.float16)
    wanted = np.full((count, BEATS), UNKNOWN, np.int64)
    rng = np.random.default_rng(seed)
    for at in range(count):
        notes, classes, bar = scene(rng, songs, BEATS)
        one, of = heard(notes, classes[:BEATS], bar, rng, weights)
        told[at, : len(of)], wanted[at, : len(of)] = one, of
    return told, wanted


def melodies(songs: Sequence[Tune], weights: Weights) -> tuple[Array, Array]:
    """The songs' own leads, from their beginning."""
    rng = np.random.default_rng(0)
    led = [song for song in songs if "lead" in song.tracks]
    told = np.zeros((len(led), BEATS, VARIANTS, TOLD), np.float16)
    wanted = np.full((len(led), BEATS), UNKNOWN, np.int64)
    for at, song in enumerate(led):
        notes = song.tracks["lead"]
        one, of = heard(notes[notes[:, 0] < BEATS], song.classes[:BEATS], song.bar, rng, weights)
        told[at, : len(of)], wanted[at, : len(of)] = one, of
    return told, wanted


def losses(network: EarNetwork, told: torch.Tensor, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
    """Nats of the chord now, before and after his notes, and of the next, and how often the root is the likeliest."""
    logits, _ = network(told.float())
    after = F.pad(wanted[:, 1:], (0, 1), value=UNKNOWN)
    found = {}
    ago = F.pad(wanted[:, :-AGO_BEATS], (AGO_BEATS, 0), value=UNKNOWN)
    rows = (("before", 0, NOW, wanted), ("after", 1, NOW, wanted), ("next", 1, NEXT, after), ("ago", 2, AGO, ago))
    for name, variant, horizon, of in rows:
        own = logits[:, :, variant, horizon]
        found[name] = F.cross_entropy(own.flatten(0, 1), of.flatten(), ignore_index=UNKNOWN)
        known = (of >= 0) & (of < CLASSES - 1)
        roots = own[..., :-1].softmax(-1).unflatten(-1, (-1, 12)).sum(-2).argmax(-1)
        found[f"{name}_root"] = (roots == of % 12)[known].float().mean()
    return found


def train(args: argparse.Namespace) -> None:
    """Draw the scenes, train, and write the best."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    songs = read(args.data, args.cache)
    splits = {split: [song for song in songs if song.split == split] for split in ("train", "valid")}
    network = EarNetwork(args.channels, args.read, args.dropout)
    optimiser = torch.optim.AdamW(network.parameters(), args.lr, weight_decay=args.weight_decay)
    if args.go_on:
        with np.load(args.go_on, allow_pickle=False) as kept:
            network.load_state_dict({name: torch.from_numpy(kept[name]) for name in kept.files})
    best, began = float("inf"), time.monotonic()
    for update, (told, wanted) in enumerate(_pool(network, splits["train"], args), 1):
        share = update / args.updates
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1, update / 50) * max(1 - max(share - 0.3, 0) / 0.7, 0.02)
        network.train()
        found = losses(network, torch.from_numpy(told), torch.from_numpy(wanted))
        loss = found["before"] + found["after"] + 0.5 * (found["next"] + found["ago"])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if update % args.valid_every == 0 or update == args.updates:
            weights = weights_of(network)
            valid = {"scenes": scenes(splits["valid"], args.valid, 1, weights), "melodies": melodies(splits["valid"], weights)}
            figures = {name: _valid(network, *data) for name, data in valid.items()}
            total = sum(f["before"] + f["after"] for f in figures.values())
            line = {"update": update, "seconds": round(time.monotonic() - began), "loss": round(loss.item(), 3), **figures}
            with (args.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            save(network, args.out / "last.npz")
            if total < best:
                best = total
                save(network, args.out / "best.npz")
        if update >= args.updates:
            break


def save(network: EarNetwork, path: Path) -> None:
    """Write the weights as the engine reads them."""
    weights: dict[str, Any] = {name: value.detach().numpy() for name, value in network.named_parameters()}
    np.savez(path, **weights)


def weights_of(network: EarNetwork) -> Weights:
    """The weights as the engine takes them."""
    return written_out({name: value.detach().numpy().copy() for name, value in network.named_parameters()})


def _pool(network: EarNetwork, songs: Sequence[Tune], args: argparse.Namespace) -> Iterator[tuple[Array, Array]]:
    """Batches from the last scenes; some new ones are drawn for each, heard by the network as it is by then."""
    rng = np.random.default_rng(args.seed)
    told = np.zeros((args.pool, BEATS, VARIANTS, TOLD), np.float16)
    wanted = np.full((args.pool, BEATS), UNKNOWN, np.int64)
    at = filled = number = 0
    weights = weights_of(network)
    while True:
        count = args.fresh if filled else 8 * args.fresh
        if number % 10 == 0:
            weights = weights_of(network)
        fresh = scenes(songs, count, args.seed + 5000 + number, weights)
        where = (at + np.arange(count)) % args.pool
        told[where], wanted[where] = fresh
        at, filled, number = (at + count) % args.pool, min(filled + count, args.pool), number + 1
        chosen = rng.integers(0, filled, args.batch)
        yield told[chosen], wanted[chosen]


@torch.no_grad()
def _valid(network: EarNetwork, told: Array, wanted: Array) -> dict[str, float]:
    network.eval()
    parts: list[dict[str, Any]] = []
    for at in range(0, len(told), 64):
        found = losses(network, torch.from_numpy(told[at : at + 64]), torch.from_numpy(wanted[at : at + 64]))
        parts.append({name: float(value) for name, value in found.items()})
    return {name: round(float(np.mean([p[name] for p in parts])), 4) for name in parts[0]}


def main() -> None:
    """Console entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    parser.add_argument("--go-on", type=Path, help="begin with these weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--read", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pool", type=int, default=2000, help="scenes that are kept")
    parser.add_argument("--fresh", type=int, default=7, help="new ones for each update")
    parser.add_argument("--updates", type=int, default=4000)
    parser.add_argument("--valid", type=int, default=256, help="validation scenes")
    parser.add_argument("--valid-every", type=int, default=100)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
