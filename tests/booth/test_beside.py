"""The booth as a child process of a jam: it serves, has clips sampled by a process of its own, which ends with it."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import psutil

from engine.core import contract
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.core.roles import BOOTH
from engine.jam.parameters import registry_of
from tests.booth.stand import configuration
from tests.system.rig import wait_for


def test_beside_a_jam_it_has_children_that_end_with_it(tiny_onnx: Path, tmp_path: Path) -> None:
    config = configuration(tiny_onnx, str(tmp_path / "booth.db"), clips=2)
    card = contract.read_card(tiny_onnx)
    registry = registry_of(card)
    layout = Layout.of(card, len(registry))
    link = Link.create(layout)
    Live(registry, link.values).reset_to_defaults()
    child, pipe = start(BOOTH, Spec(layout, link.name, config, card, tiny_onnx))
    try:
        assert pipe.poll(60)
        word, said = pipe.recv()
        assert word == "ready", said
        with urllib.request.urlopen(said["booth"], timeout=10) as answer:
            assert answer.status == 200
        booth = psutil.Process(child.pid)
        wait_for(lambda: booth.nice() == 10, 20, "a booth that goes after the jam")
        crew = booth.children()
        assert crew  # the first clips were sampled there
        wait_for(lambda: max(one.nice() for one in crew) == 19, 20, "a crew that goes after the booth's votes")
        child.kill()
        wait_for(
            lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in crew), 10, "the crew's end"
        )
    finally:
        child.kill()
        child.join(5)
        link.close(unlink=True)
