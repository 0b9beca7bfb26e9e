"""What the page looks like, measured in a real browser: sizes, contrasts, places; what can be touched, and what it is called.

Nothing here sleeps for a length of time: it waits for a thing to be so, up to a limit that means failure.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from engine.core.messages import SCENES
from engine.core.parameters import Parameter
from tests.web.chromium import DESK, FAR, PHONE, VIEWS, bands, keys_of, planes, until, wait_for

pytestmark = pytest.mark.system

# Every word that is written on a canvas while `listening`: where, how large, in which colour, and on what it is written.
WRITTEN = """
window.written = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
const seen = new Set();
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const key = this.canvas.className + text + Math.round(x) + ' ' + Math.round(y);
  if (window.listening && String(text).trim() && !seen.has(key)) {
    seen.add(key);
    const px = parseFloat(this.font.match(/([\\d.]+)px/)[1]);
    const wide = this.measureText(text).width;
    const left = x - (this.textAlign === 'right' ? wide : this.textAlign === 'center' ? wide / 2 : 0);
    const top = this.textBaseline === 'middle' ? y - px / 2 : y - 0.8 * px;
    const t = this.getTransform();
    const under = [];
    const [w, h] = [Math.max(Math.round(wide * t.a), 1), Math.max(Math.round(px * t.d), 1)];
    const { data } = this.getImageData(Math.round(left * t.a), Math.round(top * t.d), w, h);
    for (let i = 0; i < data.length; i += 4) {
      const a = data[i + 3] / 255;
      under.push([0, 1, 2].map((c) => a * data[i + c] + (1 - a) * [7, 9, 13][c]));
    }
    under.sort((p, q) => p[0] + p[1] + p[2] - q[0] - q[1] - q[2]);
    window.written.push({ text: String(text), on: this.canvas.className, left, top, right: left + wide, bottom: top + px, px,
      colour: this.fillStyle, under: under[Math.floor(0.75 * under.length)] });
  }
  return fill.apply(this, arguments);
};
"""

# Every word of the document: how large it is, and how its colour stands out from what is behind it.
SPOKEN = """() => {
  const dot = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const pen = dot.getContext('2d', { willReadFrequently: true });
  const rgba = (css) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (a, b) => [0, 1, 2].map((c) => a[3] * a[c] + (1 - a[3]) * b[c]);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const behind = (node) => {
    const chain = [];
    for (let n = node; n; n = n.parentElement) chain.unshift(rgba(getComputedStyle(n).backgroundColor));
    return chain.reduce((ground, layer) => over(layer, ground), [7, 9, 13]);
  };
  const out = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || node.closest('noscript, option, script')) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    const style = getComputedStyle(node);
    if (!box.width || !box.height || style.visibility === 'hidden' || box.right < 0 || box.bottom < 0) continue;
    let opacity = 1;
    for (let n = node; n; n = n.parentElement) opacity *= getComputedStyle(n).opacity;
    const ground = behind(node);
    const colour = rgba(style.color);
    colour[3] *= opacity;
    out.push({ text, px: parseFloat(style.fontSize), ratio: ratio(over(colour, ground), ground) });
  }
  for (const w of window.written) {
    out.push({ text: w.text, px: w.px, ratio: ratio(rgba(w.colour).slice(0, 3), w.under), canvas: w.on });
  }
  return out;
}"""


def words_of(page: Page) -> list[dict[str, Any]]:
    """Everything that is written on the page now."""
    page.evaluate("() => { window.written.length = 0; window.listening = true; stage.current.restart() }")
    until(page, "!stage.current.dirty")
    page.evaluate("() => { window.listening = false }")
    found: list[dict[str, Any]] = page.evaluate(SPOKEN)
    return found


def show(page: Page, view: str) -> None:
    page.evaluate(f"stage.show('{view}')")
    until(page, f"stage.view === '{view}' && !stage.current.dirty")


# --- what can be read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bands, planes])
def test_words_can_be_read_from_the_far_end_of_a_dark_room(look, stands, kind):
    page = look(kind(stands), "?kiosk", size=FAR, script=WRITTEN)
    for view in VIEWS:
        show(page, view)
        words = words_of(page)
        assert len(words) > 20
        assert [w for w in words if w["px"] < 18] == []
        assert [w for w in words if w["ratio"] < 4.5] == []


@pytest.mark.parametrize(("size", "recorded"), [(DESK, False), (DESK, True), (PHONE, False)])
def test_every_word_stands_out_from_what_is_behind_it(look, stands, size, recorded):
    page = look(bands(stands, recorded=recorded), size=size, script=WRITTEN)
    page.evaluate("stage.toggleControls(true, true)")
    for view in VIEWS:
        show(page, view)
        words = words_of(page)
        assert [w for w in words if w["ratio"] < 4.5] == []
        assert [w for w in words if w["px"] < 11.5] == []


def test_words_of_the_walk_stand_out(look, stands):
    page = look(bands(stands), script=WRITTEN)
    page.click("#act-walk")
    assert [w for w in words_of(page) if w["ratio"] < 4.5] == []


@pytest.mark.parametrize(("query", "size"), [("?kiosk", FAR), ("", DESK), ("", PHONE), ("", {"width": 720, "height": 450})])
def test_names_in_the_roll_do_not_overlap(look, stands, query, size):
    page = look(bands(stands), query, size=size, script=WRITTEN)
    show(page, "roll")
    words_of(page)
    names = [w for w in page.evaluate("written") if w["right"] < page.evaluate("stage.current.left")]
    assert names
    for a, b in itertools.combinations(names, 2):
        apart = a["right"] <= b["left"] or b["right"] <= a["left"] or a["bottom"] <= b["top"] or b["bottom"] <= a["top"]
        assert apart, (a["text"], b["text"])


@pytest.mark.parametrize("kind", [bands, planes])
@pytest.mark.parametrize("size", [{"width": 720, "height": 450}, {"width": 683, "height": 384}, DESK, PHONE])
def test_zoomed_to_twice_its_size_no_scale_is_cut(look, stands, kind, size):
    """A browser that zooms to 200 % has half the pixels."""
    page = look(kind(stands), size=size)
    for view in ("network", "neuron", "moments"):
        show(page, view)
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.legend > *, .scale span')].filter((n) => n.getClientRects().length)
            .filter((n) => {
              const own = n.getBoundingClientRect();
              for (let box = n.parentElement; box; box = box.parentElement) {
                const clips = ['hidden', 'clip'].includes(getComputedStyle(box).overflowX);
                const { left, right } = box.getBoundingClientRect();
                if (clips && (own.left < left - 1 || own.right > right + 1)) return true;
              }
              return own.right > innerWidth + 1 || own.left < -1;
            }).map((n) => n.outerHTML)"""
        )
        assert cut == []


