"""The figure to beat: an interpolated trigram over the same chord classes, one a beat.

P(c | a, b) mixes the trigram, the bigram, the unigram and the uniform distribution, with weights that depend on how
often the context (a, b) was seen, found by expectation maximisation on the validation split. Its counts are tied over
the twelve keys, as the network hears every song in every key. Runs without torch.

    python -m models.chords.trigram models/chords/chords.onnx DATA...

prints the perplexity per beat of both on the songs held out; --write puts the figures into the network's card.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.graph.playing import nats, open_network
from models.music.chord_symbols import Classes
from models.music.songbook import Songbook, read_rolls, read_songs

BUCKETS = (0, 1, 4, 16, 64, 256, 1024)  # counts of a context, from which its own weights are used
ROUNDS = 30


@dataclass(slots=True)
class Trigram:
    """Counts of classes relative to the last chord's root, and the weights of the mixture."""

    count: int  # number of classes K
    uni: np.ndarray  # (K,)
    bi: np.ndarray  # (K, K)
    tri: dict[tuple[int, int], np.ndarray]  # contexts moved so that the last chord stands on C
    weights: np.ndarray  # (buckets, 4): trigram, bigram, unigram, uniform

    @classmethod
    def fit(cls, train: Sequence[np.ndarray], valid: Sequence[np.ndarray], count: int) -> Trigram:
        """Count `train`, weigh on `valid`: sequences of classes; both begin from silence."""
        model = cls(count, np.zeros(count), np.zeros((count, count)), {}, np.full((len(BUCKETS), 4), 0.25))
        for song in train:
            for a, b, c in _contexts(song):
                home = _root(b)
                a, b, c = (_moved(x, -home) for x in (a, b, c))
                model.bi[b, c] += 1
                model.tri.setdefault((a, b), np.zeros(count))[c] += 1
                for semitones in range(12):
                    model.uni[_moved(c, semitones)] += 1
        model.uni /= model.uni.sum()
        seen = [(bucket, parts) for song in valid for bucket, parts in model._parts(song)]
        buckets = np.asarray([bucket for bucket, _ in seen])
        parts = np.stack([p for _, p in seen])
        for _ in range(ROUNDS):
            for bucket in range(len(BUCKETS)):
                here = parts[buckets == bucket] * model.weights[bucket]
                if len(here):
                    model.weights[bucket] = (here / here.sum(1, keepdims=True)).mean(0)
        return model

    def _parts(self, song: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(bucket, probabilities of the true class under the four parts) for each beat."""
        found = []
        for a, b, c in _contexts(song):
            home = _root(b)
            seen = self.tri.get((_moved(a, -home), _moved(b, -home)))
            pair = self.bi[_moved(b, -home)]
            at = _moved(c, -home)
            total = seen.sum() if seen is not None else 0.0
            third = float(seen[at] / total) if seen is not None else 0.0
            second = float(pair[at] / pair.sum()) if pair.sum() else 0.0
            bucket = int(np.searchsorted(BUCKETS, total, side="right")) - 1
            found.append((bucket, np.asarray([third, second, self.uni[c], 1 / self.count])))
        return found

    def nats(self, song: np.ndarray) -> np.ndarray:
        """Negative log-probability of each beat of a sequence of classes."""
        return np.asarray([-np.log(self.weights[bucket] @ parts) for bucket, parts in self._parts(song)])


def _contexts(song: np.ndarray) -> list[tuple[int, int, int]]:
    whole = [0, 0, *song.tolist()]
    return list(zip(whole, whole[1:], whole[2:], strict=False))


def _root(index: int) -> int:
    return (index - 1) % 12 if index else 0


def _moved(index: int, semitones: int) -> int:
    return (index - 1) // 12 * 12 + (index - 1 + semitones) % 12 + 1 if index else 0


def _songs(book: Songbook, classes: Classes, split: str) -> list[np.ndarray]:
    return [np.asarray([classes.of(c) for c in song.chords]) for song in book.split(split)]


def main() -> None:
    """Print a table of perplexities per beat: all beats, and nats at the beats where the chord changes."""
    parser = argparse.ArgumentParser(description="Perplexity of a chord network beside an interpolated trigram.")
    parser.add_argument("network", type=Path)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put the figures into the network's card")
    args = parser.parse_args()
    figures: dict[str, float] = {}
    graph = open_network(args.network)
    names = (graph.card.model_extra or {})["classes"]
    classes = Classes(list(dict.fromkeys(name.partition(":")[2] for name in names[1:])))
    book, rolls = read_songs(args.paths), read_rolls(args.paths, names)
    model = Trigram.fit(_songs(book, classes, "train"), _songs(book, classes, "valid"), len(classes))
    print(f"{'split':6} {'songs':>5} {'beats':>6}  {'trigram':>8} {'network':>8} {'less':>6}   nats at changes")
    for split in ("valid", "test"):
        songs = _songs(book, classes, split)
        changes = np.concatenate([np.diff(s, prepend=0) != 0 for s in songs])
        third = np.concatenate([model.nats(s) for s in songs])
        ours = np.concatenate([n.sum(1) for n in nats(graph, [p.roll for p in rolls.split(split)])])
        a, b = np.exp(third.mean()), np.exp(ours.mean())
        at = f"{third[changes].mean():.3f} {ours[changes].mean():.3f}"
        print(f"{split:6} {len(songs):5} {len(third):6}  {a:8.3f} {b:8.3f} {1 - b / a:6.1%}   {at}")
        figures[f"{split}_perplexity"] = round(float(b), 3)
        figures[f"{split}_perplexity_of_trigram"] = round(float(a), 3)
    if args.write:
        from models.release.ship import add_figures  # it needs torch, which measuring does not

        add_figures(args.network, figures)


if __name__ == "__main__":
    main()
