"""Every shipped network plays: in the engine in all three modes, and through `algoritmo render`."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from engine.core.config import SHIPPED, Config
from engine.core.contract import HOLD, PLAY, read_card
from engine.core.messages import LISTENING, NOTE_ON, PLAYER
from engine.jam.modes import MODES
from engine.jam.settings import track_of
from tests.jam.test_jam import Stage

NETWORKS = sorted(SHIPPED.glob("*/*.onnx"))


def played(path, mode):
    """Eight bars: a phrase of the player over the first two beats of each of the first four."""
    card = read_card(path)
    stage = Stage(path, mode, track_of(Config(), card), rest=1)
    for bar in range(4):
        for beat, pitch in enumerate((60, 64)):
            stage.player(4 * (4 * bar + beat), pitch)  # the stage counts in sixteenths
            stage.player(4 * (4 * bar + beat + 1), pitch, on=False)
    return stage, stage.run(8 * card.steps_per_bar)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", NETWORKS, ids=lambda p: p.stem)
def test_it_plays_in_every_mode_and_remembers_what_sounded(path, mode):
    stage, records = played(path, mode)
    ours = [e for e in stage.played if e[2] == NOTE_ON and e[3] != PLAYER]
    assert ours
    assert all(1 <= velocity <= 127 for *_, velocity, _ in ours)
    notes = records["notes"]
    sounded = records["x"][1:, :, PLAY]
    # All it began sounded; only a note of the player that he let go, and it would have held, did not.
    # While it listened it was told what it imagined, too.
    sounded = np.where((records["flags"][:-1, None] & LISTENING) > 0, sounded & notes[:-1, :, PLAY], sounded)
    silent = notes[:-1, :, PLAY] > sounded
    assert (sounded <= notes[:-1, :, PLAY]).all()
    assert (notes[:-1, :, HOLD][silent] == 1).all()
    assert (notes[1:, :, HOLD] <= notes[1:, :, PLAY] * records["x"][1:, :, PLAY]).all()
    assert np.isfinite(records["log_prob"]).all()
    for name in stage.runner.outputs:
        assert np.isfinite(stage.runner.outputs[name]).all()


@pytest.mark.parametrize("settings", [[f"network.name={p.stem}"] for p in NETWORKS] + [["network.harmony=chords"]], ids=str)
def test_it_is_rendered(settings, tmp_path):
    words = [part for setting in settings for part in ("--set", setting)]
    demo = SHIPPED.parent / "engine" / "app" / "demo.mid"
    command = [sys.executable, "-m", "engine.cli", "render", demo, "--out", tmp_path, "--bars", "3", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYO_GUI_WX": "0"}, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert sum(report["notes_out"].values()) > 0
    assert report["notes_in"] > 0
