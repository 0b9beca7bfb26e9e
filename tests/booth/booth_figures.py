"""The booth beside a jam on JACK, in numbers; run by hand.

    python -m tests.booth.booth_figures load                 # 1,000 phones, 500 votes a second, against the booth idle
    python -m tests.booth.booth_figures connected            # 3,000 phones that are only there
    python -m tests.booth.booth_figures load --store postgresql://booth@127.0.0.1/booth

Beside it runs, with `--trains`, a program of the lowest priority that computes without end; with `--breeds` generations are
fine-tuned without end, each as the slow clock does it: 512 votes on 64 songs, `--data` as the corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from engine.booth.slow import SlowClock
from engine.core.config import Config
from engine.core.roles import BOOTH
from engine.store.store import Store
from tests.booth.load import MOST_PHONES
from tests.booth.stand import configuration
from tests.booth.swap_figures import filled
from tests.system.jack_stand import everything, jam_on, stand
from tests.system.rig import Jam, free_port, wait_for

TRAINS = "import os; os.nice(19); import numpy as np; a = np.ones((256, 256))\nwhile True: a @ a"
BREEDS = """
import sys
from pathlib import Path
from models.festival import breed

folder = Path(sys.argv[1])
while True:
    assert breed.main([str(folder)]) < 2
    (folder / breed.RESULT).unlink()
"""


def answers(port: int) -> bool:
    """Whether a booth is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/booth/", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Span:
    """What a jam and its booth did from its making to `end`."""

    def __init__(self, jam: Jam) -> None:
        self._jam = jam
        self._booth = psutil.Process(jam.pids()[BOOTH])
        self._begun, self._before, self._cpu = time.monotonic(), self._figures(), self._taken()

    def _taken(self) -> float:
        times = self._booth.cpu_times()
        return float(times.user + times.system)

    def _figures(self) -> dict[str, Any]:
        report = self._jam.report
        return {name: report[name] for name in ("steps", "late_steps", "xruns", "xruns_own")}

    def end(self) -> dict[str, Any]:
        """Return it; the jam writes its report every few seconds."""
        took, cpu = time.monotonic() - self._begun, self._taken() - self._cpu
        time.sleep(3)
        after = self._figures()
        found = {name: after[name] - self._before[name] for name in after}
        return found | {"booth": f"{100 * cpu / took:.1f} % of a core", "memory_mb": round(self._booth.memory_info().rss / 1e6)}


def to_be_bred(folder: Path, data: Sequence[Path]) -> Path:
    """Return the folder of a generation that is to be fine-tuned."""
    store, network = str(folder / "votes.db"), Config().network_path()
    filled(store, folder, breed=True)
    config = configuration(network, store, clips=64, bars=4, corpus=[str(path.resolve()) for path in data])
    with Store(store) as opened:
        clock = SlowClock(config, opened, network, lambda _level, text: sys.stdout.write(f"{text}\n"))
        return clock.folder / str(clock.begin())


def loaded(port: int, *options: str) -> dict[str, Any]:
    """Have phones come from a process of their own; return what they found."""
    command = [sys.executable, "-m", "tests.booth.load", f"http://127.0.0.1:{port}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("load", "connected"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--phones", type=int)
    parser.add_argument("--votes-hz", type=float, default=500.0)
    parser.add_argument("--store")
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--trains", action="store_true")
    beside.add_argument("--breeds", action="store_true")
    parser.add_argument("--data", nargs="*", type=Path, default=[], help="booth.corpus, of what is bred")
    asked = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MOST_PHONES, 4 * MOST_PHONES))
    with stand() as here, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        program = [TRAINS] if asked.trains else []
        if asked.breeds:
            program = [BREEDS, str(to_be_bred(Path(folder), asked.data))]
        store = asked.store or str(Path(folder) / "booth.db")
        own = (f"booth.port={port}", f"booth.store={store}", "booth.breed=false", "jam.mode=solo")
        with jam_on(here, *everything(), *own, "booth.enabled=true") as jam:
            begun = time.monotonic()
            wait_for(lambda: answers(port), 200, "the booth")
            tell("the booth is there", {"after_s": round(time.monotonic() - begun, 1)})
            trains = subprocess.Popen([sys.executable, "-c", *program], stdout=subprocess.DEVNULL) if program else None
            try:
                here.mark()
                span = Span(jam)
                time.sleep(asked.seconds)
                tell("idle", span.end() | vars(here.late()))
                votes = asked.what == "load"
                phones = asked.phones or (1000 if votes else 3000)
                here.mark()
                span = Span(jam)
                options = ("--phones", str(phones), "--votes-hz", str(asked.votes_hz if votes else 0))
                found = loaded(port, *options, "--seconds", str(asked.seconds))
                tell(f"{phones} phones", found | span.end() | vars(here.late()))
            finally:
                if trains is not None:
                    trains.kill()
                    trains.wait()


def tell(of: str, found: dict[str, Any]) -> None:
    """Write a line."""
    sys.stdout.write(f"{of}: {json.dumps(found)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
