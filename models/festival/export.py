"""Writes a trained festival network as one step graph, with its card; and does the same step in PyTorch, to check it by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.contract import Card
from models.festival.expression import (
    DRUM_SLOTS,
    FARTHEST,
    HEARD_EXPRESSION,
    LOUDEST,
    UNITS,
    deviations,
    distributions,
    tell,
)
from models.festival.graph import HEED, HEED_LATE, MOST_ASKED, ODDS_LESS, add_step
from models.festival.network import (
    DECAYS,
    DECISIONS,
    SLOTS,
    WIDTHS,
    Festival,
    given_features,
    harmony_features,
    log_prob_slots,
    pitch_classes,
    planar,
)
from models.festival.place import ALIKE, METRES, PAST, facts_of, place_of
from models.graph.building import Graph, build_model, round_weights, save_network
from models.music.representation import BAND, OFFSETS
from models.music.sounding_chords import FEATURES
from models.training.provenance import about_run

NOISE = DECISIONS + HEARD_EXPRESSION  # for notes, velocities and offsets

CONTROLS = [
    {"name": "temperature", "neutral": 1.0, "min": 0.1, "max": 2.0, "doc": "lower is surer, higher is bolder"},
    {"name": "density", "neutral": 1.0, "min": 0.25, "max": 4.0, "doc": "how busy, as a factor on the usual strikes per step"},
]
CONDITIONS = [
    {"name": "player", "shape": [SLOTS], "doc": "1 where a slot is the player's, whether his notes are known yet or not"},
    {"name": "kick", "shape": [1], "doc": "1 asks for a kick drum in every bar, -1 for none"},
    {"name": "chord", "shape": [FEATURES], "doc": "chord of the step: its root, then its tones, 1 by pitch class from C"},
    {"name": "next_chord", "shape": [FEATURES], "doc": "the same of the step a beat later"},
    {"name": "metre", "shape": [2], "doc": "beats in a bar, sixteenths in a beat; zeros are 4/4"},
]
SIGNALS = {
    "h": ("h{}_next", -1.0, 1.0, "what the layer says"),
    "c": ("c{}_next", -4.0, 4.0, "what the layer remembers"),
    "i": ("i{}", 0.0, 1.0, "input gate: how much is let in"),
    "f": ("f{}", 0.0, 1.0, "forget gate: how much is kept"),
    "g": ("g{}", -1.0, 1.0, "candidate: what would be let in"),
    "o": ("o{}", 0.0, 1.0, "output gate: how much is said"),
}


def make_card(model: Festival, training: dict[str, Any]) -> Card:
    """The card of a festival network; `training` as the trainer gives it."""
    width, layers = model.sizes.width, model.sizes.layers
    data = training.get("data", {})
    return Card.model_validate(
        {
            "contract": 1,
            "name": "festival",
            "title": "Festival",
            "description": "Six residual LSTM layers over drums, bass, chords, pad and lead, with the last bars in view; "
            + ("a step's notes are decided jointly" if model.sizes.joint else "each note is drawn on its own"),
            "licence": "GPL-3.0-or-later",
            "steps_per_beat": 4,
            "beats_per_bar": 4,
            "metres": list(data.get("metres", {})) or [METRES[0].name],
            "channels": ["play", "hold", "velocity", "offset"],
            "noise": NOISE,
            "tracks": [t.model_dump() for t in BAND],
            "controls": CONTROLS,
            "conditions": CONDITIONS,
            "states": [
                *({"name": f"{s}{k}", "shape": [width]} for s in "hc" for k in range(layers)),
                {"name": "past", "shape": [PAST - 1, DECISIONS]},  # what sounded, oldest first, up to the step before x
                {"name": "harmony", "shape": [len(DECAYS), 12]},  # pitch classes of what the player played
                {"name": "felt", "shape": [UNITS]},  # how notes were struck
            ],
            "activations": [
                {"output": name.format(k), "layer": k, "signal": s, "shape": [width], "min": low, "max": high, "doc": d}
                for k in range(layers)
                for s, (name, low, high, d) in SIGNALS.items()
            ],
            "training": {
                "data": data.get("sources", []),
                "files_used": data.get("used", 0),
                "files_refused": data.get("refused", {}),
                "steps": data.get("steps", {}),
                "density": data.get("density", {}),
                **about_run(training),
                "weights": sum(p.numel() for p in model.parameters()),
            },
            "figures": {"valid_nats_per_step": round(training["best"], 4)} if training.get("best") else {},
        }
    )


def export(model: Festival, training: dict[str, Any], path: Path) -> Card:
    """Write the step graph and its card, rounding the model's weights; raises NetworkError where it breaks the contract."""
    round_weights(model)
    graph = Graph()
    add_step(graph, model)
    return save_network(build_model(graph, make_card(model, training)), path)


