"""Trains any network of the project: seeded, resumable after kill -9, on one device or several.

    python -m models.training.train festival --data DIR [DIR ...] --out runs/festival
    python -m models.training.train festival --data DIR --out runs/festival --resume
    torchrun --nproc-per-node 4 -m models.training.train festival --data DIR --out runs/festival

A network is trained through the six names of `Recipe`, which the module `models.<network>.recipe` provides.
In the run's folder: checkpoint.safetensors (where to go on), best.safetensors (the weights that did best on the
validation split), history.csv, loss.png, and at the end <network>.onnx made from the best weights.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
import torch.distributed as dist
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from models.music.data import metres_told, told

Config = dict[str, Any]
Batch = dict[str, Tensor]
Carry = dict[str, Tensor]

META_KEY = "algoritmo.run"  # the JSON half of a checkpoint, in the safetensors header: one file, one atomic rename


class TrainingError(Exception):
    """Training cannot start or go on; the message names the remedy."""


class HeldOutData(Protocol):
    """What a network is validated on: the same tensors every time."""

    def valid(self) -> Iterator[Batch]:
        """The validation split, in batches that need no carry."""
        ...


class Dataset(HeldOutData, Protocol):
    """What a network is trained on, too: the same tensors every time the same is asked for."""

    facts: dict[str, Any]  # goes into the card and run.json: files used and refused, steps, data and licences

    def batch(self, update: int, rank: int, world: int) -> Batch:
        """The training batch of `update` (0, 1, 2 ...) for process `rank` of `world`; tensors on the CPU."""
        ...


class Recipe(Protocol):
    """What `models.<network>.recipe` provides. A module with these names satisfies it."""

    DEFAULTS: Config  # sizes and hyper-parameters; --set KEY=VALUE changes them, an unknown key is an error

    def build(self, config: Config) -> nn.Module:
        """The network, initialised from torch's global generator (the trainer has seeded it)."""
        ...

    def dataset(self, paths: list[Path], config: Config, cache: Path) -> Dataset:
        """Read the data; `cache` is a folder that may vanish between runs. `config` holds the run's seed as well."""
        ...

    def loss(self, model: nn.Module, batch: Batch, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """(nats summed over the batch, number of timesteps it covers, state to hand to the next update).

        `carry` is empty on the first update and in validation. model.training tells the two apart.
        """
        ...

    def export(self, model: nn.Module, config: Config, training: dict[str, Any], path: Path) -> None:
        """Write the step graph with its card. `training`: data, command, seed, updates, valid_nats_per_step."""
        ...


def load_recipe(name: str) -> Recipe:
    """Return the recipe of the network `name`; raises TrainingError that lists the networks there are."""
    try:
        module: Any = importlib.import_module(f"models.{name}.recipe")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(f"models.{name}"):
            raise
        known = sorted(p.parent.name for p in Path(__file__).parents[1].glob("*/recipe.py"))
        raise TrainingError(f"no network {name!r}; there are: {', '.join(known)}") from error
    recipe: Recipe = module
    return recipe


@dataclass(slots=True)
class Options:
    """How to train, whatever the network."""

    out: Path
    updates: int = 20_000
    lr: float = 1e-3
    warmup: int = 200
    decay: float = 0.2  # share of the updates, at the end, over which the learning rate falls to zero
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 1
    valid_every: int = 500
    checkpoint_every: int = 250
    patience: int = 20  # validations without a new best before it stops
    device: str = "cpu"
    progress: bool = True
    command: str = ""


@dataclass(slots=True)
class Progress:
    """Everything a checkpoint remembers beside tensors."""

    update: int = 0
    best: float = math.inf
    best_update: int = 0
    stale: int = 0  # validations since the best one
    seconds: float = 0.0
    history: list[tuple[int, float, float, float]] = field(default_factory=list)  # update, seconds, train, valid


def world() -> tuple[int, int]:
    """(rank, number of processes)."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def learning_rate(update: int, options: Options) -> float:
    """Linear warm-up, flat, then linear decay to zero over the last share of the updates."""
    left = (options.updates - update) / max(1.0, options.decay * options.updates)
    return options.lr * min(1.0, (update + 1) / max(1, options.warmup), max(left, 0.0))


def write_tensors(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write one safetensors file atomically: a kill at any moment leaves the old file or the new one."""
    data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {META_KEY: json.dumps(meta)})
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}); make room, then "
            + ("go on with --resume: the last good one is kept" if path.exists() else "begin anew: there is none from before")
        ) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file of `write_tensors` and what it says beside them."""
    try:
        with safe_open(str(path), "pt") as file:
            meta = json.loads((file.metadata() or {}).get(META_KEY, "{}"))
            return {k: file.get_tensor(k) for k in file.keys()}, meta  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, ValueError) as error:
        remedy = "remove it, and train without --resume to begin anew" if path.exists() else "give the path of one"
        raise TrainingError(f"{path}: is not a checkpoint ({error}); {remedy}") from error


def runs_of(meta: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs that weights come from, by what their file says of them: those before, then its own."""
    try:
        about = {"command": meta["command"], "updates": meta["best_update"], "seconds": round(meta["seconds"])}
    except (KeyError, TypeError) as error:
        raise TrainingError(f"the weights do not say what run they are of ({error}); give a best.safetensors of one") from error
    return [*meta.get("before", []), about]