def test_nothing_in_the_header_moves_when_a_number_grows(look, stands):
    page = look(bands(stands))
    places = []
    for bar, tempo, mode, listening in ((1, 60, 0, True), (10, 99, 1, False), (128, 300, 2, True), (1003, 60, 0, False)):
        page.evaluate(
            f"""() => {{
              stage.header.beat({{ step: {16 * (bar - 1)}, beat: {4 * (bar - 1)}, tempo: {tempo} }});
              stage.header.listening = {str(listening).lower()};
              Object.assign(stage.values, {{ mode: {mode}, tempo: {tempo} }});
              stage.header.settings();
            }}"""
        )
        places.append(
            page.evaluate(
                """() => [...document.querySelectorAll('.top .tabs, .top .who, .top .beat, .top .quiet, .top .acts button')]
                .filter((n) => n.offsetParent).map((n) => { const b = n.getBoundingClientRect(); return [b.left, b.width] })"""
            )
        )
        inside = page.evaluate("() => { const b = document.getElementById('beat'); return b.scrollWidth <= b.clientWidth + 1 }")
        assert inside
    for later in places[1:]:  # LayoutNG rounds to 1/64 px, and which way depends on the width of the text: nobody sees that
        np.testing.assert_allclose(later, places[0], atol=0.1)


# --- what can be touched ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [FAR, DESK, PHONE])
def test_what_the_kiosk_speaks_of_can_be_touched(look, stands, size):
    stand = bands(stands)
    page = look(stand, "?kiosk", size=size, has_touch=True)
    until(page, "!document.getElementById('caption').hidden")
    for tab in ("tab-roll", "tab-moments", "tab-neuron", "tab-network"):
        page.tap(f"#{tab}")
        until(page, f"stage.view === '{tab[4:]}'")
    page.locator("[data-pitch='64']").tap()
    on, off = keys_of(stand, 2, page)
    assert (on[:2], off) == ((0x90, 64), (0x80, 64, 0))
    page.tap("#tab-roll")
    page.tap("#futures")  # "let it look ahead"
    wait_for(page, lambda: stand.desk.live.get("futures") == 4)


