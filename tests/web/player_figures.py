"""Measures the explorer and the festival network as its pages play it, in Chromium, and prints the figures as JSON.

    python -m tests.web.player_figures
    python -m tests.web.player_figures --minutes 0 --ort FOLDER
    python -m tests.web.player_figures --pages

Needs Debian's chromium. Runs beside the tests, not among them: a figure is no test. The page is the exported folder behind a
plain file server. `--ort` takes a folder with onnxruntime-web's two files (see lib/ort.js) and plays the same steps with it.

Chromium slows the CPU for a page's own thread only (Emulation.setCPUThrottlingRate), never for a Worker: it says so when asked
("only supported for pages, not workers"). So a Worker is slowed by stopping its whole process three quarters of the time, a
millisecond at a time; how much slower that made a plain loop in the Worker is printed beside (`slowed`).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import http.server
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from engine.app.explore import export
from tests.web.chromium import DESK, FLAGS
from tests.web.player_golden import played

PULSE_S = 0.001
SLOW_FRAME_MS = 25.0  # longer than one and a half of those that come 60 times a second
WORKER = """(order) => new Promise((done) => {
  window.figures ??= new Worker("../player_figures.mjs", { type: "module" });
  figures.onmessage = ({ data }) => done(data);
  figures.postMessage(order);
})"""
HERE = "async (order) => (await import('../player_figures.mjs')).played(order)"
RECORD = """window.told = [];
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (data.what === "step") told.push([data.took, data.behind, data.late]);
    });
  }
};"""

DRAWN = """window.drawn = null;
for (const name of ["fillRect", "fill", "stroke", "fillText"]) {
  const own = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    drawn ??= performance.now();
    return own.apply(this, given);
  };
}"""
FRAMES = """(seconds) => new Promise((done) => {
  const [ms, end] = [[], performance.now() + 1000 * seconds];
  let last = null;
  requestAnimationFrame(function next(now) {
    if (last !== null) ms.push(now - last);
    last = now;
    if (now < end) requestAnimationFrame(next);
    else done(ms);
  });
})"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the page plays, in time")
    parser.add_argument("--slow", type=int, default=4, help="times slower the CPU is made")
    parser.add_argument("--pages", action="store_true", help="weight, first picture and frames of the pages instead")
    parser.add_argument("--ort", type=Path, metavar="FOLDER", help="onnxruntime-web's files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder), arguments.ort) as address, sync_playwright() as driver:
        flags = [*FLAGS, f"--user-agent={os.getpid()}"]
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport=DESK)
        figures = _pages(page, f"{address}explore/") if arguments.pages else _figures(page, address, arguments)
        browser.close()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


@contextlib.contextmanager
def _served(root: Path, ort: Path | None) -> Iterator[str]:
    """The exported folder behind a plain file server; its address."""
    export(root / "museum")
    shutil.copy(Path(__file__).with_suffix(".mjs"), root / "museum")
    if ort is not None:
        shutil.copytree(ort, root / "museum" / "lib" / "ort")
    (root / "museum" / "empty").mkdir()
    (root / "museum" / "empty" / "index.html").write_text("<!doctype html><title>empty</title>")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/museum/"
        server.shutdown()


def _figures(page: Page, address: str, arguments: argparse.Namespace) -> dict[str, Any]:
    wanted = played("festival", arguments.steps)["steps"]
    notes = [step["notes"] for step in wanted]
    order = {"address": f"{address}lib/networks/festival.onnx", "steps": wanted}
    page.goto(f"{address}empty/")

    def told(found: dict[str, Any]) -> dict[str, Any]:
        if "fault" in found:
            return found
        other = sum(a != b for a, b in zip(found["notes"], notes, strict=True))
        return {"steps": len(notes), "steps_unlike_python": other, "opened_ms": round(found["opened_ms"]), **_ms(found["ms"])}

    plain = page.evaluate(WORKER, "spins")
    figures: dict[str, Any] = {"cores": os.cpu_count(), "worker": told(page.evaluate(WORKER, order))}
    with _slowed(page, arguments.slow):
        figures["worker_slowed"] = told(page.evaluate(WORKER, order))
        figures["worker_slowed"]["slowed"] = round(plain / page.evaluate(WORKER, "spins"), 2)
    # The page's own thread, slowed as Chromium does it.
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": arguments.slow})
    figures["page_throttled"] = told(page.evaluate(HERE, order))
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    if arguments.ort is not None:
        figures["onnxruntime_web"] = told(page.evaluate(WORKER, {**order, "ort": True}))
        with _slowed(page, arguments.slow):
            figures["onnxruntime_web_slowed"] = told(page.evaluate(WORKER, {**order, "ort": True}))
    if arguments.minutes:
        figures["in_time"] = _in_time(page, address, arguments)
    figures["load"] = round(os.getloadavg()[0], 2)
    return figures