def rewrite(old: Path, new: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], dict[str, Any]]) -> int:
    """Write the weights of one file into another, changed, without the state of their training; returns the exit code.

    `change` is handed the tensors, to change them in place, and what the file says beside them; it returns what the new one
    says, or raises TrainingError, which is printed.
    """
    try:
        tensors, meta = read_tensors(old)
        weights = {k: v for k, v in tensors.items() if k.startswith("model.")}
        said = change(weights, meta)
        new.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(new, weights, said)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def load_weights(model: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copy `tensors` into the model; a network of another shape is refused with what differs."""
    own = model.state_dict()
    wrong = [
        f"{k} is {tuple(tensors[k].shape)}, not {tuple(own[k].shape)}"
        for k in own.keys() & tensors.keys()
        if own[k].shape != tensors[k].shape
    ]
    wrong += [f"{k} is missing" for k in own.keys() - tensors.keys()]
    wrong += [f"{k} is unknown" for k in tensors.keys() - own.keys()]
    if wrong:
        raise TrainingError(f"{where}: belongs to another network: {'; '.join(sorted(wrong)[:4])} ...")
    model.load_state_dict(tensors)


def load_trained(recipe: Recipe, path: Path) -> tuple[nn.Module, Config, dict[str, Any]]:
    """Return (network in eval mode, its config, what the file says of the run) from a best.safetensors."""
    tensors, meta = read_tensors(path)
    config = {**recipe.DEFAULTS, **meta.get("config", {})}
    model = recipe.build(config)
    load_weights(model, {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}, str(path))
    return model.eval(), config, meta


@torch.no_grad()
def validate(recipe: Recipe, model: nn.Module, data: HeldOutData, device: torch.device) -> float:
    """Nats per timestep on the validation split, which the processes share. Raises TrainingError where it is empty."""
    model.eval()
    rank, size = world()
    total = torch.zeros(2, dtype=torch.float64)
    for index, batch in enumerate(data.valid()):
        if index % size == rank:
            nats, steps, _ = recipe.loss(model, {k: v.to(device) for k, v in batch.items()}, {})
            total += torch.stack([nats.double(), steps.double()]).cpu()
    if size > 1:
        total = total.to(device)
        dist.all_reduce(total)
    if float(total[1]) == 0:
        raise TrainingError("the validation split is empty; give more --data")
    return float(total[0] / total[1])


class Trainer:
    """One training run of one network."""

    def __init__(self, name: str, recipe: Recipe, data: Dataset, config: Config, options: Options) -> None:
        self.name, self.recipe, self.data, self.config, self.options = name, recipe, data, config, options
        self.device = torch.device(options.device)
        torch.manual_seed(options.seed)
        self.model = recipe.build(config).to(self.device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=options.lr, betas=(0.9, 0.99), weight_decay=options.weight_decay, fused=True
        )
        self.names = [n for n, _ in self.model.named_parameters()]
        self.progress = Progress()
        self.carry: Carry = {}
        self.before: list[dict[str, Any]] = []  # the runs whose weights this one began with
        self.stop_asked = False

    @property
    def checkpoint(self) -> Path:
        return self.options.out / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        return self.options.out / "best.safetensors"

    # -- checkpoints

    def _meta(self) -> dict[str, Any]:
        p = self.progress
        return {
            "network": self.name,
            "config": self.config,
            "seed": self.options.seed,
            "command": self.options.command,
            "before": self.before,
            "data": self.data.facts,
            "world": world()[1],
            "update": p.update,
            "best": p.best if math.isfinite(p.best) else None,
            "best_update": p.best_update,
            "stale": p.stale,
            "seconds": p.seconds,
            "history": p.history,
        }

    def save(self) -> None:
        """Write everything needed to go on as if nothing had happened.

        The noise of an update (dropout and the like) comes from a generator seeded by (seed, update, rank), so the
        state of the random generators and the position in the data are both the update's number.
        """
        rank, size = world()
        carries = [self.carry]
        if size > 1 and self.carry:
            gathered = {k: [torch.empty_like(v) for _ in range(size)] for k, v in self.carry.items()}
            for key, value in self.carry.items():
                dist.all_gather(gathered[key], value.contiguous())
            carries = [{k: v[r] for k, v in gathered.items()} for r in range(size)]
        if rank:
            return
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for name, parameter in zip(self.names, self.model.parameters(), strict=True):
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optim.{key}.{name}"] = value
        for r, carry in enumerate(carries):
            tensors |= {f"carry.{r}.{k}": v for k, v in carry.items()}
        write_tensors(self.checkpoint, tensors, self._meta())

    def begin_with(self, path: Path) -> None:
        """Take the weights of another run, and note where they come from."""
        tensors, meta = read_tensors(path)
        weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        load_weights(self.model, weights, str(path))
        self.before = runs_of(meta)

    def load(self) -> None:
        """Go on from the checkpoint in the run's folder."""
        tensors, meta = read_tensors(self.checkpoint)
        rank, size = world()
        for key, mine in (("network", self.name), ("seed", self.options.seed), ("world", size)):
            if meta.get(key) != mine:
                raise TrainingError(
                    f"{self.checkpoint}: was trained with {key} {meta.get(key)!r}, not {mine!r}; "
                    f"ask for that, or choose another --out"
                )
        if meta["config"] != self.config:
            changed = sorted(k for k in self.config if self.config[k] != meta["config"].get(k))
            raise TrainingError(f"{self.checkpoint}: was trained with another {', '.join(changed)}; see its --set")
        part = {
            p: {k.removeprefix(p): v for k, v in tensors.items() if k.startswith(p)}
            for p in ("model.", "optim.", f"carry.{rank}.")
        }
        load_weights(self.model, part["model."], str(self.checkpoint))
        for name, parameter in zip(self.names, self.model.parameters(), strict=True):
            state = {
                key: part["optim."][f"{key}.{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{key}.{name}" in part["optim."]
            }
            # Adam keeps its count of steps on the CPU and the moments beside the weights.
            self.optimiser.state[parameter] = {k: v if k == "step" else v.to(self.device) for k, v in state.items()}
        self.carry = {k: v.to(self.device) for k, v in part[f"carry.{rank}."].items()}
        self.before = meta.get("before") or self.before
        best = meta["best"] if meta["best"] is not None else math.inf
        history = [tuple(row) for row in meta["history"]]
        self.progress = Progress(meta["update"], best, meta["best_update"], meta["stale"], meta["seconds"], history)

    # -- the loop

    def _update(self) -> float:
        """One step of the optimiser; returns nats per timestep of its batch."""
        rank, size = world()
        update = self.progress.update
        torch.manual_seed(((self.options.seed << 36) + (rank << 28) + update) & (2**63 - 1))
        batch = {k: v.to(self.device) for k, v in self.data.batch(update, rank, size).items()}
        self.model.train()
        nats, steps, carry = self.recipe.loss(self.model, batch, self.carry)
        loss = nats / steps
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(update, self.options)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if size > 1:
            for parameter in self.model.parameters():
                if parameter.grad is None:  # every process must join every reduction
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad)
                parameter.grad /= size
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise TrainingError(f"update {update}: loss {value}, gradient norm {float(norm)}: stopped. {self._way_on()}")
        self.optimiser.step()
        self.carry = {k: v.detach() for k, v in carry.items()}
        self.progress.update += 1
        return value

    def validate(self) -> float:
        """Nats per timestep on the validation split."""
        return validate(self.recipe, self.model, self.data, self.device)

    def _way_on(self) -> str:
        """What to do when the loss is no number."""
        lower = f"a lower --lr (now {self.options.lr:g})"
        if self.checkpoint.exists():
            return f"{self.checkpoint} is from before; go on with --resume and {lower}"
        return f"No checkpoint was written yet; begin anew with {lower}"

    def _validated(self, train: float, valid: float) -> None:
        p = self.progress
        if not math.isfinite(valid):
            raise TrainingError(f"update {p.update}: validation loss {valid}: stopped. {self._way_on()}")
        p.history.append((p.update, round(p.seconds, 1), train, valid))
        if valid < p.best:
            p.best, p.best_update, p.stale = valid, p.update, 0
            if world()[0] == 0:
                write_tensors(self.best, {f"model.{k}": v for k, v in self.model.state_dict().items()}, self._meta())
        else:
            p.stale += 1
        if world()[0] == 0:
            write_history(self.options.out, p.history)

    def run(self) -> Progress:
        """Train until the updates are done, early stopping, or a signal; leaves a checkpoint behind."""
        o, p = self.options, self.progress
        o.out.mkdir(parents=True, exist_ok=True)
        quiet = not o.progress or world()[0] != 0
        with tqdm(total=o.updates, initial=p.update, unit="update", disable=quiet, mininterval=1.0) as bar:
            self._run(bar)
        self.save()
        return p

    def _run(self, bar: Any) -> None:
        o, p = self.options, self.progress
        recent: list[float] = []
        last = time.monotonic()
        while p.update < o.updates and p.stale < o.patience and not self.stop_asked:
            recent = [*recent[-99:], self._update()]
            now = time.monotonic()
            p.seconds, last = p.seconds + now - last, now
            bar.update()
            if p.update % o.valid_every == 0 or p.update == o.updates:
                self._validated(sum(recent) / len(recent), self.validate())
            if p.update % o.checkpoint_every == 0 or p.update == o.updates:
                self.save()
            if p.update % 10 == 0:
                latest = p.history[-1][3] if p.history else math.nan
                bar.set_postfix(train=f"{sum(recent) / len(recent):.3f}", valid=f"{latest:.3f}", best=f"{p.best:.3f}")

    def ask_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler: finish the update in hand, write a checkpoint, leave."""
        self.stop_asked = True


def write_history(out: Path, history: list[tuple[int, float, float, float]]) -> None:
    """Write history.csv and its plot."""
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("update", "seconds", "train_nats_per_step", "valid_nats_per_step"))
        writer.writerows(history)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), facecolor="#0b0c0e", layout="constrained")
    axes.set_facecolor("#0b0c0e")
    updates = [row[0] for row in history]
    axes.plot(updates, [row[2] for row in history], color="#E69F00", label="train")
    axes.plot(updates, [row[3] for row in history], color="#56B4E9", label="validation")
    axes.set_xlabel("update", color="#d8dade")
    axes.set_ylabel("nats per timestep", color="#d8dade")
    axes.tick_params(colors="#d8dade")
    axes.legend(facecolor="#0b0c0e", labelcolor="#d8dade", edgecolor="#3a3d42")
    figure.savefig(out / "loss.png", dpi=110)
    pyplot.close(figure)


def parse_settings(defaults: Config, settings: list[str]) -> Config:
    """Apply KEY=VALUE settings to a recipe's defaults; the type of the default is kept."""
    config = dict(defaults)
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in defaults:
            raise TrainingError(f"--set {setting}: no such key; there are: {', '.join(sorted(defaults))}")
        kind = type(defaults[key])
        try:
            config[key] = kind(json.loads(text)) if kind in (bool, list, int, float) else text
        except (ValueError, TypeError) as error:
            raise TrainingError(f"--set {setting}: {key} is a {kind.__name__}, such as {defaults[key]!r}") from error
    return config


def _choose_device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch sees no CUDA device; use --device cpu, or install torch for CUDA")
    return asked


def _parser() -> argparse.ArgumentParser:
    o = Options(Path())
    parser = argparse.ArgumentParser(prog="algoritmo train", description="Train a network and export its step graph.")
    parser.add_argument("network", help="festival, biaxial, chords ...")
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="folders of MIDI files or of archives")
    parser.add_argument("--out", type=Path, help="folder of the run (runs/<network>)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--from", dest="start", type=Path, help="begin with the weights of a best.safetensors")
    parser.add_argument("--updates", type=int, default=o.updates, help="length of the run (%(default)s)")
    parser.add_argument("--lr", type=float, default=o.lr, help="learning rate (%(default)s)")
    parser.add_argument("--decay", type=float, default=o.decay, help="share of the run with a falling rate (%(default)s)")
    parser.add_argument("--weight-decay", type=float, default=o.weight_decay)
    parser.add_argument("--seed", type=int, default=o.seed)
    parser.add_argument("--valid-every", type=int, default=o.valid_every, help="updates between validations")
    parser.add_argument("--checkpoint-every", type=int, default=o.checkpoint_every)
    parser.add_argument("--patience", type=int, default=o.patience, help="validations without a new best (%(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where read data is kept; safe to delete")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    return parser


