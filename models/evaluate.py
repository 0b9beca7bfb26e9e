"""Measures a network through its own step graph: how likely it finds music, and what it plays alone.

    algoritmo evaluate NETWORK.onnx PATH... [--split test] [--json FILE] [--baselines] [--solo N]

With everything dictated a step graph says how likely each step of a recording is (nats; lower is better), whoever
trained it. With nothing dictated it plays; `--solo N` compares N such pieces with the data. Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from engine.errors import AlgoritmoError, NetworkError
from engine.network.contract import Card, Track, faults, read_card
from models.biaxial.rolls import read_keyboard
from models.chords.songs import read_rolls
from models.data import SPLITS, Collection, Piece, read_band
from models.representation import HELD, ROLES, SILENT, STRUCK, channels, from_channels, to_midi

Array = np.ndarray


@dataclass(slots=True)
class StepGraph:
    """A network file, opened: its card and its session."""

    card: Card
    session: ort.InferenceSession
    outputs: list[str]

    def begin(self, batch: int) -> dict[str, Array]:
        """Inputs of the first step: silence, initial states, neutral controls, nothing dictated."""
        card = self.card
        feed: dict[str, Array] = {
            "x": np.zeros((batch, card.slots, len(card.channels)), np.float32),
            "position": np.zeros(batch, np.int64),
            "u": np.full((batch, card.noise), 0.5, np.float32),
            "temperature": np.ones(batch, np.float32),
            "clamp_mask": np.zeros((batch, card.slots), np.float32),
            "clamp_value": np.zeros((batch, card.slots, len(card.channels)), np.float32),
        }
        feed |= {c.name: np.full(batch, c.neutral, np.float32) for c in card.controls}
        feed |= {s.name: np.full((batch, *s.shape), s.initial, np.float32) for s in card.states}
        return feed

    def step(self, feed: dict[str, Array]) -> dict[str, Array]:
        """Run one step and move states, position and `x` on in `feed`; returns the outputs by name."""
        out = dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))
        for state in self.card.states:
            feed[state.name] = out[f"{state.name}_next"]
        feed["x"] = out["notes"]
        feed["position"] = feed["position"] + 1
        return out


def open_network(path: Path, threads: int = 1) -> StepGraph:
    """Open a step graph on the CPU. Raises NetworkError where it breaks the contract."""
    card = read_card(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wrong = faults(card, session.get_inputs(), session.get_outputs())
    if wrong:
        raise NetworkError(f"{path}: breaks the step graph contract:\n" + "\n".join(f"  - {w}" for w in wrong))
    wanted = ["notes", "log_prob_tracks", *(f"{s.name}_next" for s in card.states)]
    return StepGraph(card, session, wanted)


def nats(graph: StepGraph, rolls: Sequence[Array], batch: int = 16) -> list[Array]:
    """Return for each roll (steps, slots) its nats, float64 (steps, tracks), everything dictated."""
    order = sorted(range(len(rolls)), key=lambda i: -len(rolls[i]))
    found: list[Array] = [np.zeros((0, len(graph.card.tracks)))] * len(rolls)
    for first in range(0, len(order), batch):
        some = order[first : first + batch]
        for index, value in zip(some, _nats_together(graph, [rolls[i] for i in some]), strict=True):
            found[index] = value
    return found


def _nats_together(graph: StepGraph, rolls: list[Array]) -> list[Array]:
    """The same for rolls of falling length, side by side; those that have ended leave the batch."""
    feed = graph.begin(len(rolls))
    feed["clamp_mask"][:] = 1
    lengths = np.asarray([len(r) for r in rolls])
    extra = len(graph.card.channels) - 2
    told = [np.pad(channels(r), ((0, 0), (0, 0), (0, extra))) for r in rolls]
    found = np.zeros((len(rolls), int(lengths.max(initial=0)), len(graph.card.tracks)))
    for step in range(found.shape[1]):
        alive = int((lengths > step).sum())
        if alive < len(feed["position"]):
            feed = {k: v[:alive] for k, v in feed.items()}
        feed["clamp_value"] = np.stack([t[step] for t in told[:alive]])
        found[:alive, step] = -graph.step(feed)["log_prob_tracks"]
    return [found[i, :n] for i, n in enumerate(lengths)]


def play_alone(graph: StepGraph, seeds: Sequence[int], bars: int = 32, controls: dict[str, float] | None = None) -> list[Array]:
    """Return one roll of `bars` bars for each seed, from silence."""
    feed = graph.begin(len(seeds))
    for name, value in (controls or {}).items():
        feed[name][:] = value
    chance = [np.random.Generator(np.random.Philox(key=seed)) for seed in seeds]
    steps = bars * graph.card.steps_per_bar
    rolls = np.zeros((len(seeds), steps, graph.card.slots), np.uint8)
    for step in range(steps):
        feed["u"] = np.stack([c.random(graph.card.noise, np.float32) for c in chance])
        rolls[:, step] = from_channels(graph.step(feed)["notes"])
    return list(rolls)


# What a piece is like: one number each, from a roll.


def longest_run(same: Array) -> int:
    """Length of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def longest_silence(roll: Array, bar: int = 16) -> int:
    """Steps of the longest silence of all tracks after the first bar."""
    return longest_run(~np.any(roll[bar:], axis=1))


