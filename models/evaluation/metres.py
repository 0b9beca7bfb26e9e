"""Measures whether a network keeps a metre: melodies of each are played in, and it plays the rest.

The figures are the shares of bars whose first step has a kick drum, a bass note, both; beside them those of the data's own
bands. The first bars are left out: it begins from silence. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.core.errors import NetworkError
from models.evaluation.accompany import LEAST_PLAYED
from models.graph.playing import StepGraph, play
from models.music.data import Piece
from models.music.grid import GRIDS, Grid
from models.music.representation import ONSET

Array = np.ndarray
BARS, BEGIN = 34, 2  # of a melody, and those that are not counted
KICK = 36
FIGURES = ("kick", "bass", "both")


def first_beats(roll: Array, card: Card, grid: Grid) -> dict[str, float] | None:
    """Shares of a roll's bars that kick and bass begin; None where it is too short."""
    bars = len(roll) // grid.bar
    struck = (roll[: bars * grid.bar] == ONSET).reshape(bars, grid.bar, -1)[BEGIN:, 0]
    if not len(struck):
        return None
    slices = card.track_slices()
    drums = next(t for t in card.tracks if t.kind == "drums")
    kick = struck[:, slices[drums.name].start + drums.pitches.index(KICK)]
    bass = struck[:, slices["bass"]].any(1)
    return {"kick": float(kick.mean()), "bass": float(bass.mean()), "both": float((kick & bass).mean())}


def keep_metres(
    graph: StepGraph, pieces: Sequence[Piece], count: int, track: str, controls: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """By metre: up to `count` melodies are accompanied, melody n with seed n, a kick asked for as a jam does.

    Raises NetworkError where the network has no drums, bass and such a track, or no piece has a melody.
    """
    card = graph.card
    kicks = [t for t in card.tracks if t.kind == "drums" and KICK in t.pitches]
    if not kicks or not {"bass", track} <= card.track_slices().keys():
        raise NetworkError(f"--metres: {card.name} has no drums, bass and {track}; take festival")
    found: dict[str, Any] = {}
    for grid in GRIDS:
        songs = _melodies([p for p in pieces if p.metre == grid], card, track, count)
        if not songs:
            continue
        rolls = [s.roll[: BARS * grid.bar] for s in songs]
        seeds, steps = range(1, len(rolls) + 1), max(map(len, rolls))
        played = play(graph, seeds, steps, controls, rolls, track, [grid] * len(rolls), kick=1)
        sides = {"network": [p[: len(r)] for p, r in zip(played, rolls, strict=True)], "data": rolls}
        shares = {who: [f for r in music if (f := first_beats(r, card, grid))] for who, music in sides.items()}
        found[grid.name] = {"songs": len(songs), "bars": sum(len(r) // grid.bar - BEGIN for r in rolls)}
        found[grid.name] |= {who: {k: float(np.mean([f[k] for f in s])) for k in FIGURES} for who, s in shares.items()}
    if not found:
        raise NetworkError(f"--metres: no piece of this split has a {track} with a band; give other music")
    return found


def _melodies(pieces: Sequence[Piece], card: Card, track: str, count: int) -> list[Piece]:
    """Up to `count` whole bands with a melody, evenly spread."""
    where, fit = card.track_slices()[track], []
    for piece in sorted(pieces, key=lambda p: p.name):
        bars = len(piece.roll) / piece.metre.bar
        if bars > 2 * BEGIN and not piece.unknown and (piece.roll[:, where] == ONSET).sum() >= LEAST_PLAYED * bars:
            fit.append(piece)
    return [fit[i] for i in np.unique(np.linspace(0, len(fit) - 1, min(count, len(fit))).round().astype(int))] if fit else []


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures as lines of text."""
    lines = ["accompanying melodies of each metre: share of bars that begin with a kick, a bass note, both (data's own bands)"]
    for name, figures in found.items():
        shares = "  ".join(f"{k} {figures['network'][k]:.0%} ({figures['data'][k]:.0%})" for k in FIGURES)
        lines.append(f"  {name:5} {shares}   ({figures['songs']} songs, {figures['bars']} bars)")
    return lines
