"""The festival network: six LSTM layers of 150 over five tracks, and a head that decides a step's notes jointly.

Layers stacked plainly do not train; so the input is projected to the width of the layers, and each layer has layer
normalisation before it and a residual connection around it.

The head is a masked autoencoder over the 376 decisions of a step (play and hold of 188 slots, drums first, lead last,
low to high within a track): each logit sees the slots before its own, so a chord is one decision and the tracks hear
each other. What a chosen note means for those after it follows mostly from their interval, in every key alike: the units
of the voicing share their weights between keys. What the player dictates at this step reaches every logit through
`given`, whatever the order.

Music repeats itself by bars, and 150 cells cannot hold a bar of five tracks word for word. So the network also hears
what sounded one, two and four bars before the step it is choosing. Which step of which bar it is, it is told in any metre
(models/festival/place.py).

Whoever plays a track beside it is followed, even where its own past says otherwise: what is dictated of pitched tracks
is gathered into a harmony, the pitch classes of the last beats and of the last bars, which core and head both hear. Where
every track is dictated nobody accompanies, and there is none.

The chord of the step and that of the next beat, where they are known, reach the core, and every pitched slot by their
interval to it, the same in every key. Zeros where nothing is known, as a third of the time while it learns.

How busy it should be is a wish that the head hears: the logarithm, to base 2, of the density of the bars to come over
the usual one. Nothing (0) is what it hears half the time while it learns, and where nobody asks for anything.

Another wish is for the kick drum: 1 for one in every bar, -1 for none, 0 where nobody asks.

How hard and how early the notes are struck is the matter of models/festival/expression.py.

Shapes: T steps, B batch, S slots, N = 2 S decisions, H width of a layer. Decisions are planar: all plays, then all holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.festival.expression import ExpressionHead
from models.festival.place import ALIKE, BAR, OWN, PAST, POSITIONS, Place
from models.music.representation import BAND
from models.music.sounding_chords import FEATURES

WIDTHS = tuple(len(t.pitches) for t in BAND)
SLOTS = sum(WIDTHS)
DECISIONS = 2 * SLOTS
GIVEN = DECISIONS + len(BAND)  # what is dictated: values where dictated, and the dictated share of each track
NEVER = -30.0  # logit of holding what did not sound
HEARD = (1 + ALIKE) * DECISIONS  # the step before, then those one, two and four bars before the chosen one
UNLIKELY = 0.01  # a note less likely than this is none to the voicing: what is left is few enough to be looked up
DECAYS = (0.85, 0.97)  # what a step leaves of the harmony of the last beats, and of that of the last bars
HARMONY = 12 * len(DECAYS)
WISHES = 2  # density, kick
CHORDS = 2 * FEATURES  # root and tones of the chord of the step, then of that of the next beat


@dataclass(slots=True, frozen=True)
class Sizes:
    """What the weights' shapes follow from."""

    width: int = 150
    layers: int = 6
    head: int = 256
    dropout: float = 0.1
    voicing: int = 16  # units of each pitched slot that hear intervals
    joint: bool = True  # False: each decision drawn on its own, the baseline


def planar(notes: Tensor) -> Tensor:
    """(..., S, 2) play and hold to (..., N): all plays, then all holds."""
    return notes.transpose(-1, -2).flatten(-2)


def given_features(values: Tensor, mask: Tensor) -> Tensor:
    """What the head is told of the dictated slots: (..., N) values and (..., S) mask to (..., GIVEN)."""
    shares = torch.stack([part.mean(-1) for part in mask.split(WIDTHS, -1)], -1)  # (..., tracks)
    return torch.cat([values * torch.cat([mask, mask], -1), shares], -1)


def pitch_classes() -> Tensor:
    """(S, 12): 1 where a slot is of a pitch class; nothing for drums."""
    rows = [torch.eye(12)[torch.tensor(t.pitches) % 12] * (t.kind != "drums") for t in BAND]
    return torch.cat(rows)


def harmony_features(harmony: Tensor) -> Tensor:
    """(..., decays, 12) decaying sums of pitch classes to (..., HARMONY): shares, and less where little was heard."""
    return (4 * harmony / (harmony.sum(-1, keepdim=True).relu() + 1)).flatten(-2)


def gather_harmony(dictated: Tensor) -> Tensor:
    """(PAST + T, B, S) dictated plays to (T, B, HARMONY): features of what was dictated before each step."""
    steps = len(dictated) - PAST
    classes = dictated @ pitch_classes().to(dictated.device)  # (PAST+T, B, 12)
    ago = PAST + torch.arange(steps)[:, None] - 1 - torch.arange(len(dictated))[None]  # (T, PAST+T)
    weights = torch.stack([torch.where(ago >= 0, d ** ago.clamp(min=0), 0.0) for d in DECAYS])
    return harmony_features(torch.einsum("dts,sbc->tbdc", weights.to(dictated.device), classes))


