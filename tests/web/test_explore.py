"""The explorer in a real browser, from its exported folder: what a visitor does there, and that it asks nobody else."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from engine.app.explore import export
from tests.web.chromium import LIMIT_S, keys_of
from tests.web.stand import Network, Stand

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The exported folder, served by a plain file server below another folder."""
    root = tmp_path_factory.mktemp("served")
    export(root / "museum")
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/museum/explore/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def opened(
    browser: Browser, address: str, width: int = 1280, height: int = 800, script: str = "", clock: bool = False, **more: object
) -> tuple[Page, list[str]]:
    """A page, and what goes wrong on it: errors, failed requests, requests to anybody else; `clock`: one that can be put on."""
    page = browser.new_page(viewport={"width": width, "height": height}, **more)
    page.set_default_timeout(1000 * LIMIT_S)
    page.add_init_script(script)
    if clock:
        page.clock.install()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    here = "/".join(address.split("/")[:3])
    page.on("request", lambda request: None if request.url.startswith((here, "data:")) else faults.append(request.url))
    page.goto(address)
    return page, faults


def test_the_network_in_the_page_answers_a_key(browser: Browser, address: str) -> None:
    page, faults = opened(browser, f"{address}#key")
    page.wait_for_timeout(1500)
    page.keyboard.press("a")
    page.get_by_text("It heard you").wait_for()
    assert not faults
    page.close()


def test_a_tune_is_learned_played_on_and_joins_the_jam(browser: Browser) -> None:
    stand = Stand(Network(ROOT / "models" / "festival" / "festival.onnx"), before=10)
    page, faults = opened(browser, f"{stand.url}explore/#train")
    page.get_by_role("button", name="another tune").click()
    page.get_by_role("button", name="learn it").click()
    page.get_by_role("button", name="listen: 1").click()
    page.get_by_role("button", name="6: Train one, done").wait_for(timeout=60_000)
    page.get_by_role("button", name="play on").click()
    page.get_by_text("It goes on from your tune.").wait_for()
    page.get_by_role("button", name="join the jam").click()
    page.get_by_text("It plays in the jam on stage now.").wait_for()
    keys = keys_of(stand, 3, page)
    assert {status for status, _, _ in keys} == {144, 128}
    assert all(60 <= pitch < 88 for _, pitch, _ in keys)
    assert not faults
    stand.close()
    page.get_by_text("The stage is away. This page comes back by itself.").wait_for()
    page.close()


def test_a_visitor_finds_a_cell_that_likes_the_downbeat_in_the_jam_that_plays(browser: Browser) -> None:
    stand = Stand(Network(ROOT / "models" / "festival" / "festival.onnx"), before=100)
    page, faults = opened(browser, f"{stand.url}explore/#inside")
    said = page.locator("#said")
    page.get_by_role("button", name="live from the stage", pressed=True).wait_for()
    while "The warmest cell is in layer" not in said.inner_text():  # it has listened for three bars soon
        page.get_by_role("button", name="a hint").click()
        page.wait_for_timeout(50)
    page.get_by_role("slider", name="layer").fill(said.inner_text()[-2])
    for cell in range(1, 151):
        page.get_by_role("slider", name="cell").fill(str(cell))
        assert "cell" not in said.inner_text() or f"cell {cell} " in said.inner_text()
        if "likes the downbeat" in said.inner_text():
            break
    page.get_by_role("button", name="5: Look inside, done").wait_for()
    # What he silences is silent in a network of his own; who leaves the stage's page is left alone by it.
    page.get_by_role("button", name="silence its layer").click()
    page.get_by_text("Silenced: all of layer").wait_for()
    page.get_by_role("button", name="live from the stage", pressed=False).wait_for()
    assert not faults
    # To the stage page, and back; what was still being fetched for this one is left.
    page.get_by_role("link", name="To the stage").click()
    page.get_by_role("link", name="What is a neuron? The explorer").click()
    page.get_by_role("heading", name="Look inside").wait_for()
    page.close()
    stand.close()


