"""Completes the card of a network that is shipped: the order of its units, and a picture of its state beside the file.

    python -m models.release.portrait models/festival/festival.onnx ../shared/data/multitrack_free

The order is told from pieces of the data, the picture is drawn as `algoritmo picture` does, after four bars that the
network plays alone. Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from PIL import Image

from engine.core.contract import CARD_KEY, Card
from engine.core.errors import AlgoritmoError
from engine.core.messages import step_dtype
from engine.network.noise import noise
from engine.record.moment import SHOWN_BARS, Moment
from engine.record.picture import snapshot
from models.evaluation.evaluate import read_for
from models.evaluation.unit_order import STEPS, orders
from models.graph.building import save_network
from models.graph.playing import StepGraph, open_network

Array = np.ndarray
WIDTH = 1200  # pixels of the picture beside a file
BARS = 8  # it plays before it is drawn
SEED = 1


def write_card(path: Path, **entries: Any) -> Card:
    """Replace entries in the card of the step graph at `path`; returns the card it has then."""
    model = onnx.load(str(path))
    props = {p.key: p.value for p in model.metadata_props}
    helper.set_model_props(model, {**props, CARD_KEY: json.dumps({**json.loads(props[CARD_KEY]), **entries})})
    return save_network(model, path)


def solo_moment(graph: StepGraph, seed: int = SEED, bars: int = BARS) -> Moment:
    """What the network did in the last bars before it played most notes, alone and from silence, as a picture wants it."""
    card = graph.card
    showing = StepGraph(card, graph.session, [o.name for o in graph.session.get_outputs()])
    records = np.zeros(bars * card.steps_per_bar, step_dtype(card))
    feed = showing.begin(1)
    for step, record in enumerate(records):
        feed["u"] = noise(seed, step, card.noise)[None]
        record["x"] = feed["x"][0, :, :2]
        out = showing.step(feed)
        record["step"], record["beat"] = step, step / card.steps_per_beat
        record["notes"], record["probability"] = out["notes"][0, :, :2], out["probability"][0]
        for activation in card.activations:
            record[activation.output] = out[activation.output][0]
    shown = SHOWN_BARS * card.steps_per_bar
    fullest = int(records["notes"][shown:, :, 0].sum(1).argmax()) + shown
    return Moment(card, records[fullest - shown + 1 : fullest + 1])


def draw(graph: StepGraph, path: Path) -> None:
    """Write the network's state after a short solo as a small PNG."""
    picture = snapshot(solo_moment(graph)).image
    small = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.BOX)
    # A third of the size, and no colour off by more than a twentieth.
    few = small.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, "PNG", optimize=True)


def complete(path: Path, rolls: Sequence[Array]) -> Card:
    """Put the order of the units and the picture's name into the card at `path`, and the picture beside it."""
    found = orders(open_network(path), rolls)
    picture = path.with_suffix(".png")
    card = write_card(path, order={str(layer): units for layer, units in found.items()}, picture=picture.name)
    draw(open_network(path), picture)
    return card


def some_music(card: Card, data: Sequence[Path], cache: Path) -> list[Array]:
    """The beginnings of eight pieces of the data, evenly chosen, as long together as an order wants."""
    pieces = sorted(read_for(card, data, cache).pieces, key=lambda p: p.name)
    chosen = [pieces[i] for i in np.unique(np.linspace(0, len(pieces) - 1, 8).round().astype(int))]
    return [p.roll[: -(-STEPS // len(chosen))] for p in chosen]


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m models.release.portrait", description="Complete the card of a shipped network."
    )
    parser.add_argument("network", type=Path, help="a step graph (.onnx)")
    parser.add_argument("data", nargs="+", type=Path, help="music it was trained on")
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    args = parser.parse_args(argv)
    try:
        card = complete(args.network, some_music(open_network(args.network).card, args.data, args.cache))
    except (AlgoritmoError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.network}: order of layers {', '.join(map(str, card.order))}; {args.network.with_suffix('.png').name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
