"""Measures the page with the whole engine behind it, and prints the figures as JSON.

    python tests/web/whole_figures.py pixels      # from the moment a step sounds to its picture in Chromium
    python tests/web/whole_figures.py full        # a biaxial network of full size, 16 steps a second, to 4 browsers

The network of full size is untrained: its weights are drawn, so what it plays is noise, but it takes and shows as much as a
trained one. Its browsers are programs that take what a browser takes and draw nothing: four that draw would measure the
machine's graphics. Needs Debian's chromium (pixels) and PyTorch (full). Runs beside the tests, not among them.
"""

# ruff: noqa: E402, T201  (runs from anywhere, and prints)

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.bench import cpu_s
from tests.system.receiver import Receiver
from tests.system.rig import Jam, wait_for
from tests.system.whole import SETTLED_S, Others, add_options, said, spread, start_jam
from tests.web.chromium import DESK, FLAGS, VIEWS
from tests.web.page_figures import CLIENTS

STEPS_PER_S = 16


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pixels", "full"))
    add_options(parser)
    arguments = parser.parse_args()
    others = Others()
    figures = {"pixels": pixels, "full": full}[arguments.what](arguments)
    print(json.dumps(figures | others.said(), indent=1))


def page_of(jam: Jam) -> str:
    """Return where the page is, once it is served."""
    jam.wait_playing()
    time.sleep(SETTLED_S)
    return str(jam.report["processes"]["feed"]["page"])


def pixels(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each view in turn, in a browser without a window that draws in software: sounding to drawn."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        receiver = Receiver()
        jam = start_jam(Path(folder), arguments, receiver.port)
        try:
            url = page_of(jam)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport=DESK)
            page.goto(url)
            wait_for(lambda: page.evaluate("Boolean(window.stage && stage.figures.firstPictureMs !== null)"), 20, "a picture")
            drawn: dict[str, dict[int, float]] = {}
            for view in VIEWS:
                page.evaluate(f"stage.show('{view}')")
                page.wait_for_timeout(1000)
                page.evaluate("stage.figures.shown.clear()")
                page.wait_for_timeout(arguments.seconds / len(VIEWS) * 1000)
                drawn[view] = dict(page.evaluate("[...stage.figures.shown]"))
            painter = page.evaluate("stage.painter?.kind")
            browser.close()
            jam.end()
            heard = receiver.stop().steps()
            found = said(jam)
        finally:
            jam.close()
    sounded = dict(zip(heard["frame"].tolist(), heard["timetag_unix_s"].tolist(), strict=True))
    late = {view: [ms - 1e3 * sounded[step] for step, ms in steps.items() if step in sounded] for view, steps in drawn.items()}
    every = np.array([ms for view in late.values() for ms in view])
    return {
        "sounded_to_drawn_ms": {"all": spread(every)} | {view: spread(np.array(ms)) for view, ms in late.items()},
        "steps_drawn": len(every),
        "painter": painter,
    } | found


def full(arguments: argparse.Namespace) -> dict[str, Any]:
    """Four readers of the page's socket: what comes, and what the engine makes of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = folder / "full.onnx"
        subprocess.run([sys.executable, "-c", MAKE, str(network)], cwd=ROOT, check=True)
        receiver = Receiver()
        settings = (f"network.name={network}", f"clock.tempo={60 * STEPS_PER_S / 4:g}")
        jam = start_jam(folder, arguments, receiver.port, *settings)
        try:
            url = page_of(jam)
            alone = _shares(jam, arguments.seconds / 3)
            command = [sys.executable, "-m", "tests.web.page_figures", "--seconds", str(arguments.seconds + 4)]
            command += ["--read", f"{url}socket?fmt=u8"]
            reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            time.sleep(3)  # what came before is on its way
            before = said(jam)
            shares = _shares(jam, arguments.seconds)
            after = said(jam)
            output, _ = reader.communicate()
            jam.end()
            receiver.stop()
            found = said(jam)
        finally:
            jam.close()
    return {
        "clients": CLIENTS,
        "core_share_with_them": shares,
        "core_share_without": alone,
        "while_they_look": {key: after[key] - before[key] for key in ("steps", "late_steps", "xruns")},
        "megabytes_per_s_all": round(json.loads(output) / (arguments.seconds + 4) / 1e6, 1),
    } | found


def _shares(jam: Jam, seconds: float) -> dict[str, float]:
    """Share of a core that each process takes over some seconds."""
    pids = jam.pids()
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    begun_s = time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - begun_s
    return {name: round(((cpu_s(pid) or 0) - (before[name] or 0)) / took_s, 3) for name, pid in pids.items()}


# In a process of its own: PyTorch would stay in this one's memory.
MAKE = """
import sys
from pathlib import Path
import torch
from models.biaxial.export import step_graph
from models.biaxial.network import Biaxial, BiaxialConfig
from models.graph.building import save_network
torch.manual_seed(1)
about = {"name": "full", "title": "Biaxial, full size, untrained", "licence": "CC0-1.0", "steps_per_beat": 4}
save_network(step_graph(Biaxial(BiaxialConfig()).eval(), about), Path(sys.argv[1]))
"""


if __name__ == "__main__":
    main()
