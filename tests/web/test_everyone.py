"""Every page for everyone: no serious finding of axe-core, three languages, and texts two fifths longer on a narrow phone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from engine.jam.modes import CLASSES
from engine.jam.parameters import registry_of
from engine.web.files import STATIC
from tests.web.chromium import DESK, FAR, PHONE, VIEWS, bands, planes, until
from tests.web.stand import Stand, card_of

pytestmark = pytest.mark.system

NARROW = {"width": 360, "height": 740}
PLACES = re.findall(r'\{ id: "(\w+)"', (STATIC / "explore" / "places.js").read_text())

# Words that stick out of the screen or are cut off, but for those one can scroll to and those that end in dots.
CUT = """() => [...document.querySelectorAll('body *')].filter((node) => {
  if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('option, noscript, .skip, .held')) return false;
  if (![...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim())) return false;
  const range = document.createRange();
  range.selectNodeContents(node);
  const words = range.getBoundingClientRect();
  for (let box = node; box && box !== document.body; box = box.parentElement) {
    const style = getComputedStyle(box);
    if (style.clipPath !== 'none') return false; // for who hears the page
    if (['auto', 'scroll'].includes(style.overflowX) && box.scrollWidth > box.clientWidth) return false;
    if (style.textOverflow === 'ellipsis') return false;
    const { left, right } = box.getBoundingClientRect();
    if (['hidden', 'clip'].includes(style.overflowX) && (words.left < left - 1 || words.right > right + 1)) return true;
  }
  return words.right > innerWidth + 1 || words.left < -1;
}).map((node) => node.outerHTML.slice(0, 160))"""


def findings(page: Page, *impacts: str) -> list[str]:
    """What axe-core finds wrong, of these impacts; of any where none is named."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE_SCRIPT)
    passes, violations = page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then((found) => [found.passes.length, found.violations])"
    )
    assert passes > 20  # it has looked at something
    return [
        f"{found['impact']} {found['id']}: {found['help']}: {[node['html'][:160] for node in found['nodes']]}"
        for found in violations
        if not impacts or found["impact"] in impacts
    ]


def stage_states(page: Page) -> Any:
    """Bring the stage page into each of its views; then with the controls open, with the walk, with the question."""
    for view in VIEWS:
        page.evaluate(f"stage.show('{view}')")
        until(page, f"stage.view === '{view}' && !stage.current.dirty")
        yield view
    page.evaluate("stage.toggleControls(true, true)")
    yield "controls"
    page.evaluate("stage.toggleControls(false)")
    page.evaluate("stage.walk.start()")
    yield "walk"
    page.evaluate("() => { stage.idle.presence.touched -= 46 }")
    until(page, "!document.getElementById('asked').hidden")
    yield "asked"


def explorer_states(page: Page) -> Any:
    """Open each page of the explorer."""
    for place in PLACES:
        page.evaluate(f"location.hash = '{place}'")
        until(page, f"document.querySelector('#places [aria-current]') && location.hash === '#{place}'")
        until(page, "document.querySelector('#board canvas, #board .fault') && document.querySelector('#title').textContent")
        yield place


@pytest.mark.parametrize(
    ("kind", "query", "recorded", "size"),
    [
        (bands, "", False, DESK),
        (bands, "", True, DESK),
        (bands, "", True, PHONE),
        (bands, "?kiosk", False, FAR),
        (bands, "?kiosk", False, PHONE),
        (planes, "", False, DESK),
    ],
    ids=["jam", "replay", "replay-phone", "kiosk", "kiosk-phone", "tables"],
)
def test_axe_finds_nothing_on_the_stage_page(
    look: Any, stands: list[Stand], kind: Any, query: str, recorded: bool, size: dict[str, int]
) -> None:
    page = look(kind(stands, recorded=True) if recorded else kind(stands), query, size=size)
    if query:
        until(page, "!document.getElementById('caption').hidden")
        assert findings(page) == []
    for state in stage_states(page):
        assert findings(page) == [], state


def test_axe_finds_nothing_serious_in_the_explorer(look: Any, stands: list[Stand]) -> None:
    page = look(bands(stands), "explore/", wait=False)
    for place in explorer_states(page):
        assert findings(page, "serious", "critical") == [], place


@pytest.mark.parametrize("path", ["", "explore/"], ids=["stage", "explore"])
def test_on_a_narrow_phone_everything_fits_and_axe_finds_nothing_serious(look: Any, stands: list[Stand], path: str) -> None:
    stand = bands(stands)
    for query in ("lang=en", "lang=es", "lang=ca", "lang=en&pseudo"):
        page = look(stand, f"{path}?{query}", size=NARROW, wait=not path)
        for state in (explorer_states if path else stage_states)(page):
            assert page.evaluate(CUT) == [], (query, state)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (query, state)
            # A key without a text is shown as it is.
            assert not re.findall(r"\b[a-z]+\.[a-z]+(?:\.[a-z]+)*\b", page.inner_text("body")), (query, state)
            if query == "lang=en":
                assert findings(page, "serious", "critical") == [], state
        assert page.get_attribute("html", "lang") == query[5:7]
        page.close()


