"""Every number that the explorer draws comes from the modules that compute: where they say something else, so does the page.

Each page is opened three times, each time with a module that computes otherwise. A number that is written on the same place
all three times was not computed, nor was a picture that looks the same.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.web.test_explore import address as address  # the fixture
from tests.web.test_explore import opened

STATIC = Path(__file__).parents[2] / "engine" / "web" / "static"
TEXTS = json.loads((STATIC / "explore" / "texts" / "en.json").read_text())
SLOPES = (1.0, -1.0, 0.3)  # of the sigmoid, in each of the three
ONE_CHANCE, OTHER_CHANCE = "this.state = seed >>> 0;", "this.state = (seed + {mark}) >>> 0;"
ONE_SIGMOID, OTHER_SIGMOID = "1 / (1 + Math.exp(-z))", "1 / (1 + Math.exp(-({slope}) * z))"

# What is written on the pictures, each with its place. What stands right-aligned with one digit is the scale of a chart;
# what is quite sure (0, 1, 100 %) may be so in all three.
WATCH = r"""
window.written = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
  const at = this.getTransform().transformPoint(new DOMPoint(x, y));
  const scale = this.textAlign === 'right' && /^.?\d\.\d$/.test(text);
  const sure = /(^|[^\d.])([01]\.0+|0 %|100 %)$/.test(text);
  if (/\d\.\d|\d %/.test(text) && !scale && !sure) {
    written.push(`${text} at ${Math.round(at.x)}, ${Math.round(at.y)}`);
  }
  return fill.call(this, text, x, y, ...more);
};
"""
LOOK = """() => {
  written.length = 0;
  const board = document.querySelector('#board');
  board.style.paddingRight = `${board.style.paddingRight === '8px' ? 16 : 8}px`; // so that every picture is drawn anew
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done({
    written: [...written, ...[...document.querySelectorAll('.telling')].map((node) => node.textContent)]
      .filter((text) => /\\d\\.\\d|\\d %/.test(text)),
    pictures: [...document.querySelectorAll('#board canvas')].map((one) => [one.getAttribute('aria-label'), one.toDataURL()]),
  }))));
}"""

# For a few pictures it has not said that it is still learning.
LEARNED = """() => {
  const learning = written.splice(0).some((text) => text.startsWith('it is still learning'));
  window.silent = learning ? 0 : (window.silent ?? 0) + 1;
  return silent > 3;
}"""

# On each page: what to press so that all its numbers are there; a number is a wait, in ms.
PRESSED: dict[str, tuple[str | int, ...]] = {
    "neuron": ("play", 900, *("one step",) * 7),
    "clash": ("play",),
    "layers": ("one step",) * 3,
    "memory": ("one step", "one step", "back through time"),
    "beats": ("play",),
    "accent": ("let both learn",),
    "music": ("draw again",),
    "train": ("learn it", 1500),
}


def other(page: Page, mark: int, slope: float) -> None:
    """Have the page load modules that compute something else."""

    def changed(route: Route, name: str, one: str, instead: str) -> None:
        source = (STATIC / "lib" / name).read_text()
        assert source.count(one) == 1
        route.fulfill(body=source.replace(one, instead), content_type="text/javascript")

    page.route("**/lib/chance.js", lambda route: changed(route, "chance.js", ONE_CHANCE, OTHER_CHANCE.format(mark=mark)))
    page.route("**/lib/nn.js", lambda route: changed(route, "nn.js", ONE_SIGMOID, OTHER_SIGMOID.format(slope=slope)))


@pytest.fixture(scope="module")
def three(browser: Browser, address: str) -> Any:
    """The explorer with three different modules."""
    pages, all_faults = [], []
    for number, slope in enumerate(SLOPES):
        page, faults = opened(browser, "about:blank", script=WATCH, reduced_motion="reduce")
        other(page, 1_000_003 * number, slope)
        page.goto(f"{address}?lang=en")
        page.wait_for_function("document.querySelector('#title').textContent")
        pages.append(page)
        all_faults.append(faults)
    yield pages
    assert [fault for faults in all_faults for fault in faults if not fault.startswith(address[:16])] == []
    for page in pages:
        page.close()


@pytest.mark.parametrize("place", PRESSED)
def test_other_modules_other_numbers_and_other_pictures(three: list[Page], place: str) -> None:
    looks = []
    for page in three:
        page.evaluate(f"location.hash = '{place}'")
        page.get_by_role("heading", name=TEXTS[f"{place}.title"], exact=True).wait_for()
        if place == "music":
            page.wait_for_function(LEARNED)
        for name in PRESSED[place]:
            if isinstance(name, int):
                page.wait_for_timeout(name)
            else:
                page.get_by_role("button", name=name, exact=True).dispatch_event("click")
        page.wait_for_timeout(100)
        looks.append(page.evaluate(LOOK))
    same = set.intersection(*(set(look["written"]) for look in looks))
    assert same == set()
    if place not in ("beats", "train"):  # they write no numbers on their pictures, but those of their scales
        assert [len(look["written"]) >= 4 for look in looks] == [True] * 3, looks[0]["written"]
    for one, another, third in zip(*(look["pictures"] for look in looks), strict=True):
        assert len({one[1], another[1], third[1]}) == 3, one[0]


NETWORK = """
export function conduct() {}
onmessage = ({ data }) => {
  const tracks = [{ name: 'bass', kind: 'pitched', pitches: [40] }];
  if (data.order === 'open') postMessage({ what: 'open', card: { tracks, steps_per_beat: 4, beats_per_bar: 4 } });
  for (let step = 0; step < 64 && data.order === 'start'; step++) {
    const h = [0, 1, 2, 3, 4, 5].map(() => Float32Array.from({ length: 150 }, () => step % 16 ? MARK : EXCEPT));
    postMessage({ what: 'step', step, h, begun: [{ track: 0, pitch: 40, level: 1 }], at: 0 });
  }
};
"""


@pytest.mark.parametrize(
    ("mark", "at_downbeats", "says", "effect"), [(0.43, 0.48, "0.43", "1.0"), (-0.57, 0.13, "\u22120.57", "14.0")]
)
def test_what_is_said_of_a_cell_is_what_the_network_says(
    browser: Browser, address: str, mark: float, at_downbeats: float, says: str, effect: str
) -> None:
    page, _ = opened(browser, "about:blank", script=WATCH)
    body = NETWORK.replace("MARK", str(mark)).replace("EXCEPT", str(at_downbeats))
    page.route("**/lib/band-worker.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    page.goto(f"{address}?lang=en#inside")
    while "The warmest cell is in layer" not in page.inner_text("#said"):  # it has heard enough
        page.get_by_role("button", name="a hint").click()
        page.wait_for_timeout(20)
    page.get_by_role("slider", name="cell").fill("104")
    page.get_by_text(re.compile(rf"{effect}")).first.wait_for()  # so many spreads, of which the least counts as 0.05
    page.get_by_role("img", name="Every cell of the six layers").hover()
    assert f"says {says}." in page.inner_text("#why")
    page.close()


PLAYS_ONE_NOTE = """
export function conduct() {}
onmessage = ({ data }) => {
  const tracks = [{ name: 'bass', kind: 'pitched', pitches: [PITCH] }, { name: 'lead', kind: 'pitched', pitches: [60] }];
  if (data.order === 'open') postMessage({ what: 'open', card: { tracks, steps_per_beat: 4, beats_per_bar: 4 } });
  if (data.order === 'start') setInterval(() => {
    postMessage({ what: 'step', step: 0, h: [], begun: [{ track: 0, pitch: PITCH, level: 1 }], at: 0 });
  }, 50);
};
"""


@pytest.mark.parametrize(("pitch", "note"), [(40, "E, bass"), (57, "A, bass")])
def test_the_first_page_draws_the_notes_that_the_network_plays(browser: Browser, address: str, pitch: int, note: str) -> None:
    page, _ = opened(browser, "about:blank", script=WATCH)
    body = PLAYS_ONE_NOTE.replace("PITCH", str(pitch))
    page.route("**/lib/band-worker.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    page.goto(f"{address}?lang=en#key")
    picture = page.get_by_role("img", name=TEXTS["key.sees"])
    picture.wait_for()
    page.wait_for_timeout(2500)  # so that its dots reach 2.5 s back
    box = picture.bounding_box()
    assert box
    height = box["height"]
    said = {}
    for at in (40, 57):  # the higher the pitch, the higher its dots
        y = height - 50 - (at - 28) / 70 * (height - 70)
        page.mouse.move(box["x"] + 2, box["y"] + 2)
        page.mouse.move(box["x"] + box["width"] - 60, box["y"] + y)
        page.wait_for_timeout(200)
        said[at] = page.inner_text("#why") if page.locator("#why").is_visible() else ""
    assert said == {at: note if at == pitch else "" for at in (40, 57)}
    page.close()