class _Plain(_Quiet):
    def guess_type(self, path: object) -> str:
        """Take every file for a text, as a server does that knows no types."""
        return "text/html" if str(path).endswith((".html", "/")) else "text/plain"


def test_a_server_with_wrong_types_gets_a_word_and_no_white_page(browser: Browser, tmp_path: Path) -> None:
    export(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Plain, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, faults = opened(browser, f"http://127.0.0.1:{server.server_port}/explore/")
        page.get_by_text("This page did not start.").wait_for()
        page.get_by_text("Esta página no ha arrancado.").wait_for()
        assert any("MIME" in fault for fault in faults)
        page.close()
        server.shutdown()


def test_without_threads_without_sound_without_webgl_and_without_the_network(browser: Browser, address: str) -> None:
    script = """delete window.Worker; delete window.AudioContext; delete window.webkitAudioContext;
        const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
          return kind.startsWith('webgl') ? null : get.call(this, kind, ...more);
        };"""
    page, faults = opened(browser, f"{address}#inside", script=script)
    page.get_by_role("button", name="a hint").click()
    page.get_by_text("This browser gives no sound.").wait_for()
    while "It listens first" not in page.inner_text("#said"):  # as soon as its steps come
        page.get_by_role("button", name="a hint").click()
        page.wait_for_timeout(20)
    # A visitor changes pages and languages in the middle of learning; what he made stays his.
    page.evaluate("location.hash = 'train'")
    page.get_by_role("button", name="learn it").click()
    page.evaluate("location.hash = 'music'")
    page.get_by_role("heading", name="How it makes music").wait_for()
    page.evaluate("location.hash = 'train'")
    page.get_by_role("button", name="an empty sheet").click()
    page.get_by_role("button", name="hold", exact=True).click()
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="aprender").click()
    page.get_by_text("Dibuja antes unas notas.").wait_for()
    assert not faults
    page.route("**/*.onnx", lambda route: route.abort())
    page.evaluate("location.hash = 'key'")
    page.get_by_text("No se ha podido cargar la red").wait_for()
    page.close()


def test_a_network_that_does_not_come_is_asked_for_again(browser: Browser, address: str) -> None:
    page, faults = opened(browser, address.replace("/explore/", "/explore/?lang=en#layers"))
    page.clock.install()
    page.context.route("**/*.onnx", lambda route: route.abort())
    page.evaluate("location.hash = 'key'")
    page.get_by_text(re.compile(r"The network could not be fetched \(.+\)\. Next try in 1 s\.")).wait_for()
    page.context.unroute("**/*.onnx")  # the way is free; a thread's own clock goes on
    page.keyboard.press("a")
    while "It heard you" not in page.inner_text("#said") and "It answers" not in page.inner_text("#said"):
        page.keyboard.press("a")
        page.clock.run_for(100)
    assert all("failed" in fault or "ERR_FAILED" in fault for fault in faults), faults
    page.close()


ASLEEP = """
window.AudioContext = class extends AudioContext {
  get state() { return window.up ? 'running' : 'suspended'; }
  resume() { if (window.may) window.up = true; return Promise.resolve(); }
};
"""


def test_a_sound_that_is_kept_asleep_gets_its_word(browser: Browser, address: str) -> None:
    page, faults = opened(browser, f"{address}?lang=en#neuron", script=ASLEEP)
    button = page.get_by_role("button", name="touch for sound")
    button.click()
    page.get_by_text("The sound is still asleep: touch the page once more.").wait_for()
    assert button.get_attribute("aria-pressed") == "true"  # to wake it is not to switch it off
    page.evaluate("window.may = true")
    button.click()
    sound = page.get_by_role("button", name="sound", exact=True)
    sound.wait_for()
    assert sound.get_attribute("aria-pressed") == "true"
    page.evaluate("window.up = false")  # a telephone rings
    button.wait_for()
    page.get_by_role("heading", level=2).click()  # anywhere will do
    sound.wait_for()
    page.wait_for_timeout(800)  # a touch that wakes it ends before that
    sound.click()
    assert sound.get_attribute("aria-pressed") == "false"
    assert not faults
    page.close()