def test_on_a_phone_a_track_has_its_name_and_all_it_can_do_in_one_line(look: Any, stands: list[Stand]) -> None:
    page = look(bands(stands), "?lang=es", size=PHONE)  # the longest words
    page.click("#act-controls")
    lines = page.evaluate(
        """() => [...document.querySelectorAll('.control.mix')].map((row) => {
            const name = document.createRange();
            name.selectNodeContents(row.querySelector('.name'));
            const tops = [...row.children].map((n) => n.getBoundingClientRect()).map((box) => (box.top + box.bottom) / 2);
            return [row.innerText.split('\\n')[0], name.getClientRects().length, Math.max(...tops) - Math.min(...tops)];
        })"""
    )
    assert len(lines) > 2
    for name, of_name, apart in lines:
        assert (of_name, apart < 4) == (1, True), name


def test_a_language_is_chosen_on_the_page_and_stays(look: Any, stands: list[Stand]) -> None:
    stand = bands(stands)
    page = look(stand, locale="ca-ES")  # as the browser likes it
    assert page.inner_text("#tab-network") == "Xarxa"
    page.click(".top [data-language=es]")
    until(page, "document.documentElement.lang === 'es'")
    assert page.inner_text("#tab-network") == "Red"
    assert page.inner_text("#p-mode-accompany") == "acompaña"
    assert page.get_attribute("#mode-now", "data-why") == "Cómo os repartís la música tú y la red. Pulsa para cambiarlo."
    assert page.evaluate("document.activeElement.dataset.language") == "es"
    page.hover(".bed >> nth=0")
    assert re.match(r"Capa 2, neurona \d+ dice [+\u2212]\d\.\d\d", page.inner_text("#why"))
    page.reload()
    until(page, "window.stage && stage.figures.firstPictureMs !== null")
    assert page.inner_text("#tab-network") == "Red"
    page.goto(f"{stand.url}?lang=en")
    until(page, "window.stage && stage.figures.firstPictureMs !== null")
    assert page.inner_text("#tab-network") == "Network"


@pytest.mark.parametrize(("query", "recorded"), [("", False), ("", True), ("?kiosk", True)], ids=["jam", "replay", "kiosk"])
def test_the_line_at_the_top_holds_every_language(look: Any, stands: list[Stand], query: str, recorded: bool) -> None:
    page = look(bands(stands, recorded=recorded), query)
    rooms = {}
    for language in ("en", "es", "ca"):
        page.evaluate(f"stage.choose('{language}')")
        until(page, f"document.documentElement.lang === '{language}'")
        for width in (768, 1061, 1201, 1301, 1401, 1431, 1701):
            page.set_viewport_size({"width": width, "height": 800})
            room = page.evaluate(
                "(({ scrollWidth, clientWidth }) => clientWidth - scrollWidth)(document.querySelector('.top'))"
            )
            rooms[language, width] = room
        assert page.evaluate("document.querySelector('.top .languages').checkVisibility()")
    assert {where: room for where, room in rooms.items() if room < 0} == {}


def test_a_language_that_cannot_be_fetched_leaves_the_page_as_it_is(look: Any, stands: list[Stand]) -> None:
    page = look(bands(stands))
    page.context.route("**/texts/es.json", lambda route: route.fulfill(status=204))
    page.click(".top [data-language=es]")
    until(page, "document.getElementById('note').textContent")
    assert page.inner_text("#tab-network") == "Network"


def test_the_english_of_parameters_is_the_engines() -> None:
    texts = json.loads((STATIC / "stage" / "texts" / "en.json").read_text())
    card = card_of()
    names = [track.name for track in card.tracks]
    for parameter in registry_of(card):
        owner, _, last = parameter.id.rpartition(".")
        if parameter.id in ("panic", "mode"):
            continue  # they have words of their own
        own = texts.get(f"doc.{parameter.id}", texts.get(f"doc.*.{last}", "").replace("{track}", owner))
        assert own == parameter.doc
        assert (
            f"knob.{last}" in texts or last in ("mute", "solo")
            if owner in [*names, "player"]
            else f"parameter.{parameter.id}" in texts
        )
    for mode in CLASSES:
        assert texts[f"doc.mode.{mode.name}"] == f"{mode.name}: it {mode.doc}."
        assert f"choice.mode.{mode.name}" in texts
