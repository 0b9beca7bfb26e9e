"""Whether an audience can breed what it likes: hidden tastes, noisy votes, fine-tuning against winners drawn by lot.

    python -m tests.booth.taste_figures OUT --data FOLDER... --seeds 5 --generations 5

Each arm begins with the shipped network and goes from generation to generation: 64 clips are sampled, 512 votes are cast on
them by visitors of whom a tenth vote at random and the others agree in 70 % of their votes between clips that are one standard
deviation of taste apart, and the network is fine-tuned on the best quarter; in the arm `control` on as many drawn by lot, which
needs no taste. Each generation is a line of OUT/figures.jsonl; begun again it goes on after the last one. `--summary` prints
what came of it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.booth.measures import diversity, measures
from engine.booth.sampling import FIRST_DENSITIES, FIRST_TEMPERATURES, Plan, is_enough, sample
from engine.core.config import Config
from engine.network.runner import Runner
from engine.store.clip import Clip, music_of_roll
from engine.store.ranking import rank
from models.festival import recipe
from models.festival.breed import MOST_DRIFT, MOST_DRIFT_ALONE, Gates
from models.festival.winners import HeldOut, Kept, Settings, Tuning, corpus, replay
from models.training.train import load_trained, validate
from tests.store.made_up import audience

CLIPS, BARS, VOTES, WINNERS = 64, 4, 512, 0.25
WORDS = ("notes", "drums", "loud", "long", "high", "key")
# Tastes as weights of the standardised measures of a clip.
TASTES = {
    "busy": {"drums": 1.0, "notes": 0.7, "loud": 0.4},
    "calm": {"long": 1.0, "high": -0.7, "notes": -0.4},
}


def sampled(path: Path, seed: int) -> tuple[list[Clip], float]:
    """Return a generation of a network, each clip under conditions of its own; and the share that was refused."""
    runner = Runner(path, "cpu", 1, batch=CLIPS)
    bar = 16
    found: list[Clip] = []
    tried = 0
    for attempt in range(6):
        plans = []
        for number in range(CLIPS):
            rng = np.random.default_rng((seed, attempt, number))
            controls = {"temperature": float(rng.uniform(*FIRST_TEMPERATURES)), "density": 2 ** rng.uniform(*FIRST_DENSITIES)}
            plans.append(Plan((2 + BARS) * bar, int(rng.integers(1 << 30)), controls, lead_in=2 * bar))
        musics = [music_of_roll(runner.card, roll, 112.0) for roll in sample(runner, plans)]
        tried += len(musics)
        found += [
            Clip(music, seed=plan.seed, conditions=plan.controls)
            for music, plan in zip(musics, plans, strict=True)
            if is_enough(music)
        ]
        if len(found) >= CLIPS:
            break
    return found[:CLIPS], 1 - min(len(found) / tried, 1.0)


class Taste:
    """A hidden taste, in standard deviations of the clips of the first generation."""

    def __init__(self, weights: dict[str, float], first: Sequence[Clip]) -> None:
        self.weights = weights
        table = np.array([[measures(clip.music)[word] for word in WORDS] for clip in first])
        self.mean, self.spread = table.mean(0), table.std(0) + 1e-9
        raw = self._raw(first)
        self.centre, self.unit = raw.mean(), raw.std()

    def _raw(self, clips: Sequence[Clip]) -> np.ndarray:
        table = np.array([[measures(clip.music)[word] for word in WORDS] for clip in clips])
        # Beyond three deviations more is not liked more.
        z = np.clip((table - self.mean) / self.spread, -3, 3)
        return z @ np.array([self.weights.get(word, 0.0) for word in WORDS])

    def __call__(self, clips: Sequence[Clip]) -> np.ndarray:
        return (self._raw(clips) - self.centre) / self.unit


class Arm:
    """One arm of one seed: a chain of generations."""

    def __init__(self, out: Path, name: str, taste: str, seed: int, args: argparse.Namespace) -> None:
        self.name, self.taste, self.seed, self.args = name, taste, seed, args
        self.folder = out / f"{name}-{taste}-{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def breed(
        self, generation: int, clips: list[Clip], songs: Any, taste: Taste | None, gates: Gates
    ) -> tuple[list[Clip], dict[str, Any]]:
        """Fine-tune the network of the generation before on its clips; return the clips of the new one, and its figures."""
        rng = np.random.default_rng((self.seed, generation, len(self.taste)))
        if taste is None:
            order = rng.permutation(len(clips)).tolist()
        else:
            votes = audience(taste(clips), VOTES, rng)
            order = [standing.clip for standing in rank(range(len(clips)), votes).standings]
        best = order[: round(WINNERS * len(clips))]
        rest = order[::-1][: len(best)]
        weights = np.arange(len(best), 0, -1.0) if self.args.weighted else np.ones(len(best))
        model, _, meta = load_trained(recipe, self.weights(generation - 1))
        settings = Settings(
            method=self.args.method,
            updates=self.args.updates,
            lr=self.args.lr,
            in_key=not self.args.plain,
            beta=self.args.beta,
            seed=1000 * self.seed + generation,
        )
        card = Runner(Config().network_path()).card
        kept = Kept(model, self.args.music, settings) if self.args.replay else None
        won, lost = ([clips[at] for at in some] for some in (best, rest))
        tuning = Tuning(model, card, won, weights, songs, settings, lost, kept)
        tuning.run(self.folder / "checkpoint.safetensors")
        (self.folder / "checkpoint.safetensors").unlink(missing_ok=True)
        path = self.graph(generation)

        def drawn(of: Path) -> tuple[list[Clip], float]:
            return sampled(of, 100_000 * self.seed + generation)

        bred, figures, why = gates.through(model, path, meta, drawn, CLIPS)
        return bred, figures | {"why": "; ".join(why)}

    def weights(self, generation: int) -> Path:
        """Weights of a generation."""
        return self.folder / f"{generation}.safetensors" if generation else Config().network_path().with_suffix(".safetensors")

    def graph(self, generation: int) -> Path:
        """Step graph of a generation."""
        return self.folder / f"{generation}.onnx" if generation else Config().network_path()


def line_of(clips: list[Clip], refused: float, tastes: dict[str, Taste]) -> dict[str, float]:
    """Return the figures of a generation."""
    every = [measures(clip.music) for clip in clips]
    out = {word: round(float(np.mean([one[word] for one in every])), 4) for word in WORDS}
    out |= {f"taste {name}": round(float(taste(clips).mean()), 4) for name, taste in tastes.items()}
    return out | {"diversity": round(diversity(clips), 4), "refused": round(refused, 4), "clips": len(clips)}


def run(args: argparse.Namespace) -> None:
    """Go on where it stopped."""
    torch.set_num_threads(1)
    out: Path = args.out
    out.mkdir(parents=True, exist_ok=True)
    table = out / "figures.jsonl"
    done = [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []
    there = {(row["arm"], row["taste"], row["seed"], row["generation"]) for row in done}
    origin, config, _ = load_trained(recipe, Config().network_path().with_suffix(".safetensors"))
    everything = corpus(args.data, config, Path(".cache"), Settings())
    held = HeldOut(everything)
    origin_nats = validate(recipe, origin, held, torch.device("cpu"))
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        songs = everything
        if args.replay:
            music = replay(Config().network_path(), 64, 16, 7 + seed)
            args.music = music.split("train")
            songs = recipe.Songs(music, {**config, "streams": 8, "seed": seed})
        # What gates a network that has no corpus is music that it played itself; what is told is held against the corpus.
        own_nats = validate(recipe, origin, HeldOut(songs), torch.device("cpu")) if args.replay else origin_nats
        first, refused = sampled(Config().network_path(), 100_000 * seed)
        tastes = {name: Taste(weights, first) for name, weights in TASTES.items()}
        beginning = line_of(first, refused, tastes)
        limit = MOST_DRIFT_ALONE if args.replay else MOST_DRIFT
        gates = Gates(HeldOut(songs) if args.replay else held, origin.state_dict(), own_nats, beginning, limit)
        arms = [] if args.no_control else [Arm(out, "control", "none", seed, args)]
        for arm in [*arms, *(Arm(out, "votes", name, seed, args) for name in args.tastes)]:
            clips = first
            for generation in range(args.generations + 1):
                row: dict[str, Any] = {"arm": arm.name, "taste": arm.taste, "seed": seed, "generation": generation}
                known = tuple(row.values()) in there
                if known and generation:
                    clips, _ = sampled(arm.graph(generation), 100_000 * seed + generation)
                if known:
                    continue
                begun = time.monotonic()
                figures: dict[str, Any] = {"refused": refused, "nats": round(origin_nats, 4), "share": 1.0, "why": ""}
                if generation:
                    songs._playing.clear()
                    clips, figures = arm.breed(generation, clips, songs, tastes.get(arm.taste), gates)
                    if args.replay:
                        model, _, _ = load_trained(recipe, arm.weights(generation))
                        figures["nats"] = round(validate(recipe, model, held, torch.device("cpu")), 4)
                row |= line_of(clips, figures["refused"], tastes)
                row |= {name: figures[name] for name in ("nats", "share", "why")}
                row["seconds"] = round(time.monotonic() - begun, 1)
                with table.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()


def summary(out: Path) -> list[str]:
    """Return what came of it: votes against control at the last generation, by seed and taste."""
    rows = [json.loads(line) for line in (out / "figures.jsonl").read_text().splitlines()]
    last = max(row["generation"] for row in rows)
    at = {(row["arm"], row["taste"], row["seed"], row["generation"]): row for row in rows}
    gains: list[float] = []
    said = []
    for arm, taste in (("control", "none"), *(("votes", name) for name in TASTES)):
        own = [row for row in rows if row["arm"] == arm and row["taste"] == taste]
        for generation in range(last + 1):
            some = [row for row in own if row["generation"] == generation]
            if some:
                words = (
                    "taste busy",
                    "taste calm",
                    "key",
                    "diversity",
                    "nats",
                    "refused",
                    "share",
                    "notes",
                    "drums",
                    "seconds",
                )
                means = {word: round(float(np.mean([row[word] for row in some])), 3) for word in words if word in some[0]}
                said.append(f"{arm} {taste} generation {generation} ({len(some)}): {means}")
    for name in TASTES:
        for seed in {row["seed"] for row in rows}:
            mine, other = at.get(("votes", name, seed, last)), at.get(("control", "none", seed, last))
            if mine and other:
                gains.append(mine[f"taste {name}"] - other[f"taste {name}"])
    if len(gains) > 1:
        error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
        chance = _chance(float(np.mean(gains)) / error, len(gains) - 1)
        each = [round(gain, 2) for gain in gains]
        said.append(f"votes above control, SD: {np.mean(gains):.2f} +- {error:.2f}, p {chance:.2g}; each {each}")
    return said


def _chance(t: float, degrees: int) -> float:
    """One-sided p of Student's t, by integrating its density."""
    x = np.linspace(t, t + 200, 400_001)
    constant = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))
    density = constant * (1 + x * x / degrees) ** (-(degrees + 1) / 2)
    return float(((density[1:] + density[:-1]) / 2).sum() * (x[1] - x[0]))


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser of what every such figure is asked for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--generations", type=int, default=5)
    parser.add_argument("--summary", action="store_true")
    return parser


def run_or_sum_up(args: argparse.Namespace, run: Callable[[argparse.Namespace], None]) -> None:
    """Run, unless only a summary was asked for; print what came of it."""
    if not args.summary:
        run(args)
    for line in summary(args.out):
        sys.stdout.write(line + "\n")


def main() -> None:
    """The command."""
    parser = parser_of("Can an audience breed what it likes?")
    parser.add_argument("--data", nargs="+", type=Path, default=[])
    parser.add_argument("--tastes", nargs="+", default=list(TASTES))
    parser.add_argument("--method", default="ranks")
    parser.add_argument("--updates", type=int, default=Settings().updates)
    parser.add_argument("--lr", type=float, default=Settings().lr)
    parser.add_argument("--beta", type=float, default=Settings().beta)
    parser.add_argument("--plain", action="store_true", help="winners as they are, out of their keys too")
    parser.add_argument("--unweighted", dest="weighted", action="store_false")
    parser.add_argument("--replay", action="store_true", help="without the corpus: what the network plays by itself")
    parser.add_argument("--no-control", action="store_true")
    run_or_sum_up(parser.parse_args(), run)


if __name__ == "__main__":
    sys.exit(main())
