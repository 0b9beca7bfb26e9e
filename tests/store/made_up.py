"""Made-up clips and audiences for the tests of store and booth."""

from __future__ import annotations

import numpy as np

from engine.store.clip import Clip, Music, Note
from engine.store.store import Vote

AGREEMENT = 0.7  # share of the votes on two clips that are one SD of taste apart
TRACKS = ("drums", "bass", "chords", "pad", "lead")


def music(seed: int = 0, steps: int = 64) -> Music:
    """A music of a few notes on every track."""
    rng = np.random.default_rng(seed)
    notes = []
    for track in range(len(TRACKS)):
        for _ in range(12):
            step = int(rng.integers(steps))
            length = int(rng.integers(1, min(8, steps - step) + 1))
            pitch = int(rng.choice([36, 38, 42])) if track == 0 else int(rng.integers(48, 72))
            notes.append(Note(step, length, track, pitch, int(rng.integers(60, 110))))
    return Music(tuple(sorted(notes)), steps, TRACKS)


def clips(count: int, **more: object) -> list[Clip]:
    """So many different clips."""
    return [Clip(music(seed), seed=seed, network="festival.onnx", **more) for seed in range(count)]  # type: ignore[arg-type]


def audience(
    taste: np.ndarray,
    count: int,
    rng: np.random.Generator,
    agreement: float = AGREEMENT,
    clickers: float = 0.1,
    first: float = 0.0,
) -> list[Vote]:
    """`count` votes on clips 0.. by visitors of eight votes each who like clips by `taste` (in SDs).

    Between two clips that are one SD apart they agree with it in a share `agreement` of their votes; a share `clickers` of them
    votes at random. `first`: log-odds by which the clip heard first is preferred.
    """
    slope = np.log(agreement / (1 - agreement))
    found = []
    for number in range(count):
        visitor = number // 8
        a, b = rng.choice(len(taste), 2, replace=False)
        odds = 0.0 if visitor % 100 < 100 * clickers else slope * (taste[a] - taste[b])
        wins = rng.random() < 1 / (1 + np.exp(-(odds + first)))
        found.append(Vote(int(a), int(b), 0 if wins else 1, f"visitor{visitor}", visitor, False))
    return found
