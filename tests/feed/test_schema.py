"""The contract: what is sent and understood is on the page, and what is on the page is sent and understood."""

import re

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from engine.control.address_page import PAGE, page
from engine.control.osc_control import Control
from engine.core.config import Config
from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.messages import CHORD, NEXT_CHORD, NOTE_ON, PLAYED_CHORD, PLAYER
from engine.core.parameters import Live
from engine.feed.encoder import Encoder, PacketTemplate, SubscriptionSpec
from engine.feed.orders import COMMANDS
from engine.feed.schema import BEAT, ROOT, Schema
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Targets
from engine.jam.chords import parse
from engine.jam.parameters import registry_of
from tests.feed.fakes import make_card, make_futures
from tests.feed.test_encoder import events, messages


@pytest.fixture(scope="module")
def festival():
    card = read_card(Config().network_path())
    return Schema(card, registry_of(card))


@pytest.fixture(scope="module")
def listed():
    """Return {address: type tags} of every table of the page."""
    rows = re.findall(r"^\| `(/[^` ]+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len({address for address, _ in rows})
    return {address: types.strip() for address, types in rows}


def test_page_is_what_the_code_makes(festival):
    assert PAGE.read_text() == page(festival), "run: python -m engine.control.address_page"


def test_what_is_sent_is_on_the_page_with_its_types(festival, listed):
    plan = PacketTemplate(Encoder(festival), SubscriptionSpec())
    plan.fill()
    found = messages(plan.datagrams)[0]
    for address, values in found.items():
        types = listed[address]
        if address == f"{ROOT}{BEAT}":
            assert (types, len(values)) == ("iiii", 4)
            continue
        assert types == "f" if len(values) == 1 and "/act/" not in address else types == f"f x {len(values)}"
    notes = plan.notes(events(*((n, NOTE_ON, t, 60, 1) for n, t in enumerate([PLAYER, *range(len(festival.card.tracks))]))))
    chords = plan.notes(
        events((0, CHORD, PLAYER, *parse("Am").code), (0, NEXT_CHORD, PLAYER, 0, 0), (0, PLAYED_CHORD, PLAYER, 5, 1))
    )
    notes += chords
    told = set(re.findall(rb"/algoritmo/(?:[a-z/]+note|chord/[a-z]+)", b"".join(notes)))
    assert {m.address: list(m.params) for m in OscBundle(bytes(chords[0]))} == {
        f"{ROOT}/chord/now": ["Am", 9, (1 << 9) | (1 << 0) | (1 << 4)],
        f"{ROOT}/chord/next": ["", -1, 0],
        f"{ROOT}/chord/played": ["F", 5, (1 << 5) | (1 << 9) | (1 << 0)],
    }
    future = make_futures(festival.card, 1, np.random.default_rng(0), count=1)
    for address, values in messages(plan.futures(future))[0].items():
        assert listed[address] == f"f x {len(values)}"
        found[address] = values
    (scene,) = plan.scenes((2, "Lift"), (3, "Waltz", 1.5))
    scenes = {m.address: list(m.params) for m in OscBundle(scene)}
    assert scenes == {f"{ROOT}/scene/now": [2, "Lift"], f"{ROOT}/scene/coming": [3, "Waltz", 1.5]}
    sent = set(found) | set(scenes) | {a.decode() for a in told} | {f"{ROOT}/frame"}
    published = {ROOT + a.path for a in festival.addresses() if a.tier in ("lead", "scalars", "notes", "vectors", "futures")}
    assert sent == published
    assert published <= set(listed)


def test_what_is_understood_is_on_the_page_and_the_other_way_round(festival, listed):
    link = Link.private(Layout.of(festival.card, len(festival.registry)))
    live = Live(festival.registry, link.values)
    control = Control(festival, live, Subscribers(Targets(Encoder(festival)), print), dict, print)
    orders = {ROOT + a.path for a in festival.addresses() if a.tier == "control"}
    orders |= {ROOT + c.path for c in COMMANDS if "<" not in c.path}
    assert set(control._known) == orders
    assert orders <= set(listed)


def test_every_address_is_there_once():
    for card in (make_card(signals="hcifgo"), make_card(layers=12), make_card(layers=1, shape=[78, 300])):
        addresses = [a.path for a in Schema(card, registry_of(card)).addresses()]
        assert len(addresses) == len(set(addresses))


def test_numbered_layers_have_as_many_digits(festival):
    card = make_card(layers=12, width=3)
    layers = {v.path.split("/")[2] for v in Schema(card, registry_of(card)).vectors if v.layer is not None}
    assert layers == {f"{n:02}" for n in range(12)}


def test_two_outputs_of_one_name_have_two_addresses():
    twice = {
        "activations": [
            {"output": "h0_next", "layer": 0, "signal": "h", "shape": [150]},
            {"output": "c0_next", "layer": 0, "signal": "h", "shape": [150]},
        ]
    }
    card = make_card(**twice)
    paths = [v.path for v in Schema(card, registry_of(card)).vectors if v.layer is not None]
    assert sorted(paths) == ["/act/0/h", "/act/0/h_2"]


def test_network_that_shows_nothing_still_has_a_contract():
    card = make_card(signals="")
    schema = Schema(card, registry_of(card))
    assert {v.signal for v in schema.vectors} == {"probability", "hold", "notes"}