def train(args: argparse.Namespace, command: str) -> Path:
    """Run one training as the command line asks; return the exported network."""
    recipe = load_recipe(args.network)
    config = parse_settings(recipe.DEFAULTS, args.settings)
    out: Path = args.out or Path("runs") / args.network
    device = _choose_device(args.device)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
        if device == "cuda":
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
            torch.cuda.set_device(device)
    options = Options(
        out=out,
        updates=args.updates,
        lr=args.lr,
        decay=args.decay,
        weight_decay=args.weight_decay,
        seed=args.seed,
        valid_every=args.valid_every,
        checkpoint_every=args.checkpoint_every,
        patience=args.patience,
        device=device,
        command=command,
    )
    if not args.resume and (out / "checkpoint.safetensors").exists():
        raise TrainingError(f"{out}: holds a run already; go on with --resume, or choose another --out")
    _check_folder(out)
    try:
        data = recipe.dataset(args.data, {**config, "seed": args.seed}, args.cache)
    except (OSError, ValueError) as error:
        raise TrainingError(f"--data: {error}") from error
    if world()[0] == 0:
        for line in (*told(data.facts), *metres_told(data.facts)):
            print(line)
    trainer = Trainer(args.network, recipe, data, config, options)
    if args.start is not None:
        trainer.begin_with(args.start)
    if args.resume:
        trainer.load()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, trainer.ask_to_stop)
    progress = trainer.run()
    path: Path = out / f"{args.network}.onnx"
    if world()[0] == 0 and trainer.best.exists():
        export_best(args.network, recipe, trainer.best, path)
        print(f"best validation {progress.best:.3f} nats/step at update {progress.best_update}; wrote {path}")
    return path


