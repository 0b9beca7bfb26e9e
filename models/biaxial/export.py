"""Writes a trained biaxial network as one step graph (models/CONTRACT.md), operator by operator.

The graph computes the features from `x` and `position`, advances the time axis for all notes at once, and walks the
notes from the lowest up in an ONNX Scan that draws each note inside the graph, so that a note hears the ones decided
below it. Whatever does not depend on those is multiplied outside the Scan, for all notes at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engine.core.contract import Card
from models.biaxial.network import BEAT_BITS, PITCH_CLASSES, RECALL_GAIN, Biaxial, BiaxialConfig
from models.graph.building import build_model
from models.graph.cells import CellGraph, lstm_weights

# Log-odds that temperature leaves as they are. Most notes are silent most of the time: cooled towards even odds, as is
# usual, music thins out to nothing.
PIVOT = -1.5
LEAST_THRIFT = 0.4  # how far the adaptive rule lowers conservativity; without an end every note would sound

CONTROLS: list[dict[str, Any]] = [
    {"name": "temperature", "neutral": 1.0, "min": 0.1, "max": 2.0, "doc": "lower is surer, higher is bolder"},
    {
        "name": "conservativity",
        "neutral": 1.0,
        "min": 0.3,
        "max": 3.0,
        "doc": "exponent on the probability of each note: above 1 sparser, below 1 denser",
    },
    {"name": "density", "neutral": 1.0, "min": 0.25, "max": 4.0, "doc": "factor on the odds of each note"},
    {
        "name": "adaptive",
        "neutral": 1.0,  # on: alone, a quarter of its pieces would fall silent for a bar or more without it
        "min": 0.0,
        "max": 1.0,
        "doc": "1: conservativity falls while fewer than two notes sound, and comes back when they do; 0: never",
    },
]


class _FeatureWeights:
    """The rows of an input matrix that meet the features, sorted by what they depend on."""

    def __init__(self, rows: np.ndarray, bias: np.ndarray, config: BiaxialConfig) -> None:
        around = (2 * config.vicinity + 1) * config.voices
        heard = around + PITCH_CLASSES * (1 + len(config.recall))
        place, own, self.heard, beat = np.split(rows, np.cumsum([1, PITCH_CLASSES, heard]), axis=0)
        index = np.arange(config.notes)
        fixed = index[:, None].astype(np.float32) / max(config.notes - 1, 1) * place
        self.per_note = (fixed + own[(index + config.low) % PITCH_CLASSES] + bias)[None]  # (1, N, 4H)
        step = np.arange(2**BEAT_BITS)
        bits = np.stack([(step >> bit) & 1 for bit in range(BEAT_BITS)], 1) * 2.0 - 1
        self.per_step = (bits @ beat).astype(np.float32)[:, None]  # (16, 1, 4H)


def _heard(graph: CellGraph, config: BiaxialConfig) -> str:
    """Add the features that depend on x as `heard` (B, N, K); return the play flags of x (B, N, 1)."""
    notes, voices, v = config.notes, config.voices, config.vicinity
    play, hold = graph.split("x", 1, 1)
    flags = play
    if config.articulates:
        struck = graph.add("Sub", play, graph.add("Mul", play, hold))
        flags = graph.add("Concat", play, struck, axis=-1)
    padded = graph.add("Pad", flags, graph.ints(0, v, 0, 0, v, 0))
    window = np.arange(notes)[:, None] + np.arange(2 * v + 1)
    near = graph.add("Gather", padded, graph.constant("vicinity", window.astype(np.int64)), axis=1)
    near = graph.add("Reshape", near, graph.ints(0, notes, (2 * v + 1) * voices))
    classes = (np.arange(notes) + config.low) % PITCH_CLASSES
    member = np.eye(PITCH_CLASSES, dtype=np.float32)[classes]
    flat = graph.add("Squeeze", play, graph.ints(2))
    counts = graph.add("MatMul", flat, graph.constant("pitch_class_of_note", member))
    turn = (np.arange(PITCH_CLASSES) + classes[:, None]) % PITCH_CLASSES
    turned = [turn + PITCH_CLASSES * at for at in range(1 + len(config.recall))]
    if config.recall:
        share = np.repeat(np.asarray(config.recall, np.float32), PITCH_CLASSES)
        grown = graph.add("Mul", graph.add("Concat", *[counts] * len(config.recall), axis=-1),
                          graph.constant("recall_new", RECALL_GAIN * (1 - share)))  # fmt: skip
        graph.add("Add", graph.add("Mul", "recall", graph.constant("recall_kept", share)), grown, out="recall_next")
        counts = graph.add("Concat", counts, "recall_next", axis=-1)
    where = graph.constant("turn", np.concatenate(turned, axis=1).astype(np.int64))  # (N, 12 (1 + D))
    graph.add("Concat", near, graph.add("Gather", counts, where, axis=1), axis=-1, out="heard")
    return play


def _from_features(graph: CellGraph, name: str, weights: _FeatureWeights, step: str) -> str:
    """Add what one layer's pre-activations get from the place of the note and of the step: (B, N, 4H)."""
    beat = graph.add("Gather", graph.constant(f"{name}_beat", weights.per_step), step, axis=0)
    return graph.add("Add", beat, graph.constant(f"{name}_place", weights.per_note.astype(np.float32)))


