"""Trains a single neuron, a recurrent network or an LSTM before your eyes: losses in the terminal and as a picture.

    algoritmo learn neuron|rnn|lstm [--seed N] [--out DIR]

Everything is computed here, in NumPy, by the files that explain themselves: models/neuron/neuron.py, models/rnn/rnn.py,
models/lstm/lstm.py. Runs without torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.core.errors import AlgoritmoError
from engine.record.canvas import SMALL, TEXT, TITLE, Canvas, Colour, palette, rgb
from models.lstm.lstm import ACCENT_LENGTH, accents, held, learn_accents
from models.neuron.layers import solve_clash
from models.neuron.neuron import (
    LESSONS,
    REPORT_SEED,
    XOR,
    XOR_WANTED,
    four_lessons,
    learn_points,
    points,
    report_weights,
    together,
)
from models.rnn.text import MELODY, POEM, learn_melody, learn_text
from models.training.by_hand import Chance

COLUMNS, ROWS = 72, 8  # of a curve in the terminal
BARS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, EDGE = 2400, 1200, 160  # pixels of a picture
PASSES, PASSES_SHOWN = 60, (0, 4, 9, 19, 39, 59)  # of the poem

Curves = dict[str, Sequence[float]]


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    args = _parser().parse_args(argv)
    title, curves = LESSONS_OF[args.what](args.seed)
    path = args.out / f"{args.what}.png"
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        draw(path, title, curves)
    except OSError as error:
        raise AlgoritmoError(f"--out: {path} cannot be written ({error.strerror}); give a folder you may write") from error
    print(f"\n{path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="algoritmo learn", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=tuple(LESSONS_OF), help="a single neuron, a recurrent network, an LSTM")
    parser.add_argument("--seed", type=int, metavar="N", help="where it begins; the same seed learns the same")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder for the picture (default: this one)")
    return parser


def learn_neuron(seed: int | None) -> tuple[str, Curves]:
    """The report's four lessons, all points together, the way out with hidden units, and the notes on a plane."""
    begin = report_weights(REPORT_SEED if seed is None else seed)
    curves, neuron = four_lessons(begin)
    print("One neuron learns XOR, one point after the other (1 - probability of what is right):\n")
    for number, (curve, x, wanted) in enumerate(zip(curves, XOR, XOR_WANTED, strict=True), 1):
        below = next((step for step, value in enumerate(curve) if value < 0.5), None)
        fell = "is below 0.5 from the start" if below == 0 else f"falls below 0.5 at step {below}"
        fell = "never falls below 0.5" if below is None else fell
        print(f"  lesson {number}: {int(x[0])} {int(x[1])} -> {int(wanted)}   begins at {curve[0]:.3f}, {fell}")
    print(f"\n  after all lessons {neuron.right(XOR, XOR_WANTED)} of 4 are right: each lesson overwrites the one before.")
    print(f"  All four together: {'  '.join(f'{p:.3f}' for p in together(begin)[-1])}. One line cannot do it.")
    for units in (1, 2, 3):
        _, losses, solved = solve_clash(units, 1 if seed is None else seed, passes=400)
        what = f"right since pass {solved}" if solved >= 0 else "never right"
        print(f"  {units} hidden unit{'s' * (units > 1)}: {what}, loss {losses[-1]:.4f}")
    xs, ys = points(1 if seed is None else seed)
    sorter, errors = learn_points(1 if seed is None else seed)
    sums = [sum(one) for one in errors]
    print(f"\nNotes on a plane (pitch, length): {sorter.right(xs, ys)} of {len(xs)} right after {len(sums)} passes; errors:\n")
    print(plotted(sums))
    named: Curves = {f"lesson {n}": curve for n, curve in enumerate(curves, 1)}
    return f"A single neuron: four lessons of {LESSONS} steps, each overwrites the last", named


