"""How long a jam takes to play another generation's network, and what that costs: `python -m tests.booth.swap_figures`.

A jam with its booth runs in solo, without a device or with --jack on JACK's dummy driver. Generations are opened in turn, as
`algoritmo generations rollback` does, each with a network of its own. Measured: from the order until the other network plays;
steps that came too late. With --breed the votes for a generation lie in the store when the jam begins: measured is how long it
takes until the jam plays the network that was fine-tuned on them, 64 songs sampled and gates passed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from engine.app import running
from engine.booth.measures import measures
from engine.booth.sampling import first_clips
from engine.core.config import Config
from engine.core.messages import SUCCEEDS
from engine.store import schema
from engine.store.store import Generation, Store, now_ms
from models.festival import recipe
from models.training.train import load_trained
from tests.booth.stand import free_port
from tests.store.made_up import audience, clips
from tests.system.jack_stand import stand
from tests.system.rig import jack_settings, null_settings

LONGEST_S = 900.0


def network(path: Path, seed: int) -> Path:
    """Write a network that is almost the shipped one."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model, _, meta = load_trained(recipe, Config().network_path().with_suffix(".safetensors"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1 + 0.01 * torch.randn_like(parameter)
    recipe.export(model.eval(), {}, {**meta, "best": None}, path)
    return path


def filled(store: str, folder: Path, breed: bool) -> None:
    """Put three generations into a store; or one, with the votes for the next."""
    with Store(store) as made:
        if not breed:
            for path in (network(folder / "0.onnx", 0), network(folder / "1.onnx", 1), Config().network_path()):
                made.open_generation(made.add_generation(Generation("first", str(path)), clips(8)))
            return
        sampled = first_clips(Config().network_path(), 64, 4, 1, 112.0)
        made.open_generation(made.add_generation(Generation("first", str(Config().network_path())), sampled))
        busy = np.array([measures(clip.music)["drums"] for clip in sampled])
        votes = audience((busy - busy.mean()) / busy.std(), 512, np.random.default_rng(1))
        with made.writing() as connection:
            for number, vote in enumerate(votes):
                ids = {"first": vote.first + 1, "second": vote.second + 1, "visitor": vote.visitor, "crowd": vote.crowd}
                about = {"id": f"b{number}", "generation": 1, "across": False, "room": None, "created_ms": now_ms()}
                connection.execute(schema.ballots.insert().values(ids | about))
                row = {"ballot": f"b{number}", "choice": vote.choice, "created_ms": now_ms()}
                connection.execute(schema.votes.insert().values(row))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--breed", action="store_true", help="measure a generation from its votes to the jam instead")
    parser.add_argument("--data", nargs="*", type=Path, default=[], help="booth.corpus")
    parser.add_argument(
        "--jack", action="store_true", help="on JACK's dummy driver; it tells who was too late for the server, too"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        here = ending.enter_context(stand()) if args.jack else None
        store = str(Path(folder, "booth.db"))
        filled(store, Path(folder), args.breed)
        given = {
            "booth.store": store,
            "booth.port": free_port(),
            "jam.mode": "solo",
            "session.record": False,
            "booth.breed": False,
            "booth.corpus": [str(path.resolve()) for path in args.data],
        }
        settings = [f"{key}={json.dumps(value)}" for key, value in given.items()]
        settings += null_settings() if here is None else jack_settings()
        pid = ending.enter_context(jam_with_booth(settings, Path(folder, "said.txt")))
        if here is not None:
            here.stage.connect_to_jam(limit_s=60)
            here.mark()
        found = bred(pid, store) if args.breed else measured(pid, store, args.swaps)
        found |= {} if here is None else vars(here.late())
        sys.stdout.write(json.dumps(found) + "\n")


@contextlib.contextmanager
def jam_with_booth(settings: Sequence[str], said: Path) -> Iterator[int]:
    """Begin a jam with a booth and yield its process id; what it says goes into a file, and is shown where something fails."""
    command = [sys.executable, "-m", "engine.cli", "jam", "--booth"]
    command += [word for setting in settings for word in ("--set", setting)]
    jam = subprocess.Popen(command, stdout=said.open("w"), stderr=subprocess.STDOUT)
    try:
        yield jam.pid
    except BaseException:
        sys.stderr.write(said.read_text())
        raise
    finally:
        os.kill(jam.pid, signal.SIGINT)
        jam.wait(30)


def attached(pid: int) -> running.Link:
    """Wait until the jam plays; return its channels."""
    until = time.monotonic() + 60
    while not (found := [of for of in running.running() if of.pid == pid]):
        if time.monotonic() > until:
            raise SystemExit("the jam does not run")
        time.sleep(0.2)
    link, _live = running.attach(found[0])
    while (record := link["network"].latest()) is None or int(record["steps"]) < 40:
        time.sleep(0.2)
    return link


def steps_of(link: running.Link, name: str = "late_steps") -> int:
    """What the network process counts."""
    record = link["network"].latest()
    assert record is not None
    return int(record[name])


def bred(pid: int, store: str) -> dict[str, float | str]:
    """Wait until a network that was fine-tuned plays; return the figures."""
    begun = time.monotonic()
    link = attached(pid)
    late, answers = steps_of(link), link["succeeded"].reader()
    while not len(answer := answers.read()):
        with Store(store) as opened:
            refused = [one.figures.get("why") for one in opened.generations() if one.state == schema.DISCARDED]
        if refused or time.monotonic() - begun > LONGEST_S:
            raise SystemExit(f"nothing was bred: {refused}")
        time.sleep(0.5)
    took_s = time.monotonic() - begun
    with Store(store) as opened:
        figures = opened.generation(2).figures
        songs = len(opened.clips(2))
    told = {name: figures[name] for name in ("seconds", "drift", "key", "diversity", "share")}
    found: dict[str, float | str] = {"from_votes_to_jam_s": round(took_s, 1), "songs": songs, **told}
    return found | {"late_steps": steps_of(link) - late, "steps": steps_of(link, "steps"), "state": int(answer[-1]["state"])}


def measured(pid: int, store: str, swaps: int) -> dict[str, float | str]:
    """Have the jam change its network so often; return the figures."""
    link = attached(pid)
    time.sleep(5)
    late, answers = steps_of(link), link["succeeded"].reader()
    took = []
    for swap in range(swaps):
        begun = time.monotonic()
        with Store(store) as opened:
            opened.open_generation(1 + swap % 2)
        while not len(answer := answers.read()):
            if time.monotonic() - begun > 30:
                raise SystemExit("the jam does not change its network")
            time.sleep(0.01)
        if int(answer[-1]["state"]) != SUCCEEDS:
            raise SystemExit(answer[-1]["text"].decode())
        took.append(time.monotonic() - begun)
        time.sleep(2.5 + 0.37 * (swap % 5))
    out: dict[str, float | str] = {"swaps": swaps, "median_s": round(sorted(took)[len(took) // 2], 2)}
    return out | {"longest_s": round(max(took), 2), "late_steps": steps_of(link) - late, "steps": steps_of(link, "steps")}


if __name__ == "__main__":
    main()
