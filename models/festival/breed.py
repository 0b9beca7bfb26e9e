"""Breeds a generation by the slow clock: fine-tunes the network on the winners, samples clips, measures whether it may play.

    python -m models.festival.breed FOLDER

FOLDER/job.json says what to do (see `Job`); FOLDER/result.json is written last, whole, and says what came of it. Killed at any
moment it goes on where it was when it is begun again; or the folder is removed, and nothing of it was anywhere else. Ends by
itself when whoever began it is gone. Beside the result: festival.onnx with its weights, and the same of the control arm, which
was fine-tuned on as many clips drawn by lot.

Gates: nats on the validation split, diversity of the clips, share of notes in key, clips that are nearly empty. A network that
does not pass is brought back towards the one that all began with, a fifth of the way at a time; what does not pass then is
refused, and says why.

Runs on: a process of its own, of the lowest priority, of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.booth.measures import diversity, of_all
from engine.booth.sampling import first_batch
from engine.core.contract import read_card
from engine.core.errors import AlgoritmoError
from engine.store.clip import Clip, music_of_json
from models.festival import recipe
from models.festival.export import export
from models.festival.network import Festival
from models.festival.winners import METHODS, HeldOut, Kept, Settings, Tuning, corpus, mixed, replay
from models.training.train import TrainingError, load_trained, runs_of, validate, write_tensors

JOB, RESULT = "job.json", "result.json"
SHARES = (1.0, 0.8, 0.6, 0.4)  # of the way from the network that all began with to what was learned
MOST_DRIFT = 0.02  # nats on the validation split, as a share of those of the first network
MOST_DRIFT_ALONE = 0.0125  # where it is held against what the first network plays, which shows less of it than other music
LEAST_DIVERSITY = 0.95  # of that of the first generation
LEAST_KEY = 0.03  # so much less of the notes may lie in one key than in the first generation
MOST_REFUSED = 0.1  # so many more clips may be nearly empty than in the first generation
ATTEMPTS = 4  # for clips that are nearly empty


@dataclass(frozen=True)
class Job:
    """What to do, as job.json has it."""

    network: str  # step graph that the clips were sampled from; its weights lie beside it
    origin: str  # the one that the first generation was sampled from
    winners: Sequence[Mapping[str, Any]]  # music and weight, best first
    losers: Sequence[Mapping[str, Any]]  # worst first
    lots: Sequence[Mapping[str, Any]]  # as many as there are winners, drawn by lot
    first: Mapping[str, float] = field(default_factory=dict)  # figures of the first generation
    settings: Mapping[str, Any] = field(default_factory=dict)  # see winners.Settings
    corpus: Sequence[str] = ()
    cache: str = ".cache"
    clips: int = 64
    control: int = 16  # of them, of the control arm
    bars: int = 4
    tempo_bpm: float = 112.0
    metre: str = "4/4"
    seed: int = 1
    replayed: int = 64  # pieces that the first network plays, where there is no corpus ...
    replayed_bars: int = 16  # ... of so many bars


def read_job(folder: Path) -> Job:
    """Raises TrainingError."""
    try:
        return Job(**json.loads((folder / JOB).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{folder / JOB}: does not say what to do ({error})") from error


def write_json(path: Path, content: Any) -> None:
    """Write it whole: a kill at any moment leaves the old file or the new one."""
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def weights_of(path: Path) -> Path:
    """Return the weights that lie beside a step graph. Raises TrainingError."""
    found = path.with_suffix(".safetensors")
    if not found.is_file():
        raise TrainingError(f"{path}: its weights are not beside it ({found.name}); without them it cannot be fine-tuned")
    return found


def written(model: Festival, path: Path, meta: Mapping[str, Any]) -> Path:
    """Write a step graph to `path` and its weights beside it, as exact as the graph has them."""
    export(model.eval(), {**meta, "best": None}, path)
    halves = {f"model.{name}": value.half() for name, value in model.state_dict().items()}
    write_tensors(path.with_suffix(".safetensors"), halves, {**meta})
    return path


@dataclass(frozen=True)
class Gates:
    """What a network must pass before it may play, held against the one that all began with: `origin`, its weights."""

    held_out: HeldOut
    origin: dict[str, Tensor]
    origin_nats: float
    first: Mapping[str, float]  # figures of the first generation
    most_drift: float = MOST_DRIFT

    def through(
        self,
        model: Festival,
        path: Path,
        meta: Mapping[str, Any],
        sampled: Callable[[Path], tuple[list[Clip], float]],
        wanted: int,
    ) -> tuple[list[Clip], dict[str, Any], list[str]]:
        """Bring a network back towards the origin until it passes; write it to `path`, weights beside it.

        Return clips that `sampled` had of it, its figures, and why it is refused, where it is.
        """
        learned = {name: value.clone() for name, value in model.state_dict().items()}
        for share in SHARES:
            model.load_state_dict(learned)
            model.load_state_dict(mixed(model, self.origin, share))
            nats = validate(recipe, model, self.held_out, torch.device("cpu"))
            drift = nats / self.origin_nats - 1
            if drift > self.most_drift and share != SHARES[-1]:
                continue
            written(model, path, meta)
            clips, refused = sampled(path)
            figures = of_all(clips) | {"diversity": round(diversity(clips), 4), "refused": round(refused, 4)}
            figures |= {
                "nats": round(nats, 4),
                "first_nats": round(self.origin_nats, 4),
                "drift": round(drift, 4),
                "share": share,
            }
            why = faults(figures, self.first, len(clips), wanted, self.most_drift)
            if not why:
                break
        return clips, figures, why


class Breeding:
    """One generation on its way, in its folder."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job
        self.settings = Settings(**job.settings)
        self.parent = os.getppid()
        _, self.config, _ = load_trained(recipe, weights_of(Path(job.origin)))
        self.card = read_card(Path(job.network))
        self.kept: Kept | None = None
        if job.corpus:
            self.songs = corpus([Path(path) for path in job.corpus], self.config, Path(job.cache), self.settings)
        else:
            music = replay(Path(job.origin), job.replayed, job.replayed_bars, job.seed)
            config = {**self.config, "streams": self.settings.streams, "seed": self.settings.seed}
            self.songs = recipe.Songs(music, config)
            parent, _, _ = load_trained(recipe, weights_of(Path(job.network)))
            assert isinstance(parent, Festival)
            self.kept = Kept(parent, music.split("train"), self.settings)
        self.held_out = HeldOut(self.songs)

    def _goes_on(self, update: int, lost: float) -> None:
        line = {"update": update + 1, "of": self.settings.updates, "lost": round(lost, 4)}
        (self.folder / "progress.json").write_text(json.dumps(line))
        if os.getppid() != self.parent:
            raise TrainingError("whoever began this is gone; begun again, it goes on from its checkpoint")

    def tuned(self, arm: str, chosen: Sequence[Mapping[str, Any]], losers: Sequence[Mapping[str, Any]]) -> Path:
        """Return the weights of the network as it learned these clips; at once where that was done before."""
        path = self.folder / f"{arm}.tuned.safetensors"
        if path.exists():
            return path
        torch.manual_seed(self.settings.seed)
        model, _, meta = load_trained(recipe, weights_of(Path(self.job.network)))
        assert isinstance(model, Festival)
        clips = [Clip(music_of_json(one["music"]), conditions=one.get("conditions", {})) for one in chosen]
        weights = [float(one["weight"]) for one in chosen]
        others = [Clip(music_of_json(one["music"]), conditions=one.get("conditions", {})) for one in losers]
        checkpoint = self.folder / f"{arm}.checkpoint.safetensors"
        begun_s = time.monotonic()
        tuning = Tuning(model, self.card, clips, weights, self.songs, self.settings, others, self.kept)
        tuning.run(checkpoint, self._goes_on)
        command = f"python -m models.festival.breed ({arm})"
        about = {**meta, "before": runs_of(meta) if "command" in meta else [], "command": command, "best": None}
        about |= {"best_update": self.settings.updates, "seconds": time.monotonic() - begun_s}
        write_tensors(path, {f"model.{k}": v for k, v in model.state_dict().items()}, about)
        checkpoint.unlink(missing_ok=True)
        return path

    def sampled(self, path: Path, arm: str, count: int, seed: int) -> tuple[list[Clip], float]:
        """Return clips of a network, each under conditions of its own, and the share of those that were nearly empty."""
        job, found, tried = self.job, list[Clip](), 0
        for attempt in range(ATTEMPTS):
            some = first_batch(path, count, job.bars, seed + 10_000 * attempt, job.tempo_bpm, 1, job.metre, arm)
            tried += count
            found += some
            if len(found) >= count:
                break
        return found[:count], 1 - min(len(found) / tried, 1.0)

    def control(self, tuned: Path, origin: dict[str, Tensor], share: float) -> list[Clip]:
        """Return the clips of the control arm, of a network that was brought back as far."""
        model, _, meta = load_trained(recipe, tuned)
        assert isinstance(model, Festival)
        model.load_state_dict(mixed(model, origin, share))
        path = written(model, self.folder / "control.onnx", meta)
        return self.sampled(path, "control", self.job.control, self.job.seed + 500_000)[0]

    def run(self) -> dict[str, Any]:
        """Return what came of it; it is in result.json."""
        job, begun_s = self.job, time.monotonic()
        tuned = self.tuned("winners", job.winners, job.losers)
        by_lot = self.tuned("control", job.lots, job.lots[::-1]) if job.control else None
        origin, _, _ = load_trained(recipe, weights_of(Path(job.origin)))
        nats = validate(recipe, origin, self.held_out, torch.device("cpu"))
        limit = MOST_DRIFT if job.corpus else MOST_DRIFT_ALONE
        gates = Gates(self.held_out, origin.state_dict(), nats, job.first, limit)
        wanted, path = job.clips - job.control, self.folder / "festival.onnx"
        model, _, meta = load_trained(recipe, tuned)
        assert isinstance(model, Festival)
        clips, figures, why = gates.through(model, path, meta, lambda of: self.sampled(of, "winners", wanted, job.seed), wanted)
        passed = not why
        if by_lot is not None and passed:
            clips += self.control(by_lot, origin.state_dict(), figures["share"])
        figures["corpus"] = float(bool(job.corpus))
        figures |= {"seconds": round(time.monotonic() - begun_s, 1), "passed": float(passed)}
        listed = [
            {"music": c.music.as_json(), "arm": c.arm, "seed": c.seed, "conditions": dict(c.conditions), "network": c.network}
            for c in clips
        ]
        out = {"passed": passed, "why": why, "figures": figures, "network": str(path), "clips": listed}
        write_json(self.folder / RESULT, out)
        for arm in ("winners", "control"):  # what they led to lies there as it plays
            (self.folder / f"{arm}.tuned.safetensors").unlink(missing_ok=True)
        return out


