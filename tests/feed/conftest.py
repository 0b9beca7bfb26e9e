"""What the tests of the feed share: a card, its schema, and channels in private memory."""

import numpy as np
import pytest

from engine.core.link import Layout, Link
from engine.core.parameters import Live, Registry
from engine.feed.schema import Schema
from engine.jam.parameters import declared
from tests.feed.fakes import make_card


@pytest.fixture
def card():
    return make_card()


@pytest.fixture
def chance():
    return np.random.default_rng(1)


@pytest.fixture
def registry(card):
    return Registry([t.name for t in card.tracks], modes=declared())


@pytest.fixture
def schema(card, registry):
    return Schema(card, registry)


@pytest.fixture
def link(card, registry):
    return Link.private(Layout.of(card, len(registry)))


@pytest.fixture
def live(link, registry):
    live = Live(registry, link.values)
    live.reset_to_defaults()
    return live
