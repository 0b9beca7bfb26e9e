"""Writes a trained chord network as one step graph (models/CONTRACT.md); one step is one beat.

Two tracks: `chords`, where each class sounds as one voicing, and `player`, whose dictated notes weigh the classes.
Inside the graph what really sounded becomes a class again (the chord whose pitch classes are nearest, its root in the
bass), the network advances, the player's notes add to the logits of the chords they belong to, and one class is drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from engine.core.contract import Card
from models.chords.network import PLACES, ChordNetwork
from models.graph.building import build_model
from models.graph.cells import CellGraph, lstm_weights
from models.music.chord_symbols import PITCHES, PLAYER, Classes

EAR = 0.7  # share of what the player played that is still heard a beat later
# Nats between a chord that has the player's note and one that has not. If 0.8 of what is played over a triad were its
# three tones, log(0.8 / 3) - log(0.2 / 9) = 2.5 would be fair; twice that, since the songs it has learned from hold on
# to their key more than a player does.
NOTE_WORTH = 5.0
# A chord that has stood for PATIENCE beats is left more readily with every further one, as the chords of songs are: by PUSH
# nats a beat, up to MOST_PUSHED. Alone, the network would else hold one for four bars far more often than songs do.
PATIENCE, PUSH, MOST_PUSHED = 8.0, 0.2, 2.5
PATIENCE_IN_SILENCE = -2.0  # silence is left more readily from its first beat on
BASS_WORTH = 0.3  # what the root in the bass adds to the likeness of two chords (1 = same pitch classes)

CONTROLS: list[dict[str, Any]] = [
    {"name": "temperature", "neutral": 1.0, "min": 0.1, "max": 2.0, "doc": "lower is surer, higher is bolder"},
    {"name": "density", "neutral": 1.0, "min": 0.25, "max": 4.0, "doc": "factor on the odds of a change of chord"},
    {
        "name": "follow",
        "neutral": 1.0,
        "min": 0.0,
        "max": 4.0,
        "doc": "how much the player's notes weigh the chords: 0 is deaf to them",
    },
    {
        "name": "restless",
        "neutral": 1.0,
        "min": 0.0,
        "max": 2.0,
        "doc": "how readily a chord is left that has stood for more than two bars: 0 is no more than any other",
    },
]


def _pitch_classes(pitches: tuple[int, ...]) -> np.ndarray:
    """Which pitch class each slot belongs to: float32 (slots, 12)."""
    return np.eye(12, dtype=np.float32)[[p % 12 for p in pitches]]


def _likeness(graph: CellGraph, notes: str, classes: Classes) -> str:
    """Add the class nearest to play flags (B, P) of the track `chords`: int64 (B)."""
    pitch_class = graph.constant("chord_pitch_class", _pitch_classes(PITCHES))
    counts = graph.add("MatMul", notes, pitch_class)
    half = graph.scalar(0.5)
    sounding = graph.add("Cast", graph.add("Greater", counts, half), to=TensorProto.FLOAT)  # (B, 12)
    fall = np.linspace(2.0, 1.0, len(PITCHES), dtype=np.float32)  # the lowest sounding note has the greatest weight
    low = graph.add("ArgMax", graph.add("Mul", notes, graph.constant("lowest", fall)), axis=1, keepdims=0)
    bass = graph.add("Gather", pitch_class, low, axis=0)  # (B, 12)
    tones = classes.tones()
    # Cosine of the angle between the two sets of pitch classes.
    unit = (tones / np.maximum(np.sqrt(tones.sum(1, keepdims=True)), 1)).T
    size = graph.add("Sqrt", graph.add("ReduceSum", sounding, graph.ints(1), keepdims=1))
    one = graph.scalar(1.0)
    alike = graph.add("MatMul", sounding, graph.constant("unit_tones", unit.astype(np.float32)))
    alike = graph.add("Div", alike, graph.add("Max", size, one))
    root = graph.add("MatMul", bass, graph.constant("root_worth", (BASS_WORTH * classes.roots()).T))
    # Nothing sounds: silence, class 0. It is alike to nothing else.
    quiet = graph.add("Sub", one, graph.add("Min", size, one))
    silence = np.zeros((1, len(classes)), np.float32)
    silence[0, 0] = 10.0
    score = graph.add("Add", graph.add("Add", alike, root), graph.add("MatMul", quiet, graph.constant("silence", silence)))
    return graph.add("ArgMax", score, axis=1, keepdims=0)


def _player_classes(graph: CellGraph, flags: str, name: str) -> str:
    """Add the pitch classes (B, 12), 0 or 1, of play flags (B, PLAYER)."""
    counts = graph.add("MatMul", flags, graph.constant("player_pitch_class", _pitch_classes(PLAYER)))
    return graph.add("Min", counts, graph.scalar(1.0), out=name)


def _network(graph: CellGraph, network: ChordNetwork, heard: str) -> str:
    """Add the LSTM layers and the head; return the logits (B, K)."""
    signal = ""
    for at, (layer, size) in enumerate(zip(network.layers, network.sizes, strict=True)):
        w_in, w_rec, bias = lstm_weights(layer)
        if at == 0:
            # The product with an embedding is known for every class and every place beforehand.
            chord = network.chord.weight.detach().cpu().numpy() @ w_in
            place = network.place.weight.detach().cpu().numpy() @ w_in + bias
            step = graph.add("Mod", "position", graph.constant("places", np.asarray(PLACES, np.int64)))
            known = graph.add("Gather", graph.constant("chord_gates", chord), heard, axis=0)
            known = graph.add("Add", known, graph.add("Gather", graph.constant("place_gates", place), step, axis=0))
            weight, inputs = w_rec, "h0"
        else:
            known = graph.constant(f"bias_{at}", bias)
            weight, inputs = np.concatenate([w_in, w_rec]), graph.add("Concat", signal, f"h{at}", axis=-1)
        product = graph.add("MatMul", inputs, graph.constant(f"weight_{at}", weight))
        graph.cell(graph.add("Add", product, known), f"c{at}", size, f"h{at}_next", f"c{at}_next")
        signal = f"h{at}_next"
    head = network.head.weight.detach().cpu().numpy().T
    return graph.add("Add", graph.add("MatMul", signal, graph.constant("head_weight", np.ascontiguousarray(head))),
                     graph.constant("head_bias", network.head.bias.detach().cpu().numpy()))  # fmt: skip


def step_graph(network: ChordNetwork, classes: Classes, about: dict[str, Any]) -> onnx.ModelProto:
    """Return the step graph with its card; `about` gives name, title, description, training, figures."""
    chord_slots, player_slots = len(PITCHES), len(PLAYER)
    count = len(classes)
    graph = CellGraph(prefix="g_")
    one, half = graph.scalar(1.0), graph.scalar(0.5)

    def track(value: str, play_only: bool) -> list[str]:
        """Split (B, S, 2) or (B, S) into the two tracks' parts, of the play channel only where asked."""
        if play_only:
            play, _ = graph.split(value, 1, 1)
            value = graph.add("Squeeze", play, graph.ints(2))
        return graph.split(value, chord_slots, player_slots)

    x_chords, x_player = track("x", True)
    mask_chords, mask_player = track("clamp_mask", False)
    value_chords, value_player = track("clamp_value", True)
    heard = _likeness(graph, x_chords, classes)
    logits = _network(graph, network, heard)

    # The player: what he played up to a beat ago fades, what he plays now counts in full, in whichever track he plays.
    before = _player_classes(graph, x_player, "player_before")
    ear = graph.add("Max", graph.add("Mul", "ear", graph.scalar(EAR)), before, out="ear_next")
    now = _player_classes(graph, graph.add("Mul", mask_player, value_player), "player_now")
    # A chord dictated whole is the chord itself; single notes of it (he nudges the network) weigh like the player's.
    whole = graph.add("Greater", graph.add("ReduceMin", mask_chords, graph.ints(1), keepdims=0), half)
    nudged = graph.add("Unsqueeze", graph.add("Cast", graph.add("Not", whole), to=TensorProto.FLOAT), graph.ints(1))
    dictated = graph.add("Mul", graph.add("Mul", mask_chords, value_chords), nudged)
    member = graph.add("MatMul", dictated, graph.constant("chord_pitch_class", _pitch_classes(PITCHES)))
    notes = graph.add("Max", graph.add("Max", ear, now), graph.add("Min", member, one))  # (B, 12)
    # A note inside the chord speaks for it, one outside speaks against it; silence is no answer to a note.
    verdict = NOTE_WORTH * (classes.tones() - 0.5)
    weighed = graph.add("MatMul", notes, graph.constant("verdict", np.ascontiguousarray(verdict.T)))
    wide = graph.ints(1)
    plain = graph.add("Add", logits, weighed)
    asked = graph.add("Add", logits, graph.add("Mul", weighed, graph.add("Unsqueeze", "follow", wide)))
    one_hot = graph.constant("one_hot", np.eye(count, dtype=np.float32))
    stays = graph.add("Gather", one_hot, heard, axis=0)
    changes = graph.add("Sub", one, stays)
    patiences = np.full((count, 1), PATIENCE, np.float32)
    patiences[0] = PATIENCE_IN_SILENCE
    patience = graph.add("Gather", graph.constant("patience", patiences), heard, axis=0)
    overdue = graph.add("Max", graph.add("Sub", "still", patience), graph.scalar(0.0))
    push = graph.add("Min", graph.add("Mul", overdue, graph.scalar(PUSH)), graph.scalar(MOST_PUSHED))
    push = graph.add("Mul", push, graph.add("Unsqueeze", "restless", wide))
    push = graph.add("Add", push, graph.add("Log", graph.add("Unsqueeze", "density", wide)))
    asked = graph.add("Add", graph.add("Div", asked, graph.add("Unsqueeze", "temperature", wide)),
                      graph.add("Mul", changes, push))  # fmt: skip
    chance = graph.add("Softmax", asked, axis=-1, out="classes")

    # Draw by the inverse of the cumulated distribution; where the whole track is dictated, take the nearest chord.
    sums = graph.add("CumSum", chance, graph.constant("last_axis", np.asarray(1, np.int64)))
    under = graph.add("Cast", graph.add("LessOrEqual", sums, "u"), to=TensorProto.INT64)
    drawn = graph.add("ReduceSum", under, graph.ints(1), keepdims=0)
    drawn = graph.add("Min", drawn, graph.constant("last_class", np.asarray(count - 1, np.int64)))
    chosen = graph.add("Where", whole, _likeness(graph, value_chords, classes), drawn)

    voicings = classes.voicings()
    table = graph.constant("voicings", voicings)
    play = graph.add("Gather", table, chosen, axis=0)  # (B, P)
    same = graph.add("Cast", graph.add("Equal", chosen, heard), to=TensorProto.FLOAT)
    stayed = graph.add("Unsqueeze", same, wide)
    graph.add("Mul", graph.add("Add", "still", one), stayed, out="still_next")
    hold = graph.add("Mul", graph.add("Mul", play, x_chords), stayed)
    silent = graph.add("Mul", x_player, graph.scalar(0.0))
    both = [graph.add("Concat", part, silent, axis=-1) for part in (play, hold)]
    free = graph.add("Concat", *(graph.add("Unsqueeze", part, graph.ints(2)) for part in both), axis=-1)
    clamped = graph.add("Greater", graph.add("Unsqueeze", "clamp_mask", graph.ints(2)), half)
    graph.add("Where", clamped, "clamp_value", free, out="notes")

    sounds = graph.add("MatMul", chance, table)  # P(play) of each slot
    stay = graph.add("ReduceSum", graph.add("Mul", chance, stays), graph.ints(1), keepdims=1)
    holds = graph.add("Mul", graph.add("Mul", graph.add("Gather", table, heard, axis=0), x_chords), stay)
    holds = graph.add("Min", graph.add("Div", holds, graph.add("Max", sounds, graph.scalar(1e-9))), one)
    both = [graph.add("Concat", part, silent, axis=-1) for part in (sounds, holds)]
    graph.add("Concat", *(graph.add("Unsqueeze", part, graph.ints(2)) for part in both), axis=-1, out="probability")

    picked = graph.add("Gather", one_hot, chosen, axis=0)
    neutral = graph.add("LogSoftmax", plain, axis=-1)
    graph.add("ReduceSum", graph.add("Mul", neutral, picked), graph.ints(1), keepdims=0, out="log_prob")
    column = graph.add("Unsqueeze", "log_prob", wide)
    graph.add("Concat", column, graph.add("Mul", column, graph.scalar(0.0)), axis=-1, out="log_prob_tracks")

    return build_model(graph, Card.model_validate(card(network, classes, about)))


