"""How the festival network is trained: streams of songs, random transposition, some tracks given, some never heard.

Where tracks are given, as a player gives his, they are often not known yet at the step that is chosen, and known at the next:
a player's note on the beat comes when the band's has been chosen. And often the chord of the step is told, with or without
that of the next beat; both are told from what the band plays.

    algoritmo train festival --out runs/festival --updates 20000 --decay 0.4 --lr 0.002 --weight-decay 0.03 \\
        --data ../shared/data/multitrack_free ../shared/data/ewld_mma_synth ../shared/data/groove_midi \\
        ../shared/data/hydrogen_patterns

Other metres than 4/4 are heard as often as `metres` says, those of which there is little more often than their number would
have it. There are few bands in them: models/music/generated.py makes some of lead sheets (`metre_bands` in the card).

On a folder of one's own, from the weights that are shipped; twenty songs take some minutes on two cores:

    algoritmo train festival --data MY_SONGS --from models/festival/festival.safetensors --out runs/mine \\
        --updates 400 --lr 0.0005 --decay 1 --weight-decay 0.03 --valid-every 50 --patience 3

Seam: `models.training.train.Recipe`. Runs on: training.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.festival.export import export as write_graph
from models.festival.expression import DRUM_SLOTS, FARTHEST, LEVEL, LOUDEST, deviations, distributions, log_prob, tell
from models.festival.graph import MOST_ASKED as MOST_DENSE
from models.festival.graph import ODDS_LESS
from models.festival.network import (
    CHORDS,
    DECISIONS,
    SLOTS,
    WIDTHS,
    WISHES,
    Festival,
    Sizes,
    gather_harmony,
    given_features,
    hear,
    log_prob_slots,
)
from models.festival.place import METRES, PAST, Place, facts_of, place_of
from models.music.data import Collection, Piece, read_band
from models.music.grid import Grid
from models.music.representation import (
    BAND,
    HELD,
    OFFSETS,
    ONSET,
    SILENT,
    UNKNOWN_OFFSET,
    Expression,
    transpose,
    transpose_expression,
)
from models.music.sounding_chords import CLASSES, features, sounding_chords
from models.training.precision import narrow_products
from models.training.train import Batch, Carry, Config, TrainingError

DEFAULTS: Config = {
    "width": 150,
    "layers": 6,
    "head": 256,
    "voicing": 16,
    "dropout": 0.3,
    "joint": True,
    "streams": 16,  # songs heard side by side
    "window": 64,  # steps an update: 4 bars; the state is carried on to the next window
    "transpose": 6,  # up to so many semitones either way
    "metres": 0.4,  # share of songs in other metres than 4/4, where there are any
    "partial": 0.2,  # share of songs that tell of some tracks only: drums alone, lead sheets
    "given": 0.5,  # share of windows in which some tracks are dictated
    "lead": 0.3,  # share of those in which it is the lead alone, as when somebody plays it live
    "astray": 0.4,  # share of those in which the other tracks have been in another key so far
    "asked": 0.5,  # share of windows in which it is told how busy they will be
    "gain": 16,  # deviation of the level at which a stretch is heard and learned, in 1/127
    "forget": 0.2,  # share of windows without the memory of earlier bars, and of tracks in the others
    "hidden": 0.5,  # share of windows with dictated tracks in which they are not known at every step, or at none
    "chord": 0.6,  # share of windows in which the chord is told
    "kick": 0.5,  # share of windows in which it is told whether there is a kick drum in every bar, or in none
    "next_chord": 0.7,  # share of those in which that of the next beat is told as well
    "unheard": 0.4,  # share of songs in which it must play a track that it never hears
    "bf16": True,  # matrix products of training in bfloat16
}
LONGEST = 64  # steps of a note
KICK = 0  # its slot
LEAD = [t.name for t in BAND].index("lead")
CHORD_LESS = 0.5  # where it is told chords alone, it has been in another key so much less often
MOST_ASKED = 2.0  # a quarter to four times the usual density
ALONE_SHARE = 0.2  # weight of the nats of each play by itself: they only tell the joint choice what is likely
EXPRESSION_SHARE = 0.1  # weight of the expression's nats: gradients are clipped together, and the notes come first
_EDGES = np.cumsum(WIDTHS)[:-1]


def build(config: Config) -> nn.Module:
    """Return the network of these sizes."""
    sizes = Sizes(config["width"], config["layers"], config["head"], config["dropout"], config["voicing"], config["joint"])
    network = Festival(sizes)
    network.given_share, network.forget_share = config["given"], config["forget"]
    network.lead_share, network.asked_share, network.astray_share = config["lead"], config["asked"], config["astray"]
    network.hidden_share, network.chord_share, network.next_share = config["hidden"], config["chord"], config["next_chord"]
    network.kick_share = config["kick"]
    network.low_precision = config["bf16"]
    return network


class Songs:
    """Streams of transposed songs, as a function of the seed and the update's number alone."""

    def __init__(self, collection: Collection, config: Config) -> None:
        learned, held_out = _sides(collection)
        density = _density(learned)
        self.facts: dict[str, Any] = {**collection.facts(), "density": density}
        train = [tidy(p) for p in learned]
        self.shelves = shelves([p for p in train if not p.unknown])
        self.partial = [p for p in train if p.unknown]
        # The figure is that of whole bands, where there are any.
        self.held_out = [p for p in held_out if not p.unknown] or held_out
        self.config, self.streams, self.seed = config, config["streams"], config.get("seed", 0)
        self.usual = torch.tensor([density.get(t.name, 0.0) for t in BAND])
        self._playing: dict[int, _Stream] = {}

    def batch(self, update: int, rank: int, world: int) -> Batch:  # noqa: ARG002 (streams are numbered by rank)
        """See `collate`; and usual (tracks,), strikes per step of each track in a usual song."""
        parts = []
        for index in range(rank * self.streams, (rank + 1) * self.streams):
            stream = self._playing.get(index)
            if stream is None or stream.window > update:
                stream = self._playing[index] = _Stream(self.shelves, self.partial, self.config, (self.seed, index))
            parts.append(stream.at(update))
        return {**collate(parts), "usual": self.usual}

    def valid(self) -> Iterator[Batch]:
        """Whole pieces, those of like length side by side."""
        pieces = sorted(self.held_out, key=lambda p: len(p.roll))
        for first in range(0, len(pieces), 8):
            some = pieces[first : first + 8]
            steps = max(len(p.roll) for p in some)
            yield collate([cut(p, 0, steps, 0) for p in some])


