"""Pictures of a session: what is asked for is drawn, in the program's colours, at print size."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import SessionError
from engine.core.parameters import Registry
from engine.feed.schema import Schema
from engine.record.canvas import DPI, palette, rgb, shaded, table
from engine.record.feed_file import FeedLog, FeedWriter, Positions
from engine.record.moment import Moment
from engine.record.picture import default_name, parse_neuron, picture
from engine.record.sheet import EDGE, LABEL, Slots, track_colour
from tests.feed.fakes import make_card, make_step

FIRST, LAST = 3, 40


def record(folder, card, chance):
    schema = Schema(card, Registry([t.name for t in card.tracks]))
    log = FeedLog(card, schema.large)
    writer = FeedWriter(folder / "feed.bin", schema, 48000)
    for number in range(FIRST, LAST + 1):
        step = make_step(card, number, chance)
        step["notes"] = 0
        step["clamped"] = 0
        if number == 20:
            step["notes"][[50, 60], 0] = 1
            step["clamped"][60] = 1
        log.step(step, Positions())
        if number % 3 == 0:
            writer.write(log.take())
    writer.write(log.take())
    writer.close()
    return folder


@pytest.fixture
def session(tmp_path, card, chance):
    return record(tmp_path, card, chance)


def colours(path):
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        assert min(image.size) >= 2000
        return image.size, {colour for _, colour in image.getcolors(1 << 24)}


def test_snapshot_is_of_the_fullest_step_unless_one_is_named(session, tmp_path):
    default, named, other = (tmp_path / f"{n}.png" for n in "abc")
    picture(session, default)
    picture(session, named, step=20)
    picture(session, other, step=21)
    assert default.read_bytes() == named.read_bytes()
    found = colours(default)[1]
    assert {rgb("chosen"), rgb("player"), rgb("ground")} <= found
    without = colours(other)[1] - {rgb("chosen"), rgb("player")}
    assert len(without) > 100


def test_snapshot_shows_every_neuron_as_one_rectangle(session, tmp_path, card):
    path = picture(session, tmp_path / "a.png", step=20)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    step = make_steps(card)[20]
    expected = shaded(step["h3_next"], "diverging", -1, 1)
    left = EDGE + LABEL
    found = (pixels[:, left : left + 16 * 150 : 16] == expected).all(axis=(1, 2))
    assert 50 <= found.sum() <= 60  # rows of pixels


@pytest.mark.parametrize("asked", [{"step": 20}, {"first": 10, "last": 12}])
def test_neurons_stand_in_the_cards_order_unless_it_is_asked_for_raw(tmp_path, chance, asked):
    plain = make_card(layers=2)
    backwards = make_card(layers=2, order={0: list(reversed(range(150)))})
    pictures = {}
    for name, card in (("plain", plain), ("backwards", backwards)):
        (tmp_path / name).mkdir()
        session = record(tmp_path / name, card, np.random.default_rng(1))
        for raw in (False, True):
            with Image.open(picture(session, tmp_path / "a.png", **asked, raw=raw)) as image:
                pictures[name, raw] = np.asarray(image)
    assert (pictures["plain", False] == pictures["plain", True]).all()
    assert (pictures["backwards", True] == pictures["plain", True]).all()
    differ = (pictures["backwards", False] != pictures["plain", False]).any(axis=(1, 2))
    assert 50 < differ.sum() < len(differ) / 2  # the first of two layers


def make_steps(card):
    chance = np.random.default_rng(1)
    return {number: make_step(card, number, chance) for number in range(FIRST, LAST + 1)}


def test_one_neuron_over_time(session, tmp_path):
    size, found = colours(picture(session, tmp_path / "a.png", neuron=(2, 17)))
    assert rgb("network") in found
    assert colours(picture(session, tmp_path / "b.png", neuron=(2, 17), first=10, last=12))[0][1] < size[1] + 200


def test_neurons_are_counted_from_one_as_on_the_page(session, tmp_path, card):
    """The first neuron of the first layer is 1:1, and what is drawn for it are its own numbers."""
    path = picture(session, tmp_path / "a.png", neuron=(1, 1), first=FIRST, last=LAST)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    steps = make_steps(card)
    values = np.array([steps[n]["h0_next"][0] for n in range(FIRST, LAST + 1)], np.float32)
    expected = shaded(values, "diverging", -1, 1)
    cell = 2400 // len(values)
    found = (pixels[:, EDGE + LABEL : EDGE + LABEL + cell * len(values) : cell] == expected).all(axis=(1, 2))
    assert 30 <= found.sum() <= 40  # rows of pixels of its band


def test_one_neuron_over_notes(tmp_path, chance):
    card = make_card(layers=2, shape=[188, 20])
    record(tmp_path, card, chance)
    assert len(colours(picture(tmp_path, tmp_path / "a.png", neuron=(2, 20)))[1]) > 50


def test_everything_over_time(session, tmp_path):
    assert len(colours(picture(session, tmp_path / "a.png", first=10))[1]) > 100


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"step": 99}, "no step 99; the session has steps 3 to 40"),
        ({"neuron": (9, 1)}, "there are layers 1, 2, 3, 4, 5, 6"),
        ({"neuron": (1, 151)}, "layer 1 has neurons 1 to 150"),
        ({"neuron": (1, 0)}, "layer 1 has neurons 1 to 150"),
        ({"neuron": (0, 1)}, "there are layers 1, 2, 3, 4, 5, 6"),
        ({"first": 50, "last": 60}, "the session has steps 3 to 40"),
    ],
)
def test_what_is_not_there_is_said(session, tmp_path, asked, said):
    with pytest.raises(SessionError, match=said):
        picture(session, tmp_path / "a.png", **asked)


def test_place_that_cannot_be_written_is_said(session, tmp_path):
    with pytest.raises(SessionError, match="--out"):
        picture(session, tmp_path / "none" / "a.png", step=20)


def test_maps_run_through_black_in_the_middle_and_end_where_the_palette_says():
    assert table("diverging")[127:129].max() < 24
    for name in ("diverging", "sequential", "grey"):
        stops = palette()[name]
        assert tuple(table(name)[0]) == rgb(stops[0][1])
        assert tuple(table(name)[255]) == rgb(stops[-1][1])


def test_tracks_have_their_colours_and_rows_do_not_overlap(card):
    assert track_colour(card, 0) == rgb(palette()["tracks"]["drums"])
    slots = Slots(card, 6)
    assert len(set(slots.top.tolist())) == card.slots
    assert np.diff(np.sort(slots.top)).min() == 6
    bass = card.track_slices()["bass"]
    assert slots.top[bass.start] > slots.top[bass.stop - 1]  # low below high


def test_words_of_the_command_line(tmp_path):
    assert parse_neuron("2:17") == (2, 17)
    for wrong in ("2", "2:", "a:1", "-1:2"):
        with pytest.raises(SessionError, match="LAYER:NEURON"):
            parse_neuron(wrong)
    for old in ("0:17", "2:0", "0:0"):
        with pytest.raises(SessionError, match="counted from 1, as on the page"):
            parse_neuron(old)
    names = [
        default_name(tmp_path, *asked).name
        for asked in ((None, None, None, None), (7, None, None, None), (None, (2, 17), None, None), (None, None, 0, 64))
    ]
    assert names == ["picture.png", "picture-step-7.png", "picture-neuron-2-17.png", "picture-steps-0-64.png"]


def test_bars_are_those_that_were_played():
    card = make_card(layers=1)
    steps = np.array([make_step(card, n, np.random.default_rng(n)) for n in range(40)])
    steps["numerator"], steps["denominator"] = 7, 8
    moment = Moment(card, steps[:33])
    assert [n for n in range(33) if moment.bar_of(n)[1] == 0] == [0, 14, 28]
    assert (moment.bar_of(), moment.metre().name) == ((2, 4), "7/8")
    steps["numerator"][:28], steps["denominator"][:28] = 4, 4
    assert Moment(card, steps[:17]).bar_of() == (1, 0)


def test_as_svg_it_is_the_same_picture_in_words_lines_and_pixels(session, tmp_path):
    pixels = Image.open(picture(session, tmp_path / "p.png", step=20))
    tree = ElementTree.parse(picture(session, tmp_path / "p.SVG", step=20)).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert tree.get("viewBox") == f"0 0 {pixels.width} {pixels.height}"
    assert float(tree.get("width").removesuffix("in")) * DPI == pytest.approx(pixels.width, abs=1)
    words = [text.text for text in tree.iter(f"{space}text")]
    assert {"layer 1", "P(play)", "holds"} <= set(words)
    images = list(tree.iter(f"{space}image"))
    assert images
    for image in images:
        data = base64.b64decode(image.get("href").removeprefix("data:image/png;base64,"))
        small = Image.open(io.BytesIO(data)).convert("RGB")
        x, y, width, height = (int(image.get(key)) for key in ("x", "y", "width", "height"))
        shown = pixels.convert("RGB").crop((x, y, x + width, y + height))
        assert (np.asarray(small.resize((width, height), Image.Resampling.NEAREST)) == np.asarray(shown)).all()
