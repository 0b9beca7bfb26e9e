"""Takes the README's pictures of the explorer, each at a moment at which a page that is just watched shows what it is about.

    python tests/web/take_explorer_pictures.py             # into engine/web/pictures; a minute

Needs Debian's chromium.
"""

# ruff: noqa: E402  (runs from anywhere)

from __future__ import annotations

import io
import sys
import tempfile
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.explore import export
from tests.web.chromium import FLAGS
from tests.web.explore_figures import Plain

PICTURES = ROOT / "engine" / "web" / "pictures"
SIZE = {"width": 1280, "height": 800}
COLOURS = 256  # of a picture: few enough for a small file, enough for the shades
AFTER_S = {"neuron": 12.6, "layers": 6, "accent": 14, "music": 6}
PRESSED = {"music": ["draw again"] * 3}


def main() -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        export(Path(folder) / "explorer")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Plain, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for place, seconds in AFTER_S.items():
            page = browser.new_page(viewport=SIZE)
            page.goto(f"http://127.0.0.1:{server.server_port}/explorer/explore/?lang=en#{place}")
            page.wait_for_timeout(1000 * seconds)
            for name in PRESSED.get(place, []):
                page.get_by_role("button", name=name).click()
                page.wait_for_timeout(100)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                PICTURES / f"explore-{place}.png", optimize=True
            )
            page.close()
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