def test_who_leaves_is_asked_and_then_all_is_as_at_first(browser: Browser, address: str) -> None:
    page, faults = opened(browser, f"{address}#layers", clock=True, locale="ca-ES")
    page.get_by_role("heading", name="Què és una xarxa?").wait_for()
    page.get_by_label("Llengua").select_option("es")
    page.get_by_role("heading", name="¿Qué es una red?").wait_for()
    page.get_by_label("¿Cuánto tiempo tienes?").select_option("10")
    page.get_by_role("button", name="Siguiente").click()  # past what this path leaves out
    page.get_by_role("heading", name="Aguanta el acento").wait_for()
    page.get_by_role("button", name="GRAVE, acento").click()
    page.clock.fast_forward(44_000)
    page.clock.run_for(50)
    asked = page.get_by_role("alertdialog")
    assert not asked.is_visible()
    page.clock.fast_forward(2_000)
    page.clock.run_for(50)
    assert re.search(r"\d+ segundos", asked.inner_text())
    asked.get_by_role("button").dispatch_event("click")  # a pointer that moves there says already that somebody is there
    page.clock.fast_forward(30_000)  # somebody is there: all stays
    page.clock.run_for(50)
    assert not asked.is_visible()
    assert page.get_by_role("heading", level=2).inner_text() == "Aguanta el acento"
    page.clock.fast_forward(16_000)
    page.clock.run_for(50)
    assert asked.is_visible()
    page.clock.fast_forward(15_000)
    page.clock.run_for(50)
    page.get_by_role("heading", name="Una tecla").wait_for()  # in the browser's own language, not in the one that was chosen
    page.clock.run_for(50)
    assert not asked.is_visible()
    assert page.get_attribute("html", "lang") == "ca"
    assert page.locator("#places button").count() == 11  # no path
    assert page.locator("#places .done").count() == 0
    assert page.evaluate("location.hash") == "#key"
    assert page.evaluate("JSON.parse(localStorage.getItem('algoritmo.explore'))") == {"at": "key", "path": None, "finished": []}
    assert page.evaluate("sessionStorage.getItem('algoritmo.language')") is None
    assert not faults
    page.close()


def test_a_finger_is_told_what_a_pointer_is_shown(browser: Browser, address: str) -> None:
    page, faults = opened(browser, f"{address}?lang=en#beats", 390, 844, has_touch=True, is_mobile=True)
    curve = page.get_by_role("img", name="One neuron's way")
    curve.tap()
    page.get_by_role("tooltip").get_by_text("Along a single curve").wait_for()
    assert not faults
    page.close()


def test_where_one_was_is_where_one_goes_on(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}#beats")
    page.wait_for_function("document.querySelector('#title').textContent")
    page.goto(address)
    page.get_by_role("heading", name="Three beats").wait_for()
    page.goto(f"{address}?lang=ca")  # in another language, too
    page.get_by_role("heading", name="Tres temps").wait_for()
    context.close()


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    folder = Path(__file__).parents[2] / "engine" / "web" / "static" / "explore"
    found, todo = set(), [folder / "main.js"]
    while todo:
        path = todo.pop()
        found.add(path)
        todo += {(path.parent / name).resolve() for name in re.findall(r'from "(\.[^"]+)"', path.read_text())} - found
    asked = re.findall(r'modulepreload" href="([^"]+)', (folder / "index.html").read_text())
    assert {(folder / name).resolve() for name in asked} == found


def test_nothing_is_drawn_by_lot_but_from_a_seed() -> None:
    static = Path(__file__).parents[2] / "engine" / "web" / "static"
    for path in static.rglob("*.js"):
        assert "Math.random" not in path.read_text(), path.name