def intervals(chords: Tensor) -> Tensor:
    """(..., CHORDS) to what each pitch class hears of it, (..., 12, CHORDS): roots and tones by the interval above it."""
    return chords[..., torch.from_numpy(interval_rows())]


def interval_rows() -> np.ndarray:
    """(12, CHORDS): which of CHORDS is k semitones above a pitch class, of each of the four times twelve."""
    above = (np.arange(12)[:, None] + np.arange(12)) % 12  # (12 pitch classes, 12 intervals)
    return (12 * np.arange(CHORDS // 12)[None, :, None] + above[:, None]).reshape(12, CHORDS)


def hear(notes: Tensor, facts: Tensor) -> Tensor:
    """(PAST + T, B, N) notes with the past in front to (T, B, HEARD): the step before each, then those some bars before.

    (B, 4 + ALIKE) facts of the metres.
    """
    here = PAST + torch.arange(len(notes) - PAST, device=notes.device)[:, None]
    stream = torch.arange(notes.shape[1], device=notes.device)
    lags = [facts[:, 4 + k] for k in range(ALIKE)]
    return torch.cat([notes[PAST - 1 : -1], *(notes[here - lag, stream] for lag in lags)], -1)


def drop_units(y: Tensor, share: float, training: bool) -> Tensor:
    """Dropout with one mask for all steps of (T, B, H): what is dropped is a unit, not a moment."""
    return y * F.dropout(torch.ones_like(y[:1]), share, training) if training and share else y


class JointHead(nn.Module):
    """Logits of the N decisions of a step, each seeing the context and the slots before its own."""

    degree: Tensor  # (head,) a unit of degree d sees slots < d and is seen by slots >= d
    before: Tensor  # (N, N) 1 where the column's slot comes before the row's

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.joint, self.dropout = sizes.joint, sizes.dropout
        self.context = nn.Linear(sizes.width + HEARD, sizes.head)  # core's answer and what sounded
        self.given = nn.Linear(GIVEN, sizes.head + DECISIONS, bias=False)  # to hidden units, and straight to logits
        self.wish = nn.Linear(WISHES, sizes.head + DECISIONS, bias=False)  # the asked density and kick, to both as well
        self.harmony = nn.Linear(HARMONY, sizes.head + DECISIONS, bias=False)  # and what the player plays
        self.direct = nn.Linear(sizes.width, DECISIONS)
        # Each slot's own past, straight to its logits: (play and hold to choose, plays and holds heard, S).
        self.keep = nn.Parameter(torch.zeros(2, HEARD // SLOTS, SLOTS))
        self.out = nn.Linear(sizes.head, DECISIONS, bias=False)
        self.likely = nn.Linear(sizes.head, SLOTS)
        self.chosen_hidden = nn.Linear(DECISIONS, sizes.head, bias=False)
        self.chosen_direct = nn.Linear(DECISIONS, DECISIONS, bias=False)
        slot = torch.arange(DECISIONS) % SLOTS
        degree = torch.linspace(0, SLOTS - 1, sizes.head).round().long()
        self.register_buffer("degree", degree, persistent=False)
        self.register_buffer("mask_hidden", (slot[None] < degree[:, None]).float(), persistent=False)
        self.register_buffer("mask_out", (degree[None] <= slot[:, None]).float(), persistent=False)
        self.register_buffer("before", (slot[None] < slot[:, None]).float(), persistent=False)
        self.voicing = Voicing(sizes)
        nn.init.constant_(self.direct.bias[:SLOTS], -4.0)  # most slots are silent most of the time
        nn.init.zeros_(self.chosen_direct.weight)
        nn.init.zeros_(self.given.weight[sizes.head :])
        nn.init.zeros_(self.wish.weight)
        nn.init.zeros_(self.harmony.weight)

    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Masked weights: chosen notes to hidden, chosen notes to logits, hidden to logits; those of the voicing."""
        hidden = self.chosen_hidden.weight * self.get_buffer("mask_hidden")
        direct = self.chosen_direct.weight * self.before
        out = self.out.weight * (self.get_buffer("mask_out") if self.joint else 1.0)
        return hidden, direct, out, self.voicing.weights()

    def forward(
        self,
        core: Tensor,
        heard: Tensor,
        chosen: Tensor,
        given: Tensor,
        harmony: Tensor,
        wish: Tensor,
        chords: Tensor,
        weights: tuple[Tensor, Tensor, Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Logits (..., N) of the notes `chosen` (..., N), each given the slots before its own; and of each play by itself.

        (..., H) core, (..., HEARD) the past, (..., GIVEN) what is dictated, (..., HARMONY), (..., WISHES), (..., CHORDS);
        `weights`, where it is called again and again with the same.
        """
        to_hidden, to_logits, out, voicing = weights or self.weights()
        told = self.given(given) + self.harmony(harmony) + self.wish(wish)
        told_hidden, told_logits = told.split([self.out.in_features, DECISIONS], -1)
        hidden = self.context(torch.cat([core, heard], -1)) + told_hidden
        own = torch.einsum("...ks,oks->...os", heard.unflatten(-1, (-1, SLOTS)), self.keep)
        fits, stirred = self.voicing.fit(chords)
        logits = self.direct(core) + own.flatten(-2) + told_logits + fits
        likely = logits[..., :SLOTS] + self.likely(drop_units(torch.relu(hidden), self.dropout, self.training))
        if not self.joint:
            chosen = torch.zeros_like(chosen)
        hidden = hidden + F.linear(chosen, to_hidden)
        logits = logits + F.linear(chosen, to_logits)
        logits = logits + F.linear(drop_units(torch.relu(hidden), self.dropout, self.training), out)
        dictated = torch.repeat_interleave(given[..., DECISIONS:], torch.tensor(WIDTHS, device=given.device), -1)  # shares
        certain = torch.sigmoid(likely) * (1 - dictated) + given[..., :SLOTS] * dictated
        certain = F.relu(certain - UNLIKELY).to(core.dtype)
        logits = logits + self.voicing(core, heard, chosen, certain, logits, stirred, voicing)
        return logits, likely


class Voicing(nn.Module):
    """What notes mean for a slot by their intervals, the same in every key.

    Every pitched slot has a few units whose weights depend on its track alone, and on the track and the interval of each
    note they hear: those already chosen, and how likely the head holds every note before any is chosen, dictated ones
    being certain. A note that was likely and was not chosen says as much as one that was. They hear the chord as well, where
    it is known, by their interval to its root and tones. P pitched slots.
    """

    rows: Tensor  # (3, P, P) which weight of the kernels a slot (last) has for another; past the end where it hears none

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        pitched = [t for t in BAND if t.kind != "drums"]
        pitch = torch.tensor([p for t in pitched for p in t.pitches])
        track = torch.repeat_interleave(torch.arange(len(pitched)), torch.tensor([len(t.pitches) for t in pitched]))
        reach = int(pitch.max() - pitch.min())
        pair = track[:, None] * len(pitched) + track[None]
        place = torch.arange(len(pitch))
        kernel = len(pitched) ** 2 * (2 * reach + 1)
        rows = torch.arange(3)[:, None, None] * kernel + pair * (2 * reach + 1) + pitch[None] - pitch[:, None] + reach
        rows[:2, place[:, None] >= place[None]] = 3 * kernel  # of the notes chosen, those before a slot
        self.register_buffer("rows", rows, persistent=False)
        self.units, self.tracks, self.drums = sizes.voicing, len(pitched), SLOTS - len(pitch)
        # By track, track and interval: plays and holds chosen, likely plays.
        self.kernels = nn.Parameter(0.1 * torch.randn(3 * kernel, self.units))
        self.own = nn.Parameter(0.1 * torch.randn(len(pitched), 2 + HEARD // SLOTS, self.units))  # its logits, its past
        self.context = nn.Linear(sizes.width + 2 * self.drums, len(pitched) * self.units)  # core's answer, chosen drums
        self.out = nn.Parameter(torch.zeros(len(pitched), self.units, 2))
        # By track, interval: to the slot's play and hold, then to its units.
        self.chord = nn.Parameter(torch.zeros(len(pitched), CHORDS, 2 + self.units))
        self.classes = [[p % 12 for p in t.pitches] for t in pitched]

    def weights(self) -> Tensor:
        """(3, P, P, units): from plays and holds chosen, and from likely plays, to the units of each slot."""
        return F.pad(self.kernels, (0, 0, 0, 1))[self.rows]

    def fit(self, chords: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the chords (..., CHORDS) add to the logits, (..., N), and to the units of each track's slots (..., P, units)."""
        heard = intervals(chords)  # (..., 12, CHORDS)
        added = [(heard @ own)[..., classes, :] for own, classes in zip(self.chord, self.classes, strict=True)]
        logits = torch.cat([a[..., :2] for a in added], -2).transpose(-1, -2)  # (..., 2, P)
        return F.pad(logits, (self.drums, 0)).flatten(-2), [a[..., 2:] for a in added]

    def forward(
        self,
        core: Tensor,
        heard: Tensor,
        chosen: Tensor,
        likely: Tensor,
        logits: Tensor,
        stirred: list[Tensor],
        weights: Tensor,
    ) -> Tensor:
        """What is added to the logits, (..., N): of the core's answer, the past, the notes chosen (..., N), how likely each
        play is (..., S), the logits (..., N) without this, what the chords tell each track's units, and `weights()`.
        """
        planes, past = chosen.unflatten(-1, (-1, SLOTS)), heard.unflatten(-1, (-1, SLOTS))[..., self.drums :]
        likely, logits = likely[..., None, self.drums :], logits.unflatten(-1, (-1, SLOTS))[..., self.drums :]
        notes = torch.cat([planes[..., self.drums :], likely], -2).flatten(-2)
        units = F.linear(notes, weights.flatten(0, 1).flatten(1).T).unflatten(-1, (-1, self.units))
        context = self.context(torch.cat([core, planes[..., : self.drums].flatten(-2)], -1)).unflatten(-1, (self.tracks, 1, -1))
        own, said, widths = torch.cat([logits, past], -2).transpose(-1, -2), [], WIDTHS[-self.tracks :]
        # Track by track: each lies in one piece, which is much faster than gathering the weights of every slot.
        for track, (told, alone) in enumerate(zip(units.split(widths, -2), own.split(widths, -2), strict=True)):
            heeded = torch.relu(told + alone @ self.own[track] + context[..., track, :, :] + stirred[track])
            said.append(heeded @ self.out[track])
        return F.pad(torch.cat(said, -2).transpose(-1, -2), (self.drums, 0)).flatten(-2)


class Festival(nn.Module):
    """What was heard, position and states in; logits of step t and new states out; beside them the expression."""

    # How it is trained: share of windows with dictated tracks, of those without memory, and bfloat16 products.
    given_share = 0.0
    lead_share = 0.0
    asked_share = 0.0
    astray_share = 0.0
    forget_share = 0.0
    hidden_share = 0.0
    chord_share = 0.0
    next_share = 0.0
    kick_share = 0.0
    chord_known = 0.0  # 1: validation is told the chords as well
    low_precision = False

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.enter = nn.Linear(2 * DECISIONS, sizes.width)  # the step before, and the step one bar before
        self.harmony = nn.Linear(HARMONY, sizes.width, bias=False)
        self.chords = nn.Linear(CHORDS, sizes.width, bias=False)
        self.place = nn.Embedding(POSITIONS, sizes.width)
        self.metre = nn.Parameter(torch.zeros(OWN, sizes.width))  # what other metres than 4/4 add to it
        self.norms = nn.ModuleList(nn.LayerNorm(sizes.width) for _ in range(sizes.layers + 1))
        self.layers = nn.ModuleList(nn.LSTM(sizes.width, sizes.width) for _ in range(sizes.layers))
        self.head = JointHead(sizes)
        self.expression = ExpressionHead(sizes.width, sizes.dropout)
        nn.init.normal_(self.place.weight, std=0.1)
        nn.init.zeros_(self.harmony.weight)
        nn.init.zeros_(self.chords.weight)
        for name, parameter in self.layers.named_parameters():
            if "bias_ih" in name:  # remember by default
                nn.init.constant_(parameter[sizes.width : 2 * sizes.width], 1.0)

    def core(self, heard: Tensor, place: Place, harmony: Tensor, chords: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """(T, B, HEARD) what sounded, (T, B) places, (T, B, HARMONY), (T, B, CHORDS), (2, layers, B, H) ->
        (T, B, H), new h and c.
        """
        h = self.enter(heard[..., : 2 * DECISIONS]) + self.place(place.position)
        h = h + F.embedding(place.row, F.pad(self.metre, (0, 0, BAR, 0)))  # the rows of 4/4 add nothing
        h = h + self.harmony(harmony) + self.chords(chords)
        ends = []
        for index, layer in enumerate(self.layers):
            begin = None if state is None else (state[0, index : index + 1], state[1, index : index + 1])
            y, end = layer(self.norms[index](h), begin)
            h = h + drop_units(y, self.sizes.dropout, self.training)
            ends.append(torch.stack([end[0][0], end[1][0]]))  # (2, B, H)
        return self.norms[-1](h), torch.stack(ends, 1).float()


def log_prob_slots(logits: Tensor, x: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability of each slot's play and hold, (..., S): holding counts where the slot plays and sounded before."""
    play, hold = chosen[..., :SLOTS], chosen[..., SLOTS:]
    hold_logit = torch.where(x[..., :SLOTS] > 0.5, logits[..., SLOTS:], NEVER)
    log_play = -F.softplus((1 - 2 * play) * logits[..., :SLOTS])
    return log_play - play * F.softplus((1 - 2 * hold) * hold_logit)
