"""Pictures of a recorded session at print size: the network at one moment, one neuron over time, everything over time.

Runs on: main process (`algoritmo picture`). After D. Johnson's pictures of a network's state: every neuron's activation and
cell is one pixel, the notes above, the layers below, and beside them what the network believed and what it chose. Layers and
neurons are counted from 1, as on the page.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.core.contract import Activation
from engine.core.errors import SessionError
from engine.feed.schema import SIGNALS
from engine.record.canvas import SMALL, TEXT, Canvas, Colour, rgb, shaded
from engine.record.feed_file import FeedReader
from engine.record.moment import Moment, before, between
from engine.record.session import feed_path
from engine.record.sheet import EDGE, GAP, HEAD, LABEL, TRACK_GAP, WIDE, Slots, legend, sheet

BELIEF = 120  # width of one column of what was believed
CURVE = 260  # height of one
WORDS = {"h": "activation", "c": "cell"} | {s: w for s, w in SIGNALS.items() if s not in "hc"}


def picture(
    session: Path,
    out: Path,
    step: int | None = None,
    neuron: tuple[int, int] | None = None,
    first: int | None = None,
    last: int | None = None,
    raw: bool = False,
) -> Path:
    """Draw a session's folder at `out`, as SVG where that ends so, else as PNG; return where it is.

    `neuron` (layer, neuron), both counted from 1 as on the page: that neuron over time; else with `first` or `last`: every
    neuron over time; else the network at `step` (None: where it chose most notes). `raw`: neurons as the network stores them,
    not as its card orders them.
    Raises SessionError when the session has not what is asked for.
    """
    with FeedReader(feed_path(session)) as reader:
        if neuron is not None:
            canvas = one_neuron(between(reader, first, last), *neuron)
        elif first is not None or last is not None:
            canvas = over_time(replace(between(reader, first, last), raw=raw))
        else:
            canvas = snapshot(replace(before(reader, step), raw=raw))
    try:
        canvas.save(out)
    except OSError as error:
        raise SessionError(f"{out}: cannot be written ({error.strerror or error}); give another place with --out") from error
    return out


def parse_neuron(words: str) -> tuple[int, int]:
    """Return layer and neuron of LAYER:NEURON, counted from 1. Raises SessionError."""
    layer, colon, number = words.partition(":")
    if not colon or not layer.isdecimal() or not number.isdecimal():
        raise SessionError(f"--neuron {words}: write LAYER:NEURON, for example --neuron 2:17")
    if int(layer) == 0 or int(number) == 0:
        raise SessionError(
            f"--neuron {words}: layers and neurons are counted from 1, as on the page; the first one is --neuron 1:1"
        )
    return int(layer), int(number)


def default_name(session: Path, step: int | None, neuron: tuple[int, int] | None, first: int | None, last: int | None) -> Path:
    """Return a name in the session's folder that tells what is drawn."""
    name = "picture"
    if neuron is not None:
        name += f"-neuron-{neuron[0]}-{neuron[1]}"
    if first is not None or last is not None:
        name += f"-steps-{'' if first is None else first}-{'' if last is None else last}"
    elif step is not None and neuron is None:
        name += f"-step-{step}"
    return feed_path(session).with_name(f"{name}.png")


# --- the network at one moment ---------------------------------------------------------------------------------------------