# What the frame of each card is to be around: (a selector, whether all that it finds must be inside).
MEANT = {
    "It believes, then it chooses": ".belief .strip",
    "All it knows of the world": ".heard-row",
    "A neuron is one number": ".bed[data-signal=h][data-layer='1']",
    "Layers build on layers": ".row.layer",
    "It remembers": ".bed[data-signal=c]",
    "One neuron by itself": ".where",
    "Has it been here before?": ".matrix",
    "What nearly happened": ".roll canvas",
    "Now you": ".piano",
}
INSIDE = """([selector, ring]) => {
  const frame = document.querySelector(ring).getBoundingClientRect();
  const all = [...document.querySelectorAll(selector)].map((n) => n.getBoundingClientRect());
  const shares = all.map((b) => {
    const wide = Math.min(b.right, frame.right, innerWidth) - Math.max(b.left, frame.left, 0);
    const tall = Math.min(b.bottom, frame.bottom, innerHeight) - Math.max(b.top, frame.top, 0);
    return Math.max(wide, 0) * Math.max(tall, 0) / (b.width * b.height);
  });
  const meant = all.reduce((n, b) => n + b.width * b.height, 0);
  return { count: all.length, least: Math.min(...shares), much: frame.width * frame.height / meant };
}"""


def points_at(page: Page, title: str, ring: str) -> None:
    """The frame is around what the card speaks of: all of it, and not much else."""
    if title not in MEANT:
        return
    found = page.evaluate(INSIDE, [MEANT[title], ring])
    assert found["count"] > 0, title
    assert found["least"] > 0.5, (title, found)
    assert found["much"] < 4.5, (title, found)


@pytest.mark.parametrize("size", [PHONE, DESK, FAR])
def test_every_step_of_the_walk_points_at_what_it_speaks_of(look, stands, size):
    page = look(bands(stands), size=size)
    shown = page.evaluate("String(stage.views.network.shown)")
    page.click("#act-walk")
    seen = []
    while page.locator("#walk").is_visible():
        seen.append(page.inner_text("#walk-title"))
        until(page, "!stage.current.dirty")
        page.evaluate("stage.walk.follow()")
        points_at(page, seen[-1], ".ring.dim")
        covered = page.evaluate(
            """() => {
              const hand = document.querySelector('.ring.hand');
              const [a, b] = [hand, document.getElementById('walk')].map((n) => n.getBoundingClientRect());
              const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
              const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
              return hand.hidden || wide <= 0 || tall <= 0 ? 0 : wide * tall;
            }"""
        )
        assert covered == 0, seen[-1]  # what is to be touched can be
        page.click("#walk-next")
    assert set(seen) >= set(MEANT)
    assert page.evaluate("String(stage.views.network.shown)") == shown  # as it was


@pytest.mark.parametrize("size", [PHONE, DESK, FAR])
def test_every_caption_of_the_kiosk_points_at_what_it_speaks_of(look, stands, size):
    page = look(bands(stands), "?kiosk", size=size)
    seen = set()
    for _ in range(10):
        page.evaluate("() => { stage.kiosk.due = 0 }")
        until(page, "stage.kiosk.due > 0")
        until(page, "!stage.current.dirty")
        page.evaluate("() => { stage.kiosk.followed = -1e9 }")
        until(page, "stage.kiosk.followed > 0")
        title = page.inner_text("#caption b")
        seen.add(title)
        points_at(page, title, ".ring:not(.dim, .hand)")
        covers = page.evaluate(
            """() => { const c = document.getElementById('caption').getBoundingClientRect();
            const v = document.getElementById('view').getBoundingClientRect();
            const d = document.getElementById('dock').getBoundingClientRect();
            return [c.top >= v.bottom - 1, c.bottom <= d.top + 1, c.right <= innerWidth, d.bottom <= innerHeight + 1] }"""
        )
        assert covers == [True] * 4
    assert seen >= set(MEANT)


