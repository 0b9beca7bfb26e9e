"""A visitor who has never seen the explorer, and goes by what he reads alone; and one who presses everything at once."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page

from models.training.by_hand import Chance
from tests.web.test_explore import address as address  # the fixture
from tests.web.test_explore import opened

LONG_MS = 60_000


def turn_to(page: Page, heading: str) -> None:
    """Press Next until the page has this heading."""
    title = page.get_by_role("heading", level=2)
    while title.inner_text() != heading:
        before = title.inner_text()
        page.get_by_role("button", name="Next").click()
        page.wait_for_function("(was) => document.querySelector('h2').innerText !== was", arg=before)


def test_a_first_visitor_does_five_things_by_what_he_reads(browser: Browser, address: str) -> None:
    page, faults = opened(browser, address)
    page.set_default_timeout(LONG_MS)
    # Move the line.
    turn_to(page, "What is a neuron?")
    for label, value in (("weight of pitch", "-1.6"), ("weight of length", "3"), ("threshold", "-1.5")):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="1: What is a neuron?, done").wait_for()
    # Solve the clash.
    turn_to(page, "What is a network?")
    page.get_by_role("button", name="three units").click()
    page.get_by_role("button", name="play", exact=True).click()
    page.get_by_role("button", name="2: What is a network?, done").wait_for()
    # Hold the accent.
    turn_to(page, "Hold the accent")
    page.get_by_role("button", name="begin anew").click()
    page.get_by_role("button", name="let both learn").click()
    page.get_by_role("button", name="let both learn", pressed=False).wait_for()
    for name in ("HIGH, accent", "low", "low", "low"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="3c: Hold the accent, done").wait_for()
    # Find a cell that likes the downbeat: the page hears three bars, then gives a hint.
    turn_to(page, "Look inside")
    hint = page.get_by_text("The warmest cell is in layer")
    while not hint.is_visible():
        page.get_by_role("button", name="a hint").click()
        page.wait_for_timeout(100)
    layer = re.search(r"\d", hint.inner_text())
    assert layer
    page.get_by_role("slider", name="layer").fill(layer[0])
    found = page.get_by_role("button", name="5: Look inside, done")
    for cell in range(1, 151):
        page.get_by_role("slider", name="cell").fill(str(cell))
        if found.is_visible():
            break
    assert found.is_visible()
    # Train eight bars, and hear them.
    turn_to(page, "Train one")
    page.get_by_role("button", name="learn it").click()
    page.get_by_role("button", name="6: Train one, done").wait_for()
    page.get_by_role("button", name="play on").click()
    assert not faults
    page.close()


def test_a_visitor_who_presses_everything_at_once_breaks_nothing(browser: Browser, address: str) -> None:
    page, faults = opened(browser, address, 900, 700)
    chance = Chance(7)
    for place in ("neuron", "layers", "memory", "accent"):
        page.evaluate(f"location.hash = {place!r}")
        page.wait_for_function(
            "(id) => document.querySelector('#places [aria-current]') && location.hash === `#${id}`", arg=place
        )
        boxes = [box for canvas in page.locator("canvas").all() if (box := canvas.bounding_box())]
        for _ in range(2):  # he drags through the pictures and lets go outside, where he may leave the window too
            box = boxes[chance.below(len(boxes))]
            page.mouse.move(box["x"] + box["width"] * float(chance.number()), box["y"] + box["height"] * float(chance.number()))
            page.mouse.down()
            page.mouse.move(2000 * float(chance.number()) - 500, 1500 * float(chance.number()) - 400, steps=2)
            page.mouse.up()
        buttons = page.locator("section button")
        for _ in range(5):
            buttons.nth(chance.below(buttons.count())).dispatch_event("click")
            page.keyboard.press(("Enter", " ", "ArrowRight", "ArrowLeft", "1", "x", "Tab")[chance.below(7)])
        # In the middle of it another language, and then the next page.
        page.get_by_role("combobox").nth(1).select_option(("en", "es", "ca")[chance.below(3)])
        assert page.locator("#board canvas").count()
        assert page.locator("#board .fault").count() == 0
    assert not faults
    page.close()
