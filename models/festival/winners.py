"""Fine-tunes the festival network on clips that an audience chose, and leaves it the music that it knew.

Half of every batch is winners, the higher ranked the oftener, in any key; the other half is music of the corpus, as the
network learned it first. Where no corpus is here, the other half is what the original network plays by itself (`replay`), and
what it held likely there is learned, not what it played (`Kept`). Two methods:

- ranks: winners become likelier, each under the temperature and the density that it was sampled under. Learned as other music
  is, colder clips would make the network surer of itself with each generation, whoever chose them. What a winner has by
  accident is not learned: its notes outside of its own key, which come of drawing lots, are moved to the next note of the key
  before; learned as they are, each generation would be farther from any key than the one before.
- dpo: of two clips the one that was ranked higher is to become more likely than the other one, by the exact log-probability
  of each as a whole (Rafailov and others, 2023), measured from where the network began.

Runs on: whoever breeds generations (models/festival/breed.py).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.booth.sampling import Plan, sample
from engine.core.contract import OFFSET, VELOCITY, Card
from engine.jam.continuations import SCALE, key_of
from engine.network.runner import Runner
from engine.store.clip import Clip, Music, Note, music_of_json, music_of_roll, roll_of_music
from models.festival.network import Festival
from models.festival.recipe import EXPRESSION_SHARE, Cut, Songs, clip_logits, clip_nats, collate, cut, dataset, loss
from models.music.data import Collection, Piece
from models.music.representation import (
    OFFSETS,
    ONSET,
    UNKNOWN_OFFSET,
    Expression,
    from_channels,
    transpose,
    transpose_expression,
)
from models.training.train import Batch, Carry, Config, TrainingError, load_weights, read_tensors, write_tensors

METHODS = ("ranks", "dpo")
KEPT_BARS = 4  # of a piece that the first network plays
KEEPS = 0.5  # weight of being near to it, of that of the winners


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is fine-tuned."""

    method: str = "ranks"
    updates: int = 40
    lr: float = 2e-4
    streams: int = 8  # winners side by side, and as many of the corpus
    transpose: int = 6  # up to so many semitones either way
    in_key: bool = True  # notes outside of a winner's key are moved into it
    beta: float = 0.1  # of dpo: how far it may go from where it began
    margin: int = 16  # of dpo: so many places lie between two clips that are compared, at least
    checkpoint_every: int = 10
    seed: int = 1


def in_key(music: Music) -> Music:
    """Return a music with every pitched note in its own key: one that is not is moved by a semitone, to the side on which
    there is a note of the key that is struck oftener.
    """
    drums = {at for at, name in enumerate(music.tracks) if name == "drums"}
    classes = np.bincount([n.pitch % 12 for n in music.notes if n.track not in drums], minlength=12)
    if not classes.any():
        return music
    inside = np.roll(SCALE, key_of(classes)) > 0

    def moved(note: Note) -> Note:
        if note.track in drums or inside[note.pitch % 12]:
            return note
        near = [p for p in (note.pitch - 1, note.pitch + 1) if inside[p % 12] and 0 <= p <= 127]
        return note._replace(pitch=max(near, key=lambda p: classes[p % 12])) if near else note

    return replace(music, notes=tuple(sorted(moved(note) for note in music.notes)))