def shelves(pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces of each metre, 4/4 first, even where there are none."""
    return [[p for p in pieces if p.metre == metre] for metre in METRES]


def _sides(collection: Collection) -> tuple[list[Piece], list[Piece]]:
    """What to learn from and what to validate on; of a small folder with one side empty, every eighth piece is held out."""
    learned, held_out = collection.split("train"), collection.split("valid")
    if not learned or not held_out:
        every = [*learned, *held_out, *collection.split("test")]
        learned, held_out = [p for i, p in enumerate(every) if i % 8], every[::8]
    if not learned:
        raise TrainingError("one piece cannot be learned from and validated on; give more --data")
    return learned, held_out


@dataclass(slots=True, frozen=True)
class Cut:
    """Some steps of a piece, with the past in front."""

    roll: np.ndarray  # uint8 (PAST+T, S)
    expression: Expression  # of the same steps
    position: int
    weight: np.ndarray  # bool (T,): the piece goes on
    fresh: bool  # hearing begins here
    unheard: np.ndarray  # bool (tracks,): to be played without being heard
    known: np.ndarray  # bool (tracks,): the piece tells what they play
    gain: int  # louder or softer by so many 127ths
    chords: np.ndarray  # int64 (T, 2), class of the chord at each step and a beat later; 0 where there is none
    metre: Grid


_ALL_HEARD = np.zeros(len(WIDTHS), bool)


def _density(pieces: list[Piece]) -> dict[str, float]:
    """Strikes per step of each track, the median over the pieces that tell of it."""
    found = {}
    for track, where in zip(BAND, np.split(np.arange(sum(WIDTHS)), _EDGES), strict=True):
        counts = [(p.roll[:, where] == ONSET).sum() / len(p.roll) for p in pieces if track.name not in p.unknown]
        found[track.name] = round(float(np.median(counts)), 4) if counts else 0.0
    return found


def tidy(piece: Piece) -> Piece:
    """The piece as it is learned from: no silent bar, no note longer than four bars (most are lost note-offs), and every
    track on average as loud as any other: sources differ in level, and the band's balance is the mixer's matter.
    """
    bar = piece.metre.bar
    sounding = piece.roll.reshape(-1, bar, piece.roll.shape[1]).any((1, 2)).repeat(bar)
    roll = piece.roll[sounding]
    begun = np.maximum.accumulate(np.where(roll == ONSET, np.arange(len(roll))[:, None], -LONGEST), axis=0)
    roll = np.where(np.arange(len(roll))[:, None] - begun < LONGEST, roll, SILENT).astype(np.uint8)
    expression = levelled(piece.expression[sounding]) if piece.expression else None
    return replace(piece, roll=roll, expression=expression, chords=sounding_chords(roll, metre=piece.metre))


def levelled(expression: Expression) -> Expression:
    """Every track's velocities moved to LEVEL on average."""
    velocity = expression.velocity.astype(np.int16)
    for own in np.split(velocity, _EDGES, axis=1):
        struck = own > 0
        if struck.any():
            own[struck] += LEVEL - round(own[struck].mean())
            own[struck] = own[struck].clip(1, LOUDEST)
    return Expression(velocity.astype(np.uint8), expression.offset)


def cut(piece: Piece, start: int, steps: int, origin: int, unheard: np.ndarray = _ALL_HEARD, gain: int = 0) -> Cut:
    """`steps` steps of a piece from `start`, with the past in front: silence before `origin`, where hearing began."""
    past = min(PAST, start - origin)
    some, where = (
        slice(start - past, start + steps),
        slice(PAST - past, PAST - past + min(past + steps, len(piece.roll) - start + past)),
    )
    out = np.zeros((PAST + steps, piece.roll.shape[1]), np.uint8)
    out[where] = piece.roll[some]
    first = out[PAST + origin - start] if start - origin <= PAST else out[:0]
    first[first == HELD] = ONSET  # nothing can be held on from silence
    expression = Expression(np.zeros_like(out), np.full(out.shape, UNKNOWN_OFFSET, np.int8))
    if piece.expression is not None:
        expression.velocity[where], expression.offset[where] = piece.expression.velocity[some], piece.expression.offset[some]
    known = np.asarray([t.name not in piece.unknown for t in BAND])
    chords = np.zeros((steps, 2), np.int64)
    if piece.chords is not None:
        beat = piece.metre.steps
        for later in range(2):
            told = piece.chords.repeat(beat)[start + later * beat :][:steps]
            chords[: len(told), later] = told
    goes_on = np.arange(steps) < len(piece.roll) - start
    return Cut(out, expression, start - origin, goes_on, start == origin, unheard, known, gain, chords, piece.metre)


class _Stream:
    """One of the songs heard side by side: which song, how transposed, from which bar, all from its seed."""

    def __init__(self, bands: list[list[Piece]], partial: list[Piece], config: Config, seed: tuple[int, int]) -> None:
        self.partial, self.config, self.length = partial, config, config["window"]
        self.bands = [shelf for shelf in bands if shelf]
        # Of the other metres those of which there is little are heard more often than their number says.
        self.which = np.asarray([0.0 if shelf is bands[0] else len(shelf) ** 0.5 for shelf in self.bands])
        if len(self.bands) > 1:
            self.which *= config["metres"] / self.which.sum()
        if bands[0]:
            self.which[0] = 1 - self.which[1:].sum()
        elif self.bands:
            self.which /= self.which.sum()
        windows = np.asarray([-(-len(p.roll) // self.length) for p in partial], float)
        self.often = windows / windows.sum() if partial else windows  # fills last a bar, beats up to a hundred
        self.chance = np.random.default_rng(seed)
        self.window = 0  # the next window to give
        self._draw()

    def _draw(self) -> None:
        chance, config = self.chance, self.config
        if self.partial and (not self.bands or chance.random() < config["partial"]):
            piece = self.partial[int(chance.choice(len(self.partial), p=self.often))]
        else:
            shelf = self.bands[int(chance.choice(len(self.bands), p=self.which))]
            piece = shelf[int(chance.integers(len(shelf)))]
        reach = config["transpose"]
        self.shift = int(chance.integers(-reach, reach)) if reach else 0
        bar = piece.metre.bar
        bars = len(piece.roll) // bar
        # A quarter of the songs from their beginning, which is often thin; the others from anywhere, so that a network
        # that begins from silence begins with the whole band.
        anywhere = int(chance.integers(0, max(1, bars - 4)))
        self.start = self.origin = bar * anywhere * (chance.random() < 0.75)
        self.source, self.moved = piece, None
        self.unheard = np.zeros(len(WIDTHS), bool)
        self.unheard[chance.integers(len(WIDTHS))] = chance.random() < config["unheard"] and not piece.unknown
        self._turn()

    def _turn(self) -> None:
        """Another level, so that the network goes on as loud as what it hears."""
        self.gain = int(np.clip(round(self.chance.normal(0, self.config["gain"])), -40, 40))

    def at(self, window: int) -> Cut:
        """The cut for a window at or after the last one given."""
        while True:
            if self.start >= len(self.source.roll):
                self._draw()
            elif self.chance.random() < 0.25:
                self._turn()
            start = self.start
            self.start += self.length
            self.window += 1
            if self.window > window:
                break
        if self.moved is None:
            expression = self.source.expression and transpose_expression(self.source.expression, self.shift)
            chords = None if self.source.chords is None else CLASSES.moved(self.source.chords, self.shift)
            moved = transpose(self.source.roll, self.shift)
            self.moved = replace(self.source, roll=moved, expression=expression, chords=chords)
        return cut(self.moved, start, self.length, self.origin, self.unheard, self.gain)

    moved: Piece | None


def collate(cuts: list[Cut]) -> Batch:
    """Tensors roll, velocity, offset (PAST+T, B, S), weight (T, B), position, fresh, gain (B,), unheard, known (B, tracks),
    chords (T, B, 2), metre (B, 2).
    """
    return {
        "roll": torch.from_numpy(np.stack([c.roll for c in cuts], 1)),
        "velocity": torch.from_numpy(np.stack([c.expression.velocity for c in cuts], 1)),
        "offset": torch.from_numpy(np.stack([c.expression.offset for c in cuts], 1)),
        "weight": torch.from_numpy(np.stack([c.weight for c in cuts], 1)),
        "position": torch.tensor([c.position for c in cuts]),
        "fresh": torch.tensor([c.fresh for c in cuts]),
        "gain": torch.tensor([c.gain for c in cuts]),
        "chords": torch.from_numpy(np.stack([c.chords for c in cuts], 1)),
        "unheard": torch.from_numpy(np.stack([c.unheard for c in cuts])),
        "known": torch.from_numpy(np.stack([c.known for c in cuts])),
        "metre": torch.tensor([c.metre for c in cuts]),
    }


def dataset(paths: list[Path], config: Config, cache: Path) -> Songs:
    """Read the band data under `paths`."""
    try:
        return Songs(read_band(paths, cache), config)
    except (FileNotFoundError, ValueError) as error:
        raise TrainingError(str(error)) from error


def decisions(roll: Tensor) -> Tensor:
    """(..., S) roll to (..., N) planar play and hold."""
    return torch.cat([roll != 0, roll == HELD], -1).float()


def _random_tracks(batch: int, model: Festival, device: torch.device) -> Tensor:
    """Which tracks are dictated, float (batch, tracks): often none, else the lead, any one, or any subset."""
    tracks = len(WIDTHS)
    one = nn.functional.one_hot(torch.randint(tracks, (batch,), device=device), tracks).bool()
    lead = nn.functional.one_hot(torch.full((batch,), LEAD, device=device), tracks).bool()
    several = torch.rand(batch, tracks, device=device) < 0.5
    several &= ~several.all(-1, keepdim=True)  # something must be left to choose
    pick = torch.rand(batch, 3, device=device)
    chosen = torch.where(pick[:, :1] < 0.7, one, several)
    chosen = torch.where(pick[:, 2:] < model.lead_share, lead, chosen)
    return (chosen & (pick[:, 1:2] < model.given_share)).float()


def _lead_astray(notes: Tensor, tracks: Tensor, share: Tensor) -> Tensor:
    """(PAST + T, B, N) notes with those of the tracks not dictated in another key, up to some step of the window.

    A network that always agreed with what is dictated never learns to give in to it. `share` (B,): how often.
    """
    steps, streams, _ = notes.shape
    led = torch.rand(streams, device=notes.device) < share
    moves = torch.stack([_transposition(k) for k in range(-5, 7) if k]).to(notes.device)  # (11, S, S)
    move = moves[torch.randint(len(moves), (streams,), device=notes.device)]  # (B, S, S)
    moved = notes.unflatten(-1, (2, SLOTS)).permute(1, 0, 2, 3).flatten(1, 2) @ move  # (B, (PAST+T) * 2, S)
    moved = moved.unflatten(1, (steps, 2)).permute(1, 0, 2, 3).flatten(-2).clamp(max=1)
    until = torch.randint(PAST, steps + 1, (streams,), device=notes.device)
    until = torch.where(torch.rand(streams, device=notes.device) < 0.3, steps, until)
    astray = (torch.arange(steps, device=notes.device)[:, None] < until) & led  # (PAST+T, B)
    astray_slots = astray[..., None] & (_per_slot(tracks) == 0).repeat(1, 2)
    return torch.where(astray_slots, moved, notes)


@functools.cache
def _transposition(semitones: int) -> Tensor:
    """(S, S): 1 from each slot to the slot it is moved to."""
    slots = np.eye(sum(WIDTHS), dtype=np.uint8)
    return torch.from_numpy(np.concatenate([transpose(row[None] * ONSET, semitones) for row in slots])).float() / ONSET


def _forget(heard: Tensor, share: float) -> Tensor:
    """Erase the memory of earlier bars in some streams of (T, B, HEARD), and that of some tracks in others.

    A network that always has the last bars before it only repeats them: what falls silent once never comes back.
    """
    streams = heard.shape[1]
    kept = torch.rand(streams, len(WIDTHS) + 1, device=heard.device) >= share
    slots = _per_slot(kept[:, 1:] & kept[:, :1])
    lags = slots.repeat(1, heard.shape[-1] // slots.shape[-1] - 2).float()
    return torch.cat([heard[..., :DECISIONS], heard[..., DECISIONS:] * lags], -1)


def _per_slot(tracks: Tensor) -> Tensor:
    """(..., tracks) to (..., S)."""
    return torch.repeat_interleave(tracks, torch.tensor(WIDTHS, device=tracks.device), -1)


def loss(model: nn.Module, batch: Batch, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
    """Nats and timesteps of one batch: of which notes sound, not of how they are struck.

    In training some windows have tracks dictated; those tracks' nats are not counted there, so the training figure lies
    below the validation figure by as much. In some songs a track is not heard and has to be played all the same: left
    to itself a network loses a track now and then, and must learn to come back. In others it has so far been in another
    key than what is dictated, and must learn to follow. What it cannot hold, since it did not hear it, does not count
    there. Tracks of which a piece tells nothing do not count at all.
    """
    assert isinstance(model, Festival)
    roll, weight = batch["roll"], batch["weight"].float()
    steps, streams = weight.shape
    heard = decisions(roll) * ~_per_slot(batch["unheard"]).repeat(1, 2)  # (PAST+T, B, N)
    facts, place = placed(batch)
    tracks = torch.zeros(streams, len(WIDTHS), device=roll.device)
    wish = torch.zeros(streams, WISHES, device=roll.device)
    chords = told_chords(batch["chords"])
    hidden = torch.zeros(steps, streams, 1, device=roll.device)
    if model.training:
        tracks = _random_tracks(streams, model, roll.device)  # (B, tracks)
        kick = _kick(model, batch)
        wish = torch.cat([_wish(model, batch, (1 - tracks) * batch["known"]), kick], -1)
        heard = _without_kick(heard, kick)
        chords = _some_chords(chords, model)
        told = torch.maximum((tracks[:, 1:].sum(-1) > 0).float(), CHORD_LESS * chords.any(-1).any(0))  # drums have no key
        heard = _lead_astray(heard, tracks, model.astray_share * told)
        hidden = _hidden(steps, streams, model.hidden_share, roll.device)
    else:
        chords = chords * model.chord_known
    mask = _per_slot(tracks) * (1 - hidden)  # (T, B, S)
    harmony = gather_harmony((roll != SILENT) * _per_slot(tracks))
    heard = hear(heard, facts)  # (T, B, HEARD)
    lost = (roll[PAST:] == HELD) & (heard[..., :SLOTS] == 0)  # cannot be held
    chosen = decisions(roll[PAST:] * ~lost)  # (T, B, N)
    if model.training and model.forget_share:
        heard = _forget(heard, model.forget_share)
    again = (~batch["fresh"])[:, None]
    state = carry["state"] * again if "state" in carry else None
    with narrow_products(roll.device, model.training and model.low_precision):
        core, state = model.core(heard, place, harmony, chords, state)
        logits, likely = model.head(core, heard, chosen, given_features(chosen, mask), harmony, wish, chords)
    counts = (1 - mask) * ~lost * _per_slot(batch["known"])
    slots = log_prob_slots(logits.float(), heard[..., :DECISIONS], chosen) * counts
    nats = -(slots.sum(-1) * weight).sum()
    if not model.training:
        return nats, weight.sum(), {"state": state}
    felt = carry["felt"] * again if "felt" in carry else None
    alone = -F.logsigmoid((2 * chosen[..., :SLOTS] - 1) * likely.float()) * counts
    velocity, offset, felt = strike_nats(model, batch, core.detach(), heard, mask, felt)
    beside = ALONE_SHARE * alone.sum(-1) + EXPRESSION_SHARE * (velocity.sum(-1) + offset.sum(-1))
    beside = (beside * weight).sum()
    # Learned beside the notes, from the same music; the figure stays that of the notes.
    return nats + beside - beside.detach(), weight.sum(), {"state": state, "felt": felt}


def clip_logits(model: Festival, batch: Batch, temperature: Tensor, density: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits of the notes of each stream (T, B, N) as the step graph draws them under these controls (B,), with nothing told
    and nothing dictated; what was heard (T, B, HEARD), the notes chosen (T, B, N), and the core's answer.
    """
    roll = batch["roll"]
    facts, place = placed(batch)
    chosen, heard = decisions(roll[PAST:]), hear(decisions(roll), facts)
    nothing = torch.zeros_like(chosen[..., :SLOTS])
    harmony = gather_harmony(torch.zeros_like(decisions(roll)[..., :SLOTS]))
    chords = torch.zeros_like(told_chords(batch["chords"]))
    asked = density.log()[:, None]
    learned = asked.clamp(-math.log(MOST_DENSE), math.log(MOST_DENSE))
    wish = torch.cat([learned / math.log(2), torch.zeros_like(learned)], -1)
    core, _ = model.core(heard, place, harmony, chords, None)
    logits, _ = model.head(core, heard, chosen, given_features(chosen, nothing), harmony, wish, chords)
    rest, sounded = asked - (1 - ODDS_LESS) * learned.clamp(max=0), heard[..., :SLOTS]
    logits = logits / temperature[:, None] + torch.cat([rest * (1 - sounded), (-rest).expand_as(sounded)], -1)
    return logits, heard, chosen, core


def clip_nats(model: Festival, batch: Batch, temperature: Tensor, density: Tensor) -> tuple[Tensor, Tensor]:
    """Nats of each stream as a whole, its notes (B,) and how they were struck (B,), under these controls (B,), exactly: of
    what was sampled under them nothing is learned but what was chosen of it.
    """
    weight = batch["weight"].float()
    logits, heard, chosen, core = clip_logits(model, batch, temperature, density)
    nats = -(log_prob_slots(logits, heard[..., :DECISIONS], chosen).sum(-1) * weight).sum(0)
    nothing = torch.zeros_like(chosen[..., :SLOTS])
    velocity, offset, _ = strike_nats(model, batch, core.detach(), heard, nothing, None)
    return nats, ((velocity.sum(-1) + offset.sum(-1)) * weight).sum(0)


def placed(batch: Batch) -> tuple[Tensor, Place]:
    """Facts of the metres, (B, 4 + ALIKE), and where the steps of a batch stand, each (T, B)."""
    facts, steps = facts_of(batch["metre"]), len(batch["weight"])
    position = batch["position"] + torch.arange(steps, device=facts.device)[:, None]
    return facts, place_of(position, facts)


def told_chords(classes: Tensor) -> Tensor:
    """(T, B, 2) classes to (T, B, CHORDS): what is told of the chord of each step and of that a beat later."""
    table = torch.from_numpy(features(np.arange(len(CLASSES)))).to(classes.device)
    return table[classes].flatten(-2)


def _some_chords(chords: Tensor, model: Festival) -> Tensor:
    """(T, B, CHORDS) as often as the model is told them."""
    streams = chords.shape[1]
    told = torch.rand(streams, 2, device=chords.device) < chords.new_tensor([model.chord_share, model.next_share])
    told[:, 1] &= told[:, 0]
    return chords * told.repeat_interleave(CHORDS // 2, -1)


def _hidden(steps: int, streams: int, share: float, device: torch.device) -> Tensor:
    """(T, B, 1): 1 where what is dictated is not known yet; throughout a window, or at half of its steps."""
    chance = torch.rand(streams, 1, device=device)
    often = torch.where(chance < share / 2, 1.0, torch.where(chance < share, 0.5, 0.0))
    return (torch.rand(steps, streams, 1, device=device) < often).float()


def _wish(model: Festival, batch: Batch, counted: Tensor) -> Tensor:
    """How much busier than usual the tracks to be played will be in this window, log2, (B, 1); often not told."""
    struck = (batch["roll"][PAST:] == ONSET).float() * batch["weight"][..., None]
    per_track = torch.stack([p.sum((0, 2)) for p in struck.split(WIDTHS, -1)], -1)  # (B, tracks)
    steps = batch["weight"].float().sum(0)
    found, usual = (per_track * counted).sum(-1) + 1, (batch["usual"] * counted).sum(-1) * steps + 1
    told = torch.rand_like(found) < model.asked_share
    return (torch.log2(found / usual).clamp(-MOST_ASKED, MOST_ASKED) * told)[:, None]


def _kick(model: Festival, batch: Batch) -> Tensor:
    """Whether every bar of this window has a kick drum, 1, or none has, -1; 0 where some have or it is not told, (B, 1)."""
    weight = batch["weight"].float()
    steps = batch["position"] + torch.arange(len(weight), device=weight.device)[:, None]
    length = batch["metre"].prod(-1)
    bar = steps // length - batch["position"] // length  # (T, B), counted from that of the window's first step
    none = weight.new_zeros(len(weight) + 1, weight.shape[1])
    struck = none.scatter_reduce(0, bar, (batch["roll"][PAST:, :, KICK] == ONSET) * weight, "amax")  # (bars, B)
    there = none.scatter_reduce(0, bar, weight, "amax")
    found = struck.sum(0) / there.sum(0).clamp(min=1)
    said = (found == 1).float() - (found == 0).float()
    told = (torch.rand_like(said) < model.kick_share) * batch["known"][:, 0]
    wished: Tensor = said * told
    return wished[:, None]


def _without_kick(heard: Tensor, kick: Tensor) -> Tensor:
    """(PAST + T, B, N) notes, in half of the windows whose kick is told (B, 1) without it: what is asked outweighs the past.

    A network that always hears the kick of the bars before goes on with it or without, whatever it is told.
    """
    deaf = (kick[:, 0] != 0) & (torch.rand_like(kick[:, 0]) < 0.5)
    slot = torch.arange(DECISIONS, device=heard.device) % SLOTS == KICK
    return heard * ~(deaf[:, None] & slot)


def strike_nats(
    model: Festival, batch: Batch, core: Tensor, heard: Tensor, mask: Tensor, felt: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Nats of each strike's velocity (T, B, S) and offset (T, B, D) where they are known and not dictated; new state."""
    struck = (batch["roll"][PAST - 1 :] == ONSET).float()  # from the step before the first
    velocity = batch["velocity"][PAST - 1 :].float()
    played = (torch.where(velocity > 0, velocity, LEVEL) + batch["gain"][:, None]).clamp(1, LOUDEST)
    late = batch["offset"][PAST - 1 :].float()
    known_late = late > -OFFSETS
    late = torch.where(known_late, late, 0)
    expression = deviations(struck, played, late / OFFSETS)  # (T+1, B, HEARD_EXPRESSION)
    before, now, drums = expression[:-1], struck[1:], slice(0, DRUM_SLOTS)
    sounded = heard[..., :SLOTS]  # what is not heard is not felt
    before = before * torch.cat([sounded, sounded[..., drums]], -1)
    told = tell(now, before, expression[1:] * torch.cat([mask, mask[..., drums]], -1))
    answer, felt = model.expression(core.float(), told, placed(batch)[1].step, felt)
    loud, spread, delay, stray = distributions(answer)
    learned = now * (1 - mask)
    soft = -log_prob(played[1:], loud, spread, 1, LOUDEST) * (learned * (velocity[1:] > 0))
    shift = -log_prob(late[1:][..., drums], delay, stray, -FARTHEST, FARTHEST) * (learned * known_late[1:])[..., drums]
    return soft, shift, felt


def export(model: nn.Module, config: Config, training: dict[str, Any], path: Path) -> None:  # noqa: ARG001
    """Write the step graph (the sizes are the model's own)."""
    assert isinstance(model, Festival)
    write_graph(model, training, path)
