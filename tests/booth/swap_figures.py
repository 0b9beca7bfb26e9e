"""How long a jam takes to play another generation's network, and what that costs: `python -m tests.booth.swap_figures`.

A jam with its booth runs on the null device, in solo; generations are opened in turn, as `algoritmo generations rollback` does,
each with a network of its own. Measured: from the order until the other network plays; steps that came too late.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from engine.app import running
from engine.core.config import Config
from engine.core.messages import SUCCEEDS
from engine.store.store import Generation, Store
from models.festival import recipe
from models.training.train import load_trained
from tests.booth.stand import free_port
from tests.store.made_up import clips


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


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--device", default="null", help="audio.device, as in the configuration")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "booth.db"))
        paths = [Config().network_path(), *(network(Path(folder, f"bred-{n}.onnx"), n) for n in range(2))]
        with Store(store) as made:
            for path in reversed(paths):
                made.open_generation(made.add_generation(Generation("first", str(path)), clips(8)))
        given = {
            "booth.store": store,
            "booth.port": free_port(),
            "jam.mode": "solo",
            "session.record": False,
            "web.enabled": False,
        }
        settings = [word for key, value in given.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        settings += ["--set", f"audio.device={args.device}"]
        said = Path(folder, "said.txt")
        command = [sys.executable, "-m", "engine.cli", "jam", "--booth", *settings]
        jam = subprocess.Popen(command, stdout=said.open("w"), stderr=subprocess.STDOUT)
        try:
            sys.stdout.write(json.dumps(measured(jam.pid, store, args.swaps)) + "\n")
        except SystemExit:
            sys.stderr.write(said.read_text())
            raise
        finally:
            os.kill(jam.pid, signal.SIGINT)
            jam.wait(30)


def measured(pid: int, store: str, swaps: int) -> dict[str, float]:
    """Have the jam change its network so often; return the figures."""
    until = time.monotonic() + 60
    while not (found := [of for of in running.running() if of.pid == pid]):
        if time.monotonic() > until:
            raise SystemExit("the jam does not run")
        time.sleep(0.2)
    link, _live = running.attach(found[0])
    while (record := link["network"].latest()) is None or int(record["steps"]) < 40:
        time.sleep(0.2)
    time.sleep(5)
    before = int(link["network"].latest()["late_steps"])  # type: ignore[index]
    answers = link["succeeded"].reader()
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
        time.sleep(2.5)
    after = link["network"].latest()
    assert after is not None
    late = int(after["late_steps"]) - before
    return {
        "swaps": swaps,
        "median_s": round(sorted(took)[len(took) // 2], 2),
        "longest_s": round(max(took), 2),
        "late_steps": late,
        "steps": int(after["steps"]),
    }


if __name__ == "__main__":
    main()
