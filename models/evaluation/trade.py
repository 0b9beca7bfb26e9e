"""Measures how well a network answers in `trade`: key, motifs, register, density and dynamics of the phrase in its answer.

Phrases are two bars of a song's melody, and two bars of rest come after each. Chance is the same measure of the answer that
another song's phrase was given. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.core.errors import NetworkError
from engine.jam import settings
from engine.network.runner import Runner
from models.evaluation.follow import BEATS, END, PITCH, START, VELOCITY, Band
from models.evaluation.following import COLOURS, GROUND, INK
from models.evaluation.rehearsal import Rehearsal
from models.evaluation.statistics import KEYS
from models.evaluation.takes import LOUD, SOFT, TEMPO_BPM, notes_of
from models.music.data import Piece

Array = np.ndarray
PHRASE_BARS = REST_BARS = 2
PHRASES = 8
LEAST_NOTES = 5  # of a phrase: two motifs at least
LEGATO = 0.9  # share of its length for which the last note of a phrase is held at most before the rest
MOTIF = 3  # melodic intervals, one after the other, in semitones
PITCHED = ("bass", "chords", "pad", "lead")
MOVES = (0, 5, -3, 2, -5, 3, -1, 6)  # semitones by which songs are moved, by turns, so that all keys come
WORDS = {
    "in_key": "notes of the answer in the phrase's key",
    "lead_in_key": "... of the lead alone",
    "motif": f"answers in which a motif of the phrase recurs ({MOTIF} intervals)",
    "motif_longer": f"... one of {MOTIF + 1} intervals",
    "register": "lead's mean pitch away from the phrase's, semitones",
    "density": "lead's notes a beat over the phrase's",
    "density_like": "correlation of both, turn by turn",
    "loudness_like": "correlation of loudness, turn by turn",
    "drums": "strokes a bar of the drums in the answer",
    "bass": "notes a bar of the bass in the answer",
    "no_lead": "answers without a note of the lead",
    "after_beats": "beats from the phrase's last note to the lead",
}


@dataclass(frozen=True, slots=True)
class Trades:
    """What a player plays: phrases, each with the beat it begins at, (n, 4) notes in all."""

    name: str
    player: Array
    begins: tuple[int, ...]
    keys: tuple[int, ...]  # of each phrase: the major key that holds most of it, of two the one that holds more of the song


@dataclass(frozen=True, slots=True)
class Turn:
    """A phrase and its answer."""

    phrase: Array  # (n, 4)
    key: int
    answer: Band


def trades(piece: Piece, card: Card, track: str, semitones: int) -> Trades | None:
    """Two bars of a song's melody at a time, with two bars of rest between them; None where there are too few."""
    where = card.track_slices()[track]
    notes = notes_of(piece.roll[:, where], card.slot_pitches()[where], card.steps_per_beat)
    notes = _highest(notes)
    notes[:, PITCH] += semitones
    length, whole = PHRASE_BARS * BEATS, (PHRASE_BARS + REST_BARS) * BEATS
    song = _classes(notes)
    found: list[Array] = []
    keys = []
    for begin in range(0, int(notes[:, START].max(initial=0)), length):
        own = notes[(notes[:, START] >= begin) & (notes[:, START] < begin + length)].copy()
        if len(own) < LEAST_NOTES or len(found) == PHRASES:
            continue
        own[:, END] = np.minimum(own[:, END], begin + length - (1 - LEGATO))
        own[:, [START, END]] += len(found) * whole - begin
        own[:, VELOCITY] = LOUD if (len(found) >> semitones % 3) % 2 else SOFT  # not alike for all players
        keys.append(int(np.argmax(KEYS @ (_classes(own) + 1e-3 * song))))
        found.append(own)
    if len(found) < PHRASES:
        return None
    return Trades(piece.name, np.concatenate(found), tuple(at * whole for at in range(PHRASES)), tuple(keys))