def test_a_recording_has_no_control_that_looks_alive(look, stands):
    page = look(bands(stands, recorded=True))
    assert page.inner_text("#recorded") == "recorded"
    assert page.locator("#tempo-now").is_disabled()
    assert page.locator("#mode-now").is_disabled()
    assert page.locator("#controls").is_hidden()  # nobody is offered what turns nothing
    page.click("#act-controls")
    assert "Recorded" in page.inner_text("#controls")
    alive = page.evaluate(
        """() => ['#controls input', '#controls select', '#controls .chip', '#controls .segments button', '.piano button']
        .flatMap((s) => [...document.querySelectorAll(s)])
        .filter((n) => !n.disabled && !n.dataset.language).map((n) => n.outerHTML)"""
    )
    assert alive == []
    before = stands[0].desk.link.values.numbers.copy()
    page.keyboard.press("a")
    assert (stands[0].desk.link.values.numbers == before).all()


@pytest.mark.parametrize("kind", [bands, planes])
def test_no_two_buttons_are_called_the_same(look, stands, kind):
    page = look(kind(stands))
    page.evaluate("stage.toggleControls(true)")
    for view in VIEWS:
        show(page, view)
        names = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select')].filter((n) => n.offsetParent)
            .map((n) => (n.getAttribute('aria-label') ?? n.textContent).trim())"""
        )
        assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
    assert {f"mute {track.name}" for track in stands[0].desk.card.tracks} <= set(names)


# --- what comes and goes ---------------------------------------------------------------------------------------------------


def test_knobs_of_a_patch_appear_and_vanish_while_it_plays(look, stands):
    stand = bands(stands)
    page = look(stand)
    live = stand.desk.live
    knobs = [
        Parameter("lead.cutoff", 20, 20000, 800, "Where the filter begins", "Hz", scale="exponential"),
        Parameter("lead.patch", 0, 1, 1, "What it sounds like", kind="choice", choices=("glass", "reed")),
    ]
    assert page.locator("[id='p-lead.cutoff']").count() == 0
    stand.call(lambda: live.declare("lead", knobs))
    until(page, "document.getElementById('p-lead.cutoff')")
    page.click("summary:text-is('sound of lead')")
    assert page.locator("[id='p-lead.patch-reed']").get_attribute("aria-checked") == "true"
    page.click("[id='p-lead.patch-glass']")
    wait_for(page, lambda: live.get("lead.patch") == 0)
    page.focus("[id='p-lead.cutoff']")
    page.keyboard.press("End")
    wait_for(page, lambda: live.get("lead.cutoff") == 20000)
    stand.call(lambda: live.declare("lead", knobs[1:]))
    until(page, "!document.getElementById('p-lead.cutoff')")
    assert page.locator(".fold[open]").count() == 1  # what was open stays so
    stand.call(lambda: live.withdraw("lead"))
    until(page, "!document.getElementById('p-lead.patch-glass')")


def test_the_transport_is_run_from_the_page(look, stands):
    stand = bands(stands)
    page = look(stand)
    live = stand.desk.live
    for word in ("start", "stop", "continue", "rewind", "tap"):
        page.click(f"[id='p-transport.{word}']")
        wait_for(page, lambda word=word: live.get(f"transport.{word}") == 1)
    assert page.locator("[id='p-transport.start']").get_attribute("aria-pressed") == "true"
    line = stand.desk.link["timeline"].latest()
    line["playing"] = False
    stand.call(lambda: stand.desk.link.writer("timeline").push(line))
    until(page, "document.getElementById('mode-now').innerText === 'stopped'")
    assert page.locator("[id='p-transport.stop']").get_attribute("aria-pressed") == "true"


def test_on_a_phone_the_scene_that_plays_is_in_sight_and_one_of_many_can_be_reached(look, stands):
    stand = bands(stands)
    names = [f"Scene number {number}" for number in range(1, 13)]
    record = np.zeros((), SCENES)
    record["now"], record["next"], record["set_of"] = 9, 0, 1
    record["text"] = json.dumps({"set": "Night", "names": names}).encode()
    stand.call(lambda: stand.desk.link.writer("scenes").push(record))
    page = look(stand, size=PHONE)
    until(page, "document.querySelector('.scene.now')")
    list_, now = (page.locator(where).bounding_box() for where in (".scenes ol", ".scene.now"))
    assert list_ is not None
    assert now is not None
    assert list_["width"] >= PHONE["width"] - 40, "it has the line to itself"
    assert list_["x"] <= now["x"]
    assert now["x"] + now["width"] <= list_["x"] + list_["width"]
    assert now["height"] >= 36, "a thumb finds it"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator(".scene").last.click()
    wait_for(page, lambda: stand.desk.live.get("scene.go") == len(names))
