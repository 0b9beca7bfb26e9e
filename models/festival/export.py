"""Writes a trained festival network as one step graph (models/CONTRACT.md), operator by operator.

The head decides the slots in order, each seeing those before it. In the graph all slots are decided at once, again and
again, until nothing changes: the first slot is right after one round, the next after two at the latest, and a step
settles after a handful of rounds on exactly what deciding one by one would have given. How its notes are struck is drawn
after that, from the rest of the noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

from engine.network.contract import Card
from models.export import Graph, build_model, round_weights, save_network
from models.festival.expression import (
    DRUM_SLOTS,
    FARTHEST,
    HEARD_TOUCH,
    LEAST_SCALE,
    LEVEL,
    LOUDEST,
    MOST_SCALE,
    STEPS_PER_BAR,
    UNITS,
    deviations,
    distributions,
    tell,
)
from models.festival.network import (
    DECAYS,
    DECISIONS,
    HARMONY,
    HEARD,
    LAGS,
    NEVER,
    PAST,
    POSITIONS,
    SLOTS,
    WIDTHS,
    Festival,
    given_features,
    harmony_features,
    log_prob_slots,
    pitch_classes,
    planar,
)
from models.representation import BAND, OFFSETS

FAR = 1e9  # a threshold no logit reaches
MOST_ASKED = 4.0  # the density that is learned; what is asked beyond it, or below its inverse, moves the odds alone
# Of a learned wish for less this share moves the odds as well, of one for more all of it: alone it gives in too little.
ODDS_LESS = 0.3
# What was loud or soft, early or late, is heard as nearer to the usual than it was: the network goes on as loud and as late
# as what it hears, itself included, and alone it would wander off to an extreme and stay there.
HEED, HEED_LATE = 0.6, 0.2
NOISE = DECISIONS + HEARD_TOUCH  # for notes, velocities and offsets

CONTROLS = [
    {"name": "temperature", "neutral": 1.0, "min": 0.1, "max": 2.0, "doc": "lower is surer, higher is bolder"},
    {"name": "density", "neutral": 1.0, "min": 0.25, "max": 4.0, "doc": "how busy, as a factor on the usual strikes per step"},
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
            "channels": ["play", "hold", "velocity", "offset"],
            "noise": NOISE,
            "tracks": [t.model_dump() for t in BAND],
            "controls": CONTROLS,
            "states": [
                *({"name": f"{s}{k}", "shape": [width]} for s in "hc" for k in range(layers)),
                {"name": "past", "shape": [PAST - 1, DECISIONS]},  # what sounded, oldest first, up to the step before x
                {"name": "harmony", "shape": [len(DECAYS), 12]},  # pitch classes of what is dictated
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
                "command": training.get("command", ""),
                "before": training.get("before", []),
                "seed": training.get("seed", 0),
                "updates": training.get("best_update", 0),
                "seconds": round(float(training.get("seconds", 0.0))),
                "weights": sum(p.numel() for p in model.parameters()),
            },
            "figures": {"valid_nats_per_step": round(training["best"], 4)} if training.get("best") else {},
        }
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def _hear(graph: Graph, x: str) -> str:
    """Add the memory of the last bars; returns the name of what is heard of it, (B, HEARD)."""
    latest = graph.add("Unsqueeze", x, graph.ints(1))  # (B, 1, N)
    kept = graph.add("Slice", "past", graph.ints(1), graph.ints(PAST - 1), graph.ints(1))
    graph.add("Concat", kept, latest, out="past_next", axis=1)
    # Row r of past sounded PAST - r steps before the step to choose.
    rows = graph.constant("lags", np.asarray([PAST - lag for lag in LAGS], np.int64))
    lags = graph.add("Reshape", graph.add("Gather", "past", rows, axis=1), graph.ints(-1, HEARD - DECISIONS))
    return graph.add("Concat", x, lags, axis=-1)


def _harmony(graph: Graph, play: str) -> str:
    """Gather what is dictated, where something is left to choose; returns features of what was before, (B, HARMONY).

    `play` (B, S) is the dictated value of play.
    """
    total = graph.add("Relu", graph.add("ReduceSum", "harmony", graph.ints(-1), keepdims=1))
    share = graph.add("Div", "harmony", graph.add("Add", total, graph.floats("one", 1.0)))
    share = graph.add("Mul", share, graph.floats("four", 4.0))
    free = graph.add("Sub", graph.floats("one", 1.0), graph.add("ReduceMin", "clamp_mask", graph.ints(-1), keepdims=1))
    dictated = graph.add("Mul", graph.add("Mul", play, "clamp_mask"), free)
    classes = graph.add("MatMul", dictated, graph.floats("pitch_classes", _array(pitch_classes())))  # (B, 12)
    kept = graph.add("Mul", "harmony", graph.floats("decays", np.asarray(DECAYS)[:, None]))
    graph.add("Add", kept, graph.add("Unsqueeze", classes, graph.ints(1)), out="harmony_next")
    return graph.add("Reshape", share, graph.ints(-1, HARMONY))


def _core(graph: Graph, model: Festival, heard: str, harmony: str) -> str:
    """Add the recurrent layers; returns the name of the core's answer (B, H)."""
    width = model.sizes.width
    place = _array(model.place.weight) + _array(model.enter.bias)
    where = graph.add("Mod", "position", graph.constant("positions", np.asarray(POSITIONS, np.int64)))
    here = graph.add("Gather", graph.floats("place", place), where)  # (B, H)
    here = graph.add("Gemm", harmony, graph.floats("harmony_core", _array(model.harmony.weight).T), here)
    now, _ = graph.split(heard, 2 * DECISIONS, HEARD - 2 * DECISIONS)
    h = graph.few(now, graph.floats("enter", _array(model.enter.weight).T), here)
    for k, layer in enumerate(model.layers):
        z = _norm(graph, model, k, h)
        lstm: Any = layer
        w_in, w_rec, b_in, b_rec = (_array(p) for p in lstm.all_weights[0])
        # PyTorch's rows are i, f, g, o; the three sigmoids go side by side: i, f, o, g.
        order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]
        weight = np.concatenate([w_in, w_rec], 1)[order].T  # (2H, 4H)
        gates = graph.add(
            "Gemm",
            graph.add("Concat", z, f"h{k}", axis=-1),
            graph.floats(f"layer{k}", weight),
            graph.floats(f"bias{k}", (b_in + b_rec)[order]),
        )
        soft, new = graph.split(gates, 3 * width, width)
        graph.split(graph.add("Sigmoid", soft), width, width, width, out=(f"i{k}", f"f{k}", f"o{k}"))
        graph.add("Tanh", new, out=f"g{k}")
        kept, let_in = graph.add("Mul", f"f{k}", f"c{k}"), graph.add("Mul", f"i{k}", f"g{k}")
        graph.add("Add", kept, let_in, out=f"c{k}_next")
        graph.add("Mul", f"o{k}", graph.add("Tanh", f"c{k}_next"), out=f"h{k}_next")
        h = graph.add("Add", h, f"h{k}_next")
    return _norm(graph, model, model.sizes.layers, h)