def turns(take: Trades, heard: Mapping[str, Array]) -> list[Turn]:
    """Phrases and answers of what sounded."""
    found = []
    for begin, key in zip(take.begins, take.keys, strict=True):
        first, end = begin + PHRASE_BARS * BEATS, begin + (PHRASE_BARS + REST_BARS) * BEATS
        phrase = take.player[(take.player[:, START] >= begin) & (take.player[:, START] < first)]
        from_beat = float(phrase[:, END].max())
        answer = {
            name: notes[(notes[:, START] >= from_beat) & (notes[:, START] < end - 0.1)]
            for name, notes in heard.items()
            if name != "player"
        }
        found.append(Turn(phrase, key, answer))
    return found


def figures(found: Sequence[Turn], track: str = "lead") -> dict[str, float | None]:
    """Every figure of WORDS over turns; None where nothing could be counted."""
    inside: dict[str, list[int]] = {"in_key": [], "lead_in_key": []}
    motif, longer, register, after, silent = [], [], [], [], []
    densities, loudnesses, strokes, basses = [], [], [], []
    none = np.zeros((0, 4))
    for turn in found:
        lead = _highest(turn.answer.get(track, none))
        for name in PITCHED:
            classes = turn.answer.get(name, none)[:, PITCH].astype(int) % 12
            in_key = KEYS[turn.key, classes].tolist()
            inside["in_key"] += in_key
            inside["lead_in_key"] += in_key if name == track else []
        motif.append(bool(_motifs(turn.phrase, MOTIF) & _motifs(lead, MOTIF)))
        longer.append(bool(_motifs(turn.phrase, MOTIF + 1) & _motifs(lead, MOTIF + 1)))
        silent.append(not len(lead))
        strokes.append(len(turn.answer.get("drums", none)) / REST_BARS)
        basses.append(len(turn.answer.get("bass", none)) / REST_BARS)
        if not len(lead):
            continue
        register.append(abs(float(lead[:, PITCH].mean() - turn.phrase[:, PITCH].mean())))
        after.append(float(lead[0, START] - turn.phrase[:, END].max()))
        beats = (PHRASE_BARS * BEATS, REST_BARS * BEATS - after[-1])
        densities.append((len(turn.phrase) / beats[0], len(lead) / max(beats[1], 1)))
        band = np.concatenate([notes for notes in turn.answer.values() if len(notes)])
        loudnesses.append((float(turn.phrase[:, VELOCITY].mean()), float(band[:, VELOCITY].mean())))
    return {
        **{name: _mean(values) for name, values in inside.items()},
        "motif": _mean(motif),
        "motif_longer": _mean(longer),
        "register": _mean(register),
        "density": _mean([other / one for one, other in densities]),
        "density_like": _correlation(densities),
        "loudness_like": _correlation(loudnesses),
        "drums": _mean(strokes),
        "bass": _mean(basses),
        "no_lead": _mean(silent),
        "after_beats": _mean(after),
    }


def others(takes: Sequence[Sequence[Turn]]) -> list[Turn]:
    """Every phrase with the answers that the other players got at the same place: chance."""
    return [
        Turn(turn.phrase, turn.key, other[at].answer)
        for one in takes
        for other in takes
        if other is not one
        for at, turn in enumerate(one)
    ]


