"""A browser, stages, and a look at a stage's page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.system.rig import need
from tests.web.chromium import DESK, FLAGS, LIMIT_S, until
from tests.web.stand import Stand


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window. Of this module alone: its event loop and those of other tests are not to meet."""
    path = need("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def stands() -> Iterator[list[Stand]]:
    """Stages that end with the test."""
    out: list[Stand] = []
    yield out
    for stand in out:
        stand.close()


@pytest.fixture
def look(browser: Browser, stands: list[Stand]) -> Iterator[Callable[..., Page]]:
    """Open the page of a stand: `look(stand, "?kiosk")`. At the end no page may have met an error or asked elsewhere."""
    faults: list[str] = []
    contexts = []

    def open_page(
        stand: Stand, query: str = "", size: dict[str, int] = DESK, wait: bool = True, script: str = "", **context: Any
    ) -> Page:
        contexts.append(browser.new_context(viewport=size, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(LIMIT_S * 1000)
        if script:
            page.add_init_script(script)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" and not stand.closed else None)
        page.on("request", lambda request: None if request.url.startswith(stand.url) else faults.append(f"asked {request.url}"))
        page.goto(stand.url + query)
        if wait:
            until(page, "window.stage && stage.figures.firstPictureMs !== null && stage.history.count > 20")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
