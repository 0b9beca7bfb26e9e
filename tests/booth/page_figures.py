"""The booth's pages in numbers and in pictures; run by hand, with Debian's chromium.

python -m tests.booth.page_figures slow            # a phone on Chromium's slow 4G: first picture, first pair, bytes
python -m tests.booth.page_figures pictures DIR    # every page, on a phone of 390 px and on a wall of 1080p
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from engine.booth.drawing import lines_of, music_of_lines
from engine.booth.sampling import first_clips
from engine.core import contract
from engine.core.config import Config
from engine.store.store import Drawing, Generation, Store
from tests.booth.stand import Stand, configuration, served
from tests.system.rig import need
from tests.web.chromium import FAR, FLAGS, PHONE, until

# DevTools' "Slow 4G": what it says, as it takes it.
SLOW_4G = {"offline": False, "downloadThroughput": 180_000, "uploadThroughput": 84_375, "latency": 562.5}
TIMES = 5


def slow(browser: Browser, booth: Stand) -> dict[str, Any]:
    """Open the phone's page anew several times."""
    pictures, pairs, bytes_ = [], [], 0
    for _ in range(TIMES):
        context = browser.new_context(viewport=PHONE)
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW_4G)
        sizes: list[float] = []
        session.on("Network.loadingFinished", lambda said, sizes=sizes: sizes.append(said["encodedDataLength"]))
        page.goto(f"{booth.url}/booth/")
        until(page, 'document.querySelector(".vote.ready")')
        pairs.append(page.evaluate("performance.now()"))
        pictures.append(page.evaluate('performance.getEntriesByName("first-contentful-paint")[0].startTime'))
        bytes_ = round(sum(sizes))
        context.close()
    return {
        "first_picture_ms": round(statistics.median(pictures)),
        "first_pair_ms": round(statistics.median(pairs)),
        "bytes": bytes_,
    }


def pictures(browser: Browser, booth: Stand, folder: Path) -> None:
    """Take a picture of every page."""
    folder.mkdir(parents=True, exist_ok=True)
    phone = browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True).new_page()
    for name in ("vote", "draw", "compose"):
        phone.goto(f"{booth.url}/booth/?lang=en#{name}")
        phone.reload()
        until(phone, "window.booth?.about && booth.parts")
        phone.wait_for_timeout(500)
        if name == "vote":
            until(phone, 'document.querySelector(".vote.ready")')
            phone.screenshot(path=folder / "vote-first.png")
            for side in (0, 1):
                phone.locator(".play").nth(side).tap()
                until(phone, f"booth.parts.vote.heard[{side}] >= 1.2")
            phone.screenshot(path=folder / "vote-heard.png")
            phone.locator(".heart").nth(0).tap()
            phone.wait_for_timeout(1200)
        elif name == "draw":
            box = phone.locator("canvas.sheet").bounding_box()
            assert box is not None
            phone.mouse.move(box["x"] + 20, box["y"] + 200)
            phone.mouse.down()
            for k in range(1, 20):
                phone.mouse.move(box["x"] + 20 + k * (box["width"] - 40) / 20, box["y"] + 200 + 90 * ((k % 7) - 3) / 3)
            phone.mouse.up()
            until(phone, "booth.parts.draw.result")
        else:
            phone.locator(".cell").nth(16).tap()
            phone.locator(".row").nth(2).locator(".eighth").nth(0).tap()
            phone.locator(".tools .strong").tap()
            until(phone, "booth.parts.compose.result")
            phone.wait_for_timeout(400)
        phone.screenshot(path=folder / f"{name}.png")
    for name, size in (("wall", FAR), ("wall-phone", PHONE)):
        wall = browser.new_context(viewport=size).new_page()
        wall.goto(f"{booth.url}/booth/wall.html?lang=en")
        until(wall, 'document.querySelectorAll("#clips li").length')
        wall.wait_for_timeout(1500)
        wall.locator("#clips li").first.click()
        wall.wait_for_timeout(500)
        wall.screenshot(path=folder / f"{name}.png", full_page=True)


def main() -> None:
    """The command."""
    if len(sys.argv) < 2 or sys.argv[1] not in ("slow", "pictures"):
        raise SystemExit(__doc__)
    network = Config().network_path()
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        path = str(Path(made) / "booth.db")
        with Store(path) as store:
            first = store.add_generation(Generation("first", str(network)), first_clips(network, 24, 4, 1, 112.0))
            card = contract.read_card(network)
            lines = [[4, 0.5, [[0.0, 0.2], [0.5, 0.9], [1.0, 0.4]]]]
            music = music_of_lines(lines_of(lines, len(card.tracks)), card, 0, 112.0)
            store.add_drawing(Drawing("draw", "amber owl", lines, music, "visitor"))
            store.open_generation(first)
        browser = playwright.chromium.launch(executable_path=need("chromium", "apt-get install chromium"), args=FLAGS)
        with served(configuration(network, path, votes=40, breed=False)) as booth:
            if sys.argv[1] == "slow":
                sys.stdout.write(json.dumps(slow(browser, booth)) + "\n")
            else:
                pictures(browser, booth, Path(sys.argv[2]))
        browser.close()


if __name__ == "__main__":
    main()