def trade(
    network: Path, pieces: Iterable[Piece], count: int, track: str, seeds: Sequence[int], given: Sequence[str]
) -> dict[str, Any]:
    """Trade with `count` songs' melodies, again with every seed; returns the figures of the network and of chance.

    Raises NetworkError where no song has enough of a melody.
    """
    runner = Runner(network)
    card = runner.card
    if track not in card.track_slices():
        raise NetworkError(f"--trade: {card.name} has no track {track}")
    songs = [piece for piece in sorted(pieces, key=lambda p: p.name) if trades(piece, card, track, 0)]
    if len(songs) < 2:
        raise NetworkError(
            f"--trade: fewer than two pieces of this split have {PHRASES} phrases of a {track}; give other music"
        )
    chosen = np.unique(np.linspace(0, len(songs) - 1, count).round().astype(int))
    takes = [trades(songs[at], card, track, MOVES[place % len(MOVES)]) for place, at in enumerate(chosen)]
    played: list[list[Turn]] = []
    wrong: list[Turn] = []
    for seed in seeds:
        config = settings.load(
            None, [f"network.name={network}", "jam.mode=trade", f"jam.track={track}", f"jam.seed={seed}", *given]
        )
        heard = [turns(take, _heard(config, runner, take)) for take in takes if take is not None]
        played += heard
        wrong += others(heard)
    return {
        "takes": len(takes),
        "turns": sum(map(len, played)),
        "settings": list(given),
        "tempo_bpm": TEMPO_BPM,
        "figures": {
            name: {"network": value, "chance": beside}
            for (name, value), beside in zip(
                figures([turn for one in played for turn in one], track).items(), figures(wrong, track).values(), strict=True
            )
        },
    }


def _heard(config: Any, runner: Runner, take: Trades) -> Mapping[str, Array]:
    return Rehearsal(config, runner, take.player).run(PHRASES * (PHRASE_BARS + REST_BARS))


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures as lines of text."""
    lines = [f"trading with {found['takes']} players, {found['turns']} phrases", f"  {'':58}{'network':>9}{'chance':>9}"]
    for name, words in WORDS.items():
        cells = ["-" if v is None else f"{v:.2f}" for v in found["figures"][name].values()]
        lines.append(f"  {words:58}" + "".join(f"{cell:>9}" for cell in cells))
    return lines


def draw(found: Mapping[str, Any], title: str, path: Path) -> None:
    """Write a PNG: every figure of the network's answers (cyan) beside chance (grey), each row on a scale of its own."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [(words, found["figures"][name]) for name, words in WORDS.items()]
    figure, axes = pyplot.subplots(
        len(rows), 1, figsize=(11, 0.62 * len(rows) + 0.6), facecolor=GROUND, layout="constrained", squeeze=False
    )
    for cell, (words, values) in zip(axes[:, 0], rows, strict=True):
        known = {who: value for who, value in values.items() if value is not None}
        for place, who in enumerate(("chance", "network")):
            if who in known:
                cell.barh(place, known[who], 0.7, color=COLOURS[who])
                cell.text(known[who], place, f" {known[who]:.2f}", color=COLOURS[who], fontsize=8, va="center")
        most = max(1.0, *map(abs, known.values())) if known else 1.0
        cell.set_xlim(min(0.0, *known.values(), 0.0) * 1.15, 1.15 * most)
        cell.set_ylim(-0.6, 1.6)
        cell.set_yticks([0.5], [words])
        cell.set_xticks([])
        cell.set_facecolor(GROUND)
        cell.tick_params(colors=INK, labelsize=9, length=0)
        for spine in cell.spines.values():
            spine.set_visible(False)
    text = f"{title}: trading with {found['takes']} players, {found['turns']} phrases; its answers, and chance in grey"
    figure.suptitle(text, color=INK, fontsize=11)
    figure.savefig(path, dpi=100, facecolor=GROUND)
    pyplot.close(figure)


def _highest(notes: Array) -> Array:
    """The highest of the notes that begin together."""
    ordered = notes[np.lexsort((-notes[:, PITCH], notes[:, START]))]
    first = np.diff(ordered[:, START], prepend=-9.0) > 0.05
    found: Array = ordered[first]
    return found


def _motifs(line: Array, length: int) -> set[tuple[int, ...]]:
    steps = np.diff(line[:, PITCH]).round().astype(int).tolist()
    return {tuple(steps[at : at + length]) for at in range(len(steps) - length + 1)}


def _classes(notes: Array) -> Array:
    return np.bincount(notes[:, PITCH].round().astype(int) % 12, minlength=12)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 3 or np.std(pairs, 0).min() < 1e-6:
        return None
    return float(np.corrcoef(np.asarray(pairs).T)[0, 1])
