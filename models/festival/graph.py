"""The festival network's step graph, operator by operator, from the weights of a trained one.

The head decides the slots in order, each seeing those before it. In the graph all slots are decided at once, again and
again, until nothing changes: the first slot is right after one round, the next after two at the latest, and a step
settles after a handful of rounds on exactly what deciding one by one would have given. How its notes are struck is drawn
after that, from the rest of the noise.

Seam: `models.graph.building.Graph`. Runs on: export.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import Tensor

from models.festival.expression import (
    DRUM_SLOTS,
    FARTHEST,
    HEARD_EXPRESSION,
    LEAST_SCALE,
    LEVEL,
    LOUDEST,
    MOST_SCALE,
    UNITS,
)
from models.festival.network import (
    CHORDS,
    DECAYS,
    DECISIONS,
    HARMONY,
    HEARD,
    NEVER,
    SLOTS,
    UNLIKELY,
    WIDTHS,
    WISHES,
    Festival,
    interval_rows,
    pitch_classes,
)
from models.festival.place import ALIKE, BAR, FACTS, LIKE, MOST_STEPS, PAST, POSITIONS
from models.graph.building import Graph
from models.music.representation import BAND, OFFSETS

FAR = 1e9  # a threshold no logit reaches
MOST_ASKED = 4.0  # the density that is learned; what is asked beyond it, or below its inverse, moves the odds alone
# Of a learned wish for less this share moves the odds as well, of one for more all of it: alone it gives in too little.
ODDS_LESS = 0.3
# What was loud or soft, early or late, is heard as nearer to the usual than it was: the network goes on as loud and as late
# as what it hears, itself included, and alone it would wander off to an extreme and stay there.
HEED, HEED_LATE = 0.6, 0.2


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


class _Place:
    """The part of the graph that tells where the step stands in its bar (models/festival/place.py), each (B,)."""

    def __init__(self, graph: Graph) -> None:
        known = graph.add("Clip", "metre", graph.floats("zero", 0.0), graph.floats("most_steps", MOST_STEPS))
        beats, steps = graph.split(graph.add("Cast", known, to=TensorProto.INT64), 1, 1)
        code = graph.add("Add", graph.add("Mul", beats, graph.ints(MOST_STEPS + 1)), steps)
        told = graph.add("Gather", graph.constant("metres", FACTS), graph.add("Reshape", code, graph.ints(-1)))
        *facts, lags = graph.split(told, 1, 1, 1, 1, ALIKE)
        bar, first, last, span = (graph.add("Reshape", fact, graph.ints(-1)) for fact in facts)
        self.row = graph.add("Min", graph.add("Add", first, graph.add("Mod", "position", bar)), last)
        self.step = graph.add("Gather", graph.constant("like", LIKE), self.row)
        bars = graph.add("Mul", graph.add("Div", "position", bar), span)
        self.position = graph.add("Mod", graph.add("Add", bars, self.step), graph.ints(POSITIONS))
        # Row r of past sounded PAST - r steps before the step to choose.
        self.past = graph.add("Unsqueeze", graph.add("Sub", graph.ints(PAST), lags), graph.ints(-1))  # (B, ALIKE, 1)


def _hear(graph: Graph, x: str, place: _Place) -> str:
    """Add the memory of the last bars; returns the name of what is heard of it, (B, HEARD)."""
    latest = graph.add("Unsqueeze", x, graph.ints(1))  # (B, 1, N)
    kept = graph.add("Slice", "past", graph.ints(1), graph.ints(PAST - 1), graph.ints(1))
    graph.add("Concat", kept, latest, out="past_next", axis=1)
    bars = graph.add("GatherND", "past", place.past, batch_dims=1)  # (B, ALIKE, N)
    return graph.add("Concat", x, graph.add("Reshape", bars, graph.ints(-1, HEARD - DECISIONS)), axis=-1)


def _harmony(graph: Graph, x: str) -> str:
    """Gather what sounded of the player's at the last step; returns features of what he played so far, (B, HARMONY).

    `x` (B, N). His are the slots that are said to be, and those that are dictated, where something is left to choose.
    """
    free = graph.add("Sub", graph.floats("one", 1.0), graph.add("ReduceMin", "clamp_mask", graph.ints(-1), keepdims=1))
    theirs = graph.add("Max", "player", graph.add("Mul", "clamp_mask", free))
    sounded, _ = graph.split(x, SLOTS, SLOTS)
    classes = graph.floats("pitch_classes", _array(pitch_classes()))
    played = graph.add("MatMul", graph.add("Mul", sounded, theirs), classes)  # (B, 12)
    kept = graph.add("Mul", "harmony", graph.floats("decays", np.asarray(DECAYS)[:, None]))
    graph.add("Add", kept, graph.add("Unsqueeze", played, graph.ints(1)), out="harmony_next")
    total = graph.add("Relu", graph.add("ReduceSum", "harmony_next", graph.ints(-1), keepdims=1))
    share = graph.add("Div", "harmony_next", graph.add("Add", total, graph.floats("one", 1.0)))
    share = graph.add("Mul", share, graph.floats("four", 4.0))
    return graph.add("Reshape", share, graph.ints(-1, HARMONY))


def _core(graph: Graph, model: Festival, at: _Place, heard: str, harmony: str, chords: str) -> str:
    """Add the recurrent layers; returns the name of the core's answer (B, H)."""
    width = model.sizes.width
    place = _array(model.place.weight) + _array(model.enter.bias)
    here = graph.add("Gather", graph.floats("place", place), at.position)  # (B, H)
    own = graph.floats("metre_place", np.pad(_array(model.metre), ((BAR, 0), (0, 0))))  # the rows of 4/4 add nothing
    here = graph.add("Add", here, graph.add("Gather", own, at.row))
    here = graph.add("Gemm", harmony, graph.floats("harmony_core", _array(model.harmony.weight).T), here)
    here = graph.add("Gemm", chords, graph.floats("chords_core", _array(model.chords.weight).T), here)
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