def _hidden_product(graph: CellGraph, name: str, hidden: str, weight: np.ndarray) -> str:
    """Add hidden (B, N, K), all within -1..1, times weight (K, M), both rounded to 8 bits.

    The scale of the hidden values is fixed, so that no item of a batch depends on another. Weights take 7 bits of the 8:
    processors without VNNI add two products in 16 bits, which would overflow with more.
    """
    scale = np.maximum(np.abs(weight).max(0), 1e-12).astype(np.float32) / 63
    rounded = graph.constant(f"{name}_int8", np.round(weight / scale).astype(np.int8))
    zero = graph.constant("zero_point", np.asarray(128, np.uint8))
    values = graph.add("QuantizeLinear", hidden, graph.floats("step_of_h", 1 / 127), zero)
    sums = graph.add("Cast", graph.add("MatMulInteger", values, rounded, zero), to=TensorProto.FLOAT)
    return graph.add("Mul", sums, graph.floats(f"{name}_scale", scale / 127))


def _product(graph: CellGraph, name: str, parts: list[tuple[str, np.ndarray]], eight_bits: bool) -> str:
    """Add the sum of each signal times its weight: one product over all of them, or, in 8 bits, one over those within
    -1..1 and one over the rest (the features, which count).
    """
    whole = [p for p in parts if not (eight_bits and p[0] != "heard")]
    found = []
    for at, some in enumerate((whole, [p for p in parts if p not in whole])):
        if not some:
            continue
        signal = some[0][0] if len(some) == 1 else graph.add("Concat", *(s for s, _ in some), axis=-1)
        weight = np.concatenate([w for _, w in some])
        if at == 0:
            found.append(graph.add("MatMul", signal, graph.constant(name, weight)))
        else:
            found.append(_hidden_product(graph, name, signal, weight))
    return found[0] if len(found) == 1 else graph.add("Add", *found)


def _time_axis(graph: CellGraph, network: Biaxial, step: str, eight_bits: bool) -> str:
    """Add the time layers, all notes at once; return the last layer's h (B, N, H)."""
    signal, config = "heard", network.config
    for at, (layer, size) in enumerate(zip(network.time_layers, config.time_sizes, strict=True)):
        w_in, w_rec, bias = lstm_weights(layer)
        if at == 0:
            parts = _FeatureWeights(w_in, bias, config)
            w_in, offset = parts.heard, _from_features(graph, "time_0", parts, step)
        else:
            offset = graph.constant(f"time_{at}_bias", bias)
        product = _product(graph, f"time_{at}_weight", [(signal, w_in), (f"h{at}", w_rec)], eight_bits)
        gates = graph.add("Add", product, offset)
        graph.cell(gates, f"c{at}", size, f"h{at}_next", f"c{at}_next")
        signal = f"h{at}_next"
    return signal


