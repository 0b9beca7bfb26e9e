"""Measures how well a network accompanies: songs are played in as the player's track, the rest is left to the network.

The figure is the share of its notes in the key of the player's own last bars, beside the same share of the bands of the
data on the same songs. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.core.errors import NetworkError
from models.evaluation.statistics import KEYS, pitched_slots
from models.graph.playing import StepGraph, play
from models.music.data import Piece
from models.music.representation import ONSET

Array = np.ndarray
WINDOW_BARS = 4  # of the player's notes, from which the key is told
LONGEST_BARS = 64  # of a song
LEAST_PLAYED = 0.25  # notes a bar, of the player and of the band
TIE = 1e-3  # weight of the whole song, which decides between keys that hold as many of the last bars' notes


def player_keys(roll: Array, card: Card, track: str) -> Array:
    """The player's major key (a minor one: its relative major) at each step: int64 (steps,); -1 where he was silent."""
    where = card.track_slices()[track]
    struck = roll[:, where] == ONSET  # (T, P)
    classes = struck.astype(np.int64) @ np.eye(12, dtype=np.int64)[np.asarray(card.slot_pitches()[where]) % 12]  # (T, 12)
    sums = np.concatenate([np.zeros((1, 12), np.int64), np.cumsum(classes, 0)])
    steps = np.arange(1, len(roll) + 1)
    last = sums[steps] - sums[np.maximum(steps - WINDOW_BARS * card.steps_per_bar, 0)]  # (T, 12)
    keys = np.argmax((last + TIE * sums[-1]) @ KEYS.T, axis=1)
    return np.where(last.any(1), keys, -1)


def in_key(roll: Array, keys: Array, card: Card, track: str) -> dict[str, tuple[int, int]]:
    """(strikes in the key, strikes) of every pitched track but the player's, where the player has a key."""
    found = {}
    for other, where in card.track_slices().items():
        if other == track or not pitched_slots(card)[where].all():
            continue
        steps, slots = np.nonzero((roll[:, where] == ONSET) & (keys >= 0)[:, None])
        classes = np.asarray(card.slot_pitches()[where])[slots] % 12
        found[other] = (int(KEYS[keys[steps], classes].sum()), len(steps))
    return found


def choose_songs(pieces: Sequence[Piece], card: Card, track: str, count: int) -> list[Piece]:
    """`count` songs, evenly spread over those whose player and whose band both play something in most bars."""
    where = card.track_slices()[track]
    band = pitched_slots(card)
    band[where] = False
    fit = []
    for piece in sorted(pieces, key=lambda p: p.name):
        struck = piece.roll[: LONGEST_BARS * card.steps_per_bar] == ONSET
        bars = max(len(struck) / card.steps_per_bar, 1)
        if min(struck[:, where].sum(), struck[:, band].sum()) >= LEAST_PLAYED * bars:
            fit.append(piece)
    if not fit:
        raise NetworkError(f"--accompany: no piece of this split has a {track} with a band; give other music")
    return [fit[i] for i in np.unique(np.linspace(0, len(fit) - 1, count).round().astype(int))]


def accompany(
    graph: StepGraph, pieces: Sequence[Piece], count: int, track: str = "lead", controls: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Play `count` songs in and return the figures; song number n is accompanied with seed n.

    Raises NetworkError where the network has no such track beside others.
    """
    card = graph.card
    others = [t.name for t in card.tracks if t.name != track and t.kind != "drums"]
    if track not in card.track_slices() or not others:
        raise NetworkError(f"--accompany: {card.name} has no track {track} beside others to accompany it with")
    songs = choose_songs(pieces, card, track, count)
    rolls = [s.roll[: LONGEST_BARS * card.steps_per_bar] for s in songs]
    longest = max(len(r) for r in rolls)
    played = play(graph, range(1, len(rolls) + 1), longest, controls, rolls, track)
    counted: dict[str, dict[str, list[tuple[int, int]]]] = {"network": {}, "data": {}}
    for roll, answer in zip(rolls, played, strict=True):
        keys = player_keys(roll, card, track)
        for who, music in (("network", answer[: len(roll)]), ("data", roll)):
            for name, pair in in_key(music, keys, card, track).items():
                counted[who].setdefault(name, []).append(pair)
    return _report(songs, rolls, counted)


def _share(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Share of all strikes that lie in the key; None where there is none."""
    inside, total = np.asarray(pairs).sum(0)
    return float(inside / total) if total else None


def _report(songs: Sequence[Piece], rolls: Sequence[Array], counted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    whole = {who: [pair for pairs in tracks.values() for pair in pairs] for who, tracks in counted.items()}
    shares = {who: _share(pairs) for who, pairs in whole.items()}
    network, data = shares["network"], shares["data"]
    apart = None if network is None or data is None else 100 * (network - data)
    per_song = []
    for at, (song, roll) in enumerate(zip(songs, rolls, strict=True)):
        row: dict[str, Any] = {"name": song.name, "steps": len(roll)}
        row |= {who: _share([pairs[at] for pairs in tracks.values()]) for who, tracks in counted.items()}
        per_song.append(row)
    return {
        "songs": len(songs),
        "in_key": shares,
        "points_from_data": apart,
        "notes": {who: int(np.asarray(pairs).sum(0)[1]) for who, pairs in whole.items()},
        "tracks": {who: {name: _share(pairs) for name, pairs in tracks.items()} for who, tracks in counted.items()},
        "per_song": per_song,
    }