def card(network: ChordNetwork, classes: Classes, about: dict[str, Any]) -> dict[str, Any]:
    """The card of a chord network."""
    states = [{"name": f"{k}{at}", "shape": [size], "initial": 0.0} for at, size in enumerate(network.sizes) for k in "hc"]
    activations = [
        {
            "output": f"{kind}{at}_next",
            "layer": at,
            "signal": kind,
            "shape": [size],
            "min": -span,
            "max": span,
            "doc": "hidden state" if kind == "h" else "cell state",
        }
        for at, size in enumerate(network.sizes)
        for kind, span in (("h", 1.0), ("c", 4.0))
    ]
    activations.append(
        {
            "output": "classes",
            "layer": len(network.sizes),
            "signal": "chords",
            "shape": [len(classes)],
            "min": 0.0,
            "max": 1.0,
            "doc": "probability of each chord, in the order of `classes`",
        }
    )
    return {
        "contract": 1,
        "name": "chords",
        "licence": "GPL-3.0-or-later",
        "steps_per_beat": 1,
        "beats_per_bar": 4,
        "channels": ["play", "hold"],
        "noise": 1,
        "tracks": [
            {"name": "chords", "kind": "pitched", "pitches": list(PITCHES)},
            {"name": "player", "kind": "pitched", "pitches": list(PLAYER)},
        ],
        "controls": CONTROLS,
        "states": [*states, {"name": "ear", "shape": [12], "initial": 0.0}, {"name": "still", "shape": [1], "initial": 0.0}],
        "activations": activations,
        "classes": classes.names(),
        "likelihood": "of the chord nearest to the notes of the track chords; the player's notes cost nothing",
        **about,
    }