def piece_of(card: Card, music: Music, name: str = "", keyed: bool = False) -> Piece:
    """Return a clip as music to learn from, with the velocity of every note and the offset of every drum."""
    notes = roll_of_music(card, in_key(music) if keyed else music)
    roll = from_channels(notes)
    struck = roll == ONSET
    velocity = np.where(struck, np.round(127 * notes[..., VELOCITY]), 0).clip(0, 127).astype(np.uint8)
    drums = np.zeros(card.slots, bool)
    for track, slots in zip(card.tracks, card.track_slices().values(), strict=True):
        drums[slots] = track.kind == "drums"
    late = np.round(OFFSETS * notes[..., OFFSET]).clip(-OFFSETS // 2, OFFSETS // 2)
    offset = np.where(struck & drums, late, UNKNOWN_OFFSET).astype(np.int8)
    return Piece(name, "train", roll, Expression(velocity, offset))


class Chosen:
    """Clips to learn from, each as often as it weighs, in any key, under the controls that it was sampled under."""

    def __init__(self, card: Card, clips: Sequence[Clip], weights: Sequence[float], settings: Settings) -> None:
        self.weights = np.asarray(weights, float) / np.sum(weights)
        self.settings = settings
        self.pieces, self.controls, self.leads = [], [], list[int]()
        for clip in clips:
            piece = piece_of(card, clip.music, clip.name, settings.in_key)
            lead = clip.conditions.get("primer")
            first = piece_of(card, music_of_json(lead)) if lead else None
            self.pieces.append(piece if first is None else after(first, piece))
            self.leads.append(0 if first is None else len(first.roll))
            self.controls.append([control_of(clip, name) for name in ("temperature", "density")])

    def batch(self, update: int, streams: int) -> tuple[Batch, Tensor, Tensor]:
        """Return so many whole clips, and temperature and density of each (streams,); the same for the same update."""
        s = self.settings
        chance = np.random.default_rng((s.seed, update, 1))
        numbers = chance.choice(len(self.pieces), streams, p=self.weights)
        cuts = []
        for number in numbers:
            shift = int(chance.integers(-s.transpose, s.transpose)) if s.transpose else 0
            own = whole(self.pieces[number], shift)
            own.weight[: self.leads[number]] = False  # what it goes on from was not chosen
            cuts.append(own)
        controls = torch.tensor([self.controls[number] for number in numbers])
        return collate(together(cuts)), controls[:, 0], controls[:, 1]


def control_of(clip: Clip, name: str) -> float:
    """Return a control that a clip was sampled under; neutral where it has none."""
    value = clip.conditions.get(name, 1.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 1.0


def after(first: Piece, then: Piece) -> Piece:
    """Return two pieces one after the other."""
    assert first.expression is not None
    assert then.expression is not None
    velocity = np.concatenate([first.expression.velocity, then.expression.velocity])
    offset = np.concatenate([first.expression.offset, then.expression.offset])
    return replace(then, roll=np.concatenate([first.roll, then.roll]), expression=Expression(velocity, offset))


def whole(piece: Piece, shift: int = 0, gain: int = 0) -> Cut:
    """Return a piece from its beginning to its end, transposed."""
    return cut(moved(piece, shift), 0, len(piece.roll), 0, gain=gain)


def moved(piece: Piece, shift: int) -> Piece:
    """Return a piece so many semitones higher."""
    if not shift:
        return piece
    struck = None if piece.expression is None else transpose_expression(piece.expression, shift)
    return replace(piece, roll=transpose(piece.roll, shift), expression=struck)


def together(cuts: list[Cut]) -> list[Cut]:
    """Return cuts of one length: the shorter ones end in silence that counts nothing."""
    longest = max(len(c.weight) for c in cuts)

    def padded(values: np.ndarray, nothing: int = 0) -> np.ndarray:
        more = longest - len(c.weight)
        return np.pad(values, ((0, more), *((0, 0),) * (values.ndim - 1)), constant_values=nothing)

    out = []
    for c in cuts:
        struck = Expression(padded(c.expression.velocity), padded(c.expression.offset, UNKNOWN_OFFSET))
        out.append(replace(c, roll=padded(c.roll), expression=struck, weight=padded(c.weight), chords=padded(c.chords)))
    return out


def replay(path: Path, pieces: int, bars: int, seed: int, threads: int = 1) -> Collection:
    """Return music that a network plays by itself, as a corpus in the place of one that is not here. Raises NetworkError."""
    runner = Runner(path, "cpu", threads, batch=pieces)
    bar = runner.card.steps_per_beat * runner.card.beats_per_bar
    plans = [Plan((2 + bars) * bar, seed + number, lead_in=2 * bar) for number in range(pieces)]
    found = Collection(files=pieces, used=pieces, sources=[{"name": "replay", "licence": runner.card.licence}])
    for number, roll in enumerate(sample(runner, plans)):
        music = music_of_roll(runner.card, roll, 112.0)
        split = "valid" if number % 4 == 0 else "train"
        found.pieces.append(replace(piece_of(runner.card, music, f"replay {number}"), split=split))
    return found


def corpus(paths: Sequence[Path], config: Config, cache: Path, settings: Settings) -> Songs:
    """Return the music that the network learned from, as the other half of every batch. Raises TrainingError."""
    return dataset(list(paths), {**config, "streams": settings.streams, "seed": settings.seed}, cache)


class Tuning:
    """One fine-tuning, update by update, to be broken off and gone on with at any of them."""

    def __init__(
        self,
        model: Festival,
        card: Card,
        clips: Sequence[Clip],
        weights: Sequence[float],
        songs: Songs,
        settings: Settings,
        losers: Sequence[Clip] = (),
        kept: Kept | None = None,
    ) -> None:
        """`clips`, best first, with what each weighs; `losers`: of dpo, those that they are compared with, worst first. `kept`:
        in the place of `songs`, where there is no corpus.
        """
        if settings.method not in METHODS:
            raise TrainingError(f"--method {settings.method}: there are {', '.join(METHODS)}")
        self.model, self.songs, self.settings = model, songs, settings
        self.kept = kept
        self.chosen = Chosen(card, clips, weights, settings)
        self.update = 0
        self.carry: Carry = {}
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, betas=(0.9, 0.99), weight_decay=0.0)
        if settings.method == "dpo":
            self._pairs = Pairs(self.chosen, Chosen(card, losers, [1.0] * len(losers), settings), model)

    def step(self) -> float:
        """Take one update; return what it lost."""
        s = self.settings
        torch.manual_seed((s.seed << 24) + self.update)
        for group in self.optimiser.param_groups:
            group["lr"] = s.lr * min(1.0, (self.update + 1) / 10, max(1 - self.update / s.updates, 0.05) * 2)
        self.optimiser.zero_grad(set_to_none=True)
        if self.kept is not None:
            (KEEPS * self.kept.loss(self.model, self.update) / 2).backward()
        else:
            self.model.train()
            nats, steps, self.carry = loss(self.model, self.songs.batch(self.update, 0, 1), self.carry)
            (nats / steps / 2).backward()
        if s.method == "dpo":
            lost = self._pairs.loss(self.update)
        else:
            self.model.eval()  # as it played: nothing of it dropped
            batch, *controls = self.chosen.batch(self.update, s.streams)
            nats, struck = clip_nats(self.model, batch, *controls)
            lost = (nats + EXPRESSION_SHARE * struck).sum() / batch["weight"].sum() / 2
        lost.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if not (torch.isfinite(lost) and torch.isfinite(norm)):
            raise TrainingError(f"update {self.update}: the loss is no number; give a lower --lr (now {s.lr:g})")
        self.optimiser.step()
        self.carry = {k: v.detach() for k, v in self.carry.items()}
        self.update += 1
        return float(lost.detach())

    def run(self, checkpoint: Path | None = None, told: Callable[[int, float], None] = lambda _update, _lost: None) -> None:
        """Take all updates that are left, from the checkpoint on where there is one."""
        if checkpoint is not None and checkpoint.exists():
            self.load(checkpoint)
        while self.update < self.settings.updates:
            told(self.update, self.step())
            if checkpoint is not None and (self.update % self.settings.checkpoint_every == 0):
                self.save(checkpoint)
        self.model.eval()

    def save(self, path: Path) -> None:
        """Write what it takes to go on: old or new, never half."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for number, parameter in enumerate(self.model.parameters()):
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optim.{key}.{number}"] = value
        tensors |= {f"carry.{k}": v for k, v in self.carry.items()}
        write_tensors(path, tensors, {"settings": asdict(self.settings), "update": self.update})

    def load(self, path: Path) -> None:
        """Go on from there. Raises TrainingError where that is of another fine-tuning."""
        tensors, meta = read_tensors(path)
        if meta.get("settings") != asdict(self.settings):
            raise TrainingError(f"{path}: is of a fine-tuning with other settings; remove it to begin anew")
        load_weights(self.model, {k[6:]: v for k, v in tensors.items() if k.startswith("model.")}, str(path))
        for number, parameter in enumerate(self.model.parameters()):
            keys = [k for k in ("step", "exp_avg", "exp_avg_sq") if f"optim.{k}.{number}" in tensors]
            self.optimiser.state[parameter] = {k: tensors[f"optim.{k}.{number}"] for k in keys}
        self.carry = {k[6:]: v for k, v in tensors.items() if k.startswith("carry.")}
        self.update = int(meta["update"])


class Pairs:
    """Direct preference optimisation: winners and losers side by side, by the exact log-probability of each clip."""

    def __init__(self, winners: Chosen, losers: Chosen, model: Festival) -> None:
        if not losers.pieces:
            raise TrainingError("--method dpo: there is no clip that lost")
        self.winners, self.losers = winners, losers
        self.settings, self.model = winners.settings, model
        self._reference = copy.deepcopy(model).eval()

    def loss(self, update: int) -> Tensor:
        """Return how little more likely than at the beginning winners are than losers, in nats."""
        streams = max(self.settings.streams // 2, 1)
        self.model.eval()
        gained = []
        for of in (self.winners, self.losers):
            batch, *controls = of.batch(update, streams)
            with torch.no_grad():
                before, _ = clip_nats(self._reference, batch, *controls)
            gained.append(before - clip_nats(self.model, batch, *controls)[0])  # log-probability, (streams,)
        return -F.logsigmoid(self.settings.beta * (gained[0] - gained[1])).mean()


class Kept:
    """Keeps a network near to the one that it began with, on music of the first one: where there is no corpus."""

    def __init__(self, origin: Festival, pieces: Sequence[Piece], settings: Settings) -> None:
        self._origin = copy.deepcopy(origin).eval()
        self._pieces, self._settings = list(pieces), settings

    def loss(self, model: Festival, update: int) -> Tensor:
        """Return how far it is from the origin in what it holds likely, in nats per timestep: Kullback and Leibler's."""
        s = self._settings
        chance = np.random.default_rng((s.seed, update, 2))
        cuts = []
        for number in chance.choice(len(self._pieces), s.streams):
            piece = moved(self._pieces[number], int(chance.integers(-s.transpose, s.transpose)) if s.transpose else 0)
            bar = piece.metre.bar
            start = bar * int(chance.integers(max(len(piece.roll) // bar - KEPT_BARS, 0) + 1))
            cuts.append(cut(piece, start, min(KEPT_BARS * bar, len(piece.roll) - start), start))
        batch, one = collate(together(cuts)), torch.ones(s.streams)
        with torch.no_grad():
            was, heard, _, _ = clip_logits(self._origin, batch, one, one)
        now, _, _, _ = clip_logits(model.eval(), batch, one, one)
        apart = F.softplus(now) - F.softplus(was) - torch.sigmoid(was) * (now - was)  # of each decision by itself
        play, hold = apart.unflatten(-1, (2, -1)).unbind(-2)
        sounds = torch.sigmoid(was[..., : play.shape[-1]]) * heard[..., : play.shape[-1]]  # else there is nothing to hold
        weight = batch["weight"].float()
        found: Tensor = ((play + sounds * hold).sum(-1) * weight).sum() / weight.sum()
        return found


class HeldOut:
    """What is validated on: the beginning of each piece of the validation split, so that it takes seconds."""

    def __init__(self, songs: Songs, steps: int = 256) -> None:
        self._pieces, self._steps = sorted(songs.held_out, key=lambda p: len(p.roll)), steps

    def valid(self) -> Iterator[Batch]:
        """Pieces of like length side by side."""
        for first in range(0, len(self._pieces), 8):
            some = self._pieces[first : first + 8]
            yield collate([cut(p, 0, min(max(len(p.roll) for p in some), self._steps), 0) for p in some])


def mixed(model: Festival, parent: dict[str, Tensor], share: float) -> dict[str, Any]:
    """Return the weights that lie so far on the way from a parent's to the model's."""
    return {k: parent[k] + share * (v - parent[k]) if v.is_floating_point() else v for k, v in model.state_dict().items()}
