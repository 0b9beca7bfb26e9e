"""Pictures of a recorded session at print size: the network at one moment, one neuron over time, everything over time.

Runs on: main process (`algoritmo picture`). After D. Johnson's pictures of a network's state: every neuron's activation and
cell is one pixel, the notes above, the layers below, and beside them what the network believed and what it chose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.core.contract import HOLD, PLAY, Activation, Card
from engine.core.errors import SessionError
from engine.feed.schema import SIGNALS
from engine.record.canvas import SMALL, TEXT, TITLE, Canvas, Colour, mixed, palette, rgb, shaded
from engine.record.feed_file import STEP, FeedReader
from engine.record.session import feed_path

EDGE = 110  # pixels around everything
GAP = 50  # between parts
LABEL = 300  # for words left of a part
HEAD = 170  # for the title
FOOT = 150  # for the legend
WIDE = 2400  # about how wide the main part is drawn
TRACK_GAP = 16  # pixels between the rows of two tracks
BELIEF = 120  # width of one column of what was believed
CURVE = 260  # height of one
SHOWN_BARS = 4  # of notes above a snapshot
MOST_STEPS = 4096  # in one picture
SIGNAL_ORDER = "hcifgo"
WORDS = {"h": "activation", "c": "cell"} | {s: w for s, w in SIGNALS.items() if s not in "hc"}


@dataclass(frozen=True)
class Moment:
    """What is drawn: steps of a session, in order."""

    card: Card
    steps: np.ndarray
    raw: bool = False  # neurons in the order in which the network stores them, whatever the card says

    @property
    def numbers(self) -> list[int]:
        """Numbers of the steps."""
        return [int(n) for n in self.steps["step"]]

    def arranged(self, activation: Activation, values: np.ndarray) -> np.ndarray:
        """Return values (..., neurons) with those side by side that behave alike, where the card has such an order."""
        order = () if self.raw else self.card.order.get(activation.layer, ())
        return values[..., list(order)] if len(order) == values.shape[-1] else values

    def layers(self) -> dict[int, list[Activation]]:
        """The signals of each layer, activation and cell first."""
        order = {s: n for n, s in enumerate(SIGNAL_ORDER)}
        found: dict[int, list[Activation]] = {}
        for a in sorted(self.card.activations, key=lambda a: (a.layer, order.get(a.signal, len(order)))):
            found.setdefault(a.layer, []).append(a)
        return found


def picture(
    session: Path,
    out: Path,
    step: int | None = None,
    neuron: tuple[int, int] | None = None,
    first: int | None = None,
    last: int | None = None,
    raw: bool = False,
) -> Path:
    """Draw a session's folder as PNG at `out`; return where it is.

    `neuron` (layer, index): that neuron over time; else with `first` or `last`: every neuron over time; else the network at
    `step` (None: where it chose most notes). `raw`: neurons as the network stores them, not as its card orders them.
    Raises SessionError when the session has not what is asked for.
    """
    with FeedReader(feed_path(session)) as reader:
        if neuron is not None:
            canvas = one_neuron(_between(reader, first, last), *neuron)
        elif first is not None or last is not None:
            canvas = over_time(replace(_between(reader, first, last), raw=raw))
        else:
            canvas = snapshot(replace(_before(reader, step), raw=raw))
    try:
        canvas.save(out)
    except OSError as error:
        raise SessionError(f"{out}: cannot be written ({error.strerror or error}); give another place with --out") from error
    return out


def parse_neuron(words: str) -> tuple[int, int]:
    """Return layer and index of LAYER:INDEX. Raises SessionError."""
    layer, colon, index = words.partition(":")
    if not colon or not layer.isdecimal() or not index.isdecimal():
        raise SessionError(f"--neuron {words}: write LAYER:INDEX, for example --neuron 2:17")
    return int(layer), int(index)


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


def _steps(reader: FeedReader, first: int | None, last: int | None) -> np.ndarray:
    """Return the steps numbered first..last, (n,)."""
    found = []
    for block in reader.blocks():
        if block.steps == 0 or (last is not None and block.first_step > last):
            continue
        if first is not None and block.first_step + block.steps + 64 < first:
            continue  # skipped steps make a block reach further than it has steps, but not by bars
        for entry in reader.read(block) or []:
            if entry.kind == STEP and entry.step is not None:
                number = int(entry.step["step"])
                if (first is None or number >= first) and (last is None or number <= last):
                    found.append(entry.step)
    return np.array(found, reader.dtype)


def _between(reader: FeedReader, first: int | None, last: int | None) -> Moment:
    steps = _steps(reader, first, last)
    if not len(steps):
        raise SessionError(f"there are no such steps; {_range(reader)}")
    if len(steps) > MOST_STEPS:
        raise SessionError(f"{len(steps)} steps are too many for one picture; choose up to {MOST_STEPS} with --from and --to")
    return Moment(reader.card, steps)


def _before(reader: FeedReader, step: int | None) -> Moment:
    """Return a step and the bars that led to it."""
    if step is None:
        step = _fullest(reader)
    steps = _steps(reader, step - SHOWN_BARS * reader.card.steps_per_bar + 1, step)
    if not len(steps) or int(steps[-1]["step"]) != step:
        raise SessionError(f"there is no step {step}; {_range(reader)}")
    return Moment(reader.card, steps)


def _fullest(reader: FeedReader) -> int:
    best, most = None, -1
    for entry in reader:
        if entry.kind == STEP and entry.step is not None:
            count = int(entry.step["notes"][:, PLAY].sum())
            if count > most:
                best, most = int(entry.step["step"]), count
    if best is None:
        raise SessionError("the session has no steps: nothing was played in it")
    return best


def _range(reader: FeedReader) -> str:
    numbers = [int(e.step["step"]) for e in reader if e.step is not None]
    return f"the session has steps {numbers[0]} to {numbers[-1]}" if numbers else "the session has none"


# --- the network at one moment ---------------------------------------------------------------------------------------------


def snapshot(moment: Moment) -> Canvas:
    """The network snapshot: notes above, layers below, what it believed and chose on the right."""
    card, now = moment.card, moment.steps[-1]
    roll = Slots(card, 6 if card.slots > 120 else 11)
    layers = [_Section(f"layer {layer}", moment, here[:2]) for layer, here in moment.layers().items()]
    height = roll.height + 2 * GAP + sum(part.height + GAP for part in layers)
    beliefs = Slots(card, max((height - 2 * GAP - len(card.tracks) * TRACK_GAP) // card.slots, 6))
    height = max(height, beliefs.height + 2 * GAP)
    right = EDGE + LABEL + WIDE + 3 * GAP
    words = f"step {now['step']}: {_place(card, int(now['step']))}"
    canvas, y = _sheet(moment, roll, (right + 5 * BELIEF + 2 * GAP + EDGE, height), words)
    for part in layers:
        part.draw(canvas, EDGE, y)
        y += part.height + GAP
    _draw_beliefs(canvas, beliefs, now, right, EDGE + HEAD)
    _legend(canvas, ("diverging", "grey", "chosen", "player"))
    return canvas


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


def one_neuron(moment: Moment, layer: int, index: int) -> Canvas:
    """One neuron over time, and over the notes where the layer has them; where in the bar it fires. Raises SessionError."""
    signals = moment.layers().get(layer)
    if signals is None:
        raise SessionError(f"--neuron {layer}:{index}: there are layers {', '.join(map(str, moment.layers()))}")
    units = signals[0].shape[-1]
    if not 0 <= index < units:
        raise SessionError(f"--neuron {layer}:{index}: layer {layer} has neurons 0 to {units - 1}")
    roll = Slots(moment.card, 5 if moment.card.slots > 120 else 9)
    cell = max(WIDE // len(moment.steps), 1)
    strips = [_Strip(a, moment.steps[a.output][..., index], cell) for a in signals]
    bars = _Bars(moment, signals[0], index)
    height = roll.height + 2 * GAP + sum(s.height + GAP for s in strips) + bars.height + GAP
    width = 2 * EDGE + LABEL + max(cell * len(moment.steps), bars.width, WIDE)
    words = f"layer {layer}, neuron {index}, steps {moment.numbers[0]} to {moment.numbers[-1]}"
    canvas, y = _sheet(moment, roll, (width, height), words)
    for strip in strips:
        strip.draw(canvas, EDGE, y)
        y += strip.height + GAP
    bars.draw(canvas, EDGE, y)
    gates = ("sequential",) if any(a.min >= 0 for a in signals) else ()
    _legend(canvas, ("diverging", *gates, "player"))
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
    """Where in the bar a neuron fires: one row for each bar, and the mean of all below."""

    def __init__(self, moment: Moment, activation: Activation, index: int) -> None:
        self._activation = activation
        values = moment.steps[activation.output][..., index].astype(np.float32)
        if values.ndim > 1:  # (steps, notes)
            values = values.reshape(len(values), -1).mean(1)
        self._per_bar, self._beats = moment.card.steps_per_bar, moment.card.beats_per_bar
        numbers = np.asarray(moment.numbers)
        first = numbers[0] // self._per_bar
        self._table = np.full((numbers[-1] // self._per_bar - first + 1, self._per_bar), np.nan, np.float32)
        self._table[numbers // self._per_bar - first, numbers % self._per_bar] = values
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
    canvas, y = _sheet(moment, roll, (width, height), words)
    for layer, colours in bands:
        canvas.text(EDGE, y, f"layer {layer}", TEXT, "text")
        canvas.text(EDGE, y + 46, f"{colours.shape[0]} neurons", SMALL, "soft")
        canvas.cells(EDGE + LABEL, y, colours, (cell, tall))
        y += colours.shape[0] * tall + GAP // 2
    _legend(canvas, ("diverging", "player"))
    return canvas


# --- what the pictures share -----------------------------------------------------------------------------------------------


class Slots:
    """Where each slot's row lies: the card's last track on top, in each track the highest pitch on top."""

    def __init__(self, card: Card, cell: int) -> None:
        self.cell = cell
        self.count = card.slots
        self.top = np.zeros(card.slots, int)
        self._tracks: list[tuple[str, Colour, int, int]] = []
        self._octaves: list[int] = []
        y = 0
        slices = card.track_slices()
        for number, track in reversed(list(enumerate(card.tracks))):
            order = np.argsort(track.pitches)[::-1]
            rows = np.arange(len(track.pitches)) * cell + y
            self.top[slices[track.name].start + order] = rows
            height = len(track.pitches) * cell
            self._tracks.append((track.name, track_colour(card, number), y, height))
            if track.kind != "drums":
                self._octaves += [int(rows[n]) + cell for n, i in enumerate(order) if track.pitches[i] % 12 == 0]
            y += height + TRACK_GAP
        self.height = y - TRACK_GAP

    def draw_ground(self, canvas: Canvas, x: int, y: int, width: int) -> None:
        """Draw the ground the rows lie on, with a line below every C."""
        for _, _, top, height in self._tracks:
            canvas.box(x, y + top, width, height, rgb("panel"))
        for octave in self._octaves:
            canvas.box(x, y + octave - 1, width, 1, rgb("line"))

    def draw_names(self, canvas: Canvas, right: int, y: int) -> None:
        """Write the tracks' names, ending at `right`."""
        for name, colour, top, height in self._tracks:
            canvas.box(right + 8, y + top, 6, height, colour)
            canvas.text(right, y + top + height // 2, name, SMALL, "soft", "rm")


def track_colour(card: Card, number: int) -> Colour:
    """Return a track's colour: its own in every network; the network's where there is one track only."""
    colours, name = palette(), card.tracks[number].name
    if name in colours["tracks"]:
        return rgb(colours["tracks"][name])
    return rgb("network" if len(card.tracks) == 1 else colours["others"][number % len(colours["others"])])


def _draw_roll(canvas: Canvas, slots: Slots, moment: Moment, x: int, y: int) -> None:
    """Draw the notes step by step: full where they begin, darker where they go on, the player's in his colour."""
    cell = max(WIDE // len(moment.steps), 1)
    slots.draw_ground(canvas, x, y, cell * len(moment.steps))
    slots.draw_names(canvas, x - 34, y)
    tracks = moment.card.slot_tracks()
    per_bar = moment.card.steps_per_bar
    every = per_bar * max(-(-170 // (cell * per_bar)), 1)  # bars between two numbers: they need room
    for n, step in enumerate(moment.steps):
        number = int(step["step"])
        if number % per_bar == 0:
            canvas.box(x + n * cell, y, 2, slots.height, rgb("line"))
        if number % every == 0:
            canvas.text(x + n * cell + 4, y + slots.height + 8, f"bar {number // per_bar + 1}", SMALL)
        for slot in np.flatnonzero(step["notes"][:, PLAY]).tolist():
            colour = rgb("player") if step["clamped"][slot] else track_colour(moment.card, int(tracks[slot]))
            if step["notes"][slot, HOLD]:
                colour = mixed(colour, rgb("panel"), 0.35)
            gap = 0 if cell < 4 else 1
            canvas.box(x + n * cell + gap, y + int(slots.top[slot]), cell - gap, slots.cell, colour)


def _place(card: Card, step: int) -> str:
    beat = step % card.steps_per_bar / card.steps_per_beat
    return f"bar {step // card.steps_per_bar + 1}, beat {beat + 1:g}"


def _sheet(moment: Moment, roll: Slots, size: tuple[int, int], words: str) -> tuple[Canvas, int]:
    """Return a canvas with its title and the notes, and where what comes below them begins.

    `size`: the width, and the height that the notes and what comes below take.
    """
    canvas = Canvas(size[0], HEAD + size[1] + FOOT + 2 * EDGE)
    canvas.text(EDGE, EDGE, moment.card.title or moment.card.name, TITLE, "text")
    canvas.text(EDGE, EDGE + 84, words, TEXT, "soft")
    _draw_roll(canvas, roll, moment, EDGE + LABEL, EDGE + HEAD)
    return canvas, EDGE + HEAD + roll.height + 2 * GAP


def _legend(canvas: Canvas, shown: tuple[str, ...]) -> None:
    """Explain the colours at the foot."""
    x, y = EDGE, canvas.image.height - EDGE - SMALL
    if "diverging" in shown:
        x += canvas.gradient(x, y, "diverging", "-1", "1", "activation, cell (its tanh)") + GAP
    if "sequential" in shown:
        x += canvas.gradient(x, y, "sequential", "0", "1", "gate") + GAP
    if "grey" in shown:
        x += canvas.gradient(x, y, "grey", "0", "1", "probability") + GAP
    if "chosen" in shown:
        x += canvas.swatch(x, y, rgb("chosen"), "chosen by the network") + GAP
    canvas.swatch(x, y, rgb("player"), "the player's")