def _check_folder(out: Path) -> None:
    """Find out now, not after the first hour, whether a run can be written. Raises TrainingError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / ".writable").open("wb"):
            pass
        (out / ".writable").unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(f"--out {out}: cannot be written ({error.strerror}); give a folder you may write") from error


def export_best(name: str, recipe: Recipe, weights: Path, path: Path) -> None:
    """Write the step graph of the weights in a best.safetensors."""
    model, config, meta = load_trained(recipe, weights)
    if meta.get("network") != name:
        raise TrainingError(f"{weights}: holds a {meta.get('network')!r} network, not {name!r}")
    training: dict[str, Any] = {
        k: meta[k] for k in ("data", "command", "before", "seed", "best_update", "best", "seconds") if k in meta
    }
    recipe.export(model.cpu(), config, training, path)


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo train NETWORK --data PATH ... --out DIR`; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        # A resumed run ends where an uninterrupted one does, so the card names the latter.
        train(args, "algoritmo train " + shlex.join(a for a in arguments if a != "--resume"))
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename}: cannot be written ({error.strerror}); make room, then --resume", file=sys.stderr)
        return 2
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    # Recipes raise the TrainingError of models.training.train, which is not that of a module run as __main__.
    from models.training.train import main as train_main

    sys.exit(train_main())
