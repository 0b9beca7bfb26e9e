"""What the pictures of a session share: a titled sheet, the notes on top in rows of slots, the legend.

Runs on: main process (`algoritmo picture`).
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, PLAY, Card
from engine.record.canvas import SMALL, TEXT, TITLE, Canvas, Colour, mixed, palette, rgb
from engine.record.moment import Moment

EDGE = 110  # pixels around everything
GAP = 50  # between parts
LABEL = 300  # for words left of a part
HEAD = 170  # for the title
FOOT = 150  # for the legend
WIDE = 2400  # about how wide the main part is drawn
TRACK_GAP = 16  # pixels between the rows of two tracks


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
    per_bar = moment.metre().steps(moment.card.steps_per_beat)
    every = max(-(-170 // (cell * per_bar)), 1)  # bars between two numbers: they need room
    for n, step in enumerate(moment.steps):
        bar, within = moment.bar_of(n)
        if within == 0:
            canvas.box(x + n * cell, y, 2, slots.height, rgb("line"))
        if within == 0 and bar % every == 0:
            canvas.text(x + n * cell + 4, y + slots.height + 8, f"bar {bar + 1}", SMALL)
        for slot in np.flatnonzero(step["notes"][:, PLAY]).tolist():
            colour = rgb("player") if step["clamped"][slot] else track_colour(moment.card, int(tracks[slot]))
            if step["notes"][slot, HOLD]:
                colour = mixed(colour, rgb("panel"), 0.35)
            gap = 0 if cell < 4 else 1
            canvas.box(x + n * cell + gap, y + int(slots.top[slot]), cell - gap, slots.cell, colour)


def sheet(moment: Moment, roll: Slots, size: tuple[int, int], words: str) -> tuple[Canvas, int]:
    """Return a canvas with its title and the notes, and where what comes below them begins.

    `size`: the width, and the height that the notes and what comes below take.
    """
    canvas = Canvas(size[0], HEAD + size[1] + FOOT + 2 * EDGE)
    canvas.text(EDGE, EDGE, moment.card.title or moment.card.name, TITLE, "text")
    canvas.text(EDGE, EDGE + 84, words, TEXT, "soft")
    _draw_roll(canvas, roll, moment, EDGE + LABEL, EDGE + HEAD)
    return canvas, EDGE + HEAD + roll.height + 2 * GAP


def legend(canvas: Canvas, shown: tuple[str, ...]) -> None:
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
