"""A page in Debian's Chromium, without a window: what its tests and its figures share."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from tests.web.stand import MadeUp, Stand, biaxial_card, card_of

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
LIMIT_S = 60
VIEWS = ("network", "neuron", "moments", "roll")
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FAR = {"width": 1920, "height": 1080}


def bands(stands: list[Stand], **web: Any) -> Stand:
    """A stage with a network of bands, fast."""
    stands.append(Stand(MadeUp(card_of()), step_s=0.04, before=200, **web))
    return stands[-1]


def slow_bands(stands: list[Stand]) -> Stand:
    """The same, so slow that nothing of it is forgotten while a busy machine opens the page."""
    stands.append(Stand(MadeUp(card_of()), step_s=0.25, before=200))
    return stands[-1]


def planes(stands: list[Stand]) -> Stand:
    """A stage with a network of tables."""
    stands.append(Stand(MadeUp(biaxial_card((36, 71), (40, 40, 16, 8))), step_s=0.04, before=200))
    return stands[-1]


def until(page: Page, true: str) -> Any:
    """Wait until an expression is true in the page (whose policy forbids Playwright's own way of waiting)."""
    end = time.monotonic() + LIMIT_S
    while not (found := page.evaluate(f"() => {{ return {true} }}")):
        assert time.monotonic() < end, f"never true: {true}"
        page.wait_for_timeout(20)
    return found


def colours(page: Page, selector: str) -> int:
    """How many different colours an element shows, sampled."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    picture = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")
    return len(set(np.asarray(picture).reshape(-1, 3)[::7].view([("", np.uint8)] * 3).ravel().tolist()))


def keys_of(stand: Stand, count: int, page: Page) -> list[tuple[int, ...]]:
    """Wait for so many KEY records and return them."""
    got: list[tuple[int, ...]] = []
    end = time.monotonic() + LIMIT_S
    while len(got) < count:
        assert time.monotonic() < end, f"{got} came, {count} keys were expected"
        page.wait_for_timeout(10)
        got += [tuple(key["data"].tolist()) for key in stand.keys.read() if key["size"]]
    return got


def wait_for(page: Page, true: Callable[[], bool]) -> None:
    """Wait until something is so on the stage."""
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end
        page.wait_for_timeout(10)
