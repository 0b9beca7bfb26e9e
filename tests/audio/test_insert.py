"""A plugin as an insert: what goes into it when it is left out and taken back."""

from __future__ import annotations

import numpy as np

from engine.audio.host import Unit
from engine.audio.plugins import PluginInsert
from engine.core.messages import BLOCK, OUTPUTS
from engine.host.plugin import About

RATE_HZ = 48000.0
GLIDE = 0.02 * RATE_HZ  # frames from nothing to all of it


def test_what_goes_into_a_plugin_has_no_edge_when_it_is_left_out_and_taken_back():
    """An echo would bring the edge back when the glide of what is heard is long over."""
    unit = Unit("lead: Echo", About("clap", "echo", "Echo", "echo.clap"))
    unit.given, unit.sound = (np.zeros((BLOCK, OUTPUTS), np.float32) for _ in range(2))
    unit.is_loaded = True
    insert = PluginInsert("Echo", [unit], RATE_HZ)
    went_in = []
    for number in range(120):
        unit.is_bypassed = number // 30 % 2 == 1
        insert.process(np.ones((BLOCK, OUTPUTS), np.float32))
        went_in.append(unit.given.copy())
    assert [float(block[-1, 0]) for block in went_in[29::30]] == [1, 0, 1, 0]
    assert np.abs(np.diff(np.concatenate(went_in)[:, 0])).max() < 1.01 / GLIDE