@torch.no_grad()
def core_step(model: Festival, told: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A step of the recurrent layers alone: what they heard (B, HEARD), the harmony (B, decays, 12), answer (B, H), states."""
    past, layers, facts = told["past"], model.sizes.layers, facts_of(told["metre"])
    stream = torch.arange(len(past))
    bars = [past[stream, PAST - facts[:, 4 + k]] for k in range(ALIKE)]
    heard = torch.cat([planar(told["x"][..., :2]), *bars], -1)
    mask = told["clamp_mask"]
    theirs = torch.maximum(told["player"], mask * (1 - mask.min(-1, keepdim=True).values))
    played = (heard[:, :SLOTS] * theirs) @ pitch_classes()
    harmony = told["harmony"] * torch.tensor(DECAYS)[:, None] + played[:, None]
    state = torch.stack([torch.stack([told[f"{s}{k}"] for k in range(layers)]) for s in "hc"])
    place = place_of(told["position"][None], facts)
    core, after = model.core(heard[None], place, harmony_features(harmony)[None], chords_of(told)[None], state)
    return heard, harmony, core[0], after


def chords_of(told: dict[str, Tensor]) -> Tensor:
    """(B, CHORDS): the chord of the step and the next one."""
    return torch.cat([told["chord"], told["next_chord"]], -1)


@torch.no_grad()
def step(model: Festival, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same step in PyTorch, deciding slot after slot: what the graph is checked against."""
    told = {k: torch.from_numpy(v) for k, v in feed.items()}
    x, value, mask = planar(told["x"][..., :2]), planar(told["clamp_value"][..., :2]), told["clamp_mask"]
    heard, gathered, core, after = core_step(model, told)
    harmony, chords = harmony_features(gathered), chords_of(told)
    given, nothing = given_features(value, mask), torch.zeros_like(given_features(value, mask))
    temperature, asked = told["temperature"][:, None], told["density"][:, None].log()
    learned = asked.clamp(-np.log(MOST_ASKED), np.log(MOST_ASKED))
    wish, neutral = (torch.cat([w, told["kick"]], -1) for w in (learned / np.log(2), torch.zeros_like(learned)))
    rest = asked - (1 - ODDS_LESS) * learned.clamp(max=0)
    sounded = x[:, :SLOTS]
    push = torch.cat([rest * (1 - sounded), -rest.expand_as(sounded)], -1)
    may = torch.cat([torch.ones_like(sounded), sounded], -1)
    notes, weights = torch.zeros_like(x), model.head.weights()
    for slot in range(SLOTS):
        logits, _ = model.head(core, heard, notes, given, harmony, wish, chords, weights)
        shown = torch.sigmoid(logits / temperature + push) * may
        play, hold = told["u"][:, slot] < shown[:, slot], told["u"][:, slot + SLOTS] < shown[:, slot + SLOTS]
        drawn = torch.stack([play, play & hold], -1).float()
        dictated = torch.stack([value[:, slot], value[:, slot] * value[:, slot + SLOTS]], -1)
        notes[:, [slot, slot + SLOTS]] = torch.where(mask[:, slot, None] > 0.5, dictated, drawn)
    free, _ = model.head(core, heard, notes, nothing, harmony, neutral, chords, weights)
    told_all, _ = model.head(core, heard, notes, given, harmony, wish, chords, weights)
    logits = torch.where(torch.cat([mask, mask], -1) > 0.5, free, told_all)
    shown = torch.sigmoid(logits / temperature + push) * may
    log_prob = torch.stack([p.sum(-1) for p in log_prob_slots(free, x, notes).split(WIDTHS, -1)], -1)
    expression, felt = _strike(model, told, core, notes)
    out = {
        "notes": torch.cat([notes.unflatten(-1, (2, SLOTS)).transpose(-1, -2), expression], -1),
        "probability": shown.unflatten(-1, (2, SLOTS)).transpose(-1, -2),
        "log_prob": log_prob.sum(-1),
        "log_prob_tracks": log_prob,
        "felt_next": felt,
    }
    out |= {f"{s}{k}_next": after[j, k] for j, s in enumerate("hc") for k in range(model.sizes.layers)}
    out["harmony_next"] = gathered
    out["past_next"] = torch.cat([told["past"][:, 1:], x[:, None]], 1)
    return {k: v.numpy() for k, v in out.items()}


def _strike(model: Festival, told: dict[str, Tensor], core: Tensor, notes: Tensor) -> tuple[Tensor, Tensor]:
    """Velocity and offset of the chosen notes (B, S, 2), and the new state (B, UNITS)."""

    def strikes(values: Tensor) -> Tensor:
        return values[..., 0] - values[..., 1]

    def heard(values: Tensor, struck: Tensor) -> Tensor:
        return deviations(struck, values[..., 2] * LOUDEST, values[..., 3])

    x, value, mask = told["x"], told["clamp_value"], told["clamp_mask"]
    struck = notes[:, :SLOTS] - notes[:, SLOTS:]
    heed = torch.cat([torch.full([SLOTS], HEED), torch.full([DRUM_SLOTS], HEED_LATE)])
    said = tell(struck, heed * heard(x, strikes(x)), heard(value, strikes(value) * mask))
    place = place_of(told["position"][None], facts_of(told["metre"]))
    answer, felt = model.expression(core[None], said[None], place.step, told["felt"][None])
    loud, spread, late, stray = distributions(answer[0])
    noise = torch.logit(told["u"][:, DECISIONS:].double()).float() * told["temperature"][:, None]
    velocity = (loud + spread * noise[:, :SLOTS]).clamp(1, LOUDEST) / LOUDEST
    offset = torch.zeros_like(velocity)
    offset[:, :DRUM_SLOTS] = (late + stray * noise[:, SLOTS:]).clamp(-FARTHEST, FARTHEST) / OFFSETS
    drawn = torch.stack([velocity, offset], -1)
    own = drawn * struck[..., None] + x[..., 2:] * notes[:, SLOTS:, None]
    return torch.where(mask[..., None] > 0.5, value[..., 2:], own), felt[0]
