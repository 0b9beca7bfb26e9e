"""Measures a network through its own step graph: how likely it finds music, what it plays alone, how it accompanies.

    algoritmo evaluate NETWORK.onnx PATH... [--split test] [--json FILE] [--baselines] [--solo N] [--accompany N] [--follow N]
    algoritmo evaluate NETWORK.onnx --progression C,G,Am,F
    algoritmo evaluate NETWORK.onnx PATH... --metres N | --trade N | --leave N

With everything dictated a step graph says how likely each step of a recording is (nats; lower is better), whoever
trained it. With nothing dictated it plays: `--solo N` compares N such pieces with the data. With one track dictated it
accompanies: `--accompany N` plays N songs in as the player's track. And `--follow N` lets the engine play to N songs, or to
players who repeat a `--progression`, and measures how well it follows. `--metres N` accompanies N melodies of each metre there
is and counts the bars that kick and bass begin; all else is measured in the network's own metre, but for the nats, which are
told for each. Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card, Track
from engine.core.errors import AlgoritmoError, NetworkError
from models.evaluation.accompany import accompany, choose_songs
from models.evaluation.baselines import BASELINES
from models.evaluation.follow import HARMONY
from models.evaluation.following import draw as draw_following
from models.evaluation.following import follow
from models.evaluation.following import table as following_table
from models.evaluation.leaving import leaving
from models.evaluation.leaving import table as leaving_table
from models.evaluation.metres import keep_metres
from models.evaluation.metres import table as metres_table
from models.evaluation.solo import compare, draw, table, windows
from models.evaluation.takes import CONTROL, KINDS, progression, song
from models.evaluation.trade import draw as draw_trade
from models.evaluation.trade import table as trade_table
from models.evaluation.trade import trade
from models.graph.playing import StepGraph, nats, open_network, play_alone
from models.music.data import SPLITS, Collection, Piece, check_output, read_band, told
from models.music.grid import FOUR, GRIDS, Grid
from models.music.keyboard import read_keyboard
from models.music.representation import ROLES, to_midi
from models.music.songbook import read_rolls

__all__ = ["StepGraph", "evaluate", "main", "nats", "open_network", "play_alone", "read_for", "summary"]
Array = np.ndarray
SOLO_BARS, FOLLOW_BARS, LEAVE_BARS = 64, 32, 400
WINDOW_BARS = 32


def summary(found: Sequence[Array], pieces: Sequence[Piece], tracks: Sequence[Track]) -> dict[str, Any]:
    """Figures of one network or baseline from the nats of each piece."""
    whole = np.concatenate(found) if found else np.zeros((0, len(tracks)))
    return {
        "nats_per_step": float(whole.sum(1).mean()) if len(whole) else float("nan"),
        "steps": len(whole),
        "pieces": len(pieces),
        "tracks": {t.name: float(whole[:, i].mean()) for i, t in enumerate(tracks)} if len(whole) else {},
        "metres": {
            g.name: {"nats_per_step": float(own.sum(1).mean()), "steps": len(own)}
            for g in GRIDS
            if (own := _of_metre(found, pieces, g)) is not None
        },
        "per_piece": {
            p.name: {"nats_per_step": float(n.sum(1).mean()), "steps": len(n)} for p, n in zip(pieces, found, strict=True)
        },
    }


def _of_metre(found: Sequence[Array], pieces: Sequence[Piece], grid: Grid) -> Array | None:
    some = [n for n, p in zip(found, pieces, strict=True) if p.metre == grid]
    return np.concatenate(some) if some else None


def own_metre(card: Card, data: Collection) -> Collection:
    """What of the data is in the network's own metre; the rest counts as refused where it cannot be told another."""
    grid = Grid(card.beats_per_bar, card.steps_per_beat)
    kept = [p for p in data.pieces if p.metre == grid]
    others = [p for p in data.pieces if p.metre != grid]
    refusals = {p.name: f"in {p.metre.name}, which {card.name} cannot be told" for p in others}
    return replace(
        data,
        pieces=kept,
        used=data.used - len(others),
        refused=data.refused + Counter({"odd metre": len(others)} if others else {}),
        refusals=data.refusals | refusals,
    )


