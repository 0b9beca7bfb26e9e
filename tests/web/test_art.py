"""The page for the wall, in a real browser: every look, what its address takes, and that it does not flash."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from engine.core.contract import Activation
from engine.web.files import STATIC
from tests.web.chromium import bands, planes, until
from tests.web.stand import MadeUp, Stand, biaxial_card

pytestmark = pytest.mark.system

LOOKS = sorted(path.stem for path in (STATIC / "art" / "looks").glob("*.js"))
SMALL = {"width": 480, "height": 270}
FLASHES = 3  # a second, at most
# Mean brightness of the picture 0 .. 1, forty times a second for so many seconds, drawn without a clock.
WATCHED = """seconds => {
  const { art } = window;
  const small = new OffscreenCanvas(24, 14);
  const g = small.getContext('2d', { willReadFrequently: true });
  const out = [];
  const begun = performance.now();
  return new Promise((done) => {
    const look = () => {
      g.drawImage(art.canvas, 0, 0, 24, 14);
      const { data } = g.getImageData(0, 0, 24, 14);
      let sum = 0;
      for (let i = 0; i < data.length; i += 4) sum += (data[i] + data[i + 1] + data[i + 2]) / 765;
      out.push([performance.now() - begun, sum / (data.length / 4)]);
      if (performance.now() - begun < 1000 * seconds) setTimeout(look, 25);
      else done(out);
    };
    look();
  });
}"""


def opened(look, stand, query: str) -> Page:
    page = look(stand, f"art/?{query}", size=SMALL, wait=False)
    until(page, "window.art && art.figures.frames > 20 && art.show && art.show.frame")
    return page


def picture(page: Page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


@pytest.mark.parametrize("of", [bands, planes])
def test_every_look_draws_a_network_of_either_kind_and_moves(of, look, stands):
    page = opened(look, of(stands), "text=on")
    for name in LOOKS:
        page.evaluate("async name => { await art.use(name) }", name)
        until(page, f"art.options.look === '{name}' && art.look")
        first = picture(page)
        assert len(np.unique(first.reshape(-1, 3), axis=0)) > 20, f"{name} is nearly empty"
        until(page, f"art.figures.frames > {page.evaluate('() => art.figures.frames')} + 12")
        assert np.abs(picture(page) - first).max() > 30, f"{name} stands still"


class Flashing(MadeUp):
    """A network all of which goes on and off six times a second, its notes with it."""

    def _activation(self, a: Activation, step: int) -> np.ndarray:
        return np.full(a.shape, a.max if self.on(step) else 0.0)

    def _probability(self, step: int) -> np.ndarray:
        return np.full(self.desk.card.slots, float(self.on(step)))

    def on(self, step: int) -> bool:
        return step // 2 % 2 == 0


def flashes(page: Page) -> float:
    """How many times the whole picture gets brighter by a tenth and darker again, in the worst second."""
    told = np.array(page.evaluate(WATCHED, 1.3))
    turns, extreme, rising = [], told[0, 1], True
    for at_ms, level in told:
        if (level > extreme) == rising:
            extreme = level
        elif abs(level - extreme) >= 0.1:
            turns.append(at_ms)
            rising, extreme = not rising, level
    return max((sum(first <= at < first + 1000 for at in turns) for first in turns), default=0) / 2


def test_no_look_flashes_by_default(look, stands):
    stands.append(Stand(Flashing(biaxial_card((36, 71), (40, 40, 16, 8))), step_s=0.04, before=200))
    page = opened(look, stands[-1], "look=snapshot&flash=on")
    assert flashes(page) > FLASHES
    page = opened(look, stands[-1], "look=snapshot")
    for name in LOOKS:
        page.evaluate("async name => { await art.use(name) }", name)
        until(page, f"art.options.look === '{name}' && art.look")
        assert flashes(page) <= FLASHES, name


def test_the_address_says_what_is_drawn(look, stands):
    stand = bands(stands)
    page = opened(look, stand, "look=orbit&palette=paper&text=on&line=3")
    assert picture(page)[0, 0].tolist() == [0xF3, 0xEF, 0xE6]
    words = page.evaluate("() => art.options")
    assert (words["look"], words["line"], words["text"], words["palette"]) == ("orbit", 3, True, "paper")
    page.keyboard.press("4")
    until(page, "art.options.look === 'trails'")
    page = opened(look, stand, "look=trails&ground=102030")
    assert picture(page)[0, 0].tolist() == [0x10, 0x20, 0x30]


def test_a_transparent_ground_lets_through_what_lies_behind(look, stands):
    page = opened(look, bands(stands), "look=trails&ground=transparent")
    alpha = page.evaluate("() => Array.from(art.context.getImageData(0, 0, 480, 270).data.filter((_, i) => i % 4 === 3))")
    assert min(alpha) == 0
    assert max(alpha) > 200
    picture = Image.open(io.BytesIO(page.screenshot(omit_background=True)))
    assert picture.mode == "RGBA"
    assert np.asarray(picture)[0, 0, 3] == 0


def test_what_it_does_not_know_it_names_and_draws_all_the_same(look, stands):
    page = opened(look, bands(stands), "look=fire&line=99&colour=red&text=perhaps&ground=blue")
    said = page.evaluate("() => document.getElementById('fault').textContent")
    for words in (
        "look=fire: there are snapshot, alike, flow, trails, orbit",
        "from 0.25 to 6",
        "colour: not known",
        "on or off",
    ):
        assert words in said
    assert "six hexadecimal digits" in said
    assert page.evaluate("() => art.options.look") == "snapshot"


def test_looks_and_palettes_are_what_the_page_says(look, stands):
    page = opened(look, bands(stands), "look=flow")
    assert sorted(page.evaluate("async () => (await import('/art/options.js')).LOOKS")) == LOOKS
    shown = set()
    for palette in page.evaluate("async () => (await import('/art/options.js')).PALETTES"):
        page.goto(f"{stands[-1].url}art/?palette={palette}")
        page.evaluate("() => art.ready")
        assert page.evaluate("() => document.getElementById('fault').hidden")
        shown.add(page.evaluate("() => art.colours.ground + art.colours.player"))
    assert len(shown) == 5