def _norm(graph: Graph, model: Festival, k: int, h: str) -> str:
    norm: Any = model.norms[k]
    scale, bias = graph.floats(f"scale{k}", _array(norm.weight)), graph.floats(f"shift{k}", _array(norm.bias))
    return graph.add("LayerNormalization", h, scale, bias, axis=-1, epsilon=norm.eps)


def _planar(graph: Graph, value: str) -> list[str]:
    """(B, S, 4) to play and hold (B, N), velocity (B, S), offset (B, S)."""
    flat = graph.add("Reshape", graph.add("Transpose", value, perm=[0, 2, 1]), graph.ints(-1, 2 * DECISIONS))
    return graph.split(flat, DECISIONS, SLOTS, SLOTS)


def _halves(first: float, second: float) -> np.ndarray:
    """One value for every play, another for every hold: (1, N)."""
    return np.repeat(np.asarray([first, second], np.float32), SLOTS)[None]


class _Head:
    """The part of the graph that draws the notes of a step and says how likely they were."""

    def __init__(self, graph: Graph, model: Festival, core: str, heard: str, harmony: str, x: str) -> None:
        self.graph, self.units, self.core = graph, model.sizes.head, core
        head = model.head
        to_hidden, to_logits, out = (_array(w) for w in head.weights())
        context = _array(head.context.weight).T
        width, bias = model.sizes.width, graph.floats("context_bias", _array(head.context.bias))
        hidden = graph.add("Gemm", core, graph.floats("context_core", context[:width]), bias)
        hidden = graph.few(heard, graph.floats("context_heard", context[width:]), hidden)
        followed = graph.add("MatMul", harmony, graph.floats("harmony_head", _array(head.harmony.weight).T))
        to_units, to_notes = graph.split(followed, self.units, DECISIONS)
        self.hidden = graph.add("Add", hidden, to_units)
        own = graph.add("Reshape", heard, graph.ints(-1, 1, HEARD // SLOTS, SLOTS))
        own = graph.add("Mul", own, graph.floats("keep", _array(head.keep)[None]))  # (B, 2, HEARD / S, S)
        own = graph.add("ReduceSum", own, graph.ints(2), keepdims=0)
        own = graph.add(
            "Add", graph.add("Reshape", own, graph.ints(-1, DECISIONS)), graph.floats("ease", _array(head.direct.bias))
        )
        own = graph.add("Add", own, to_notes)
        self.logits = graph.add("Gemm", core, graph.floats("direct", _array(head.direct.weight).T), own)
        self.chosen = graph.floats("chosen_notes", np.concatenate([to_hidden, to_logits]).T)  # (N, head + N)
        self.out = graph.floats("out", out.T)  # (head, N)
        self.given = _array(head.given.weight).T  # (GIVEN, head + N)
        self.wish = graph.floats("wish", _array(head.wish.weight).T)  # (1, head + N)
        self._dictated(x)

    def _dictated(self, x: str) -> None:
        """Names shared by the steps below: masks, dictated values, what may be held."""
        graph = self.graph
        self.mask = graph.add("Concat", "clamp_mask", "clamp_mask", axis=-1)  # (B, N)
        self.is_dictated = graph.add("Greater", self.mask, graph.floats("half", 0.5))
        self.value, self.told_velocity, self.told_offset = _planar(graph, "clamp_value")
        last_play, _ = graph.split(x, SLOTS, SLOTS)
        self.sounded = graph.add("Concat", last_play, last_play, axis=-1)  # (B, N)
        self.may = graph.add("Max", self.sounded, graph.floats("plays", _halves(1, 0)))  # 1, then what may be held

    def told(self) -> tuple[str, str]:
        """Inputs of hidden units and logits with what is dictated and asked at this step, (B, head) and (B, N)."""
        graph = self.graph
        shares = np.zeros((SLOTS, len(WIDTHS)), np.float32)
        at = 0
        for track, width in enumerate(WIDTHS):
            shares[at : at + width, track] = 1 / width
            at += width
        weight = np.concatenate([self.given[:DECISIONS], shares @ self.given[DECISIONS:]])  # (N + S, head + N)
        told = graph.add("Concat", graph.add("Mul", self.value, self.mask), "clamp_mask", axis=-1)
        most = float(np.log(MOST_ASKED))
        self.asked = graph.add("Unsqueeze", graph.add("Log", "density"), graph.ints(1))  # (B, 1)
        self.learned = graph.add("Clip", self.asked, graph.floats("least_asked", -most), graph.floats("most_asked", most))
        octaves = graph.add("Mul", self.learned, graph.floats("octaves", 1 / np.log(2)))
        free = graph.add("Concat", self.hidden, self.logits, axis=-1)
        free = graph.add("Add", free, graph.add("Mul", octaves, self.wish))
        hidden, logits = graph.split(graph.few(told, graph.floats("given", weight), free), self.units, DECISIONS)
        return hidden, logits

    def push(self) -> str:
        """What the density adds to each logit: more strikes where nothing sounds, more strikes instead of holds."""
        graph = self.graph
        zero = graph.floats("zero", 0.0)
        heeded = graph.add("Mul", graph.add("Min", self.learned, zero), graph.floats("heeded", 1 - ODDS_LESS))
        amount = graph.add("Sub", self.asked, heeded)
        again = graph.add("Mul", self.sounded, graph.floats("plays", _halves(1, 0)))
        return graph.add("Mul", amount, graph.add("Sub", graph.floats("strikes", _halves(1, -1)), again))

    def thresholds(self, push: str) -> str:
        """What each logit must exceed to be chosen, (B, N): noise, temperature, density and what is dictated."""
        graph = self.graph
        one = graph.floats("one", 1.0)
        noise = graph.add("Log", graph.add("Div", "u", graph.add("Sub", one, "u")))
        noise, self.touch_noise = graph.split(noise, DECISIONS, HEARD_TOUCH)
        self.temperature = graph.add("Unsqueeze", "temperature", graph.ints(1))
        level = graph.add("Mul", self.temperature, graph.add("Sub", noise, push))
        silent = graph.add("Mul", graph.add("Sub", one, self.may), graph.floats("far", FAR))
        level = graph.add("Add", level, silent)
        forced = graph.add("Mul", graph.add("Sub", graph.floats("half", 0.5), self.value), graph.floats("far", FAR))
        return graph.add("Where", self.is_dictated, forced, level)

    def draw(self, hidden: str, logits: str, level: str, x: str) -> tuple[str, str, str, str]:
        """Add the rounds. Returns notes (B, N), their logits, and what the notes told hidden units and logits."""
        body = Graph(self.graph, "round_")
        told = body.few("notes_in", self.chosen)
        told_hidden, told_logits = body.split(told, self.units, DECISIONS, out=("told_hidden", "told_direct"))
        sure = body.add("Relu", body.add("Add", told_hidden, hidden))
        body.add("Gemm", sure, self.out, body.add("Add", told_logits, logits), out="round_logits")
        play, hold = body.split(body.add("Greater", "round_logits", level), SLOTS, SLOTS)
        both = body.add("Concat", play, body.add("And", play, hold), axis=-1)
        body.add("Cast", both, out="notes_out", to=TensorProto.FLOAT)
        moved = body.add("ReduceL1", body.add("Sub", "notes_out", "notes_in"), keepdims=0)
        body.add("Greater", moved, self.graph.floats("half", 0.5), out="again")

        def value(name: str, width: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width])

        carried = [("logits", DECISIONS), ("hidden", self.units), ("direct", DECISIONS)]
        rounds = helper.make_graph(
            body.nodes,
            "rounds",
            [
                helper.make_tensor_value_info("round", TensorProto.INT64, []),
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                value("notes_in", DECISIONS),
                *(value(f"{name}_in", width) for name, width in carried),
            ],
            [
                helper.make_tensor_value_info("again", TensorProto.BOOL, []),
                value("notes_out", DECISIONS),
                value("round_logits", DECISIONS),
                value("told_hidden", self.units),
                value("told_direct", DECISIONS),
            ],
        )
        # What sounded is a good first guess: most notes go on. The guess changes the number of rounds, not the notes.
        guess = x
        limit = self.graph.constant("rounds_limit", np.asarray(SLOTS + 2, np.int64))
        start = self.graph.constant("rounds_start", np.asarray(True))
        names = ["drawn", "drawn_logits", "drawn_hidden", "drawn_direct"]
        self.graph.nodes.append(
            helper.make_node("Loop", [limit, start, guess, self.logits, self.hidden, self.logits], names, body=rounds)
        )
        return names[0], names[1], names[2], names[3]

    def answer(self, drawn: tuple[str, str, str, str], push: str) -> None:
        """Add the outputs probability, log_prob and log_prob_tracks."""
        graph = self.graph
        notes, logits, told_hidden, direct = drawn
        # With nothing known but the past: what the notes' likelihood is counted by.
        hidden = graph.add("Relu", graph.add("Add", told_hidden, self.hidden))
        free = graph.add("Gemm", hidden, self.out, graph.add("Add", direct, self.logits))
        shown = graph.add("Where", self.is_dictated, free, logits)
        shown = graph.add("Sigmoid", graph.add("Add", graph.add("Div", shown, self.temperature), push))
        shown = graph.add("Mul", shown, self.may)
        graph.add(
            "Transpose",
            graph.add("Reshape", shown, graph.ints(-1, 2, SLOTS)),
            out="probability",
            perm=[0, 2, 1],
        )
        possible = graph.add(
            "Where",
            graph.add("Greater", self.may, graph.floats("half", 0.5)),
            free,
            graph.floats("never", NEVER),
        )
        turn = graph.add("Sub", graph.floats("one", 1.0), graph.add("Mul", notes, graph.floats("two", 2.0)))  # -1 where chosen
        nats = graph.add("Softplus", graph.add("Mul", turn, possible))
        play, _ = graph.split(notes, SLOTS, SLOTS)
        counts = graph.add(
            "Max", graph.add("Concat", play, play, axis=-1), graph.floats("plays", _halves(1, 0))
        )  # a hold counts where its slot plays
        member = np.repeat(np.eye(len(WIDTHS), dtype=np.float32), WIDTHS, axis=0)  # (S, tracks)
        tracks = graph.floats("tracks", -np.concatenate([member, member]))
        graph.add("MatMul", graph.add("Mul", nats, counts), tracks, out="log_prob_tracks")
        graph.add("ReduceSum", "log_prob_tracks", graph.ints(1), out="log_prob", keepdims=0)


class _Touch:
    """The part of the graph that draws how the chosen notes are struck."""

    def __init__(self, graph: Graph, model: Festival, head: _Head) -> None:
        self.graph, self.model, self.head = graph, model.expression, head

    def _deviations(self, struck: str, velocity: str, offset: str, heed: tuple[float, float] = (1.0, 1.0)) -> str:
        """(B, S) each to (B, HEARD_TOUCH), as `expression.deviations` gives them of velocities in 0..1."""
        graph = self.graph
        known = graph.add("Greater", velocity, graph.floats("zero", 0.0))
        loud = graph.add("Sub", velocity, graph.floats("level", LEVEL / LOUDEST))
        loud = graph.add("Mul", loud, graph.floats(f"loudness_{heed[0]}", heed[0] * LOUDEST / 32))
        loud = graph.add("Where", known, loud, graph.floats("zero", 0.0))
        late = graph.add("Mul", offset, graph.floats(f"lateness_{heed[1]}", 4.0 * heed[1]))
        late, _ = graph.split(graph.add("Mul", late, struck), DRUM_SLOTS, SLOTS - DRUM_SLOTS)
        return graph.add("Concat", graph.add("Mul", loud, struck), late, axis=-1)

    def _feel(self, told: str) -> str:
        """Move the state on; returns the answer (B, ANSWERS)."""
        graph, model, core = self.graph, self.model, self.head.core
        bias = graph.floats("enter_touch_bias", _array(model.enter.bias))
        enter = graph.add("Gemm", core, graph.floats("enter_touch", _array(model.enter.weight).T), bias)
        hears = graph.add("Tanh", graph.few(told, graph.floats("hear_touch", _array(model.hear.weight).T), enter))
        w_in, w_rec, b_in, b_rec = (_array(p) for p in model.memory.all_weights[0])
        new = graph.add("Gemm", hears, graph.floats("touch_in", w_in.T), graph.floats("touch_in_bias", b_in))
        old = graph.add("Gemm", "felt", graph.floats("touch_rec", w_rec.T), graph.floats("touch_rec_bias", b_rec))
        (reset, let, fresh), (reset_old, let_old, past) = graph.split(new, *[UNITS] * 3), graph.split(old, *[UNITS] * 3)
        reset = graph.add("Sigmoid", graph.add("Add", reset, reset_old))
        keep = graph.add("Sigmoid", graph.add("Add", let, let_old))
        fresh = graph.add("Tanh", graph.add("Add", fresh, graph.add("Mul", reset, past)))
        moved = graph.add("Mul", keep, graph.add("Sub", "felt", fresh))
        graph.add("Add", fresh, moved, out="felt_next")
        where = graph.add("Mod", "position", graph.constant("bar", np.asarray(STEPS_PER_BAR, np.int64)))
        place = _array(model.place.weight) + _array(model.answer.bias)
        here = graph.add("Gather", graph.floats("touch_place", place), where)
        both = graph.add("Concat", core, "felt_next", axis=-1)
        return graph.add("Gemm", both, graph.floats("touch_answer", _array(model.answer.weight).T), here)

    def _draw(self, location: str, spread: str, noise: str, reach: tuple[int, int]) -> str:
        """Values of a logistic at the given noise, within reach, in the units of the location."""
        graph = self.graph
        spread = graph.add("Add", spread, graph.floats("two", 2.0))
        low, high = graph.floats("least_scale", LEAST_SCALE), graph.floats("most_scale", MOST_SCALE)
        scale = graph.add("Mul", graph.add("Exp", graph.add("Clip", spread, low, high)), self.head.temperature)
        value = graph.add("Add", location, graph.add("Mul", scale, noise))
        return graph.add("Clip", value, *(graph.floats(f"reach_{r}".replace("-", "m"), r) for r in reach))

    def answer(self, notes: str, x: tuple[str, str, str]) -> None:
        """Add the output notes: play and hold as chosen, struck as drawn here or as dictated."""
        graph, head = self.graph, self.head
        play, hold = graph.split(notes, SLOTS, SLOTS)
        struck = graph.add("Sub", play, hold)
        x_play, x_hold = graph.split(x[0], SLOTS, SLOTS)
        told_play, told_hold = graph.split(head.value, SLOTS, SLOTS)
        dictated = graph.add("Mul", graph.add("Sub", told_play, told_hold), "clamp_mask")
        told = graph.add(
            "Concat",
            struck,
            self._deviations(graph.add("Sub", x_play, x_hold), x[1], x[2], (HEED, HEED_LATE)),
            self._deviations(dictated, head.told_velocity, head.told_offset),
            axis=-1,
        )
        where, spread, late, stray = graph.split(self._feel(told), SLOTS, SLOTS, DRUM_SLOTS, DRUM_SLOTS)
        for_velocity, for_offset = graph.split(head.touch_noise, SLOTS, DRUM_SLOTS)
        where = graph.add("Add", graph.add("Mul", where, graph.floats("louder", 32.0)), graph.floats("usual_level", LEVEL))
        velocity = self._draw(where, spread, for_velocity, (1, LOUDEST))
        velocity = graph.add("Div", velocity, graph.floats("loudest", LOUDEST))
        late = graph.add("Mul", late, graph.floats("later", 16.0))
        offset = self._draw(late, stray, for_offset, (-FARTHEST, FARTHEST))
        offset = graph.add("Div", offset, graph.floats("offsets", OFFSETS))
        offset = graph.add("Pad", offset, graph.ints(0, 0, 0, SLOTS - DRUM_SLOTS))
        is_dictated = graph.add("Greater", "clamp_mask", graph.floats("half", 0.5))
        touch = []
        for drawn, sounded, dictate in ((velocity, x[1], head.told_velocity), (offset, x[2], head.told_offset)):
            own = graph.add("Add", graph.add("Mul", drawn, struck), graph.add("Mul", sounded, hold))
            touch.append(graph.add("Where", is_dictated, dictate, own))
        planes = graph.add("Reshape", graph.add("Concat", notes, *touch, axis=-1), graph.ints(-1, 4, SLOTS))
        graph.add("Transpose", planes, out="notes", perm=[0, 2, 1])


def export(model: Festival, training: dict[str, Any], path: Path) -> Card:
    """Write the step graph and its card, rounding the model's weights; raises NetworkError where it breaks the contract."""
    round_weights(model)
    graph = Graph()
    x, velocity, offset = _planar(graph, "x")
    heard = _hear(graph, x)
    play = graph.add("Gather", "clamp_value", graph.constant("play", np.asarray(0, np.int64)), axis=2)
    harmony = _harmony(graph, play)
    head = _Head(graph, model, _core(graph, model, heard, harmony), heard, harmony, x)
    hidden, logits = head.told()
    push = head.push()
    level = head.thresholds(push)
    drawn = head.draw(hidden, logits, level, x)
    head.answer(drawn, push)
    _Touch(graph, model, head).answer(drawn[0], (x, velocity, offset))
    return save_network(build_model(graph, make_card(model, training)), path)


@torch.no_grad()
def core_step(model: Festival, told: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A step of the recurrent layers alone: what they heard (B, HEARD), the harmony (B, HARMONY), answer (B, H), states."""
    past, layers = told["past"], model.sizes.layers
    heard = torch.cat([planar(told["x"][..., :2]), *(past[:, PAST - lag] for lag in LAGS)], -1)
    harmony = harmony_features(told["harmony"])
    state = torch.stack([torch.stack([told[f"{s}{k}"] for k in range(layers)]) for s in "hc"])
    core, after = model.core(heard[None], told["position"][None], harmony[None], state)
    return heard, harmony, core[0], after


@torch.no_grad()
def step(model: Festival, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same step in PyTorch, deciding slot after slot: what the graph is checked against."""
    told = {k: torch.from_numpy(v) for k, v in feed.items()}
    x, value, mask = planar(told["x"][..., :2]), planar(told["clamp_value"][..., :2]), told["clamp_mask"]
    heard, harmony, core, after = core_step(model, told)
    given, nothing = given_features(value, mask), torch.zeros_like(given_features(value, mask))
    temperature, asked = told["temperature"][:, None], told["density"][:, None].log()
    learned = asked.clamp(-np.log(MOST_ASKED), np.log(MOST_ASKED))
    wish, neutral, rest = learned / np.log(2), torch.zeros_like(learned), asked - (1 - ODDS_LESS) * learned.clamp(max=0)
    sounded = x[:, :SLOTS]
    push = torch.cat([rest * (1 - sounded), -rest.expand_as(sounded)], -1)
    may = torch.cat([torch.ones_like(sounded), sounded], -1)
    notes = torch.zeros_like(x)
    for slot in range(SLOTS):
        shown = torch.sigmoid(model.head(core, heard, notes, given, harmony, wish) / temperature + push) * may
        play, hold = told["u"][:, slot] < shown[:, slot], told["u"][:, slot + SLOTS] < shown[:, slot + SLOTS]
        drawn = torch.stack([play, play & hold], -1).float()
        dictated = torch.stack([value[:, slot], value[:, slot] * value[:, slot + SLOTS]], -1)
        notes[:, [slot, slot + SLOTS]] = torch.where(mask[:, slot, None] > 0.5, dictated, drawn)
    free = model.head(core, heard, notes, nothing, harmony, neutral)
    told_all = model.head(core, heard, notes, given, harmony, wish)
    logits = torch.where(torch.cat([mask, mask], -1) > 0.5, free, told_all)
    shown = torch.sigmoid(logits / temperature + push) * may
    log_prob = torch.stack([p.sum(-1) for p in log_prob_slots(free, x, notes).split(WIDTHS, -1)], -1)
    touch, felt = _strike(model, told, core, notes)
    out = {
        "notes": torch.cat([notes.unflatten(-1, (2, SLOTS)).transpose(-1, -2), touch], -1),
        "probability": shown.unflatten(-1, (2, SLOTS)).transpose(-1, -2),
        "log_prob": log_prob.sum(-1),
        "log_prob_tracks": log_prob,
        "felt_next": felt,
    }
    out |= {f"{s}{k}_next": after[j, k] for j, s in enumerate("hc") for k in range(model.sizes.layers)}
    dictated = value[:, :SLOTS] * mask * (1 - mask.min(-1, keepdim=True).values)
    kept = told["harmony"] * torch.tensor(DECAYS)[:, None]
    out["harmony_next"] = kept + (dictated @ pitch_classes())[:, None]
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
    answer, felt = model.expression(core[None], said[None], told["position"][None], told["felt"][None])
    loud, spread, late, stray = distributions(answer[0])
    noise = torch.logit(told["u"][:, DECISIONS:].double()).float() * told["temperature"][:, None]
    velocity = (loud + spread * noise[:, :SLOTS]).clamp(1, LOUDEST) / LOUDEST
    offset = torch.zeros_like(velocity)
    offset[:, :DRUM_SLOTS] = (late + stray * noise[:, SLOTS:]).clamp(-FARTHEST, FARTHEST) / OFFSETS
    drawn = torch.stack([velocity, offset], -1)
    own = drawn * struck[..., None] + x[..., 2:] * notes[:, SLOTS:, None]
    return torch.where(mask[..., None] > 0.5, value[..., 2:], own), felt[0]