def _in_time(page: Page, address: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The page that looks inside, for minutes, everything drawn: how long steps took, and which were late."""
    page.add_init_script(RECORD)
    page.goto(f"{address}explore/#inside")
    with _slowed(page, arguments.slow):
        end = time.monotonic() + 60 * arguments.minutes
        while time.monotonic() < end:
            page.keyboard.press("Shift")  # somebody is there
            page.wait_for_timeout(min(10, max(end - time.monotonic(), 0.1)) * 1000)
        steps = page.evaluate("told")
    took, behind, late = zip(*steps, strict=True)
    out = {"minutes": arguments.minutes, "steps": len(steps), "late": late[-1], **_ms(took)}
    return out | {"done_after_due_p99_ms": round(float(np.percentile(behind, 99)), 1), "worst_ms": round(max(behind), 1)}


def _pages(page: Page, address: str) -> dict[str, Any]:
    """What a visitor's browser fetches for all pages, how soon it draws, and its frames on each page."""
    asked: set[str] = set()
    page.add_init_script(DRAWN)
    page.on("request", lambda request: asked.add(request.url))
    first = []
    for _ in range(5):
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_function("window.drawn !== null && document.querySelector('#title').textContent")
        first.append(page.evaluate("drawn"))
    frames = {}
    for place in [button.get_attribute("aria-label") for button in page.locator("#places button").all()]:
        page.get_by_role("button", name=place).click()
        page.wait_for_timeout(1000)
        ms = np.array(page.evaluate(FRAMES, 5))
        frames[place] = {"fps": round(1000 / float(ms.mean()), 1), "slow_frames": round(float((ms > SLOW_FRAME_MS).mean()), 3)}
    outside = sorted(url for url in asked if not url.startswith((address.removesuffix("explore/"), "about:")))
    files = [url for url in asked if url not in outside and not url.endswith(".onnx") and url.startswith("http")]
    bodies = [page.request.get(url.split("#")[0]).body() for url in files]
    return {
        "gzipped_kb": round(sum(len(gzip.compress(body)) for body in bodies) / 1000, 1),
        "files": len(files),
        "first_picture_ms": sorted(round(ms) for ms in first),
        "asked_outside": outside,
        "frames": frames,
        "load": round(os.getloadavg()[0], 2),
    }


def _ms(values: Any) -> dict[str, float]:
    return {
        "p50_ms": round(float(np.percentile(values, 50)), 2),
        "p99_ms": round(float(np.percentile(values, 99)), 2),
        "max_ms": round(float(np.max(values)), 2),
    }


@contextlib.contextmanager
def _slowed(page: Page, times: int) -> Iterator[None]:
    """Stop the page's process, all its threads, but for one millisecond in `times`."""
    pid, over = _renderer(), threading.Event()

    def pulse() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(PULSE_S * (times - 1))
            os.kill(pid, signal.SIGCONT)
            time.sleep(PULSE_S)

    thread = threading.Thread(target=pulse)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renderer() -> int:
    """The process that draws our page and runs its threads: the renderer of our browser that used most time."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_text()
            if "--type=renderer" in command and f"--user-agent={os.getpid()}" in command:
                found.append((int((folder / "stat").read_text().rsplit(")", 1)[1].split()[11]), int(folder.name)))
    return max(found)[1]


if __name__ == "__main__":
    main()