def _track_shares() -> np.ndarray:
    """(S, tracks): what each slot is of its track."""
    return np.repeat(np.eye(len(WIDTHS), dtype=np.float32), WIDTHS, axis=0) / np.asarray(WIDTHS, np.float32)


class _Voicing:
    """The part of the graph that tells slots what the notes before them mean by their intervals; J units to a slot.

    Weights that all intervals share are written out for each pair of slots: of the notes chosen only few rows are read.
    Drums have units as well, without weights: slots lie then as everywhere else, and nothing is cut or padded.
    """

    def __init__(self, graph: Graph, model: Festival, intervals: np.ndarray, core: str, heard: str, chords: str) -> None:
        voicing, width = model.head.voicing, model.sizes.width
        self.units, self._drums, self._track = voicing.units, voicing.drums, np.repeat(np.arange(len(BAND) - 1), WIDTHS[1:])
        notes = intervals.transpose(0, 1, 3, 2)  # (3, P, J, P)
        self.likely = graph.floats("voicing_likely", self._wide(notes[2]))  # (P, J S)
        to_core, to_drums = np.split(_array(voicing.context.weight).T, [width])
        drums, pitched = np.split(self._wide(self._spread(to_drums)), 2), [self._wide(plane) for plane in notes[:2]]
        self.told = np.concatenate([drums[0], pitched[0], drums[1], pitched[1]])  # (N, J S), as notes lie
        # Core's answer reaches all slots of a track alike; what sounded in a slot reaches that slot.
        bias = graph.floats("voicing_bias", _array(voicing.context.bias))
        shared = graph.add("Gemm", core, graph.floats("voicing_core", to_core), bias)
        shared = graph.add("Reshape", shared, graph.ints(-1, voicing.tracks, self.units))
        drum = np.zeros(self._drums, np.int64)  # of any track: what they say has no weight
        track = graph.constant("voicing_track", np.concatenate([drum, self._track]))
        shared = graph.add("Transpose", graph.add("Gather", shared, track, axis=1), perm=[0, 2, 1])  # (B, J, S)
        own = self._padded(_array(voicing.own).transpose(1, 2, 0)[..., self._track])  # (2 + HEARD / S, J, S)
        self.own = graph.floats("voicing_own", own[:2])
        planes = graph.add("Reshape", heard, graph.ints(-1, HEARD // SLOTS, 1, SLOTS))
        past = graph.add("Mul", planes, graph.floats("voicing_past", own[2:]))  # (B, HEARD / S, J, S)
        fits = self._fit(graph, voicing, chords)  # (B, 2 + J, S)
        planes, units = graph.constant("fits", np.arange(2)), graph.constant("stirs", np.arange(2, 2 + self.units))
        self.fits = graph.add("Reshape", graph.add("Gather", fits, planes, axis=1), graph.ints(-1, DECISIONS))
        context = graph.add("Add", shared, graph.add("ReduceSum", past, graph.ints(1), keepdims=0))
        context = graph.add("Add", context, graph.add("Gather", fits, units, axis=1))
        self.context = graph.add("Reshape", context, graph.ints(-1, self.units * SLOTS))
        out = _array(voicing.out)[self._track].transpose(2, 1, 0)  # (2, J, P)
        self.out = graph.floats("voicing_out", self._padded(out))

    def _fit(self, graph: Graph, voicing: Any, chords: str) -> str:
        """What the chords (B, CHORDS) add to each slot's logits and units, (B, 2 + J, S); drums hear nothing."""
        wide = 2 + self.units
        weight = np.pad(_array(voicing.chord), [(1, 0), (0, 0), (0, 0)])  # of the drums as well
        by_class = graph.add("Gather", chords, graph.constant("intervals", interval_rows()), axis=1)  # (B, 12, CHORDS)
        weight = weight.transpose(1, 0, 2).reshape(CHORDS, -1)
        added = graph.add("MatMul", by_class, graph.floats("voicing_chord", weight))  # (B, 12, tracks (2 + J))
        added = graph.add("Reshape", added, graph.ints(-1, 12 * len(BAND), wide))
        pitches = np.asarray([p % 12 * len(BAND) + at for at, t in enumerate(BAND) for p in t.pitches])
        slots = graph.add("Gather", added, graph.constant("voicing_class", pitches), axis=1)
        return graph.add("Transpose", slots, perm=[0, 2, 1])

    def _padded(self, weight: np.ndarray) -> np.ndarray:
        """(.., P) to (.., S)."""
        return np.pad(weight, [(0, 0)] * (weight.ndim - 1) + [(self._drums, 0)])

    def _wide(self, weight: np.ndarray) -> np.ndarray:
        """(K, J, P) to (K, J S)."""
        return self._padded(weight).reshape(len(weight), -1)

    def _spread(self, weight: np.ndarray) -> np.ndarray:
        """(K, tracks J) to (K, J, P)."""
        return weight.reshape(len(weight), -1, self.units)[:, self._track].transpose(0, 2, 1)

    def before(self, graph: Graph, likely: str) -> str:
        """Inputs of the units before any note is chosen, (B, J S), of how likely each play is, (B, S)."""
        _, pitched = graph.split(likely, self._drums, SLOTS - self._drums)
        return graph.few(pitched, self.likely, self.context)

    def add(self, graph: Graph, told: str, logits: str, out: str = "") -> str:
        """Logits (B, N) with what the units say added, of their inputs (B, J S)."""
        own = graph.add("Mul", graph.add("Reshape", logits, graph.ints(-1, 2, 1, SLOTS)), self.own)  # (B, 2, J, S)
        units = graph.add("Reshape", told, graph.ints(-1, 1, self.units, SLOTS))
        units = graph.add("Relu", graph.add("Add", units, graph.add("ReduceSum", own, graph.ints(1), keepdims=1)))
        said = graph.add("Mul", units, self.out)
        added = graph.add("ReduceSum", said, graph.ints(2), keepdims=0)  # (B, 2, S)
        return graph.add("Add", logits, graph.add("Reshape", added, graph.ints(-1, DECISIONS)), out=out)


class _Head:
    """The part of the graph that draws the notes of a step and says how likely they were."""

    def __init__(self, graph: Graph, model: Festival, core: str, heard: str, told: tuple[str, str], x: str) -> None:
        harmony, chords = told
        self.graph, self.units, self.core, self.head = graph, model.sizes.head, core, model.head
        head = self.head
        to_hidden, to_logits, out, intervals = (_array(w) for w in head.weights())
        context = _array(head.context.weight).T
        width, bias = model.sizes.width, graph.floats("context_bias", _array(head.context.bias))
        hidden = graph.add("Gemm", core, graph.floats("context_core", context[:width]), bias)
        hidden = graph.few(heard, graph.floats("context_heard", context[width:]), hidden)
        wish, kick = np.split(_array(head.wish.weight).T, WISHES)  # (1, head + N) each
        weight = graph.floats("harmony_head", np.concatenate([_array(head.harmony.weight).T, kick]))
        followed = graph.add("MatMul", graph.add("Concat", harmony, "kick", axis=-1), weight)
        to_units, to_notes = graph.split(followed, self.units, DECISIONS)
        self.hidden = graph.add("Add", hidden, to_units)
        own = graph.add("Reshape", heard, graph.ints(-1, 1, HEARD // SLOTS, SLOTS))
        own = graph.add("Mul", own, graph.floats("keep", _array(head.keep)[None]))  # (B, 2, HEARD / S, S)
        own = graph.add("ReduceSum", own, graph.ints(2), keepdims=0)
        own = graph.add(
            "Add", graph.add("Reshape", own, graph.ints(-1, DECISIONS)), graph.floats("ease", _array(head.direct.bias))
        )
        own = graph.add("Add", own, to_notes)
        self.voicing = _Voicing(graph, model, intervals, core, heard, chords)
        own = graph.add("Add", own, self.voicing.fits)
        self.logits = graph.add("Gemm", core, graph.floats("direct", _array(head.direct.weight).T), own)
        chosen = [to_hidden.T, to_logits.T, self.voicing.told]
        # (N, head + N + J S); where each note is drawn on its own, none tells another anything.
        self.chosen = graph.floats("chosen_notes", np.concatenate(chosen, 1) * model.sizes.joint)
        self.out = graph.floats("out", out.T)  # (head, N)
        self.given = _array(head.given.weight).T  # (GIVEN, head + N)
        self.wish = graph.floats("wish", wish)
        self._dictated(x)

    def before(self, graph: Graph, hidden: str, logits: str, *, dictated: bool) -> tuple[str, str]:
        """Inputs of hidden units, logits and voices before any note is chosen, side by side, (B, head + N + J S).

        Notes that are dictated at this step are certain to the voices, where `dictated`. And the logits of each note by
        itself, (B, N).
        """
        weight, bias = graph.floats("likely", _array(self.head.likely.weight).T), _array(self.head.likely.bias)
        plays, holds = graph.split(logits, SLOTS, SLOTS)
        plays = graph.add("Add", plays, graph.floats("likely_bias", bias))
        plays = graph.add("Gemm", graph.add("Relu", hidden), weight, plays)
        likely = graph.add("Sigmoid", plays)
        if dictated:
            share = graph.add("MatMul", "clamp_mask", graph.floats("track_shares", _track_shares()))
            track = np.repeat(np.arange(len(WIDTHS)), WIDTHS)
            share = graph.add("Gather", share, graph.constant("track_of", track), axis=1)  # (B, S)
            value, _ = graph.split(graph.add("Mul", self.value, self.mask), SLOTS, SLOTS)
            left = graph.add("Sub", graph.floats("one", 1.0), share)
            likely = graph.add("Add", graph.add("Mul", likely, left), graph.add("Mul", value, share))
        likely = graph.add("Relu", graph.add("Sub", likely, graph.floats("unlikely", UNLIKELY)))
        told = graph.add("Concat", hidden, logits, self.voicing.before(graph, likely), axis=-1)
        return told, graph.add("Concat", plays, holds, axis=-1)

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
        """Inputs of hidden units (B, head) and logits (B, N) with what is dictated and asked at this step."""
        graph = self.graph
        weight = np.concatenate([self.given[:DECISIONS], _track_shares() @ self.given[DECISIONS:]])  # (N + S, head + N)
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
        noise, self.expression_noise = graph.split(noise, DECISIONS, HEARD_EXPRESSION)
        self.temperature = graph.add("Unsqueeze", "temperature", graph.ints(1))
        level = graph.add("Mul", self.temperature, graph.add("Sub", noise, push))
        silent = graph.add("Mul", graph.add("Sub", one, self.may), graph.floats("far", FAR))
        level = graph.add("Add", level, silent)
        forced = graph.add("Mul", graph.add("Sub", graph.floats("half", 0.5), self.value), graph.floats("far", FAR))
        return graph.add("Where", self.is_dictated, forced, level)

    def draw(self, before: str, alone: str, level: str) -> tuple[str, str, str]:
        """Add the rounds. Returns notes (B, N), their logits, and `before` with what the notes told added.

        They begin with each note drawn by itself, by the logits `alone`. The guess changes the number of rounds (on average
        2.4; 3.1 from what sounded), not the notes.
        """
        body, width = Graph(self.graph, "round_"), self.units + DECISIONS + self.voicing.told.shape[1]
        told = body.few("moved_in", self.chosen, "told_in", out="told_now")
        self._said(body, told, out="round_logits")
        self._exceeding(body, "round_logits", level, out="notes_out")
        moved = body.add("ReduceL1", body.add("Sub", "notes_out", "notes_in", out="moved_out"), keepdims=0)
        body.add("Greater", moved, self.graph.floats("half", 0.5), out="again")

        def value(name: str, width: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width])

        rounds = helper.make_graph(
            body.nodes,
            "rounds",
            [
                helper.make_tensor_value_info("round", TensorProto.INT64, []),
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                value("notes_in", DECISIONS),
                value("moved_in", DECISIONS),
                value("logits_in", DECISIONS),
                value("told_in", width),
            ],
            [
                helper.make_tensor_value_info("again", TensorProto.BOOL, []),
                value("notes_out", DECISIONS),
                value("moved_out", DECISIONS),
                value("round_logits", DECISIONS),
                value("told_now", width),
            ],
        )
        guess = self._exceeding(self.graph, alone, level)
        limit = self.graph.constant("rounds_limit", np.asarray(SLOTS + 2, np.int64))
        start = self.graph.constant("rounds_start", np.asarray(True))
        names = ["drawn", "drawn_moved", "drawn_logits", "drawn_told"]
        begin = [limit, start, guess, guess, self.logits, before]
        self.graph.nodes.append(helper.make_node("Loop", begin, names, body=rounds))
        return names[0], names[2], names[3]

    def _exceeding(self, graph: Graph, logits: str, level: str, out: str = "") -> str:
        """Notes (B, N) whose logits exceed the level; held is only what plays."""
        play, hold = graph.split(graph.add("Greater", logits, level), SLOTS, SLOTS)
        both = graph.add("Concat", play, graph.add("And", play, hold), axis=-1)
        return graph.add("Cast", both, out=out, to=TensorProto.FLOAT)

    def _said(self, graph: Graph, told: str, out: str = "") -> str:
        """Logits (B, N) of what hidden units, logits and voices were told, (B, head + N + J S)."""
        hidden, logits, voices = graph.split(told, self.units, DECISIONS, self.voicing.told.shape[1])
        said = graph.add("Gemm", graph.add("Relu", hidden), self.out, logits)
        return self.voicing.add(graph, voices, said, out)

    def _free(self, logits: str, told: str, before: str) -> str:
        """Logits (B, N) with nothing known but the past: those of the rounds, where nothing was dictated or asked."""
        graph = self.graph
        wishes = graph.add("Concat", "clamp_mask", graph.add("Abs", self.learned), axis=-1)
        wished = graph.add("Greater", graph.add("ReduceMax", wishes, keepdims=0), graph.floats("zero", 0.0))
        anew, same = Graph(graph, "anew_"), Graph(graph, "same_")
        unasked, _ = self.before(anew, self.hidden, self.logits, dictated=False)
        self._said(anew, anew.add("Add", anew.add("Sub", told, before), unasked), out="free_anew")
        same.add("Identity", logits, out="free_same")
        kind = TensorProto.FLOAT
        bodies = [
            helper.make_graph(body.nodes, out, [], [helper.make_tensor_value_info(out, kind, ["B", DECISIONS])])
            for body, out in ((anew, "free_anew"), (same, "free_same"))
        ]
        graph.nodes.append(helper.make_node("If", [wished], ["free"], then_branch=bodies[0], else_branch=bodies[1]))
        return "free"

    def answer(self, drawn: tuple[str, str, str], before: str, push: str) -> None:
        """Add the outputs probability, log_prob and log_prob_tracks."""
        graph = self.graph
        notes, logits, told = drawn
        # With nothing known but the past: what the notes' likelihood is counted by.
        free = self._free(logits, told, before)
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
        member = (_track_shares() > 0).astype(np.float32)  # (S, tracks)
        tracks = graph.floats("tracks", -np.concatenate([member, member]))
        graph.add("MatMul", graph.add("Mul", nats, counts), tracks, out="log_prob_tracks")
        graph.add("ReduceSum", "log_prob_tracks", graph.ints(1), out="log_prob", keepdims=0)


class _Touch:
    """The part of the graph that draws how the chosen notes are struck."""

    def __init__(self, graph: Graph, model: Festival, head: _Head, place: _Place) -> None:
        self.graph, self.model, self.head, self.place = graph, model.expression, head, place

    def _deviations(self, struck: str, velocity: str, offset: str, heed: tuple[float, float] = (1.0, 1.0)) -> str:
        """(B, S) each to (B, HEARD_EXPRESSION), as `expression.deviations` gives them of velocities in 0..1."""
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
        place = _array(model.place.weight) + _array(model.answer.bias)
        here = graph.add("Gather", graph.floats("touch_place", place), self.place.step)
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
        for_velocity, for_offset = graph.split(head.expression_noise, SLOTS, DRUM_SLOTS)
        where = graph.add("Add", graph.add("Mul", where, graph.floats("louder", 32.0)), graph.floats("usual_level", LEVEL))
        velocity = self._draw(where, spread, for_velocity, (1, LOUDEST))
        velocity = graph.add("Div", velocity, graph.floats("loudest", LOUDEST))
        late = graph.add("Mul", late, graph.floats("later", 16.0))
        offset = self._draw(late, stray, for_offset, (-FARTHEST, FARTHEST))
        offset = graph.add("Div", offset, graph.floats("offsets", OFFSETS))
        offset = graph.add("Pad", offset, graph.ints(0, 0, 0, SLOTS - DRUM_SLOTS))
        is_dictated = graph.add("Greater", "clamp_mask", graph.floats("half", 0.5))
        expression = []
        for drawn, sounded, dictate in ((velocity, x[1], head.told_velocity), (offset, x[2], head.told_offset)):
            own = graph.add("Add", graph.add("Mul", drawn, struck), graph.add("Mul", sounded, hold))
            expression.append(graph.add("Where", is_dictated, dictate, own))
        planes = graph.add("Reshape", graph.add("Concat", notes, *expression, axis=-1), graph.ints(-1, 4, SLOTS))
        graph.add("Transpose", planes, out="notes", perm=[0, 2, 1])


def add_step(graph: Graph, model: Festival) -> None:
    """Add the whole step, from the contract's inputs to its outputs."""
    x, velocity, offset = _planar(graph, "x")
    place = _Place(graph)
    heard = _hear(graph, x, place)
    told = _harmony(graph, x), graph.add("Concat", "chord", "next_chord", axis=-1)
    head = _Head(graph, model, _core(graph, model, place, heard, *told), heard, told, x)
    before, alone = head.before(graph, *head.told(), dictated=True)
    push = head.push()
    drawn = head.draw(before, alone, head.thresholds(push))
    head.answer(drawn, before, push)
    _Touch(graph, model, head, place).answer(drawn[0], (x, velocity, offset))