def read_for(card: Card, paths: Sequence[Path], cache: Path) -> Collection:
    """Read music the way this network hears it: chord symbols where its card names chord classes, all parts on one
    keyboard where it has a single pitched track, else by roles. Raises NetworkError where no rule fits its tracks.
    """
    if classes := (card.model_extra or {}).get("classes"):
        return read_rolls(paths, classes)
    if len(card.tracks) == 1 and card.tracks[0].kind == "pitched":
        pitches = card.tracks[0].pitches
        return read_keyboard(paths, pitches[0], pitches[-1], card.steps_per_beat)
    names = {t.name for t in card.tracks}
    if names <= set(ROLES) and card.steps_per_beat == 4:
        data = read_band(paths, cache, card.tracks)
        return data if card.hears_metre or card.beats_per_bar != FOUR.beats else own_metre(card, data)
    raise NetworkError(
        f"{card.name}: no rule says how music falls to the tracks {', '.join(sorted(names))} at {card.steps_per_beat} steps "
        f"a beat; name them by roles ({', '.join(ROLES)}) at 4, or have one track"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="algoritmo evaluate", description="Measure a network on music, and alone.")
    parser.add_argument("network", type=Path, help="a step graph (.onnx)")
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="MIDI files, lead sheets, folders, archives or a poly_splits .npz"
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), default="all", help="which pieces (%(default)s)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--baselines", action="store_true", help="also fit simple models on the training split")
    parser.add_argument("--solo", type=int, default=0, metavar="N", help="let it play N pieces alone, and compare")
    parser.add_argument(
        "--bars", type=int, help=f"length of a solo piece ({SOLO_BARS}) or of one that is followed ({FOLLOW_BARS})"
    )
    parser.add_argument("--window", type=int, default=0, metavar="BARS", help="also by windows of a solo, for it may sink")
    parser.add_argument(
        "--trade", type=int, default=0, metavar="N", help="let the engine answer the phrases of N songs of the player's track"
    )
    parser.add_argument(
        "--leave", type=int, default=0, metavar="N",
        help=f"let the engine play to N songs of the player's track, who stops after a quarter of --bars ({LEAVE_BARS})",
    )  # fmt: skip
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the comparison of --solo, --follow or --trade")
    parser.add_argument("--midi", type=Path, metavar="DIR", help="write the solo pieces as MIDI files")
    parser.add_argument("--accompany", type=int, default=0, metavar="N", help="play N songs in as the player's track")
    parser.add_argument(
        "--follow", type=int, default=0, metavar="N", help="let the engine play to N songs of the player's track"
    )
    parser.add_argument(
        "--progression", action="append", default=[], metavar="CHORDS", help="and to a player who repeats this: C,G,Am,F"
    )
    parser.add_argument("--as", dest="kind", choices=KINDS, default="melody", help="what he plays of it (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="how often everything is followed (%(default)s)")
    parser.add_argument("--no-move", action="store_true", help="leave out the takes that move by six semitones")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="follow with this setting of the engine"
    )
    parser.add_argument(
        "--metres", type=int, default=0, metavar="N", help="accompany N melodies of each metre, and count their first beats"
    )
    parser.add_argument("--track", default="lead", help="the player's track (%(default)s)")
    parser.add_argument(
        "--control", action="append", default=[], metavar="NAME=VALUE", help="play with this, such as temperature=0.9"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where read data is kept; safe to delete")
    return parser


def _controls(settings: Sequence[str]) -> dict[str, float]:
    """NAME=VALUE settings as numbers. Raises ValueError."""
    found = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise ValueError(f"--control {setting}: write NAME=VALUE, such as temperature=0.9") from error
    return found


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Everything the command line asks for, as one JSON object: how it plays where that is asked for, else the nats."""
    controls = _controls(args.control)
    if not (args.paths or args.progression):
        raise ValueError("give music to measure it on, or a --progression to follow")
    graph = open_network(args.network, args.threads)
    card = graph.card
    if not args.paths:
        return {"network": card.name, "follow": _follow(graph, [], args)}
    data = read_for(card, args.paths, args.cache)
    pieces = data.pieces if args.split == "all" else data.split(args.split)
    if not pieces:
        counts = ", ".join(f"{len(data.split(s))} {s}" for s in SPLITS)
        raise NetworkError(f"--split {args.split}: no piece is in it; there are {counts}")
    found: dict[str, Any] = {
        "network": card.name,
        "split": args.split,
        "refused": dict(data.refused),
        "refused_files": data.refusals,
        "lost": data.lost,
    }
    if controls:
        found["controls"] = controls
    own, music = (
        [p for p in some if p.metre == (card.beats_per_bar, card.steps_per_beat)] if card.hears_metre else some
        for some in (pieces, data.pieces)
    )
    if args.accompany:
        found["accompany"] = accompany(graph, own, args.accompany, args.track, controls)
    if args.metres:
        found["metres_kept"] = keep_metres(graph, pieces, args.metres, args.track, controls)
    if args.solo:
        found["solo"] = _solo(graph, own, music, args, controls)
    if args.follow or args.progression:
        found["follow"] = _follow(graph, own, args)
    if args.trade:
        found["trade"] = trade(args.network, own, args.trade, args.track, range(1, args.seeds + 1), args.set)
        if args.png:
            draw_trade(found["trade"], card.title or card.name, args.png)
    if args.leave:
        bars, window = args.bars or LEAVE_BARS, args.window or WINDOW_BARS
        found["leave"] = leaving(args.network, own, args.leave, args.track, bars, window, args.set, music)
    played = args.solo or args.accompany or args.metres or args.follow or args.progression or args.trade or args.leave
    if not played or args.baselines:
        found |= summary(nats(graph, [p.roll for p in pieces], metres=[p.metre for p in pieces]), pieces, card.tracks)
    if args.baselines:
        train = [p.roll for p in data.split("train")]
        if not train:
            raise NetworkError("--baselines: they are fitted on the training split, which is empty; give more music")
        found["baselines"] = {
            name: summary([baseline(p.roll) for p in pieces], pieces, card.tracks)
            for name, baseline in ((n, fit(train, card)) for n, fit in BASELINES.items())
        }
    return found


def _solo(
    graph: StepGraph, pieces: Sequence[Piece], music: Sequence[Piece], args: argparse.Namespace, controls: dict[str, float]
) -> dict[str, Any]:
    card, seeds = graph.card, range(1, args.solo + 1)
    if args.midi:
        try:
            args.midi.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--midi {args.midi}: cannot be made ({error.strerror}); give a folder you may write") from error
    bars = args.bars or SOLO_BARS
    rolls = play_alone(graph, seeds, bars, controls)
    found = compare(rolls, seeds, [p.roll for p in pieces], card, bars)
    if args.window:
        if args.window > bars:
            raise ValueError(f"--window {args.window}: the solos have {bars} bars; give --bars {args.window} or more")
        found["windows"] = windows(rolls, [p.roll for p in pieces], card, args.window, [p.roll for p in music])
    if args.png:
        draw(found, card.title or card.name, args.png)
    if args.midi:
        for seed, roll in zip(seeds, rolls, strict=True):
            (args.midi / f"{card.name}-{seed:03}.mid").write_bytes(to_midi(roll, card.tracks, card.steps_per_beat))
    return found


def _follow(graph: StepGraph, pieces: Sequence[Piece], args: argparse.Namespace) -> dict[str, Any]:
    """How well the engine with this network follows the progressions and `args.follow` of the pieces."""
    card = graph.card
    if not {args.track, *HARMONY} <= card.track_slices().keys():
        raise NetworkError(
            f"--follow: {card.name} is no band with the tracks {args.track}, {', '.join(HARMONY)}; take festival"
        )
    bars = args.bars or FOLLOW_BARS
    takes = [progression(text, args.kind, bars) for text in args.progression]
    if args.follow:
        takes += [song(p, card, args.track, bars) for p in choose_songs(pieces, card, args.track, args.follow)]
    control = progression(CONTROL, args.kind, bars) if len(takes) == 1 else None
    found = follow(graph, args.network, takes, range(1, args.seeds + 1), args.set, not args.no_move, control)
    if args.png:
        draw_following(found, card.title or card.name, args.png)
    return found


def _print(found: dict[str, Any]) -> None:
    for line in told(found):
        print(line)
    if "steps" in found:
        print(f"nats per step over {found['steps']} steps of {found['pieces']} pieces ({found['split']})")
        for name, figures in ((found["network"], found), *found.get("baselines", {}).items()):
            tracks = "  ".join(f"{t} {v:.2f}" for t, v in figures["tracks"].items())
            print(f"  {name:12} {figures['nats_per_step']:7.3f}   {tracks}")
            for metre, own in figures["metres"].items() if len(figures["metres"]) > 1 else ():
                print(f"    in {metre:5} {own['nats_per_step']:7.3f}   over {own['steps']} steps")
    for line in metres_table(found["metres_kept"]) if "metres_kept" in found else []:
        print(line)
    for line in table(found["solo"]) if "solo" in found else []:
        print(line)
    for line in following_table(found["follow"]) if "follow" in found else []:
        print(line)
    for line in trade_table(found["trade"]) if "trade" in found else []:
        print(line)
    for line in leaving_table(found["leave"]) if "leave" in found else []:
        print(line)
    if played := found.get("accompany"):
        print(f"accompanying {played['songs']} songs: share of the notes in the key of the player's last 4 bars")
        for who in ("network", "data"):
            tracks = "  ".join(f"{t} {v:.1%}" for t, v in played["tracks"][who].items() if v is not None)
            whole = played["in_key"][who]
            print(f"  {who:12} {'no note' if whole is None else f'{whole:.1%}'}   {tracks}   ({played['notes'][who]} notes)")


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo evaluate NETWORK.onnx PATH ...`; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        for option in ("json", "png"):
            check_output(f"--{option}", getattr(args, option))
        found = evaluate(args)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
    except (AlgoritmoError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
