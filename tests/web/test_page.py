"""The page in a real browser: Debian's Chromium, headless, driven by Playwright.

Nothing here sleeps for a length of time: it waits for a thing to be so, up to a limit that means failure.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from engine.core.messages import CHORD, KEY, NEXT_CHORD, NOTHING_TO_KEEP, PLAYED_CHORD, PLAYER, TYPED
from engine.web.files import STATIC
from tests.web.chromium import DESK, PHONE, VIEWS, bands, colours, keys_of, planes, slow_bands, until, wait_for
from tests.web.stand import MadeUp, Network, Stand, card_of

pytestmark = pytest.mark.system

CHORDS = [
    "N",
    *(
        f"{root}:{kind}"
        for kind in ("maj", "min")
        for root in ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    ),
]


# --- the picture -----------------------------------------------------------------------------------------------------------


def test_the_first_picture_shows_the_network_as_it_is(look, stands):
    stand = bands(stands)
    page = look(stand)
    assert page.title() == "Algoritmo: Made up"
    assert page.evaluate("stage.current.painter.kind") == "WebGL2"
    assert colours(page, ".bed") > 30
    step, values = page.evaluate("() => { const f = stage.history.last; return [f.step, [...f.values]] }")
    record = next(r for r in stand.desk.link["steps"].reader(0).read() if r["step"] == step)
    at, size = stand.stage._encoder.blocks["c1"]
    assert np.allclose(values[at : at + size], record["c1"])


def test_what_was_before_the_page_opened_is_there(look, stands):
    page = look(slow_bands(stands))
    until(page, "stage.history.length >= 210")
    steps = page.evaluate("() => Array.from({length: 202}, (_, k) => stage.history.at(stage.history.first + k).step)")
    assert steps == list(range(202))  # 200 from before, and then those that sounded: no gap between


def test_the_real_network_is_drawn(look, stands, tiny_onnx):
    stands.append(Stand(Network(tiny_onnx), step_s=0.04, before=80))
    page = look(stands[0])
    for view in VIEWS:
        page.click(f"#tab-{view}")
        until(page, f"stage.view === '{view}' && !stage.current.dirty")
    assert page.evaluate("stage.history.last.cells.length") == 19


@pytest.mark.parametrize("query", ["", "?draw=2d"])
def test_tables_of_notes_by_neurons_are_drawn_as_such(look, stands, query):
    page = look(planes(stands), query)
    assert page.locator(".net.planes").count() == 1
    assert page.locator(".bed").count() == 8
    assert colours(page, ".bed") > 30
    page.click("#tab-neuron")
    until(page, "stage.current.table.image && stage.current.around")


def test_going_to_and_fro_leaves_nothing_behind(look, stands):
    page = look(bands(stands))
    until(page, "stage.current.orders.size === 2")
    before = page.evaluate("stage.painter.textures")
    for _ in range(20):
        page.evaluate("() => { stage.show('roll'); stage.show('neuron'); stage.show('moments'); stage.show('network') }")
    assert page.evaluate("[stage.painter.textures, document.querySelectorAll('canvas.cells').length]") == [before, 1]


def test_the_picture_comes_back_when_the_graphics_card_does(look, stands):
    page = look(bands(stands))
    page.evaluate("() => { stage.lost = stage.painter.gl.getExtension('WEBGL_lose_context'); stage.lost.loseContext() }")
    until(page, "stage.painter.gl.isContextLost()")
    page.click("#tab-roll")
    page.click("#tab-network")
    page.evaluate("stage.lost.restoreContext()")
    until(page, "!stage.painter.gl.isContextLost() && stage.current.beds[0].field && !stage.current.dirty")
    assert colours(page, ".bed") > 30


def test_without_webgl_the_same_cells_are_drawn(look, stands):
    page = look(bands(stands), "?draw=2d")
    assert page.evaluate("stage.current.painter.kind") == "Canvas2D"
    assert colours(page, ".bed") > 30


def test_both_painters_show_the_same_colours(look, stands):
    page = look(bands(stands))
    different = page.evaluate(
        """async () => {
        const { makePainter } = await import('/stage/paint.js');
        const shown = [];
        for (const flat of [false, true]) {
          const canvas = document.createElement('canvas');
          const painter = makePainter(canvas, flat);
          painter.resize(64, 32);
          const field = painter.field(16, 8, false);
          painter.write(field, 0, 8, Float32Array.from({length: 128}, (_, k) => Math.sin(k)));
          field.newest = 5;
          const order = painter.order(Float32Array.from({length: 16}, (_, k) => (k * 5) % 16));
          painter.begin();
          painter.draw(field, {x: 0, y: 0, width: 64, height: 32, column: 0, columns: 16, row: 1, rows: 4, ages: true,
                               low: -1, high: 1, lut: 'diverging', order});
          const copy = document.createElement('canvas');
          copy.width = 64; copy.height = 32;
          copy.getContext('2d').drawImage(canvas, 0, 0);
          shown.push(copy.getContext('2d').getImageData(0, 0, 64, 32).data);
        }
        let most = 0;
        for (let i = 0; i < shown[0].length; i++) most = Math.max(most, Math.abs(shown[0][i] - shown[1][i]));
        return [most, new Set(shown[0]).size];
      }"""
    )
    assert different[0] <= 2  # of 255
    assert different[1] > 20


def test_chords_are_a_table_of_kinds_by_roots(look, stands):
    card = card_of(
        classes=CHORDS,
        activations=[
            {"output": "h0", "layer": 0, "signal": "h", "shape": [20]},
            {"output": "classes", "layer": 1, "signal": "chords", "shape": [len(CHORDS)], "min": 0.0, "max": 1.0},
        ],
    )
    stands.append(Stand(MadeUp(card), step_s=0.04, before=100))
    page = look(stands[0])
    assert page.evaluate("stage.current.drawn.classes.table") is True
    assert colours(page, ".class-table") > 5
    page.hover(".class-table", position={"x": 300, "y": 60})
    assert re.search(r"the network finds it [\d.]+\s% likely", page.inner_text("#why"))


def test_a_card_without_gates_or_even_states_has_its_picture(look, stands):
    card = card_of(activations=[{"output": "mood", "layer": 0, "signal": "mood", "shape": [5], "min": 0.0, "max": 3.0}])
    stands.append(Stand(MadeUp(card), step_s=0.04, before=80))
    page = look(stands[0])
    for view in VIEWS:
        page.click(f"#tab-{view}")
        until(page, f"stage.view === '{view}'")


def test_a_network_that_shows_nothing_of_itself_has_a_roll(look, stands):
    stands.append(Stand(MadeUp(card_of(activations=[])), step_s=0.04, before=80))
    page = look(stands[0])
    assert not page.locator("#tab-neuron").is_visible()
    assert page.locator(".belief").is_visible()
    page.keyboard.press("2")
    page.click("#tab-roll")
    until(page, "stage.view === 'roll' && stage.current.lanes")


def test_neurons_are_put_in_order_and_back(look, stands):
    page = look(bands(stands))
    until(page, "stage.current.orders.size === stage.net.stack.length")
    order = page.evaluate("[...stage.current.orders.get(0).units]")
    assert sorted(order) == list(range(24))
    assert order != list(range(24))
    page.click("#sort")
    assert page.evaluate("stage.current.unitAt(stage.net.stack[0], 3)") == 3
    assert page.inner_text("#sort") == "as stored"


def test_the_order_in_the_card_is_kept(look, stands):
    order = list(range(24))[::-1]
    stands.append(Stand(MadeUp(card_of(order={"0": order})), step_s=0.04, before=30))
    page = look(stands[0])
    until(page, "stage.current.orders.has(0)")
    assert page.evaluate("[...stage.current.orders.get(0).units]") == order


# --- what can be clicked ---------------------------------------------------------------------------------------------------


def test_a_click_on_a_cell_opens_that_neuron_and_the_address_keeps_it(look, stands):
    page = look(bands(stands))
    page.click("#sort")  # as stored: the place is the number
    box = page.locator(".bed").first.bounding_box()
    page.mouse.click(box["x"] + 4.5 * page.evaluate("stage.current.beds[0].one"), box["y"] + 5)
    until(page, "stage.view === 'neuron'")
    assert page.evaluate("stage.selected") == {"layer": 1, "unit": 4, "row": None}
    assert page.inner_text(".neuron-title") == "Neuron 5"
    until(page, "stage.current.likings")
    assert colours(page, ".line") > 3
    again = look(stands[0], page.evaluate("location.hash"))
    assert again.evaluate("[stage.view, stage.selected.layer, stage.selected.unit]") == ["neuron", 1, 4]


def test_arrows_and_enter_do_what_the_mouse_does(look, stands):
    page = look(bands(stands))
    page.click("#sort")
    page.focus(".bed >> nth=0")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert "neuron 3 " in page.inner_text("#why")
    page.keyboard.press("Enter")
    until(page, "stage.view === 'neuron' && stage.selected.unit === 2")


def test_everything_can_be_reached_with_the_keyboard(look, stands):
    page = look(bands(stands))
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(document.activeElement.id || document.activeElement.className || '').toString()"))
    for expected in (
        "tab-network",
        "tempo-now",
        "act-walk",
        "act-controls",
        "sort",
        "bed",
        "p-tempo",
        "p-mode-solo",
        "panic",
        "white",
    ):
        assert any(expected in name for name in seen), expected
    page.focus("#tab-network")
    page.keyboard.press("ArrowRight")
    until(page, "stage.view === 'neuron'")
    page.keyboard.press("4")
    until(page, "stage.view === 'roll'")


def test_one_neuron_is_reckoned_rightly(look, stands):
    """Against NumPy: where in the bar it fires, and which notes it goes with."""
    page = look(slow_bands(stands))
    got = page.evaluate(
        """() => {
        const { history, net } = stage;
        const block = net.block(net.stack[1], 'h');
        const trace = history.trace(block, 7);
        const steps = Array.from(trace, (_, k) => history.at(history.first + k).step);
        return { steps, trace: [...trace], places: history.byPosition(trace),
                 notes: [...history.withNotes(trace)], tied: history.tiedToBeat(trace) };
      }"""
    )
    steps, trace = np.array(got["steps"]), np.array(got["trace"])
    records = {int(r["step"]): r for r in stands[0].desk.link["steps"].reader(0).read()}
    assert len(records) >= len(steps)
    assert np.allclose(trace, [records[s]["h1"][7] for s in steps], atol=1e-6)
    position = steps % 16
    means = np.array([trace[position == k].mean() for k in range(16)])
    assert np.allclose([p["mean"] for p in got["places"]], means)
    assert got["tied"] == pytest.approx(
        ((means[position] - trace.mean()) ** 2).sum() / ((trace - trace.mean()) ** 2).sum(), rel=1e-4
    )
    play = np.array([records[s]["notes"][:, 0] for s in steps], float)
    often = np.flatnonzero(play.sum(axis=0) >= 3)
    assert len(often) > 5
    for slot in often:
        assert got["notes"][slot] == pytest.approx(np.corrcoef(trace, play[:, slot])[0, 1], abs=1e-3)


def test_finding_a_neuron_finds_it(look, stands):
    page = look(bands(stands))
    page.click("#tab-neuron")
    for pick in ("beat", "note", "loud", "any"):
        page.click(f"[data-pick={pick}]")
        until(page, "stage.current.likings")
    best, most = page.evaluate(
        """async () => {
        const { LOOK } = await import(new URL('stage/neuron.js', document.baseURI));
        // From here on without a pause: no step comes between what it finds and what it is held against.
        stage.current.find('beat');
        const { history } = stage;
        const { main, units } = stage.current.layer;
        const from = Math.max(history.first, history.count - LOOK);
        const all = Array.from({length: units}, (_, u) => history.tiedToBeat(history.trace(main, u, from), from));
        return [all[stage.selected.unit], Math.max(...all)];
      }"""
    )
    assert best == most


def test_moments_alike_are_alike(look, stands):
    page = look(bands(stands))
    page.click("#tab-moments")
    until(
        page,
        "stage.likeness.count > 40 && stage.likeness.count === stage.history.count"
        " && !document.querySelector('.moment').hidden",
    )
    got = page.evaluate(
        """() => {
        const { likeness, history, net } = stage;
        const a = likeness.count - 1, b = likeness.count - 40;
        const units = (n, l) => Array.from({length: l.units}, (_, u) => net.value(history.at(n), l.main, u));
        const state = (n) => net.stack.flatMap((l) => units(n, l));
        return [likeness.of(a, b), state(a), state(b), likeness.best(a, 5).map((n) => likeness.of(a, n))];
      }"""
    )
    a, b = np.array(got[1]), np.array(got[2])
    assert got[0] == pytest.approx(max(a @ b / np.linalg.norm(a) / np.linalg.norm(b), 0), abs=0.01)
    assert got[3] == sorted(got[3], reverse=True)
    page.click(".moment >> nth=0")
    until(page, "stage.moment !== null && document.querySelector('.alike h3').textContent.startsWith('Picked')")
    page.click("#follow")
    assert page.evaluate("stage.moment") is None
    box = page.locator(".matrix").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    assert page.evaluate("stage.moment") is not None


def test_a_click_in_the_roll_asks_for_moments_like_it(look, stands):
    page = look(bands(stands))
    page.click("#tab-roll")
    until(page, "stage.current.lanes")
    assert colours(page, ".roll canvas") > 5
    box = page.locator(".roll canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, "stage.view === 'moments' && stage.moment !== null")


def test_the_roll_shows_what_may_follow_once_it_is_asked_for(look, stands):
    page = look(bands(stands))
    page.click("#tab-roll")
    until(page, "stage.current.lanes && !stage.current.foreseen()")
    plain = page.evaluate("stage.current.ahead")
    page.click("#futures")
    until(page, "stage.current.foreseen() && stage.current.ahead > " + str(plain))
    assert page.evaluate("stage.futures.count") == stands[0].desk.live.get("futures") == 4
    notes = page.evaluate("[...stage.futures.notes]")
    assert len(notes) == 4 * 8 * 27
    assert set(notes) <= {0, 1, 2}
    box = page.locator(".roll canvas").bounding_box()
    for nudge in range(200):  # rows move when a new note widens a lane, so the pointer follows its row as a hand would
        row = page.evaluate(
            """() => {
              const { rowOf, tallOf } = stage.current;
              const slot = rowOf.findIndex((y) => y >= 0);
              return rowOf[slot] + tallOf[slot] / 2;
            }"""
        )
        page.mouse.move(box["x"] + box["width"] - 20 - nudge % 2, box["y"] + row)
        if "of the 4 ways" in page.locator("#why").text_content():
            break
        page.wait_for_timeout(50)
    else:
        pytest.fail("the pointer over what may follow is never told how many ways")
    page.click("#futures")
    until(page, "!stage.current.foreseen() && stage.current.ahead === " + str(plain))


def test_the_signals_shown_can_be_chosen(look, stands):
    page = look(bands(stands))
    assert page.locator(".bed").count() == 4  # h and c of two layers
    page.click(".chip[data-signal=f]")
    assert page.evaluate("stage.current.shown") == ["c", "f"]
    until(page, "!stage.current.dirty")
    page.click(".chip[data-signal=c]")
    page.click(".chip[data-signal=f]")  # the last one stays
    assert page.evaluate("stage.current.shown") == ["f"]


# --- playing and turning ---------------------------------------------------------------------------------------------------


def test_a_key_of_the_computer_arrives_in_the_ring(look, stands):
    stand = bands(stands)
    page = look(stand)
    page.keyboard.down("a")
    assert keys_of(stand, 1, page) == [(0x90, 60, 92)]
    until(page, "document.querySelector('[data-pitch=\"60\"]').classList.contains('mine')")
    until(page, "document.getElementById('who-player').classList.contains('on')")
    page.keyboard.up("a")
    assert keys_of(stand, 1, page) == [(0x80, 60, 0)]
    page.keyboard.press("x")
    page.keyboard.press("w")
    assert keys_of(stand, 2, page) == [(0x90, 73, 92), (0x80, 73, 0)]
    assert stand.desk.link["keys"].latest().dtype == KEY


def test_the_piano_on_the_screen_plays_louder_farther_down(look, stands):
    stand = bands(stands)
    page = look(stand)
    key = page.locator("[data-pitch='62']")
    box = key.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.95)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 1.5, box["y"] + box["height"] * 0.95)  # slides on to the next
    page.mouse.up()
    (on, off, on_next, off_next) = keys_of(stand, 4, page)
    assert (on[:2], off, on_next[:2], off_next) == ((0x90, 62), (0x80, 62, 0), (0x90, 64), (0x80, 64, 0))
    assert on[2] > 105


def test_a_page_that_is_closed_lets_go_of_its_keys(look, stands):
    stand = bands(stands)
    page = look(stand)
    other = look(stand)
    page.keyboard.down("a")
    assert keys_of(stand, 1, page)[0][:2] == (0x90, 60)
    page.close()
    assert keys_of(stand, 1, other) == [(0x80, 60, 0)]


def test_leaving_the_window_lets_go_of_keys(look, stands):
    stand = bands(stands)
    page = look(stand)
    page.keyboard.down("d")
    assert keys_of(stand, 1, page)[0][:2] == (0x90, 64)
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    assert keys_of(stand, 1, page) == [(0x80, 64, 0)]


def test_a_bar_of_belief_can_be_played(look, stands):
    stand = bands(stands)
    page = look(stand)
    place = page.evaluate("() => { const b = stage.current.drawn.belief; return b.places.left[10] + b.places.wide[10] / 2 }")
    page.locator(".strip").first.click(position={"x": place, "y": 40})
    on, off = keys_of(stand, 2, page)
    assert on[:2] == (0x90, 67)  # slot 10: the drums have three, the lead begins at 60
    assert off == (0x80, 67, 0)


def test_a_midi_keyboard_is_heard(look, stands):
    stand = bands(stands)
    page = look(stand)
    page.evaluate("stage.keys.midi(new Uint8Array([0x95, 50, 77]))")
    page.evaluate("stage.keys.midi(new Uint8Array([0xF8]))")
    page.evaluate("stage.keys.midi(new Uint8Array([0xB5, 64, 127]))")
    assert keys_of(stand, 2, page) == [(0x95, 50, 77), (0xB5, 64, 127)]


def test_parameters_mode_panic_and_reset(look, stands):
    stand = bands(stands)
    page = look(stand)
    live = stand.desk.live
    page.focus("#p-temperature")
    page.keyboard.press("End")
    wait_for(page, lambda: live.get("temperature") == 2)
    page.click("#p-mode-solo")
    wait_for(page, lambda: live.get("mode") == 2)
    page.click("[id='p-drums.mute']")
    wait_for(page, lambda: live.get("drums.mute") == 1)
    page.fill("#p-seed", "42")
    page.keyboard.press("Enter")
    wait_for(page, lambda: live.get("seed") == 42)
    page.click("#panic")
    page.click("#p-reset")
    wait_for(page, lambda: (live.get("panic"), live.get("reset")) == (1, 1))
    stand.call(lambda: live.set("tempo", 90))  # from elsewhere
    until(page, "document.querySelector('#p-tempo').parentElement.querySelector('output').textContent === '90 bpm'")
    assert page.inner_text("#mode-now") == "solo"


def test_a_control_is_armed_with_a_click_and_told_when_it_is_learned(look, stands):
    stand = bands(stands)
    page = look(stand)
    armed, link = stand.desk.link["learn"].reader(), stand.desk.link
    before = link.values.numbers.tolist()
    page.click("#learn")
    page.click("[id='p-temperature']")
    wait_for(page, armed.is_behind)
    assert [record["id"] for record in armed.read()] == [b"temperature"]
    assert link.values.numbers.tolist() == before  # it was not turned
    assert page.get_attribute("#learn", "aria-pressed") == "false"
    link.writer("learned").push((b"temperature", b"nano", 1, b"cc 20", b"density"))
    until(page, "document.getElementById('note').textContent.startsWith('cc 20 of nano moves')")
    assert "no longer" in page.inner_text("#note")


def test_chords_and_the_chart_stand_above_the_piano_where_it_is_typed_and_kept(look, stands):
    stand = bands(stands)
    page = look(stand, "?lang=en")
    link = stand.desk.link
    assert page.inner_text(".chart") == "by ear"
    stand.desk.event(0, CHORD, PLAYER, 9, 2)
    stand.desk.event(0, NEXT_CHORD, PLAYER, 5, 1)
    stand.desk.event(0, PLAYED_CHORD, PLAYER, 0, 1)
    until(page, "document.querySelector('.chord.played').classList.contains('other')")
    assert page.locator(".chord b").all_inner_texts() == ["Am", "F", "C"]
    assert page.locator(".chords .chip, .chord, .chart").evaluate_all("all => all.every((node) => node.dataset.why)")
    page.click("#chart-edit")
    page.keyboard.type("| C | H |")  # no key of the piano, and no other view
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.chart-said').textContent.includes(\"bar 2: 'H' is no chord\")")
    page.fill("#chart-text", "| C | G7 |")
    page.click("#chart-play")
    wait_for(page, lambda: link["charts"].count == 1)
    record = link["charts"].latest()
    record["beats"], record["origin"] = 4, TYPED
    stand.call(lambda: link.writer("chart").push(record))  # the network has taken it up
    until(page, "document.querySelectorAll('.chart li').length === 2 && document.querySelector('.chart .here')")
    assert page.locator(".chart-form").is_hidden()
    page.click("#chart-keep")
    wait_for(page, lambda: stand.desk.live.get("keep") == 1)
    record["origin"] = NOTHING_TO_KEEP
    stand.call(lambda: link.writer("chart").push(record))
    until(page, "document.getElementById('note').textContent.startsWith('Nothing comes round yet')")
    assert not any(key["size"] for key in stand.keys.read())


def test_the_music_is_told_in_words_and_its_bars_move_between_the_steps(look, stands):
    stand = bands(stands)
    page = look(stand, "?lang=en")
    words = {
        "turn": ["player", 0],
        "key": ["A minor", 21, 0.8],
        "section": ["B", 1, 3, 0.9],
        "energy": [6.25],
        "surprise": [14.2],
    }
    stand.tell({f"/music/{name}": word for name, word in words.items()}, energy=0.5, surprise=0.25, bar_phase=0.75)
    until(page, "document.querySelector('.music .turn').textContent === 'your turn'")
    assert page.locator(".music .word b").all_inner_texts() == ["A minor", "B"]
    share = "((one) => one.firstChild.getBoundingClientRect().width / one.clientWidth)(document.querySelector('.{} .meter'))"
    for name, at in (("energy", 0.5), ("surprise", 0.25)):
        until(page, f"Math.abs({share.format(name)} - {at}) < 0.03")
    until(page, "document.getElementById('beat').style.getPropertyValue('--phase') === '0.750'")
    assert page.locator(".energy .meter").get_attribute("aria-label") == "6.3 notes a second"
    assert page.locator(".music .turn, .music .word").evaluate_all("all => all.every((node) => node.dataset.why)")
    assert json.loads(stand.desk.link["receivers"].latest()["text"])["levels"] is False  # the sound is not measured for it
    stand.tell({"/music/turn": ["both", 2], "/music/key": ["", -1, 0.0]}, energy=1.0)
    until(page, f"document.querySelector('.music .turn').textContent === 'both play' && {share.format('energy')} > 0.98")
    assert page.locator(".music .word b").all_inner_texts() == ["\u2013", "\u2013"]


def test_a_watcher_plays_nothing_and_the_token_opens_it(look, stands):
    stand = bands(stands, host="0.0.0.0", token="sesame")
    page = look(stand)
    assert "You are watching" in page.inner_text("#dock")
    assert page.locator("#p-tempo").is_disabled()
    page.keyboard.press("a")
    page.locator("[data-pitch='60']").click(force=True)
    page = look(stand, "#token=sesame")
    until(page, "stage.mayChange")
    assert "sesame" not in page.url
    page.keyboard.press("s")
    assert keys_of(stand, 2, page) == [(0x90, 62, 92), (0x80, 62, 0)]


def test_a_recording_says_that_nobody_plays(look, stands):
    stand = bands(stands, recorded=True)
    page = look(stand)
    assert "A recording" in page.inner_text("#dock")
    assert page.locator("#sound").is_visible()
    assert page.locator("#panic").count() == 0
    assert page.locator(".piano kbd").count() == 0
    assert page.locator("#p-tempo").is_disabled()
    page.click("#tab-roll")
    until(page, "stage.current.wish?.hidden")


def test_the_sound_of_the_stage_is_heard_here(look, stands):
    stand = bands(stands)
    page = look(stand)
    page.click("#sound")
    until(page, "stage.sound.on")
    wait_for(page, lambda: any(c.listens for c in stand.stage.clients.values()))
    for _ in range(200):
        stand.call(lambda: stand.hum(0.05))
        loudest = page.evaluate("stage.sound.report?.loudest ?? 0")  # once: a report lasts a third of a second
        if loudest > 0.4:
            break
        page.wait_for_timeout(20)
    assert loudest == pytest.approx(0.5, abs=0.02)
    page.click("#sound")
    wait_for(page, lambda: not any(c.listens for c in stand.stage.clients.values()))


# --- explaining ------------------------------------------------------------------------------------------------------------


def test_what_explains_goes_along_when_that_is_scrolled(look, stands):
    page = look(bands(stands), size=PHONE)
    page.click("#act-controls")
    page.mouse.move(4, 4)  # away from what is scrolled
    page.keyboard.press("Tab")
    top = "document.querySelector('#why').getBoundingClientRect().top"
    until(page, "!document.querySelector('#why').hidden")
    before = page.evaluate(f"{top}")
    page.evaluate("document.querySelector('#controls').scrollBy(0, 30)")
    until(page, f"Math.abs({top} - {before - 30}) < 2")
    page.evaluate("document.querySelector('#controls').scrollBy(0, 9999)")
    until(page, "document.querySelector('#why').hidden")


def test_hovering_explains_in_one_sentence(look, stands):
    page = look(bands(stands))
    page.hover("#mode-now")
    assert page.inner_text("#why").startswith("How you and the network share the music")
    page.hover(".bed >> nth=0")
    assert re.match(r"Layer 2, neuron \d+ says [+\u2212]\d\.\d\d", page.inner_text("#why"))
    page.hover(".strip >> nth=0", position={"x": 200, "y": 30})
    assert "the network finds it" in page.inner_text("#why")


@pytest.mark.parametrize("kind", [bands, planes])
def test_every_button_says_what_it_does(look, stands, kind):
    page = look(kind(stands))
    page.evaluate("stage.toggleControls(true)")
    for view in VIEWS:
        page.click(f"#tab-{view}")
        until(page, f"stage.view === '{view}'")
        mute = page.evaluate(
            """() => [...document.querySelectorAll('button, input')]
            .filter((n) => n.offsetParent && !n.closest('[data-why]') && !n.closest('.piano') && n.id !== 'controls-close')
            .map((n) => n.outerHTML)"""
        )
        assert mute == []
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('button, input')]
            .filter((n) => n.offsetParent && !n.textContent.trim() && !n.getAttribute('aria-label') && !n.closest('label'))
            .map((n) => n.outerHTML)"""
        )
        assert nameless == []