def longest_repetition(roll: Array) -> int:
    """Steps of the longest stretch in which every step is the same."""
    return 1 + longest_run(np.all(roll[1:] == roll[:-1], axis=1)) if len(roll) else 0


def pitch_classes(roll: Array, card: Card) -> Array:
    """Strikes of each pitch class, drums left out: (12,)."""
    pitched = np.concatenate([np.full(len(t.pitches), t.kind != "drums") for t in card.tracks])
    strikes = (roll == STRUCK).sum(0)
    return np.bincount(card.slot_pitches()[pitched] % 12, strikes[pitched], minlength=12)


MAJOR = np.asarray([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])  # natural minor is the same set


def share_in_key(classes: Array) -> float:
    """Share of the strikes in the diatonic set that holds most of them."""
    total = classes.sum()
    return float(max(np.roll(MAJOR, k) @ classes for k in range(12)) / total) if total else 1.0


def entropy(classes: Array) -> float:
    """Entropy of the pitch classes, bits."""
    share = classes[classes > 0] / max(classes.sum(), 1)
    return float(-(share * np.log2(share)).sum())


def groove_consistency(roll: Array, bar: int = 16) -> float:
    """Mean share of a bar's positions that the next bar strikes alike (any track)."""
    bars = (roll[: len(roll) // bar * bar] == STRUCK).any(1).reshape(-1, bar)
    return float((bars[1:] == bars[:-1]).mean()) if len(bars) > 1 else 1.0


def self_similarity(roll: Array, bars: int, bar: int = 16) -> float:
    """Mean overlap (intersection over union) of the strikes of each bar with those `bars` bars later."""
    struck = (roll[: len(roll) // bar * bar] == STRUCK).reshape(-1, bar * roll.shape[1])
    a, b = struck[:-bars], struck[bars:]
    if len(a) == 0:
        return 0.0
    either = (a | b).sum(1)
    return float(((a & b).sum(1)[either > 0] / either[either > 0]).mean()) if either.any() else 0.0


def statistics(roll: Array, card: Card) -> dict[str, float]:
    """Every figure of one piece. Densities are strikes per step; polyphony is pitched notes sounding per step."""
    found: dict[str, float] = {}
    for name, where in card.track_slices().items():
        found[f"density_{name}"] = float((roll[:, where] == STRUCK).sum() / max(len(roll), 1))
    pitched = np.concatenate([np.full(len(t.pitches), t.kind != "drums") for t in card.tracks])
    classes = pitch_classes(roll, card)
    found["polyphony"] = float((roll[:, pitched] != SILENT).sum(1).mean()) if len(roll) else 0.0
    found["pitch_class_entropy"] = entropy(classes)
    found["share_in_key"] = share_in_key(classes)
    found["groove_consistency"] = groove_consistency(roll, card.steps_per_bar)
    for bars in (1, 2, 4, 8):
        found[f"self_similarity_{bars}"] = self_similarity(roll, bars, card.steps_per_bar)
    drums = [card.track_slices()[t.name] for t in card.tracks if t.kind == "drums"]
    if drums:
        struck = (roll[:, drums[0]] == STRUCK).sum(1)
        found["drums_on_eighths"] = float(struck[::2].sum() / struck.sum()) if struck.any() else 1.0
    found["longest_silence"] = float(longest_silence(roll, card.steps_per_bar))
    found["longest_repetition"] = float(longest_repetition(roll))
    return found


def compare_solo(graph: StepGraph, data: Sequence[Array], seeds: Sequence[int], bars: int = 32) -> dict[str, Any]:
    """Play alone once for each seed; return the figures beside the data's, and what is wrong, as lines.

    Wrong is: a bar of silence of all tracks after the first bar, one step repeated for more than four bars, drums that
    leave the grid of eighths far more than the data's (its 5 % quantile), or a track's density (median over seeds) not
    within a factor 2 of the data's median.
    """
    card = graph.card
    alone = [statistics(r, card) for r in play_alone(graph, seeds, bars)]
    beside = [statistics(r, card) for r in data]
    figures: dict[str, dict[str, Any]] = {}
    for name in alone[0]:
        ours, theirs = (np.asarray([s[name] for s in part]) for part in (alone, beside))
        figures[name] = {
            "median": float(np.median(ours)),
            "low": float(ours.min()),
            "high": float(ours.max()),
            "data_median": float(np.median(theirs)),
            "data_quartiles": [float(q) for q in np.quantile(theirs, (0.25, 0.75))],
        }
    wrong = []
    floor = float(np.quantile([s.get("drums_on_eighths", 1.0) for s in beside], 0.05))
    for seed, found in zip(seeds, alone, strict=True):
        if found["longest_silence"] >= card.steps_per_bar:
            wrong.append(f"seed {seed}: silent for {found['longest_silence']:.0f} steps")
        if found["longest_repetition"] > 4 * card.steps_per_bar:
            wrong.append(f"seed {seed}: repeats one step {found['longest_repetition']:.0f} times")
        if found.get("drums_on_eighths", 1.0) < floor:
            wrong.append(f"seed {seed}: drums on eighths {found['drums_on_eighths']:.2f}, the data's 5 %: {floor:.2f}")
    for track in card.tracks:
        figure = figures[f"density_{track.name}"]
        if not figure["data_median"] / 2 <= figure["median"] <= figure["data_median"] * 2:
            wrong.append(f"{track.name}: density {figure['median']:.3f}, the data's {figure['data_median']:.3f}")
    return {"seeds": list(seeds), "bars": bars, "figures": figures, "wrong": wrong}


# Baselines, fitted on training rolls: what a network must beat.

Baseline = Callable[[Array], Array]  # roll (steps, slots) to nats (steps, tracks)


def _per_track(nats_slots: Array, card: Card) -> Array:
    return np.stack([nats_slots[:, where].sum(1) for where in card.track_slices().values()], 1)


def _before(roll: Array) -> Array:
    return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])


def frequencies(train: Sequence[Array], card: Card) -> Baseline:
    """Each note's frequency: silent, held or struck; only what sounded before can be held."""
    count = np.ones((2, 3, card.slots))  # sounded before, what now
    for roll in train:
        was = _before(roll) != SILENT
        for before in (0, 1):
            for now in (SILENT, HELD, STRUCK):
                count[before, now] += ((roll == now) & (was == before)).sum(0)
    # One chance of playing, whatever came before; holding is a share of it where holding is possible.
    play = count[:, 1:].sum((0, 1)) / count.sum((0, 1))
    hold = count[1, HELD] / count[1, 1:].sum(0)

    def baseline(roll: Array) -> Array:
        was, on = _before(roll) != SILENT, roll != SILENT
        found = -np.where(on, np.log(play), np.log1p(-play))
        found -= np.where(on & was, np.where(roll == HELD, np.log(hold), np.log1p(-hold)), 0.0)
        return _per_track(found, card)

    return baseline


def chains(train: Sequence[Array], card: Card) -> Baseline:
    """A first-order chain per note: silent, held or struck, given which it was."""
    count = np.zeros((3, 3, card.slots))
    for roll in train:
        before = _before(roll)
        for a in range(3):
            for b in range(3):
                count[a, b] += ((before == a) & (roll == b)).sum(0)
    count += 0.5
    count[SILENT, HELD] = 0  # cannot be
    log = np.log(count / count.sum(1, keepdims=True), where=count > 0, out=np.full_like(count, -np.inf))

    def baseline(roll: Array) -> Array:
        return _per_track(-log[_before(roll), roll, np.arange(card.slots)], card)

    return baseline


def trigrams(train: Sequence[Array], card: Card) -> Baseline:
    """A trigram over each track's whole steps, interpolated (Witten-Bell) down to the chain per note."""
    chain = chains(train, card)
    slices = list(card.track_slices().values())
    tables: list[list[dict[tuple[bytes, ...], Counter[bytes]]]] = []
    for where in slices:
        orders: list[dict[tuple[bytes, ...], Counter[bytes]]] = [defaultdict(Counter) for _ in (1, 2)]
        for roll in train:
            rows = _rows(roll[:, where])
            for t in range(2, len(rows)):
                for order, table in enumerate(orders, 1):
                    table[tuple(rows[t - order : t])][rows[t]] += 1
        tables.append([dict(t) for t in orders])

    def baseline(roll: Array) -> Array:
        found = chain(roll)
        for track, where in enumerate(slices):
            rows = _rows(roll[:, where])
            for t in range(2, len(rows)):
                chance = float(np.exp(-found[t - 2, track]))
                for order, table in enumerate(tables[track], 1):
                    seen = table.get(tuple(rows[t - order : t]))
                    if seen:
                        chance = (seen[rows[t]] + len(seen) * chance) / (seen.total() + len(seen))
                found[t - 2, track] = -np.log(chance)
        return found

    return baseline


def _rows(part: Array) -> list[bytes]:
    """A track's steps as hashable values, two steps of silence before the first."""
    silence = np.zeros(part.shape[1], np.uint8).tobytes()
    return [silence, silence, *(row.tobytes() for row in part)]


BASELINES: dict[str, Callable[[Sequence[Array], Card], Baseline]] = {
    "frequency": frequencies,
    "chain": chains,
    "trigram": trigrams,
}


def summary(found: Sequence[Array], pieces: Sequence[Piece], tracks: Sequence[Track]) -> dict[str, Any]:
    """Figures of one network or baseline from the nats of each piece."""
    whole = np.concatenate(found) if found else np.zeros((0, len(tracks)))
    return {
        "nats_per_step": float(whole.sum(1).mean()) if len(whole) else float("nan"),
        "steps": len(whole),
        "pieces": len(pieces),
        "tracks": {t.name: float(whole[:, i].mean()) for i, t in enumerate(tracks)} if len(whole) else {},
        "per_piece": {
            p.name: {"nats_per_step": float(n.sum(1).mean()), "steps": len(n)} for p, n in zip(pieces, found, strict=True)
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="algoritmo evaluate", description="Measure a network on music, and alone.")
    parser.add_argument("network", type=Path, help="a step graph (.onnx)")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="MIDI files, folders, archives or a poly_splits .npz"
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), default="all", help="which pieces (%(default)s)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--baselines", action="store_true", help="also fit simple models on the training split")
    parser.add_argument("--solo", type=int, default=0, metavar="N", help="also let it play N pieces alone")
    parser.add_argument("--bars", type=int, default=32, help="length of a solo piece (%(default)s)")
    parser.add_argument("--midi", type=Path, help="folder for the solo pieces as MIDI files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where read data is kept; safe to delete")
    return parser


def read_for(card: Card, paths: Sequence[Path], cache: Path) -> Collection:
    """Read music the way this network hears it: chord symbols where its card names chord classes, all parts on one
    keyboard where it has a single pitched track, else by roles.
    """
    if classes := (card.model_extra or {}).get("classes"):
        return read_rolls(paths, classes)
    if len(card.tracks) == 1 and card.tracks[0].kind == "pitched":
        pitches = card.tracks[0].pitches
        return read_keyboard(paths, pitches[0], pitches[-1], card.steps_per_beat)
    return read_band(paths, cache, card.tracks)


def read_music(paths: Sequence[Path], cache: Path, card: Card) -> Collection:
    """Read music as the network hears it: as a band where its tracks are roles, on one keyboard where it has one track."""
    names = {t.name for t in card.tracks}
    if names <= set(ROLES) and card.steps_per_beat == 4:
        return read_band(paths, cache, card.tracks)
    if len(card.tracks) == 1:
        pitches = card.tracks[0].pitches
        return read_keyboard(paths, pitches[0], pitches[-1], card.steps_per_beat)
    raise NetworkError(f"no rule says how music falls to the tracks {', '.join(sorted(names))}: roles are {', '.join(ROLES)}")


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Everything the command line asks for, as one JSON object."""
    graph = open_network(args.network, args.threads)
    card = graph.card
    data = read_for(card, args.paths, args.cache)
    pieces = data.pieces if args.split == "all" else data.split(args.split)
    if not pieces:
        counts = ", ".join(f"{len(data.split(s))} {s}" for s in SPLITS)
        raise NetworkError(f"--split {args.split}: no piece is in it; there are {counts}")
    found = {
        "network": card.name,
        "split": args.split,
        "refused": dict(data.refused),
        **summary(nats(graph, [p.roll for p in pieces]), pieces, card.tracks),
    }
    train = [p.roll for p in data.split("train")]
    if args.baselines:
        found["baselines"] = {
            name: summary([baseline(p.roll) for p in pieces], pieces, card.tracks)
            for name, baseline in ((n, fit(train, card)) for n, fit in BASELINES.items())
        }
    if args.solo:
        found["solo"] = compare_solo(graph, train or [p.roll for p in pieces], range(1, args.solo + 1), args.bars)
        if args.midi:
            args.midi.mkdir(parents=True, exist_ok=True)
            for seed, roll in zip(range(1, args.solo + 1), play_alone(graph, range(1, args.solo + 1), args.bars), strict=True):
                (args.midi / f"{card.name}-{seed:03}.mid").write_bytes(to_midi(roll, card.tracks, card.steps_per_beat))
    return found


def _print(found: dict[str, Any]) -> None:
    rows = [(found["network"], found), *found.get("baselines", {}).items()]
    print(f"nats per step over {found['steps']} steps of {found['pieces']} pieces ({found['split']})")
    for name, figures in rows:
        tracks = "  ".join(f"{t} {v:.2f}" for t, v in figures["tracks"].items())
        print(f"  {name:12} {figures['nats_per_step']:7.3f}   {tracks}")
    if "solo" in found:
        solo = found["solo"]
        print(f"alone, {len(solo['seeds'])} seeds of {solo['bars']} bars: median (lowest to highest), the data's median")
        for name, f in solo["figures"].items():
            print(f"  {name:22} {f['median']:8.3f} ({f['low']:.3f} to {f['high']:.3f})  {f['data_median']:8.3f}")
        for line in solo["wrong"] or ["nothing is wrong"]:
            print(f"  {line}")


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo evaluate NETWORK.onnx PATH ...`; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        found = evaluate(args)
    except (AlgoritmoError, FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _print(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
