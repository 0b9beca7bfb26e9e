"""The booth's pages in a browser: a phone votes, draws and composes; a wall shows how they stand. A phone loads little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from engine.core.config import Config
from engine.store.store import Generation, Store
from tests.booth.stand import Stand, configuration, served
from tests.store.made_up import clips
from tests.web.chromium import FAR, LIMIT_S, PHONE, colours, until
from tests.web.conftest import browser as browser

FIRST_LOAD = 60 * 1024  # bytes that a phone loads before its first pair can be heard, heads and the pair included


@pytest.fixture(scope="module")
def booth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A booth with a generation, that plays by the festival network."""
    path = str(tmp_path_factory.mktemp("booth") / "booth.db")
    with Store(path) as store:
        store.open_generation(store.add_generation(Generation("first", "festival.onnx"), clips(8)))
    with served(configuration(Config().network_path(), path)) as running:
        yield running


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What goes wrong in a page; at the end nothing may have."""
    out: list[str] = []
    yield out
    assert out == []


def opened(browser: Browser, booth: Stand, path: str, faults: list[str], **context: object) -> Page:
    """Open a page of the booth."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(booth.url) else faults.append(f"asked {request.url}"))
    page.goto(booth.url + path)
    return page


def test_a_phone_loads_little_and_votes_by_three_touches(browser: Browser, booth: Stand, faults: list[str]) -> None:
    page = opened(browser, booth, "/booth/?lang=en", faults, viewport=PHONE, has_touch=True)
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(sum(request.sizes()[key] for key in HEADS)))
    page.reload()
    until(page, 'document.querySelector(".vote.ready")')
    page.wait_for_timeout(100)
    assert len(sizes) > 10
    assert sum(sizes) <= FIRST_LOAD
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    before = booth.store.count_votes()
    for side in (0, 1):
        page.locator(".play").nth(side).tap()
        until(page, f"booth.parts.vote.heard[{side}] >= 1.2")
    page.locator(".heart").nth(1).tap()
    until(page, 'document.querySelectorAll(".card .name")[1].textContent')
    assert booth.store.count_votes() == before + 1
    assert booth.store.votes()[-1].choice == 1
    page.context.close()


HEADS = ("responseBodySize", "responseHeadersSize")


def test_a_line_is_drawn_gone_on_with_and_sent(browser: Browser, booth: Stand, faults: list[str]) -> None:
    page = opened(browser, booth, "/booth/?lang=es#draw", faults, viewport=PHONE, has_touch=True)
    until(page, "booth.about")
    box = page.locator("canvas.sheet").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 30)
    page.mouse.down()
    for k in range(1, 11):
        page.mouse.move(box["x"] + 20 + k * (box["width"] - 40) / 10, box["y"] + box["height"] - 30 - k * 12)
    page.mouse.up()
    until(page, "booth.parts.draw.result")
    assert colours(page, "canvas.sheet") > 8
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 320, "height": 640})  # the narrowest phone there is
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.locator(".tools button").nth(2).tap()
    until(page, "booth.parts.draw.sent")
    assert booth.store.drawings()[0].kind == "draw"
    page.context.close()


def test_a_cell_is_written_and_the_network_fills_the_rest(browser: Browser, booth: Stand, faults: list[str]) -> None:
    page = opened(browser, booth, "/booth/?lang=ca#compose", faults, viewport=PHONE, has_touch=True)
    until(page, 'document.querySelectorAll(".cell").length === 20')
    page.locator(".cell").nth(16).tap()
    for eighth in (0, 3):
        page.locator(".row").nth(2).locator(".eighth").nth(eighth).tap()
    page.locator(".tools .strong").tap()
    until(page, "booth.parts.compose.result")
    assert page.evaluate("booth.parts.compose.all().filter(([step, , track]) => track === 4 && step < 16).length") == 2
    page.locator(".tools button").first.tap()  # undone
    until(page, "booth.parts.compose.notes.length === 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.context.close()


def test_the_wall_shows_codes_standings_and_where_songs_come_from(browser: Browser, booth: Stand, faults: list[str]) -> None:
    page = opened(browser, booth, "/booth/wall.html?lang=en", faults, viewport=FAR)
    until(page, 'document.querySelectorAll("#clips li").length === 8')
    assert colours(page, "#codes canvas") >= 2
    assert colours(page, "#tree") > 3
    page.locator("#clips li").first.click()
    until(page, 'document.querySelector("#song").textContent.includes("♪")')
    page.evaluate("for (let k = 0; k < 8; k++) wall.next()")  # with nobody there, twice around, the same way every time
    booth.store.open_generation(booth.store.add_generation(Generation("ranks", "tiny.onnx", parent=1), clips(8)))
    until(page, 'document.querySelector("#change .method")?.textContent.includes("learned from the songs that won")')
    assert page.evaluate("document.documentElement.scrollHeight") <= FAR["height"]
    page.context.close()