def snapshot(moment: Moment) -> Canvas:
    """The network snapshot: notes above, layers below, what it believed and chose on the right."""
    card, now = moment.card, moment.steps[-1]
    roll = Slots(card, 6 if card.slots > 120 else 11)
    layers = [_Section(f"layer {layer + 1}", moment, here[:2]) for layer, here in moment.layers().items()]
    height = roll.height + 2 * GAP + sum(part.height + GAP for part in layers)
    beliefs = Slots(card, max((height - 2 * GAP - len(card.tracks) * TRACK_GAP) // card.slots, 6))
    height = max(height, beliefs.height + 2 * GAP)
    right = EDGE + LABEL + WIDE + 3 * GAP
    words = f"step {now['step']}: {_place(moment)}"
    canvas, y = sheet(moment, roll, (right + 5 * BELIEF + 2 * GAP + EDGE, height), words)
    for part in layers:
        part.draw(canvas, EDGE, y)
        y += part.height + GAP
    _draw_beliefs(canvas, beliefs, now, right, EDGE + HEAD)
    legend(canvas, ("diverging", "grey", "chosen", "player"))
    return canvas


def _place(moment: Moment) -> str:
    bar, within = moment.bar_of()
    beat = within / moment.metre().beat_steps(moment.card.steps_per_beat)
    return f"bar {bar + 1}, beat {round(beat + 1, 2):g}"


class _Section:
    """One layer at the last step: a rectangle of neurons for its activation, and one for its cell."""

    def __init__(self, name: str, moment: Moment, signals: list[Activation]) -> None:
        self._name = name
        planes = [(a, _plane(moment.arranged(a, moment.steps[-1][a.output]))) for a in signals]
        self._parts = [(WORDS.get(a.signal, a.signal), _colours(a, plane)) for a, plane in planes]
        rows, columns = self._parts[0][1].shape[:2]
        wide = max(WIDE // columns, 1)
        self._cell = (wide, 56 if rows == 1 else max(min(wide, 6), 3))
        self.height = sum(colours.shape[0] * self._cell[1] + 6 for _, colours in self._parts)

    def draw(self, canvas: Canvas, x: int, y: int) -> None:
        """Draw it with its words."""
        canvas.text(x, y, self._name, TEXT, "text")
        for word, colours in self._parts:
            tall = colours.shape[0] * self._cell[1]
            canvas.text(x + LABEL - 20, y + tall // 2, word, SMALL, "soft", "rm")
            canvas.cells(x + LABEL, y, colours, self._cell)
            y += tall + 6


def _plane(values: np.ndarray) -> np.ndarray:
    """Return a layer's numbers as (rows, neurons), the highest note on top; a layer that is not per note has one row."""
    return values[None, :] if values.ndim == 1 else values.reshape(-1, values.shape[-1])[::-1]


def _colours(activation: Activation, values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    if activation.signal == "c":
        return shaded(np.tanh(values), "diverging", -1, 1)
    if activation.min >= 0:
        return shaded(values, "sequential", 0, activation.max)
    size = max(abs(activation.min), abs(activation.max))
    return shaded(values, "diverging", -size, size)


def _draw_beliefs(canvas: Canvas, slots: Slots, step: np.void, x: int, y: int) -> None:
    """Draw the two pairs of columns: the probability in grey, what was chosen in red."""
    slots.draw_names(canvas, x + BELIEF - 20, y)
    dictated = step["clamped"].astype(bool)
    for pair, (belief, choice) in enumerate((("P(play)", "plays"), ("P(hold)", "holds"))):
        left = x + BELIEF + pair * (2 * BELIEF + GAP)
        canvas.text(left + BELIEF // 2, y - 14, belief, SMALL, "soft", "ms")
        canvas.text(left + BELIEF + BELIEF // 2, y - 14, choice, SMALL, "soft", "ms")
        greys = shaded(step["probability"][:, pair], "grey", 0, 1)
        slots.draw_ground(canvas, left, y, 2 * BELIEF)
        for slot in range(slots.count):
            top = y + slots.top[slot]
            canvas.box(left, top, BELIEF - 4, slots.cell, _colour_at(greys, slot))
            if step["notes"][slot, pair]:
                canvas.box(left + BELIEF, top, BELIEF - 4, slots.cell, rgb("player" if dictated[slot] else "chosen"))


def _colour_at(colours: np.ndarray, index: int) -> Colour:
    red, green, blue = (int(c) for c in colours[index])
    return red, green, blue


# --- one neuron ------------------------------------------------------------------------------------------------------------


def one_neuron(moment: Moment, layer: int, number: int) -> Canvas:
    """One neuron over time, and over the notes where the layer has them; where in the bar it fires.

    `layer` and `number` are counted from 1. Raises SessionError.
    """
    layers = moment.layers()
    signals = layers.get(layer - 1)
    if signals is None:
        there = ", ".join(str(index + 1) for index in layers)
        raise SessionError(f"--neuron {layer}:{number}: there are layers {there}")
    units, index = signals[0].shape[-1], number - 1
    if not 0 <= index < units:
        raise SessionError(f"--neuron {layer}:{number}: layer {layer} has neurons 1 to {units}")
    roll = Slots(moment.card, 5 if moment.card.slots > 120 else 9)
    cell = max(WIDE // len(moment.steps), 1)
    strips = [_Strip(a, moment.steps[a.output][..., index], cell) for a in signals]
    bars = _Bars(moment, signals[0], index)
    height = roll.height + 2 * GAP + sum(s.height + GAP for s in strips) + bars.height + GAP
    width = 2 * EDGE + LABEL + max(cell * len(moment.steps), bars.width, WIDE)
    words = f"layer {layer}, neuron {number}, steps {moment.numbers[0]} to {moment.numbers[-1]}"
    canvas, y = sheet(moment, roll, (width, height), words)
    for strip in strips:
        strip.draw(canvas, EDGE, y)
        y += strip.height + GAP
    bars.draw(canvas, EDGE, y)
    gates = ("sequential",) if any(a.min >= 0 for a in signals) else ()
    legend(canvas, ("diverging", *gates, "player"))
    return canvas


class _Strip:
    """One signal of a neuron over time: notes by steps where the layer has notes, else a band of colour and a curve."""

    def __init__(self, activation: Activation, values: np.ndarray, cell: int) -> None:
        self._word = WORDS.get(activation.signal, activation.signal)
        self._cell = cell
        self._curve: np.ndarray | None = None
        if values.ndim > 1:  # (steps, notes)
            self._colours = _colours(activation, values.reshape(len(values), -1).T[::-1])
            self._tall = 7
        else:
            self._colours = _colours(activation, values[None, :])
            self._tall = 34
            shown = np.tanh(values) if activation.signal == "c" else values
            low = 0.0 if activation.min >= 0 else -1.0
            size = 1.0 if activation.signal == "c" else max(abs(activation.min), abs(activation.max))
            self._curve = (shown / size - low) / (1 - low)
        curve = 0 if self._curve is None else (CURVE if activation.signal in "hc" else CURVE // 2)
        self._curve_height = curve
        self.height = self._colours.shape[0] * self._tall + curve

    def draw(self, canvas: Canvas, x: int, y: int) -> None:
        """Draw it with its word."""
        canvas.text(x, y, self._word, TEXT, "text")
        canvas.cells(x + LABEL, y, self._colours, (self._cell, self._tall))
        if self._curve is None:
            return
        y += self._colours.shape[0] * self._tall
        wide = self._cell * len(self._curve)
        canvas.box(x + LABEL, y, wide, self._curve_height, rgb("panel"))
        canvas.box(x + LABEL, y + self._curve_height // 2, wide, 1, rgb("line"))
        points = [
            (x + LABEL + (n + 0.5) * self._cell, y + (1 - float(v)) * (self._curve_height - 8) + 4)
            for n, v in enumerate(np.clip(self._curve, 0, 1))
        ]
        canvas.line(points, rgb("network"))


class _Bars:
    """Where in the bar a neuron fires: one row for each bar that is in the last one's metre, and the mean of all below."""

    def __init__(self, moment: Moment, activation: Activation, index: int) -> None:
        self._activation = activation
        values = moment.steps[activation.output][..., index].astype(np.float32)
        if values.ndim > 1:  # (steps, notes)
            values = values.reshape(len(values), -1).mean(1)
        metre = moment.metre()
        self._per_bar, self._beats = metre.steps(moment.card.steps_per_beat), metre.beats
        here = [n for n in range(len(values)) if moment.metre(n) == metre]
        bars, within = np.array([moment.bar_of(n) for n in here]).T
        rows = np.cumsum(np.diff(bars, prepend=bars[0]) != 0)  # in order: a jump to bar 1 begins a row, too
        self._table = np.full((rows[-1] + 1, self._per_bar), np.nan, np.float32)
        self._table[rows, within] = values[here]
        known = ~np.isnan(self._table)
        self._mean = np.where(known, self._table, 0).sum(0) / np.maximum(known.sum(0), 1)
        self._cell = (WIDE // 2 // self._per_bar, max(min(600 // len(self._table), 30), 4))
        self.width = self._cell[0] * self._per_bar
        self.height = len(self._table) * self._cell[1] + 20 + 60 + 60

    def draw(self, canvas: Canvas, x: int, y: int) -> None:
        """Draw it with its words."""
        canvas.text(x, y, "in the bar", TEXT, "text")
        ground = np.where(np.isnan(self._table)[..., None], np.array(rgb("ground"), np.uint8), 0)
        colours = np.where(np.isnan(self._table)[..., None], ground, _colours(self._activation, np.nan_to_num(self._table)))
        canvas.cells(x + LABEL, y, colours.astype(np.uint8), self._cell)
        y += len(self._table) * self._cell[1] + 20
        canvas.text(x + LABEL - 20, y + 30, "mean", SMALL, "soft", "rm")
        canvas.cells(x + LABEL, y, _colours(self._activation, self._mean[None, :]), (self._cell[0], 60))
        for beat in range(self._beats):
            place = x + LABEL + beat * self._per_bar // self._beats * self._cell[0]
            canvas.text(place, y + 68, f"beat {beat + 1}", SMALL, "faint")


# --- everything over time --------------------------------------------------------------------------------------------------


def over_time(moment: Moment) -> Canvas:
    """Every neuron over time: one row each, the notes above. Where a layer has notes, the mean over them is drawn."""
    roll = Slots(moment.card, 5 if moment.card.slots > 120 else 9)
    cell = max(WIDE // len(moment.steps), 1)
    bands = []
    for layer, signals in moment.layers().items():
        values = moment.steps[signals[0].output].astype(np.float32)
        if values.ndim > 2:  # (steps, notes, neurons)
            values = values.reshape(len(values), -1, values.shape[-1]).mean(1)
        bands.append((layer, _colours(signals[0], moment.arranged(signals[0], values).T)))
    tall = 2 if max(b.shape[0] for _, b in bands) > 64 else 8
    height = roll.height + 2 * GAP + sum(b.shape[0] * tall + GAP // 2 for _, b in bands)
    width = 2 * EDGE + LABEL + max(cell * len(moment.steps), WIDE)
    words = f"every neuron, steps {moment.numbers[0]} to {moment.numbers[-1]}"
    canvas, y = sheet(moment, roll, (width, height), words)
    for layer, colours in bands:
        canvas.text(EDGE, y, f"layer {layer + 1}", TEXT, "text")
        canvas.text(EDGE, y + 46, f"{colours.shape[0]} neurons", SMALL, "soft")
        canvas.cells(EDGE + LABEL, y, colours, (cell, tall))
        y += colours.shape[0] * tall + GAP // 2
    legend(canvas, ("diverging", "player"))
    return canvas
