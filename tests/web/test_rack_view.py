"""The rack as the page shows and orders it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.control.commands import Commands
from engine.core.link import Layout, Link
from engine.core.messages import RACK_ORDER
from engine.core.parameters import Live
from engine.host import catalogue
from engine.host.plugin import About
from engine.jam.parameters import registry_of
from engine.web.rack_view import RackView
from tests.audio.conftest import card


@pytest.fixture
def link() -> Link:
    """Return the channels of a run."""
    return Link.private(Layout.of(card(), len(registry_of(card()))))


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalogue.Catalogue:
    """Return what a scan has found: an instrument, and an effect in two formats."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = catalogue.Catalogue()
    abouts = [About(kind, f"id.{kind}", "Verb", f"/verb.{kind}") for kind in ("lv2", "clap")]
    abouts.append(About("clap", "id.synth", "Synth", "/synth.clap", is_instrument=True))
    for about in abouts:
        found._found[about.path] = catalogue.Found(about.path, 1.0, (about,))
    found._write()
    return found


def test_the_page_is_told_what_stands_and_what_could(link: Link, scanned: catalogue.Catalogue) -> None:
    view = RackView(link)
    assert view.told()["places"] == []
    assert not view.is_new
    place = {"where": "bass", "word": "verb", "name": "Verb", "plays": False, "state": "loading", "why": "", "late": 0}
    link.writer("rack").push((json.dumps({"where": ["bass"], "places": [place]}).encode(),))
    assert view.is_new
    told = view.told()
    assert told["places"] == [place]
    assert told["effects"][:3] == ["delay", "filter", "gain"]
    assert told["plugins"] == [{"name": "Verb", "effect": "plugin:Verb", "format": "clap"}], "each once; none that plays notes"
    json.dumps(told, allow_nan=False)


def test_an_order_goes_to_the_rack_and_nonsense_does_not(link: Link) -> None:
    commands = Commands(Live(registry_of(card()), link.values), link)
    orders = link["rack_orders"].reader()
    assert commands.do("rack", "bass", {"do": "add", "effect": "delay"}).is_done
    assert json.loads(orders.read()[0]["text"]) == {"do": "add", "effect": "delay", "where": "bass"}
    for wrong in ("add", None, 7, {"do": "x" * RACK_ORDER.itemsize}):
        assert not commands.do("rack", "bass", wrong).is_done
    for _ in range(100):
        outcome = commands.do("rack", "bass", {"do": "add", "effect": "delay"})
    assert "too much at once" in outcome.reason
    assert not Commands(Live(registry_of(card()), link.values)).do("rack", "bass", {"do": "add"}).is_done
    assert 0 < len(orders.read()) < 32
