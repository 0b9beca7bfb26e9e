"""Takes the README's pictures of the page: a jam with the demo's player, one picture of each view.

    python tests/web/take_pictures.py             # into engine/web/pictures

Needs Debian's chromium.
"""

# ruff: noqa: E402  (runs from anywhere)

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.system.rig import wait_for
from tests.system.whole import add_options, start_jam
from tests.web.chromium import FLAGS

PICTURES = ROOT / "engine" / "web" / "pictures"
NAMES = {"network": "network", "neuron": "one-neuron", "moments": "moments-alike", "roll": "roll"}
SIZE = {"width": 1280, "height": 800}
READY = "Boolean(window.stage && stage.figures.firstPictureMs !== null)"


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.set_defaults(seconds=17.0)  # of music before the first picture: player and network are both busy then
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        jam = start_jam(Path(folder), arguments, 9, "parameters.futures=4")
        try:
            jam.wait_playing()
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport=SIZE)
            page.goto(str(jam.report["processes"]["feed"]["page"]))
            wait_for(lambda: page.evaluate(READY), 20, "a picture")
            page.wait_for_timeout(arguments.seconds * 1000)
            for view, name in NAMES.items():
                page.evaluate(f"stage.show('{view}')")
                page.evaluate(f"stage.toggleControls({str(view == 'network').lower()}, true)")
                if view == "neuron":
                    page.evaluate("stage.current.find('beat')")
                page.wait_for_timeout(1500)
                page.screenshot(path=PICTURES / f"{name}.png")
            browser.close()
        finally:
            jam.close()


if __name__ == "__main__":
    main()