def learn_rnn(seed: int | None) -> tuple[str, Curves]:
    """A poem letter by letter, with what it would write now; then a melody."""
    seed = 1 if seed is None else seed
    text = POEM.read_text()
    print(f"A recurrent network reads {POEM.name}, {len(text)} letters, again and again; what it would write by then:\n")
    losses = []
    for number, loss, write in learn_text(text, PASSES, seed):
        losses.append(loss)
        if number in PASSES_SHOWN:
            print(f"  pass {number + 1:3d}, {loss:.2f} nats a letter: {write(56)!r}")
    print(f"\n{plotted(losses)}\n")
    _, tune, played = learn_melody(MELODY, seed, 150)
    print(f"A melody, {tune[-1]:.3f} nats a note after {len(tune)} steps:")
    print(f"  wanted  {' '.join(MELODY)}\n  plays   {' '.join(played)}")
    return "A recurrent network: nats a letter, nats a note", {"the poem": losses, "the melody": tune}


def learn_lstm(seed: int | None) -> tuple[str, Curves]:
    """One cell learns to hold the accented note; every gate of every step of a sequence it has not seen."""
    seed = 1 if seed is None else seed
    network, losses = learn_accents(seed)
    print(f"One LSTM cell learns to hold the accented note while others play, in {len(losses)} steps; loss:")
    print(f"\n{plotted(losses)}\n")
    xs, wanted = accents(Chance(seed + 2), 2 * ACCENT_LENGTH)
    done = network.forward(xs)
    print("  step  note  accent   input  forget  output  candidate    belt  answer  wanted")
    for t in range(len(xs)):
        i, f, o, g = done.gates[t, :, 0]
        note, accent = "high" if xs[t, 0] > 0 else "low", ">" if xs[t, 1] else ""
        row = f"  {t:4d}  {note:<4}  {accent:^6}   {i:5.3f}  {f:6.3f}  {o:6.3f}  {g:9.3f}  {done.cs[t + 1, 0]:6.2f}"
        print(f"{row}  {done.ys[t, 0]:6.3f}  {wanted[t, 0]:6.0f}")
    far = accents(Chance(seed + 3), 4 * ACCENT_LENGTH)
    right = held(network.forward(far[0]).ys, far[1])
    print(f"\n  on {len(far[0])} steps, four times what it was taught: {100 * right:.0f} % right")
    return "One LSTM cell: loss while it learns to hold the accented note", {"loss": losses}


LESSONS_OF = {"neuron": learn_neuron, "rnn": learn_rnn, "lstm": learn_lstm}


def plotted(values: Sequence[float], columns: int = COLUMNS, rows: int = ROWS) -> str:
    """Return a curve as lines of text, its highest value and zero at the left."""
    at = np.linspace(0, len(values) - 1, min(columns, len(values))).round().astype(int)
    most = max(max(values), 1e-12)
    eighths = np.round(np.asarray(values, float)[at] / most * 8 * rows).astype(int)
    lines = []
    for row in reversed(range(rows)):
        label = f"{most:9.3g}" if row == rows - 1 else f"{0:9.3g}" if row == 0 else " " * 9
        lines.append(f"{label} |" + "".join(BARS[min(max(e - 8 * row, 0), 8)] for e in eighths).rstrip())
    return "\n".join(lines)


def draw(path: Path, title: str, curves: Curves) -> None:
    """Draw curves from 0 up into a picture. Raises OSError."""
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.text(EDGE, 40, title, TITLE, "text")
    most = max(max(curve) for curve in curves.values())
    longest = max(len(curve) for curve in curves.values())
    left, right, top, bottom = EDGE, WIDTH - EDGE, EDGE + 100, HEIGHT - EDGE
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        canvas.line([(left, y), (right, y)], rgb("line"), 2)
        canvas.text(left - 16, round(y), f"{share * most:.2g}", SMALL, "faint", "rm")
    canvas.text(left, bottom + 16, "0", SMALL, "faint")
    canvas.text(right, bottom + 16, f"{longest} steps", SMALL, "faint", "ra")
    x = left
    for (name, curve), colour in zip(curves.items(), _colours(), strict=False):
        steps = np.arange(len(curve)) / max(longest - 1, 1)
        canvas.line(
            [(left + s * (right - left), bottom - v / most * (bottom - top)) for s, v in zip(steps, curve, strict=True)],
            colour,
            5,
        )
        canvas.box(x, bottom + 70, 26, 26, colour)
        x += 38 + canvas.text(x + 38, bottom + 62, name, TEXT) + 60
    canvas.save(path)


def _colours() -> list[Colour]:
    return [rgb("network"), rgb("player"), *(rgb(c) for c in palette()["others"])]


if __name__ == "__main__":
    sys.exit(main())
