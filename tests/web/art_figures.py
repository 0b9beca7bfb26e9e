"""Measures the page for the wall: frames a second and the script's share of each, look by look, at 1080p.

    python tests/web/art_figures.py --seconds 5

Needs Debian's chromium; graphics are drawn by the processor here. The network plays in this process beside the browser.
"""

# ruff: noqa: E402, T201  (runs from anywhere; a program that reports)

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.web.chromium import FAR, FLAGS, until
from tests.web.stand import Network, Stand

LOOKS = ("snapshot", "alike", "flow", "trails", "orbit")
WARM_FRAMES = 60


def main() -> None:
    """Measure every look on the festival's network and on the biaxial one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--networks", nargs="*", default=["festival", "biaxial"])
    parser.add_argument("--looks", nargs="*", default=LOOKS, choices=LOOKS)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in arguments.networks:
            stand = Stand(Network(ROOT / "models" / name / f"{name}.onnx"), before=120)
            for look in arguments.looks:
                page = browser.new_page(viewport=FAR)
                page.goto(f"{stand.url}art/?look={look}")
                until(page, f"window.art && art.figures.frames > {WARM_FRAMES}")
                page.evaluate("() => { art.figures.frames = 0 }")
                page.wait_for_timeout(1000 * arguments.seconds)
                count = page.evaluate("() => art.figures.frames")
                frame, script = (
                    np.array(page.evaluate(f"() => Array.from(art.figures.{what}.slice(0, {count}))"))
                    for what in ("frameMs", "scriptMs")
                )
                print(
                    f"{name:9} {look:9} {1000 * count / frame.sum():5.1f} frames/s, script mean {script.mean():.2f}"
                    f" p99 {np.percentile(script, 99):.2f} ms"
                )
                page.close()
            stand.close()
        browser.close()


if __name__ == "__main__":
    main()
