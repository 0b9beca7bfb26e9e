"""The smooth tiers of a page: to who asks for them, at his rate, and nothing where nobody does."""

import asyncio
import json
import struct

import numpy as np
import pytest

from engine.core.config import Config, Web
from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.messages import signals_dtype
from engine.core.parameters import Live
from engine.feed.schema import Schema
from engine.feed.signals.audience import Audience
from engine.jam.parameters import registry_of
from engine.web.client import Client
from engine.web.frames import HEADER, SIGNALS
from engine.web.site import Site
from engine.web.smooth import Smooth, rate_of


@pytest.mark.parametrize(("text", "rate_hz"), [("60", 60), ("1000", 60), ("1", 20), ("", 0), (None, 0), ("x", 0), ("nan", 0)])
def test_a_rate_is_what_can_be(text, rate_hz):
    assert rate_of(text) == rate_hz


def test_numbers_come_to_who_asked_and_nobody_is_asked_for_them_when_all_have_left():
    card = read_card(Config().network_path())
    link = Link.private(Layout.of(card, len(registry_of(card))))
    audience = Audience(link, Schema(card, registry_of(card)))
    catalogue = audience.schema.catalogue

    def shown():
        return json.loads(link["receivers"].latest()["text"])["shown"]

    async def look():
        smooth = Smooth(audience)
        fast, slow = Client(1, "f32", 30.0, True), Client(2, "f32", 30.0, True)
        assert link["receivers"].count == 0
        smooth.join(Client(3, "f32", 30.0, True), {})
        assert link["receivers"].count == 0
        smooth.join(fast, {"smooth": "60"})
        smooth.join(slow, {"smooth": "20", "raw": "1"})
        assert shown()
        for client in (fast, slow):
            list(client.take())  # the words
        record = np.zeros((), signals_dtype(card))
        got = {fast: [], slow: []}
        for number in range(60):
            record["beat"], record["values"][3], record["raw"][3], record["trails"][1] = number, 0.25, -7, 1.0
            link.writer("signals").push(record)
            smooth.look(10 + number / 60)
            for client, frames in got.items():
                frames += [m for m in client.take() if isinstance(m, bytes)]
        smooth.leave(fast)
        assert shown()
        smooth.leave(slow)
        assert not shown()
        return got[fast], got[slow], smooth.layout()

    fast, slow, layout = asyncio.run(look())
    assert 58 <= len(fast) <= 60
    assert 19 <= len(slow) <= 21
    head = HEADER.unpack_from(slow[-1])
    count = len(catalogue)
    assert (head[2], head[4], head[5]) == (SIGNALS, 1, count)
    assert len(layout["signals"]) == count
    values, raw = (struct.unpack_from(f"<{count}f", slow[-1], HEADER.size + 4 * count * n) for n in (0, 1))
    assert (values[3], raw[3]) == (0.25, -7.0)
    trails = slow[-1][HEADER.size + 8 * count :]
    assert (len(trails), trails[1]) == (catalogue.trail_size, 255)
    assert len(fast[-1]) == HEADER.size + 4 * count + catalogue.trail_size


def test_another_network_is_told_with_its_numbers_to_who_asked_for_them():
    card = read_card(Config().network_path())
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry)))
    live = Live(registry, link.values)
    live.reset_to_defaults()

    def hello(client):
        texts = [json.loads(text) for text in client.take() if isinstance(text, str)]
        (found,) = [text for text in texts if text["kind"] == "hello"]
        return found["smooth"]

    async def look():
        stage = Site(link, live, card, Web(), audience=Audience(link, Schema(card, registry))).pages["stage"]
        clients = [stage.join({"smooth": "60"}), stage.join({})]
        before = [hello(client) for client in clients]
        stage.adopt(link, card)
        after = [hello(client) for client in clients]
        for client in clients:
            stage.leave(client)
        return before, after

    before, after = asyncio.run(look())
    assert before == after
    assert before[0]["signals"][0]["path"] == "/smooth/beat/phase"
    assert before[1] is None
