"""Measures what voices of the festival's patches cost: how many can sound at once, and what part of a block that takes.

    python tests/audio/voices_figures.py                    # the band's patches, over and over, until 70 % of a block is taken

The whole engine renders, mixer and limiter included; copies of the patches are put beside those that it has, and every voice of
all of them is held. `load` is the median of a block's time over its length, `p99` the same for its 99th percentile.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.audio.engine import AudioEngine
from engine.audio.instrument import Instrument
from engine.audio.library import load as load_patch
from engine.audio.track import Strip
from engine.core.config import load
from engine.core.contract import read_card
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK
from engine.core.parameters import Live
from engine.jam.parameters import registry_of

RATE = 48000
PITCHED = ("keys", "pluck", "pad", "lead", "bass")
SETTLE = 200  # blocks before it is measured: attacks, and what is computed once


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=0.7, help="load at which it ends")
    parser.add_argument("--blocks", type=int, default=1500, help="measured each time")
    asked = parser.parse_args()
    config = load(None, [])
    card = read_card(config.network_path())
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry)))
    Live(registry, link.values).reset_to_defaults()
    engine = AudioEngine(link, registry, card, config, RATE)
    strips: list[Strip] = []
    voices = 0
    found = []
    patches = itertools.cycle(PITCHED)
    while True:
        times = []
        for block in range(SETTLE + asked.blocks):
            begun = time.perf_counter()
            engine.render_block()
            times.append(time.perf_counter() - begun)
            if block < SETTLE:
                times.clear()
        load_p50, load_p99 = (float(x) * RATE / BLOCK for x in np.percentile(times, [50, 99]))
        found.append({"voices": voices, "load": round(load_p50, 3), "p99": round(load_p99, 3)})
        sys.stderr.write(json.dumps(found[-1]) + "\n")
        if load_p50 > asked.most:
            break
        before = voices
        while voices < before + 16:
            name = next(patches)
            strip = Strip(Instrument(name, load_patch(name)), engine.mixer.player.bus)
            for n in range(strip.instrument.notes.polyphony):
                strip.instrument.note_on(36 + 5 * n, 0.2)
            voices += strip.instrument.notes.polyphony
            strips.append(strip)
    within = [of for of in found if of["load"] <= asked.most]
    whole = [of for of in found if of["p99"] <= asked.most]
    told = {"patches": PITCHED, "most_voices": within[-1]["voices"], "most_voices_by_p99": whole[-1]["voices"] if whole else 0}
    sys.stdout.write(json.dumps(told | {"runs": found}, indent=1) + "\n")
    engine.close()


if __name__ == "__main__":
    main()
