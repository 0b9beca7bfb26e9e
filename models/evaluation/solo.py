"""Compares what a network plays alone with the music it learned from: a table, what is amiss, and a picture.

Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card
from models.evaluation.statistics import statistics

Array = np.ndarray
AGAIN_BARS = 4  # a repetition of so many bars is counted
NEAR = 1e-9
DRAWS = 400  # of as many stretches of the music as there are solos
WITHIN = ("density_", "share_in_key")  # figures whose median must lie between the data's quartiles


def like_pieces(rolls: Sequence[Array], bars: int, steps_per_bar: int) -> list[Array]:
    """The data as stretches that compare with solos of `bars` bars: so long where a piece is, at least half as long.

    Where no piece is that long, the pieces as they are.
    """
    steps = bars * steps_per_bar
    cut = [roll[at : at + steps] for roll in rolls for at in range(0, len(roll), steps)]
    return [c for c in cut if 2 * len(c) >= steps] or list(rolls)


def compare(rolls: Sequence[Array], seeds: Sequence[int], data: Sequence[Array], card: Card, bars: int) -> dict[str, Any]:
    """Figures of the solos `rolls` beside those of the data's stretches, and what is amiss, as lines.

    `figures`: for each, over the solos and over the data, the quantiles 0, 0.25, 0.5, 0.75, 1. `rates`: share of pieces
    with a silence of a bar, with four bars said again note for note, stuck on one step for four bars. Amiss is a rate
    above the data's, and a median density or share in key outside the data's quartiles.
    """
    stretches = like_pieces(data, bars, card.steps_per_bar)
    alone, beside = ([statistics(roll, card) for roll in part] for part in (rolls, stretches))
    figures = {
        name: {who: _quantiles([s[name] for s in part]) for who, part in (("solo", alone), ("data", beside))}
        for name in alone[0]
    }
    limits = {
        "silent_bar": ("longest_silence", card.steps_per_bar),
        "four_bars_again": ("longest_repetition", AGAIN_BARS),
        "stuck_four_bars": ("longest_stuck", AGAIN_BARS * card.steps_per_bar),
    }
    rates = {
        name: {who: float(np.mean([s[figure] >= limit for s in part])) for who, part in (("solo", alone), ("data", beside))}
        for name, (figure, limit) in limits.items()
    }
    per_piece = {name: [round(s[name], 6) for s in alone] for name in alone[0]}
    about = {"seeds": list(seeds), "bars": bars, "data_pieces": len(stretches)}
    data_pieces = {name: [round(s[name], 6) for s in beside] for name in alone[0]}
    return about | {
        "figures": figures,
        "rates": rates,
        "amiss": _amiss(figures, rates),
        "per_piece": per_piece,
        "per_data_piece": data_pieces,
    }


def windows(
    rolls: Sequence[Array], data: Sequence[Array], card: Card, bars: int, music: Sequence[Array] = ()
) -> dict[str, Any]:
    """Whether it stays what it is: every figure of the solos in each window of `bars` bars, beside the data's quartiles.

    `figures`: for each the data's quartiles and the medians over the solos, window by window. `outside`: of all medians those
    that do not lie between them, and how many there are. `by_chance`: how many of so many do not, on average, where the
    solos are stretches of the `music`, by default the data, drawn by lot: few pieces have narrow quartiles.
    """
    steps = bars * card.steps_per_bar
    count = min(len(roll) for roll in rolls) // steps
    alone = [[statistics(roll[at * steps : (at + 1) * steps], card) for roll in rolls] for at in range(count)]
    beside = [statistics(roll, card) for roll in like_pieces(data, bars, card.steps_per_bar)]
    drawn = [statistics(roll, card) for roll in like_pieces(music, bars, card.steps_per_bar)] if music else beside
    lots = np.random.default_rng(1).random((DRAWS, len(drawn))).argsort(1)[:, : len(rolls)]  # (DRAWS, solos)
    figures, outside, by_chance = {}, 0, 0.0
    for name in beside[0]:
        _, low, _, high, _ = _quantiles([s[name] for s in beside])
        medians = np.asarray([np.median([s[name] for s in window]) for window in alone])
        outside += int(_lies_outside(medians, low, high).sum())
        by_chance += count * float(_lies_outside(np.median(np.asarray([s[name] for s in drawn])[lots], 1), low, high).mean())
        figures[name] = {"quartiles": [low, high], "medians": medians.tolist()}
    return {"bars": bars, "figures": figures, "outside": [outside, count * len(figures)], "by_chance": by_chance}


def _lies_outside(values: Array, low: float, high: float) -> Array:
    return (values < low - NEAR) | (values > high + NEAR)


def windows_table(found: Mapping[str, Any]) -> list[str]:
    """The windows as lines of text; a star marks what lies outside."""
    lines = [f"by windows of {found['bars']} bars: half of the data, medians of the solos, * where they are outside"]
    for name, figure in found["figures"].items():
        low, high = figure["quartiles"]
        stars = _lies_outside(np.asarray(figure["medians"]), low, high)
        cells = "".join(f"{m:6.2f}{'*' if star else ' '}" for m, star in zip(figure["medians"], stars, strict=True))
        lines.append(f"  {name.replace('_', ' '):20} {low:6.3f} to {high:6.3f} {cells}")
    outside, of = found["outside"]
    return [*lines, f"  outside: {outside} of {of}; of stretches of the music itself {found['by_chance']:.1f}"]


def _quantiles(values: Sequence[float]) -> list[float]:
    return [float(q) for q in np.quantile(values, (0, 0.25, 0.5, 0.75, 1))]


def _amiss(figures: Mapping[str, Mapping[str, list[float]]], rates: Mapping[str, Mapping[str, float]]) -> list[str]:
    wrong = []
    for name, rate in rates.items():
        if rate["solo"] > rate["data"]:
            wrong.append(f"{name.replace('_', ' ')}: in {rate['solo']:.0%} of the solos, {rate['data']:.1%} of the data")
    for name, figure in figures.items():
        _, low, _, high, _ = figure["data"]
        median = figure["solo"][2]
        if name.startswith(WITHIN) and not low <= median <= high:
            wrong.append(f"{name.replace('_', ' ')}: median {median:.3f}, half of the data lies in {low:.3f} to {high:.3f}")
    return wrong


def table(found: Mapping[str, Any]) -> list[str]:
    """The comparison as lines of text."""
    lines = [
        f"alone, {len(found['seeds'])} seeds of {found['bars']} bars, beside {found['data_pieces']} stretches of the data",
        f"  {'':22} {'solo':>8} {'half of them':>18} {'data':>8} {'half of them':>18}",
    ]
    for name, figure in found["figures"].items():
        _, a, b, c, _ = figure["solo"]
        _, x, y, z, _ = figure["data"]
        lines.append(f"  {name.replace('_', ' '):22} {b:8.3f} {a:8.3f} to {c:6.3f} {y:8.3f} {x:8.3f} to {z:6.3f}")
    for name, rate in found["rates"].items():
        lines.append(f"  {name.replace('_', ' '):22} {rate['solo']:8.1%} {'of the pieces':>18} {rate['data']:8.1%}")
    lines += [f"  amiss: {line}" for line in found["amiss"] or ["nothing"]]
    return lines + (windows_table(found["windows"]) if "windows" in found else [])


def draw(found: Mapping[str, Any], title: str, path: Path) -> None:
    """Write a PNG: for each figure the solos (cyan) beside the data (grey) as box plots."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ground, ink, cool = "#0b0c0e", "#d8dade", "#35c9e8"
    names = list(found["figures"])
    across = 5
    down = -(-len(names) // across)
    figure, axes = pyplot.subplots(
        down, across, figsize=(13, 2.7 * down), facecolor=ground, layout="constrained", squeeze=False
    )
    for cell in axes.flat[len(names) :]:
        cell.set_visible(False)
    for cell, name in zip(axes.flat, names, strict=False):
        cell.set_facecolor(ground)
        for place, (values, colour) in enumerate(((found["per_piece"][name], cool), (found["per_data_piece"][name], ink))):
            line = {"color": colour, "linewidth": 1.4}
            cell.boxplot(
                [values], positions=[place], widths=0.6, whis=(5, 95), boxprops=line, whiskerprops=line, capprops=line,
                medianprops={**line, "linewidth": 3}, flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour},
            )  # fmt: skip
        cell.set_xticks([0, 1], ["alone", "data"])
        cell.tick_params(colors=ink, labelsize=8)
        for spine in cell.spines.values():
            spine.set_color("#3a3d42")
        cell.set_title(name.replace("_", " "), color=ink, fontsize=10)
    figure.suptitle(f"{title}: {len(found['seeds'])} pieces of {found['bars']} bars played alone, beside the data", color=ink)
    figure.savefig(path, dpi=100, facecolor=ground)
    pyplot.close(figure)
