"""Measures the page and its server on this machine, and prints the figures as JSON.

    python -m tests.web.page_figures models/festival/festival.onnx
    python -m tests.web.page_figures full-biaxial --tempo 240 --minutes 30

Needs Debian's chromium. Runs beside the tests, not among them: a figure is no test. Without an argument the network is made
up: a biaxial one of full size (117,000 values a step), whose steps cost more to invent than to send.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.web.chromium import DESK, FLAGS, VIEWS
from tests.web.stand import MadeUp, Network, Stand, biaxial_card

CLIENTS = 4


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", default="full-biaxial", help="an .onnx file (default: a made-up biaxial one)")
    parser.add_argument("--tempo", type=float, default=120.0)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each view")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on looking, view after view, for the memory")
    parser.add_argument("--read", metavar="URL", help=argparse.SUPPRESS)  # this process is one of the readers
    arguments = parser.parse_args()
    if arguments.read:
        asyncio.run(_read(arguments.read, arguments.seconds))
        return
    source: Network | MadeUp
    if arguments.network == "full-biaxial":
        source = MadeUp(biaxial_card(), tempo=arguments.tempo)
    else:
        source = Network(Path(arguments.network), tempo=arguments.tempo)
    stand = Stand(source, before=100)
    figures: dict[str, Any] = {
        "network": arguments.network,
        "steps_per_s": round(1 / stand._step_s, 2),
        "cores": os.cpu_count(),
    }
    figures["server"] = {fmt: _server(stand, fmt, arguments.seconds) for fmt in ("u8", "f32")}
    figures["page"] = _page(stand, arguments.seconds, arguments.minutes)
    figures["load"] = round(os.getloadavg()[0], 2)
    stand.close()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _share(seconds: float) -> float:
    """Share of one core this process uses over some seconds."""
    cpu_s, begun_s = _cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (_cpu_s() - cpu_s) / (time.monotonic() - begun_s)


def _server(stand: Stand, fmt: str, seconds: float) -> dict[str, Any]:
    """What four readers cost: the process with them less the process without."""
    alone = _share(seconds)
    url = f"{stand.url}socket?fmt={fmt}"
    command = [sys.executable, "-m", "tests.web.page_figures", "--read", url, "--seconds", str(seconds + 3)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while len(stand.stage.clients) < CLIENTS:
        time.sleep(0.05)
    time.sleep(1)  # what came before is on its way
    steps, stage_s, skipped = len(stand.sounded), stand.stage_s, [c.skipped for c in stand.stage.clients.values()]
    shared = _share(seconds)
    steps, stage_s = len(stand.sounded) - steps, stand.stage_s - stage_s
    missed = sum(c.skipped for c in stand.stage.clients.values()) - sum(skipped)
    output, _ = reader.communicate()
    return {
        "clients": CLIENTS,
        "core_share": round(shared - alone, 4),
        "ms_per_step": round(1e3 * stage_s / steps, 3),
        "frames_skipped": missed,
        "megabytes_per_s": round(json.loads(output) / (seconds + 3) / 1e6, 1),
    }


async def _read(url: str, seconds: float) -> None:
    """Be four readers; print how many bytes came."""
    received = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal received
        async with session.ws_connect(url, max_msg_size=0) as ws:
            async for message in ws:
                received += len(message.data)

    async with aiohttp.ClientSession() as session:
        readers = [asyncio.create_task(one(session)) for _ in range(CLIENTS)]
        await asyncio.sleep(seconds)
        for reader in readers:
            reader.cancel()
    sys.stdout.write(str(received))


def _page(stand: Stand, seconds: float, minutes: float) -> dict[str, Any]:
    """How soon, how smoothly, how late and how large the page is, in a browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, f"--user-agent={os.getpid()}"])
        page = browser.new_page(viewport=DESK)
        out: dict[str, Any] = {"first_picture_ms": []}
        for _ in range(3):
            page.goto("about:blank")
            page.goto(stand.url)
            while not page.evaluate("Boolean(window.stage && stage.figures.firstPictureMs !== null)"):
                page.wait_for_timeout(20)
            out["first_picture_ms"].append(round(page.evaluate("stage.figures.firstPictureMs")))
        out["painter"] = page.evaluate("stage.current.painter.kind")
        out["views"] = {view: _view(stand, page, view, seconds) for view in VIEWS}
        out["memory"] = [_memory(page)]
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            for view in VIEWS:
                page.evaluate(f"stage.show('{view}')")
                page.wait_for_timeout(15_000)
            out["memory"].append(_memory(page))
        browser.close()
    return out


def _view(stand: Stand, page: Page, view: str, seconds: float) -> dict[str, float]:
    page.evaluate(f"stage.show('{view}')")
    page.wait_for_timeout(1000)
    page.evaluate("() => { stage.figures.frames = 0; stage.figures.shown.clear() }")
    page.wait_for_timeout(seconds * 1000)
    frames, shown = page.evaluate(
        "() => { const { frameMs, frames, shown } = stage.figures; return [[...frameMs.slice(0, frames)], [...shown]] }"
    )
    late_ms = [at_ms - 1e3 * stand.sounded[step] for step, at_ms in shown if step in stand.sounded]
    return {
        "fps": round(1e3 / float(np.mean(frames)), 1),
        "frame_p95_ms": round(float(np.percentile(frames, 95)), 1),
        "sounded_to_drawn_p50_ms": round(float(np.percentile(late_ms, 50)), 1),
        "sounded_to_drawn_p95_ms": round(float(np.percentile(late_ms, 95)), 1),
    }


def _memory(page: Page) -> dict[str, float]:
    """Megabytes: the heap of the scripts, and what the page's process has for itself alone."""
    private = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            if "--type=renderer" not in command or f"--user-agent={os.getpid()}" not in command:
                continue
            rollup = (folder / "smaps_rollup").read_text()
        except OSError:
            continue  # it ended meanwhile
        private = max(private, sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private")))
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    return {
        "heap_mb": round(heap / 1e6, 1),
        "private_mb": round(private / 1e3, 1),
        "steps_kept": page.evaluate("stage.history.length"),
    }


if __name__ == "__main__":
    main()