def test_the_walk_leads_through_every_view_and_back(look, stands):
    page = look(bands(stands))
    page.click("#act-walk")
    seen, words = [], 0
    while page.locator("#walk").is_visible():
        seen.append(page.evaluate("stage.view"))
        words += len(page.inner_text("#walk").split())
        own, ring = page.locator("#walk").bounding_box(), page.locator(".ring.dim")
        assert own["x"] >= 0
        assert own["y"] >= 0
        assert own["x"] + own["width"] <= DESK["width"]
        assert own["y"] + own["height"] <= DESK["height"]
        if ring.is_visible():
            target = ring.bounding_box()
            assert target["width"] > 20
            assert not _covers(own, target)
        page.click("#walk-next")
    assert set(seen) == set(VIEWS)
    assert 250 < words < 560  # two minutes at the pace people read
    page.keyboard.press("?")
    page.keyboard.press("ArrowRight")
    assert "2 of" in page.inner_text("#walk")
    page.keyboard.press("Escape")
    assert not page.locator("#walk").is_visible()
    assert page.evaluate("document.activeElement.id") == "act-walk"


def test_what_the_walk_asks_for_is_done_and_it_goes_on_where_one_was(look, stands):
    page = look(bands(stands))
    page.click("#act-walk")

    def done() -> None:
        until(page, "document.querySelector('#walk .said').textContent")
        page.click("#walk-next")

    page.hover("#mode-now")  # anything
    done()
    page.hover(".strip >> nth=0", position={"x": 200, "y": 30})
    done()
    page.keyboard.press("a")
    done()
    page.hover(".bed >> nth=0")
    done()
    page.click("#walk-next")  # the layers are only to be looked at
    page.click(".chip[data-signal=f]")
    done()
    page.click("[data-pick=beat]")
    done()
    until(page, "!document.querySelector('.moment').hidden")
    page.locator(".matrix").click(position={"x": 20, "y": 20})
    done()
    page.click("#walk-leave")
    page.reload()
    until(page, "window.stage && stage.figures.firstPictureMs !== null")
    page.click("#act-walk")
    assert page.inner_text("#walk-title") == "What nearly happened"
    page.click("#futures")
    done()
    assert page.evaluate("stage.walk.narrative.finished.size") == 8
    page.click("#walk-next")  # the last: the next walk begins at the beginning
    page.click("#act-walk")
    assert page.inner_text("#walk-title") == "A network at play"
    assert page.inner_text("#walk .said")  # what was done stays done


