"""Lets a network follow players through the engine, and compares it with chance and with the music's own bands.

Chance is the same measure of the band that was played to somebody else. What the network does where it is told every chord, by
itself and without an engine, stands beside them as `chart`. Runs without torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.evaluation.charted import charted, hears_chords
from models.evaluation.follow import BEATS, FIGURES, Band, Take, figures, recovery
from models.evaluation.takes import render
from models.graph.playing import StepGraph

WHO = ("network", "chance", "data", "chart")
COLOURS = {"network": "#35c9e8", "chance": "#6b7078", "data": "#d8dade", "chart": "#E69F00"}
GROUND, INK = "#0b0c0e", "#d8dade"
WORDS = {**FIGURES, "loudness": "loudness by bars: correlation with the player's"}
Pairs = list[tuple[Take, Band]]


def follow(
    graph: StepGraph,
    network: Path,
    takes: Sequence[Take],
    seeds: Sequence[int],
    settings: Sequence[str],
    moves: bool,
    control: Take | None = None,
) -> dict[str, Any]:
    """Play every take with every seed, and again with all of it a tritone higher from the middle on where `moves`.

    `control` is played to for chance alone, where one take is all there is.

    Returns the figures of the network, of chance and of the data's own bands, by name, the recovery after the move, and the
    figures of every take.
    """
    plain = [(take, _rendered(take, network, seed, settings)) for seed in seeds for take in takes]
    tritone = [take.moved() for take in takes] if moves else []
    moved = [(take, _rendered(take, network, seed, settings)) for seed in seeds for take in tritone]
    other = [] if control is None else [(control, _rendered(control, network, seeds[0], settings))]
    told = [pair for seed in seeds for pair in charted(graph, takes, seed)] if hears_chords(graph) else []
    own = [(take, take.own) for take in takes if take.own]
    found: dict[str, Any] = {
        "takes": len(takes),
        "seeds": list(seeds),
        "settings": list(settings),
        "bars": sum(take.bars - take.first_bar for take in takes) * len(seeds),
        "figures": _beside({"network": plain, "chance": _others(plain, other), "data": own, "chart": told}),
    }
    if moves:
        found["recovery"] = {"network": recovery(moved), "chance": recovery(_others(moved, other))}
        if hears_chords(graph):
            found["recovery"]["chart"] = recovery(pair for seed in seeds for pair in charted(graph, tritone, seed))
    found["per_take"] = [
        {"name": take.name, "seed": seeds[at // len(takes)], **figures([(take, band)])} for at, (take, band) in enumerate(plain)
    ]
    return found


def _rendered(take: Take, network: Path, seed: int, settings: Sequence[str]) -> Band:
    with tempfile.TemporaryDirectory() as folder:
        return render(take, network, seed, settings, Path(folder))


def _others(pairs: Pairs, more: Pairs) -> Pairs:
    """Every take with the band that was played to the next one of another name, one of `more` too, as long as both last."""
    found = []
    for at, (take, _) in enumerate(pairs):
        rest = [*pairs[at + 1 :], *pairs[:at], *more]
        other = next((pair for pair in rest if pair[0].name != take.name and pair[0].track == take.track), None)
        if other is not None:
            beats = min(take.bars, other[0].bars) * BEATS
            found.append((replace(take, classes=take.classes[:beats]), other[1]))
    return found


def _beside(bands: Mapping[str, Pairs]) -> dict[str, dict[str, float | None]]:
    by_band = {who: figures(pairs) for who, pairs in bands.items()}
    return {name: {who: by_band[who][name] for who in WHO} for name in WORDS}


def table(found: Mapping[str, Any]) -> list[str]:
    """The comparison as lines of text."""
    seeds = f"{len(found['seeds'])} seed{'s' if len(found['seeds']) > 1 else ''}"
    lines = [f"following {found['takes']} players, {seeds}, {found['bars']} bars", f"  {'':52}" + _row(WHO)]
    for name, words in WORDS.items():
        lines.append(f"  {words:52}" + _row([_number(found["figures"][name][who]) for who in WHO]))
    if moved := found.get("recovery"):
        lines.append("the melody in the band, all of it six semitones higher from the middle on")
        lines.append(f"  {'':12}" + _row(["before", *(f"bar {bar}" for bar in list(moved["network"])[1:])]))
        lines += [f"  {who:12}" + _row(map(_number, bars.values())) for who, bars in moved.items()]
    return lines


def _row(cells: Any) -> str:
    return "".join(f"{cell:>9}" for cell in cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def draw(found: Mapping[str, Any], title: str, path: Path) -> None:
    """Write a PNG: every figure of the network (cyan), of chance (grey), the data (white) and a chart (amber)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    moved = found.get("recovery")
    figure, axes = pyplot.subplots(
        1, 2 if moved else 1, figsize=(13 if moved else 9, 6), facecolor=GROUND, layout="constrained", squeeze=False,
        width_ratios=(1.7, 1) if moved else (1,),
    )  # fmt: skip
    bars = axes[0, 0]
    for row, name in enumerate(reversed(WORDS)):
        for place, who in enumerate(reversed(WHO)):
            value = found["figures"][name][who]
            if value is not None:
                at = row + 0.21 * (place - 1.5)
                bars.barh(at, value, 0.19, color=COLOURS[who])
                bars.text(max(value, 0) + 0.01, at, f"{value:.2f}", color=COLOURS[who], fontsize=7, va="center")
    bars.set_yticks(range(len(WORDS)), list(reversed(WORDS.values())))
    bars.set_xlim(min(0, *(v for f in found["figures"].values() for v in f.values() if v is not None)), 1.08)
    for who in WHO:
        bars.barh(0, 0, color=COLOURS[who], label=who)
    bars.legend(facecolor=GROUND, labelcolor=INK, edgecolor="#3a3d42", loc="lower right")
    if moved:
        for who, shares in moved.items():
            told = [(at, value) for at, value in enumerate(shares.values()) if value is not None]
            axes[0, 1].plot([a for a, _ in told], [v for _, v in told], color=COLOURS[who], marker="o", linewidth=2, label=who)
        names = list(moved["network"])
        axes[0, 1].set_xticks(range(len(names)), ["before", *(f"bar {bar}" for bar in names[1:])])
        axes[0, 1].set_ylim(0, 1.02)
        axes[0, 1].set_title("the melody in the band, moved by six semitones", color=INK, fontsize=10)
    for cell in axes.flat:
        cell.set_facecolor(GROUND)
        cell.tick_params(colors=INK, labelsize=8)
        for spine in cell.spines.values():
            spine.set_color("#3a3d42")
    figure.suptitle(f"{title}: following {found['takes']} players over {found['bars']} bars", color=INK)
    figure.savefig(path, dpi=100, facecolor=GROUND)
    pyplot.close(figure)
