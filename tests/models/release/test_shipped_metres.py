"""The shipped band keeps the metre it is told: kick and bass begin the bars of a waltz, a jig, a 12/8 blues and odd metres."""

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.metres import first_beats
from models.graph.playing import open_network, play
from models.music.grid import read_grid
from models.music.representation import HELD, ONSET

NETWORK = Path(__file__).parents[3] / "models/festival/festival.onnx"
ROOTS = {"blues": (0, 0, 0, 0, 5, 5, 0, 0, 7, 5, 0, 7), "tune": (0, 5, 7, 0)}  # a bar each, above C
# Sixteenths of the notes of a bar, and the degrees of the chord that they are.
TUNES = {
    "waltz": ("3/4", "tune", (4, 4, 4), (0, 7, 4)),
    "jig": ("6/8", "tune", (2, 2, 2, 2, 2, 2), (0, 4, 7, 12, 7, 4)),
    "blues": ("12/8", "blues", (4, 2, 4, 2, 4, 2, 6), (0, 3, 4, 7, 10, 7, 0)),
    "five": ("5/4", "tune", (6, 2, 4, 4, 4), (0, 2, 4, 7, 4)),
    "seven": ("7/8", "tune", (4, 4, 4, 2), (0, 7, 4, 2)),
}
BARS, SEEDS = 26, (1, 2, 3)


def melody(name):
    """What a player plays: a roll of the lead alone, and the metre."""
    metre, roots, lengths, degrees = TUNES[name]
    grid = read_grid(metre)
    roll = np.zeros((grid.bar * BARS, 188), np.uint8)
    assert sum(lengths) == grid.bar
    for bar in range(BARS):
        at = bar * grid.bar
        root = ROOTS[roots][bar % len(ROOTS[roots])]
        for length, degree in zip(lengths, degrees, strict=True):
            slot = 140 + 60 + root + degree - 48
            roll[at, slot], roll[at + 1 : at + length, slot] = ONSET, HELD
            at += length
    return roll, grid


@pytest.mark.parametrize("name", TUNES)
def test_kick_and_bass_begin_the_bar_of_every_metre_that_it_says_it_knows(name):
    graph = open_network(NETWORK)
    told, grid = melody(name)
    assert grid.name in graph.card.metres
    rolls = play(graph, SEEDS, len(told), None, [told] * len(SEEDS), "lead", [grid] * len(SEEDS), kick=1)
    found = [first_beats(roll, graph.card, grid) for roll in rolls]
    for part in ("kick", "bass"):
        assert np.mean([f[part] for f in found]) >= 0.8, (name, found)