def _covers(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether one box hides more than a third of another."""
    wide = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    tall = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    return wide > 0 and tall > 0 and wide * tall > b["width"] * b["height"] / 3


def test_the_kiosk_goes_round_by_itself_and_rests_when_touched(look, stands):
    page = look(bands(stands), "?kiosk")
    assert not page.locator("#act-controls").is_visible()
    captions = set()
    views = set()
    for _ in range(9):
        page.evaluate("() => { stage.kiosk.due = 0 }")
        until(page, "stage.kiosk.due > 0")
        captions.add(page.inner_text("#caption b"))
        views.add(page.evaluate("stage.view"))
    assert len(captions) >= 8
    assert views == set(VIEWS)
    page.mouse.click(400, 400)
    until(page, "document.getElementById('caption').hidden")
    assert not page.evaluate("stage.idle.nobody")


def test_after_a_minute_with_nobody_there_all_is_as_at_first(look, stands):
    stand = bands(stands)
    page = look(stand, "?kiosk")
    page.click("[data-language=ca]")
    until(page, "document.documentElement.lang === 'ca'")
    page.click("#tab-roll")
    page.click("#futures")
    wait_for(page, lambda: stand.desk.live.get("futures") == 4)
    page.click("#act-walk")
    page.evaluate("() => { stage.idle.presence.touched -= 46 }")
    until(page, "!document.getElementById('asked').hidden")
    assert re.fullmatch(r"Hi ets encara\? D'aquí a 1\d segons tot torna a començar\.", page.inner_text("#asked-text"))
    page.mouse.move(300, 300)
    until(page, "document.getElementById('asked').hidden")
    assert page.locator("#walk").is_visible()
    page.evaluate("() => { stage.idle.presence.touched -= 61 }")
    until(
        page, "document.documentElement.lang === 'en' && stage.view === 'network' && !document.getElementById('caption').hidden"
    )
    assert not page.locator("#walk").is_visible()
    assert page.inner_text("#caption b") == "A network at play"
    wait_for(page, lambda: stand.desk.live.get("futures") == 0)
    assert page.evaluate("[sessionStorage.getItem('algoritmo.language'), stage.walk.store.get().finished.length]") == [None, 0]


def test_a_page_that_somebody_watches_is_left_alone_but_a_walk_left_open_ends(look, stands):
    page = look(bands(stands))
    page.click("#tab-roll")
    page.evaluate("() => { stage.idle.presence.touched -= 100 }")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("[stage.view, document.getElementById('asked').hidden]") == ["roll", True]
    page.click("#act-walk")
    page.evaluate("() => { stage.idle.presence.touched -= 61 }")
    until(page, "document.getElementById('walk').hidden && stage.view === 'network'")


# --- small screens, bad evenings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 320, "height": 640}, {"width": 844, "height": 390}, {"width": 1024, "height": 768}]
)
def test_nothing_sticks_out(look, stands, size):
    page = look(bands(stands), size=size, has_touch=size["width"] < 700, is_mobile=size["width"] < 700)
    for view in VIEWS:
        page.evaluate(f"stage.show('{view}')")
        until(page, "!stage.current.dirty")
        wide, tall = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert wide <= size["width"]
        assert tall <= size["height"]
        out = page.evaluate(
            """() => [...document.querySelectorAll('.top button, .tabs button, #panic, .piano button')]
            .filter((n) => n.offsetParent).map((n) => [n.outerHTML, n.getBoundingClientRect()])
            .filter(([, b]) => b.left < -1 || b.right > innerWidth + 1 || b.bottom > innerHeight + 1).map(([h]) => h)"""
        )
        assert out == []


def test_a_phone_asks_for_bytes_and_plays_by_touch(look, stands):
    stand = bands(stands)
    page = look(stand, size=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("stage.net.u8") is True
    page.locator("[data-pitch='64']").tap()
    on, off = keys_of(stand, 2, page)
    assert (on[:2], off) == ((0x90, 64), (0x80, 64, 0))
    page.tap("#tab-roll")
    until(page, "stage.view === 'roll'")


def test_the_page_comes_back_when_the_stage_does(look, stands):
    stand = bands(stands)
    page = look(stand)
    faults_allowed = page.evaluate("stage.history.count")
    stand.close()
    until(page, "document.body.classList.contains('gone')")
    assert "not there" in page.inner_text("#note")
    stands.append(Stand(MadeUp(card_of(title="Another")), step_s=0.04, before=40, port=stand.config.port))
    until(page, "!document.body.classList.contains('gone') && stage.net.name === 'Another' && stage.history.count > 20")
    assert faults_allowed > 0


def test_music_that_begins_anew_begins_a_new_past(look, stands):
    page = look(bands(stands))
    page.evaluate(
        "() => { const f = stage.history.last; stage.step({...f, step: 3, flags: 0}); stage.step({...f, step: 4, flags: 0}) }"
    )
    assert page.evaluate("stage.history.at(stage.history.first).step") in (3, 4)


def test_a_missing_step_is_no_false_note_of_the_player(look, stands):
    page = look(bands(stands))
    told = page.evaluate(
        """async () => {
        const { sounded, YOURS } = await import('/lib/notes.js');
        const frame = (step, cell) => ({ step, cells: Uint8Array.of(cell) });
        return [sounded(frame(5, 1), frame(6, 8), 0), sounded(frame(5, 0), frame(6, 8), 0) & YOURS,
                sounded(frame(5, 1), frame(6, 0), 0), sounded(frame(5, 0), frame(7, 8), 0),
                sounded(frame(5, 5), null, 0) & YOURS];
      }"""
    )
    assert told == [1, 2, 0, 0, 2]


def test_a_picture_that_flashes_as_a_whole_is_calmed(look, stands):
    page = look(bands(stands))
    swings = page.evaluate(
        """async () => {
        const { Calm } = await import('/lib/calm.js');
        const run = (level, ms) => {
          const calm = new Calm();
          let kept = 0;
          const shown = [];
          for (let step = 0; step < 64; step++) {
            const now = level(step);
            const [value] = calm.soften('x', Float32Array.of(now), calm.note(now, step * ms));
            shown.push(value);
          }
          const late = shown.slice(32);
          return Math.max(...late) - Math.min(...late);
        };
        return [run((s) => s % 2, 62.5), run((s) => s % 2, 500), run((s) => 0.5 + 0.04 * (s % 2), 62.5),
                run((s) => (s >> 4) % 2, 125)];
      }"""
    )
    flashing, slow, slight, bars = swings
    assert flashing < 0.2  # sixteen times a second: blended until little is left
    assert slow == 1  # once a second: shown as it is
    assert slight == pytest.approx(0.04)
    assert bars == 1


def test_time_between_two_steps_goes_on_and_never_far(look, stands):
    page = look(bands(stands))
    got = page.evaluate(
        """async () => {
        const { BeatClock } = await import('/lib/clock.js');
        const clock = new BeatClock();
        const out = [clock.beatAt(0)];
        for (let k = 0; k < 40; k++) clock.step(k / 4, 120, 1000 + 125 * k + (k % 2 ? 6 : -6));
        out.push(clock.beatAt(1000 + 125 * 39), clock.beatAt(1000 + 125 * 39.5), clock.beatAt(1e6));
        clock.step(2, 120, 2e6);
        out.push(clock.beatAt(2e6));
        return out;
      }"""
    )
    assert got[0] == 0
    assert got[1] == pytest.approx(9.75, abs=0.02)
    assert got[2] == pytest.approx(9.875, abs=0.02)
    assert got[3] == pytest.approx(9.75 + 0.3)
    assert got[4] == 2


def test_what_stands_in_the_history_is_bounded(look, stands):
    page = look(bands(stands))
    rooms = page.evaluate(
        """async () => {
        const { History } = await import('/lib/history.js');
        return [new History({values: 5776, u8: false}).room, new History({values: 117156, u8: true}).room,
                new History({values: 117156, u8: false}).room];
      }"""
    )
    assert rooms[0] == 512
    assert rooms[1] * 117156 <= 32e6
    assert rooms[2] * 4 * 117156 <= 32e6


# --- the files -------------------------------------------------------------------------------------------------------------


def test_the_colours_are_written_once():
    palette = json.loads((STATIC / "lib" / "palette.json").read_text())
    style = (STATIC / "lib" / "base.css").read_text()
    for name in ("ground", "panel", "line", "text", "soft", "faint", "player", "network", "chosen"):
        assert f"--{name}: {palette[name]};" in style


def test_every_module_is_loaded_at_once():
    page = (STATIC / "stage" / "index.html").read_text()
    own = {f"/stage/{path.name}" for path in (STATIC / "stage").glob("*.js")} - {"/stage/sound-worklet.js"}
    shared: set[str] = set()
    waiting = [STATIC / name[1:] for name in own]
    while waiting:
        path = waiting.pop()
        for name in re.findall(r'from "(\.[^"]+)"', path.read_text()):
            found = (path.parent / name).resolve()
            if found.parent.name == "lib" and f"/lib/{found.name}" not in shared:
                shared.add(f"/lib/{found.name}")
                waiting.append(found)
    assert set(re.findall(r'modulepreload" href="([^"]+)', page)) == own | shared


def test_nothing_refers_to_an_outside_address():
    for path in Path(STATIC).rglob("*"):
        if path.is_file():
            found = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
            assert set(found) <= {"http://www.w3.org/2000/svg"}, path.name