def _thresholds(graph: CellGraph, config: BiaxialConfig, sounded: str) -> str:
    """Add what each logit must exceed for its flag to be drawn, (B, N, C): the whole of sampling but one comparison.

    A flag is drawn where u < sigmoid(z / temperature + log density) ** conservativity, that is where z is above
    temperature * (logit(u ** (1 / conservativity)) - log density). For play the logits are cooled towards PIVOT, not
    towards even odds. What is dictated has a threshold below or above every logit, and a note that did not sound before
    can only be struck.
    """
    one, half = graph.scalar(1.0), graph.scalar(0.5)
    always, never = graph.scalar(-1e9), graph.scalar(1e9)
    wide = graph.ints(1)

    def control(name: str) -> str:
        return graph.add("Unsqueeze", name, wide)

    noise = graph.add("Clip", "u", graph.scalar(1e-7), graph.scalar(1 - 1e-7))
    rows = graph.split(noise, *[config.notes] * config.voices)

    def logit(chance: str) -> str:
        return graph.add("Log", graph.add("Div", chance, graph.add("Sub", one, chance)))

    rooted = graph.add("Pow", rows[0], graph.add("Div", one, "exponent"))
    rooted = graph.add("Min", rooted, graph.scalar(1 - 1e-7))
    for_play = graph.add("Sub", logit(rooted), "odds_offset")
    pivot = graph.scalar(PIVOT)
    for_play = graph.add("Add", graph.add("Mul", graph.add("Sub", for_play, pivot), control("temperature")), pivot)
    clamped = graph.add("Greater", "clamp_mask", half)
    play, hold = (graph.add("Squeeze", part, graph.ints(2)) for part in graph.split("clamp_value", 1, 1))
    told = graph.add("Where", graph.add("Greater", play, half), always, never)
    for_play = graph.add("Unsqueeze", graph.add("Where", clamped, told, for_play), graph.ints(2))
    if not config.articulates:
        return for_play
    for_strike = graph.add("Mul", logit(rows[1]), control("temperature"))
    told = graph.add("Where", graph.add("Greater", hold, half), never, always)
    for_strike = graph.add("Unsqueeze", graph.add("Where", clamped, told, for_strike), graph.ints(2))
    for_strike = graph.add("Where", graph.add("Greater", sounded, half), for_strike, always)
    return graph.add("Concat", for_play, for_strike, axis=-1)


def _scan_body(network: Biaxial) -> onnx.GraphProto:
    """One note of the note axis. It carries [flags below, h of the first layer] as one vector, which the next note
    multiplies whole; weights are its own constants, so that no input but the carried and scanned ones is handed in.
    """
    config = network.config
    sizes, window = config.note_sizes, config.reach * config.voices
    body = CellGraph(prefix="n_")
    signal = ""
    for at, size in enumerate(sizes):
        w_in, w_rec, bias = lstm_weights(network.note_layers[at])
        if at == 0:
            both, w_in, known = "n_heard", w_in[-window:], "n_gates"
        else:
            both, known = body.add("Concat", signal, f"n_h{at}", axis=-1), body.constant(f"bias_{at}", bias)
        weight = body.constant(f"weight_{at}", np.concatenate([w_in, w_rec]))
        gates = body.add("Add", body.add("MatMul", both, weight), known)
        body.cell(gates, f"n_c{at}", size, f"n_h{at}_new", f"n_c{at}_new")
        signal = f"n_h{at}_new"
    head = np.ascontiguousarray(network.head.weight.detach().cpu().float().numpy().T)
    logits = body.add("MatMul", signal, body.constant("head_weight", head))
    head_bias = body.constant("head_bias", network.head.bias.detach().cpu().float().numpy())
    body.add("Add", logits, head_bias, out="n_logits")
    flags = body.add("Cast", body.add("Less", "n_threshold", "n_logits"), to=TensorProto.FLOAT)
    if config.articulates:
        flags = body.add("Mul", flags, body.split(flags, 1, 1)[0])  # play stays, a strike needs a note
    body.nodes[-1].output[0] = flags = "n_flags"
    kept = body.add("Slice", "n_heard", body.ints(0), body.ints(window - config.voices), body.ints(-1))
    body.add("Concat", flags, kept, "n_h0_new", axis=-1, out="n_heard_new")
    states = [f"n_{kind}{at}_new" for at in range(len(sizes)) for kind in "hc"]
    body.add("Concat", *states, axis=-1, out="n_seen")

    def value(name: str, width: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width])

    carried = [("n_heard", window + sizes[0]), ("n_c0", sizes[0])]
    for at, size in enumerate(sizes[1:], 1):
        carried += [(f"n_h{at}", size), (f"n_c{at}", size)]
    scanned = [value("n_gates", 4 * sizes[0]), value("n_threshold", config.voices)]
    collected = [value("n_flags", config.voices), value("n_logits", config.voices), value("n_seen", 2 * sum(sizes))]
    inputs = [value(name, width) for name, width in carried] + scanned
    outputs = [value(f"{name}_new", width) for name, width in carried] + collected
    return helper.make_graph(body.nodes, "note", inputs, outputs, list(body.constants.values()))


