"""Measures the explorer's pages: bytes, the first picture, slowed frames, who is asked.

    python tests/web/explore_figures.py            # some 90 s; prints a table

Each page is opened afresh from an exported folder. Its bytes are those of every file that it asks for, compressed, but for the
network (9.6 MB), which three pages fetch while they are open. A picture is slowed where it comes later than one and a half
times 1/60 s after the one before.
Needs Debian's chromium.
"""

# ruff: noqa: E402  (runs from anywhere)

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Response, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.explore import export
from engine.web.files import STATIC
from tests.web.chromium import DESK, FLAGS

PLACES = re.findall(r'\{ id: "(\w+)"', (STATIC / "explore" / "places.js").read_text())
SLOWED_MS = 1.5 * 1000 / 60
WATCH = """
window.figures = { first: null, frames: [] };
let before = 0;
function watch(now) {
  const canvas = document.querySelector('#board canvas');
  if (figures.first === null && canvas && canvas.width > 300) figures.first = performance.now();
  if (before && document.hasFocus()) figures.frames.push(now - before);
  before = now;
  requestAnimationFrame(watch);
}
requestAnimationFrame(watch);
"""


class Plain(SimpleHTTPRequestHandler):
    """Files as they are; says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def show(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each page is watched")
    parser.add_argument("--pages", nargs="+", choices=PLACES, default=PLACES, help="these alone")
    arguments = parser.parse_args()
    seconds = arguments.seconds
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "explorer"
        export(root)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Plain, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        show(f"{'page':8} {'kB gzipped':>11} {'first picture ms':>17} {'slowed':>7} {'pictures/s':>11} {'asked elsewhere':>16}")
        for place in arguments.pages:
            context = browser.new_context(viewport=DESK)
            page = context.new_page()
            page.add_init_script(WATCH)
            bodies: dict[str, int] = {}
            elsewhere: list[str] = []

            def came(response: Response, bodies: dict[str, int] = bodies, elsewhere: list[str] = elsewhere) -> None:
                if not response.url.startswith((here, "data:", "blob:")):
                    elsewhere.append(response.url)
                elif not response.url.endswith(".onnx") and response.ok:
                    bodies[response.url] = len(gzip.compress(response.body()))

            page.on("response", came)
            page.goto(f"{here}explorer/explore/#{place}")
            page.wait_for_function("figures.first !== null")
            page.wait_for_timeout(1500)
            page.evaluate("figures.frames.length = 0")
            page.wait_for_timeout(seconds * 1000)
            first, frames = page.evaluate("[figures.first, figures.frames]")
            slowed = sum(ms > SLOWED_MS for ms in frames) / max(len(frames), 1)
            rate = 1000 * len(frames) / max(sum(frames), 1)
            total = sum(bodies.values()) / 1000
            show(f"{place:8} {total:11.1f} {first:17.0f} {100 * slowed:6.1f}% {rate:11.1f} {len(elsewhere):16}")
            context.close()
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
