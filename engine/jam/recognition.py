"""The ear's network in numpy: from what is heard of a beat to how likely each chord is, now, a beat later and some beats ago.

Runs on: network process, or the caller of the offline render. The weights are trained by models/ear, which says what each is;
a weight depends only on how far apart two pitch classes are, and is written out here for all twelve.
"""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from engine.core.errors import NetworkError
from engine.jam.chords import HEARD
from engine.jam.hearing import HEARD as BEAT_PLANES
from engine.jam.hearing import HORIZONS, PLAIN, PLANES

WEIGHTS = Path(__file__).resolve().parents[2] / "models" / "ear" / "ear.npz"
NAMES = ("gates_told", "gates_plain", "gates_state", "gates_bias", "read_told", "read_plain", "read_state", "read_bias",
         "out", "out_bias", "none", "none_bias")  # fmt: skip
Weights = dict[str, np.ndarray]
# Of what is told: the planes of the beat that is heard, those that stay while it is, and what belongs to no pitch class.
BEAT, STAYS, REST = slice(12 * BEAT_PLANES), slice(12 * BEAT_PLANES, 12 * PLANES), slice(12 * PLANES, None)


@cache
def shipped() -> Weights:
    """The weights that come with the project, written out."""
    return read(WEIGHTS)


def read(path: Path) -> Weights:
    """Read weights. Raises NetworkError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {name: np.asarray(file[name], np.float32) for name in NAMES}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise NetworkError(f"{path}: no weights of an ear ({error}); install the project again") from error
    try:
        return written_out(given)
    except (ValueError, IndexError) as error:
        raise NetworkError(f"{path}: weights of another ear ({error}); train it again") from error


def written_out(given: Weights) -> Weights:
    """Weights for whole vectors. Raises ValueError where they are of another ear."""
    found = {name: _round(value) if value.ndim == 3 else value for name, value in given.items()}
    for name in ("gates_plain", "read_plain", "read_bias", "out_bias"):
        found[name] = given[name].repeat(12, axis=0)
    found["gates_bias"] = given["gates_bias"].repeat(12, axis=1)
    wanted = {"gates_told": 12 * PLANES, "gates_plain": PLAIN, "read_told": 12 * PLANES, "read_plain": PLAIN}
    wrong = [name for name, width in wanted.items() if found[name].shape[1] != width]
    if wrong or len(found["out"]) != 12 * len(HEARD) * HORIZONS:
        raise ValueError(", ".join(wrong) or "out")
    told = np.vstack([np.hstack([found[f"{part}_told"], found[f"{part}_plain"]]) for part in ("gates", "read")])
    rows, size = 12 * len(HEARD), found["out"].shape[1]
    # Of each horizon the chords, and none at all: how much of it speaks on average of all pitch classes.
    none = np.broadcast_to((given["none"] / 12)[:, :, None], (HORIZONS, size // 12, 12)).reshape(HORIZONS, 1, size)
    out = np.concatenate([found["out"].reshape(HORIZONS, rows, size), none], 1)
    bias = np.concatenate([found["out_bias"].reshape(HORIZONS, rows), found["none_bias"][:, None]], 1)
    return found | {
        "told_stays": np.ascontiguousarray(told[:, STAYS]),
        "told_changes": np.ascontiguousarray(np.hstack([told[:, BEAT], told[:, REST]])),
        "told_bias": np.concatenate([found["gates_bias"][0], found["read_bias"]]),
        "likely": np.ascontiguousarray(out.reshape(-1, size)),
        "likely_bias": bias.reshape(-1),
    }


def _round(weight: np.ndarray) -> np.ndarray:
    """(O, C, 12) to (12 O, 12 C): the weight from pitch class j to i is that of the distance (j - i) mod 12."""
    classes = np.arange(12)
    whole = weight[:, :, (classes[None, :] - classes[:, None]) % 12]
    return np.ascontiguousarray(whole.transpose(0, 2, 1, 3).reshape(12 * weight.shape[0], 12 * weight.shape[1]))


class Recognition:
    """Goes on beat by beat. `judge` a beat as often as more of it is heard, then `go_on`."""

    def __init__(self, weights: Weights | None = None) -> None:
        self._w = shipped() if weights is None else weights
        self._size = self._w["gates_state"].shape[1]
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._state = self._after = np.zeros(self._size, np.float32)  # of the beats that are over; with the one that is judged
        self._recurrent = self._w["gates_bias"][1]
        self._known = b""  # what was told last that stays while a beat is heard, as bytes ...
        self._weighed = self._w["told_bias"]  # ... and weighed

    def judge(self, told: np.ndarray, horizons: int = HORIZONS) -> np.ndarray:
        """How likely each chord is, float32 (horizons, classes + 1): of engine.jam.chords.CLASSES, the last one no chord.

        The first of HORIZONS; fewer take less time.
        """
        weights = self._w
        both = self._weigh(told)
        self._after = self._advance(both[: 3 * self._size])
        hidden = np.maximum(both[3 * self._size :] + weights["read_state"] @ self._after, 0)
        rows = horizons * (12 * len(HEARD) + 1)
        logits = (weights["likely"][:rows] @ hidden + weights["likely_bias"][:rows]).reshape(horizons, -1)
        likely = np.exp(logits - logits.max(1, keepdims=True))
        found: np.ndarray = likely / likely.sum(1, keepdims=True)
        return found

    def go_on(self) -> None:
        """The beat that was judged last is over."""
        self._state = self._after
        self._recurrent = self._w["gates_state"] @ self._state + self._w["gates_bias"][1]

    def _weigh(self, told: np.ndarray) -> np.ndarray:
        """What is told, by the weights of gates and reading; what stays while a beat is heard is weighed once."""
        weights = self._w
        stays = told[STAYS]
        if (known := stays.tobytes()) != self._known:
            self._known = known
            self._weighed = weights["told_stays"] @ stays + weights["told_bias"]
        found: np.ndarray = self._weighed + weights["told_changes"] @ np.concatenate([told[BEAT], told[REST]])
        return found

    def _advance(self, told: np.ndarray) -> np.ndarray:
        """A gated recurrent unit."""
        size, recurrent = self._size, self._recurrent
        both = 0.5 + 0.5 * np.tanh(0.5 * (told[: 2 * size] + recurrent[: 2 * size]))  # the logistic function
        reset, keep = both[:size], both[size:]
        new = np.tanh(told[2 * size :] + reset * recurrent[2 * size :])
        found: np.ndarray = new + keep * (self._state - new)
        return found
