"""What can be said of clips in numbers, and of one generation against another.

Runs on: a thread of the booth process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.core.metre import parse
from engine.jam.continuations import SCALE, key_of
from engine.store.clip import Clip, Music
from engine.store.store import Tally

CONFIDENT = 1.96  # standard errors of an interval of 95 %


def measures(music: Music) -> dict[str, float]:
    """Return plain figures of one clip: notes a beat, drums a beat, loudness, length, height, share in its own key."""
    beats = music.steps / music.steps_per_beat
    drums = {at for at, name in enumerate(music.tracks) if name == "drums"}
    pitched = [note for note in music.notes if note.track not in drums]
    classes = np.bincount([note.pitch % 12 for note in pitched], minlength=12) if pitched else np.zeros(12, int)
    inside = float((classes * np.roll(SCALE, key_of(classes))).sum() / classes.sum()) if pitched else 1.0
    return {
        "notes": len(pitched) / beats,
        "drums": (len(music.notes) - len(pitched)) / beats,
        "loud": _mean([note.velocity / 127 for note in music.notes]),
        "long": _mean([note.steps / music.steps_per_beat for note in pitched]),
        "high": _mean([float(note.pitch) for note in pitched]),
        "key": inside,
    }


def of_all(clips: Sequence[Clip]) -> dict[str, float]:
    """Return the means over clips."""
    each = [measures(clip.music) for clip in clips]
    return {name: round(_mean([one[name] for one in each]), 3) for name in each[0]} if each else {}


def diversity(clips: Sequence[Clip]) -> float:
    """Return how different clips are from each other, 0..1: the mean over all pairs of the share of what only one has.

    What a clip has: each place in the bar at which a track begins a note, with its drum or its pitch class above the clip's
    key, so that the same tune in another key is the same.
    """
    return spread(distances(clips))


def distances(clips: Sequence[Clip]) -> np.ndarray:
    """Return how different each is from each, (n, n), as `diversity` has it."""
    has = [_onsets(clip.music) for clip in clips]
    out = np.zeros((len(has), len(has)))
    for at, one in enumerate(has):
        for before, other in enumerate(has[:at]):
            out[at, before] = out[before, at] = 1 - len(one & other) / max(len(one | other), 1)
    return out


def spread(apart: np.ndarray) -> float:
    """Return the mean over all pairs of distances (n, n)."""
    count = len(apart)
    return float(apart.sum() / (count * (count - 1))) if count > 1 else 0.0


def _onsets(music: Music) -> frozenset[tuple[int, int, int]]:
    bar = parse(music.metre).steps(music.steps_per_beat)
    drums = {at for at, name in enumerate(music.tracks) if name == "drums"}
    key = key_of(np.bincount([note.pitch % 12 for note in music.notes if note.track not in drums], minlength=12))
    return frozenset(
        (note.step % bar, note.track, note.pitch if note.track in drums else (note.pitch - key) % 12) for note in music.notes
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def wilson(won: int, of: int) -> tuple[float, float, float]:
    """Return a share and its interval of 95 %, by Wilson's score; 0.5 in 0..1 where nothing was counted."""
    if not of:
        return 0.5, 0.0, 1.0
    z2 = CONFIDENT**2
    share = won / of
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = CONFIDENT / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return share, max(middle - half, 0.0), min(middle + half, 1.0)


def newer_wins(tally: Sequence[Tally], generation_of: dict[int, int]) -> tuple[int, int]:
    """Return how often the clip of the newer generation was chosen, and of how many blind pairs across generations."""
    won = of = 0
    for said in tally:
        one, other = generation_of.get(said.first), generation_of.get(said.second)
        if not said.across or one is None or other is None or one == other:
            continue
        of += said.votes
        won += said.votes * ((said.choice == 0) == (one > other))
    return won, of
