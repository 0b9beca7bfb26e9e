"""A recurrent network reads a text letter by letter, and a melody note by note: what comes next?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.rnn.rnn import Rnn, surprise
from models.training.by_hand import Adam, Array, Chance, clip, one_hot

POEM = Path(__file__).with_name("the_star.txt")  # Jane Taylor, 1806; in the public domain
WINDOW = 32  # letters that it goes back through at a time
UNITS, RATE, LONGEST = 48, 0.01, 5.0

# Frère Jacques, traditional; - holds on.
MELODY = [*("C4", "D4", "E4", "C4") * 2, *("E4", "F4", "G4", "-") * 2]


@dataclass(frozen=True)
class Alphabet:
    """The different signs of a sequence, each a class."""

    signs: tuple[str, ...]

    @classmethod
    def of(cls, sequence: str | list[str]) -> Alphabet:
        """All signs that occur, sorted."""
        return cls(tuple(sorted(set(sequence))))

    def classes(self, sequence: str | list[str]) -> Array:
        """Return the class of each sign, int (T,)."""
        return np.array([self.signs.index(sign) for sign in sequence])

    def rows(self, classes: Array) -> Array:
        """Return a row of zeros with one 1 for each class, (T, O)."""
        return np.stack([one_hot(int(c), len(self.signs)) for c in classes])


def learn_text(text: str, passes: int, seed: int, units: int = UNITS) -> Iterator[tuple[int, float, Callable[[int], str]]]:
    """Read `text` `passes` times; after each yield (pass, nats a letter, what writes so many letters as it would now)."""
    alphabet = Alphabet.of(text)
    classes = alphabet.classes(text)
    rows = alphabet.rows(classes)
    network, adam, chance = Rnn(len(alphabet.signs), units, len(alphabet.signs), seed), Adam(RATE), Chance(seed + 1)

    def write(count: int) -> str:
        return "".join(alphabet.signs[c] for c in network.continuation(int(classes[0]), count, chance, 0.7))

    for number in range(passes):
        state, total = None, 0.0
        for at in range(0, len(classes) - 1, WINDOW):
            wanted = classes[at + 1 : at + 1 + WINDOW]
            done = network.forward(rows[at : at + len(wanted)], state)
            state = done.hs[-1]  # what was read stays in mind; the gradient ends at the window
            loss, dys = surprise(done.ys, wanted)
            total += loss
            adam.step(network.values, clip(network.backward(done, dys)[0], LONGEST))
        yield number, total / (len(classes) - 1), write


def learn_melody(melody: list[str], seed: int, steps: int, units: int = 12) -> tuple[Rnn, list[float], list[str]]:
    """Learn a short melody as a whole; return the network, its loss in nats a note, and the melody as it plays it by itself."""
    alphabet = Alphabet.of(melody)
    classes = alphabet.classes(melody)
    rows = alphabet.rows(classes)
    network, adam, losses = Rnn(len(alphabet.signs), units, len(alphabet.signs), seed), Adam(0.03), []
    for _ in range(steps):
        done = network.forward(rows[:-1])
        loss, dys = surprise(done.ys, classes[1:])
        adam.step(network.values, network.backward(done, dys)[0])
        losses.append(loss / (len(classes) - 1))
    played = network.continuation(int(classes[0]), len(melody) - 1, Chance(seed + 1), 0.1)
    return network, losses, [melody[0], *(alphabet.signs[c] for c in played)]