def _controls(graph: CellGraph) -> None:
    """Add the controls as columns (B, 1): the logarithm of the density and the exponent, its adaptive part included."""
    wide = graph.ints(1)
    graph.add("Log", graph.add("Unsqueeze", "density", wide), out="odds_offset")
    # Fewer than two notes: fall by 0.02 (from 1, if above); else go back towards 1 by 0.3 of the way. Never below LEAST.
    one = graph.scalar(1.0)
    play = graph.split("x", 1, 1)[0]
    count = graph.add("ReduceSum", play, graph.ints(1, 2), keepdims=0)
    few = graph.add("Less", graph.add("Unsqueeze", count, wide), graph.scalar(2.0))
    fallen = graph.add("Sub", graph.add("Min", "thrift", one), graph.scalar(0.02))
    back = graph.add("Sub", one, graph.add("Mul", graph.add("Sub", one, "thrift"), graph.scalar(0.7)))
    graph.add("Max", graph.add("Where", few, fallen, back), graph.scalar(LEAST_THRIFT), out="thrift_next")
    asked = graph.add("Greater", graph.add("Unsqueeze", "adaptive", wide), graph.scalar(0.5))
    factor = graph.add("Where", asked, "thrift_next", one)
    graph.add("Mul", graph.add("Unsqueeze", "conservativity", wide), factor, out="exponent")


def _note_axis(graph: CellGraph, network: Biaxial, signal: str, step: str, sounded: str, eight_bits: bool) -> None:
    """Add the note axis; its outputs are `flags`, `logits` (B, N, C) and the layers' h and c."""
    config = network.config
    w_in, _, bias = lstm_weights(network.note_layers[0])
    width = config.time_sizes[-1]
    from_time, from_features = w_in[:width], w_in[width : width + config.features]
    parts = _FeatureWeights(from_features, bias, config)
    gates = _product(graph, "note_input_weight", [(signal, from_time), ("heard", parts.heard)], eight_bits)
    gates = graph.add("Add", gates, _from_features(graph, "note", parts, step))
    _controls(graph)
    thresholds = _thresholds(graph, config, sounded)
    batch = graph.add("Shape", "position")

    def zeros(width: int) -> str:
        return graph.add("ConstantOfShape", graph.add("Concat", batch, graph.ints(width), axis=0))

    sizes = config.note_sizes
    start = [zeros(config.reach * config.voices + sizes[0]), zeros(sizes[0])]
    for size in sizes[1:]:
        start += [zeros(size), zeros(size)]
    collected = ["flags", "logits", "note_states"]
    graph.nodes.append(
        helper.make_node(
            "Scan",
            [*start, gates, thresholds],
            [f"scan_end_{at}" for at in range(len(start))] + collected,
            body=_scan_body(network),
            num_scan_inputs=2,
            scan_input_axes=[1, 1],
            scan_output_axes=[1] * len(collected),
        )
    )
    first = len(config.time_sizes)
    seen = [f"{kind}{first + at}" for at in range(len(sizes)) for kind in "hc"]
    widths = [size for size in sizes for _ in "hc"]
    graph.nodes.append(helper.make_node("Split", ["note_states", graph.ints(*widths)], seen, axis=-1))


