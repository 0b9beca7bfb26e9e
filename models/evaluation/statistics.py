"""What a piece is like, in numbers: density, polyphony, key, groove, likeness to itself, silence, repetition.

Every function takes a roll (models/representation.py). Runs without torch.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import Card
from models.music.representation import ONSET, SILENT

Array = np.ndarray
MAJOR = np.asarray([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])  # natural minor is the same set
KEYS = np.stack([np.roll(MAJOR, key) for key in range(12)])  # (12, 12): row k holds the pitch classes of the major key on k
PERIODS = (1, 2, 4, 8)  # bars after which music likes to come back


def longest_run(same: Array) -> int:
    """Length of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def longest_silence(roll: Array, bar: int = 16) -> int:
    """Steps of the longest silence of all tracks after the first bar."""
    return longest_run(~np.any(roll[bar:], axis=1))


def longest_stuck(roll: Array) -> int:
    """Steps of the longest stretch in which every step is the same."""
    return 1 + longest_run(np.all(roll[1:] == roll[:-1], axis=1)) if len(roll) else 0


def longest_repetition(roll: Array, bar: int = 16) -> int:
    """Bars of the longest stretch that says again, note for note, what sounded one, two, four or eight bars before."""
    bars = roll[: len(roll) // bar * bar].reshape(-1, bar * roll.shape[1])
    loud = np.any(bars, axis=1)
    return max((longest_run((bars[p:] == bars[:-p]).all(1) & loud[p:]) for p in PERIODS if len(bars) > p), default=0)


def pitched_slots(card: Card) -> Array:
    """Which slots are not drums: bool (slots,)."""
    return np.concatenate([np.full(len(t.pitches), t.kind != "drums") for t in card.tracks])


def pitch_classes(roll: Array, card: Card) -> Array:
    """Strikes of each pitch class, drums left out: (12,)."""
    pitched = pitched_slots(card)
    strikes = (roll == ONSET).sum(0)
    return np.bincount(card.slot_pitches()[pitched] % 12, strikes[pitched], minlength=12)


def share_in_key(classes: Array) -> float:
    """Share of the strikes in the diatonic set that holds most of them."""
    total = classes.sum()
    return float((KEYS @ classes).max() / total) if total else 1.0


def entropy(classes: Array) -> float:
    """Entropy of the pitch classes, bits."""
    share = classes[classes > 0] / max(classes.sum(), 1)
    return float(-(share * np.log2(share)).sum())


def groove_consistency(roll: Array, bar: int = 16) -> float:
    """Mean share of a bar's positions that the next bar strikes alike (any track)."""
    bars = (roll[: len(roll) // bar * bar] == ONSET).any(1).reshape(-1, bar)
    return float((bars[1:] == bars[:-1]).mean()) if len(bars) > 1 else 1.0


def self_similarity(roll: Array, bars: int, bar: int = 16) -> float:
    """Mean overlap (intersection over union) of the strikes of each bar with those `bars` bars later."""
    struck = (roll[: len(roll) // bar * bar] == ONSET).reshape(-1, bar * roll.shape[1])
    a, b = struck[:-bars], struck[bars:]
    if len(a) == 0:
        return 0.0
    either = (a | b).sum(1)
    return float(((a & b).sum(1)[either > 0] / either[either > 0]).mean()) if either.any() else 0.0


def drums_on_eighths(roll: Array, card: Card) -> float | None:
    """Share of the drums' strikes that fall on an eighth; None where the network has no drums."""
    drums = [card.track_slices()[t.name] for t in card.tracks if t.kind == "drums"]
    if not drums:
        return None
    struck = (roll[:, drums[0]] == ONSET).sum(1)
    return float(struck[:: max(card.steps_per_beat // 2, 1)].sum() / struck.sum()) if struck.any() else 1.0


def statistics(roll: Array, card: Card) -> dict[str, float]:
    """Every figure of one piece. Densities are strikes per step; polyphony is pitched notes sounding per step."""
    bar = card.steps_per_bar
    slices = card.track_slices()
    found = {f"density_{name}": float((roll[:, where] == ONSET).sum() / max(len(roll), 1)) for name, where in slices.items()}
    classes = pitch_classes(roll, card)
    found["polyphony"] = float((roll[:, pitched_slots(card)] != SILENT).sum(1).mean()) if len(roll) else 0.0
    found["pitch_class_entropy"] = entropy(classes)
    found["share_in_key"] = share_in_key(classes)
    found["groove_consistency"] = groove_consistency(roll, bar)
    found |= {f"self_similarity_{bars}": self_similarity(roll, bars, bar) for bars in PERIODS}
    on_eighths = drums_on_eighths(roll, card)
    if on_eighths is not None:
        found["drums_on_eighths"] = on_eighths
    found["longest_silence"] = float(longest_silence(roll, bar))
    found["longest_stuck"] = float(longest_stuck(roll))
    found["longest_repetition"] = float(longest_repetition(roll, bar))
    return found