def faults(
    figures: Mapping[str, float], first: Mapping[str, float], clips: int, wanted: int, most_drift: float = MOST_DRIFT
) -> list[str]:
    """Return why a generation is refused; nothing where it may play. `first`: the figures of the first generation."""
    found = []
    if figures["drift"] > most_drift:
        found.append(f"it has forgotten music: {100 * figures['drift']:.1f} % more nats, {100 * most_drift:g} % may be")
    if "diversity" in first and figures["diversity"] < LEAST_DIVERSITY * first["diversity"]:
        found.append(f"its songs are too much alike: diversity {figures['diversity']:.3f}, at first {first['diversity']:.3f}")
    if "key" in first and figures.get("key", 0.0) < first["key"] - LEAST_KEY:
        found.append(f"it is out of key: {figures.get('key', 0.0):.3f} of the notes lie in one, at first {first['key']:.3f}")
    if figures["refused"] > first.get("refused", 0.0) + MOST_REFUSED or clips < wanted:
        found.append(f"{100 * figures['refused']:.0f} % of its songs are nearly empty")
    return found


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code: 0 it passed, 1 it was refused, 2 it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m models.festival.breed", description="Breed a generation.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", choices=METHODS, help="another one than job.json says")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(19)
    try:
        job = read_job(args.folder)
        if args.method:
            job = replace(job, settings={**job.settings, "method": args.method})
        out = Breeding(args.folder, job).run()
    except (AlgoritmoError, TrainingError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({key: out[key] for key in ("passed", "why", "figures")}))
    return 0 if out["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