def _outputs(graph: CellGraph, config: BiaxialConfig, sounded: str) -> None:
    """Add notes, probability and log_prob from what the note axis has drawn."""
    one = graph.scalar(1.0)
    wide = graph.ints(1, 2)
    columns = graph.split("logits", *[1] * config.voices)
    temperature, pivot = graph.add("Unsqueeze", "temperature", wide), graph.scalar(PIVOT)
    cool = graph.add("Add", graph.add("Div", graph.add("Sub", columns[0], pivot), temperature), pivot)
    chance = graph.add("Sigmoid", graph.add("Add", cool, graph.add("Unsqueeze", "odds_offset", graph.ints(2))))
    chance = graph.add("Pow", chance, graph.add("Unsqueeze", "exponent", graph.ints(2)))
    if config.articulates:
        play, struck = graph.split("flags", 1, 1)
        strike = graph.add("Sigmoid", graph.add("Div", columns[1], temperature))
        hold = graph.add("Sub", play, struck)
        hold_chance = graph.add("Mul", graph.add("Sub", one, strike), sounded)
    else:
        play, hold_chance = "flags", sounded
        hold = graph.add("Mul", play, sounded)
    graph.add("Concat", chance, hold_chance, axis=-1, out="probability")
    drawn = graph.add("Concat", play, hold, axis=-1)
    clamped = graph.add("Greater", graph.add("Unsqueeze", "clamp_mask", graph.ints(2)), graph.scalar(0.5))
    graph.add("Where", clamped, "clamp_value", drawn, out="notes")
    # y * z - log(1 + e^z) is the log-probability of a flag y with logit z
    per_flag = graph.add("Sub", graph.add("Mul", "flags", "logits"), graph.add("Softplus", "logits"))
    if config.articulates:
        counts = graph.add("Concat", graph.add("Add", graph.add("Mul", play, graph.scalar(0.0)), one),
                           graph.add("Mul", play, sounded), axis=-1)  # fmt: skip
        per_flag = graph.add("Mul", per_flag, counts)
    graph.add("ReduceSum", per_flag, graph.ints(1, 2), keepdims=0, out="log_prob")
    graph.add("Unsqueeze", "log_prob", graph.ints(1), out="log_prob_tracks")


def _activations(config: BiaxialConfig) -> list[dict[str, Any]]:
    """The card's list of activations: h and c of every layer, notes from the lowest."""
    found = []
    times = len(config.time_sizes)
    for layer, size in enumerate(config.layer_sizes):
        axis = "time" if layer < times else "note"
        for kind, span in (("h", 1.0), ("c", 4.0)):
            output = f"{kind}{layer}_next" if layer < times else f"{kind}{layer}"
            doc = f"{'hidden' if kind == 'h' else 'cell'} state of the {axis} axis, notes from the lowest"
            shape = [config.notes, size]
            found.append(
                {"output": output, "layer": layer, "signal": kind, "shape": shape, "min": -span, "max": span, "doc": doc}
            )
    return found


def card(config: BiaxialConfig, about: dict[str, Any]) -> dict[str, Any]:
    """The card of a network of this shape; `about` gives name, title, track, steps_per_beat, training, figures ..."""
    rest = dict(about)
    track = rest.pop("track", "piano")
    states = [
        {"name": f"{kind}{at}", "shape": [config.notes, size], "initial": 0.0}
        for at, size in enumerate(config.time_sizes)
        for kind in "hc"
    ]
    states.append({"name": "thrift", "shape": [1], "initial": 1.0})
    if config.recall:
        states.append({"name": "recall", "shape": [PITCH_CLASSES * len(config.recall)], "initial": 0.0})
    return {
        "contract": 1,
        "name": "biaxial",
        "licence": "GPL-3.0-or-later",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "channels": ["play", "hold"],
        "noise": config.notes * config.voices,
        "tracks": [{"name": track, "kind": "pitched", "pitches": list(range(config.low, config.high + 1))}],
        "controls": CONTROLS,
        "states": states,
        "activations": _activations(config),
        "articulation": config.articulates,
        "sizes": config.to_json(),
        **rest,
    }


def step_graph(network: Biaxial, about: dict[str, Any], eight_bits: bool = False) -> onnx.ModelProto:
    """Return the step graph of a trained network, its card in the metadata; `about` as for `card`.

    With `eight_bits` the products of the time axis are in 8 bits, three to four times faster on a CPU with VNNI; what it
    costs in likelihood is measured like everything else, through the graph.
    """
    config = network.config
    graph = CellGraph(prefix="g_")
    sounded = _heard(graph, config)
    step = graph.add("Mod", "position", graph.constant("bar", np.asarray(2**BEAT_BITS, np.int64)))
    signal = _time_axis(graph, network, step, eight_bits)
    _note_axis(graph, network, signal, step, sounded, eight_bits)
    _outputs(graph, config, sounded)
    return build_model(graph, Card.model_validate({**card(config, about), "eight_bits": eight_bits}))
