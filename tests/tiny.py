"""A small network that keeps the step graph contract, written with onnx.helper: what the engine's tests play with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TRACKS = [("drums", "drums", [36, 38]), ("bass", "pitched", list(range(40, 45))), ("lead", "pitched", list(range(60, 72)))]
SLOTS = sum(len(pitches) for _, _, pitches in TRACKS)
HIDDEN = 4


def card(**changes: Any) -> dict[str, Any]:
    """The card as JSON would have it; keyword arguments replace entries."""
    return {
        "contract": 1,
        "name": "tiny",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "channels": ["play", "hold"],
        "noise": 2 * SLOTS,
        "tracks": [{"name": n, "kind": k, "pitches": p} for n, k, p in TRACKS],
        "controls": [{"name": "density", "neutral": 1.0, "min": 0.25, "max": 4.0}],
        "states": [{"name": "h0", "shape": [HIDDEN], "initial": 0.0}],
        "activations": [{"output": "h0_next", "layer": 0, "signal": "h", "shape": [HIDDEN]}],
    } | changes


def write(
    path: Path, seed: int = 0, bias: float = -1.5, drop: tuple[str, ...] = (), touch: bool = False, **changes: Any
) -> Path:
    """Write the network to `path`. `drop` leaves out outputs and conditions, `changes` replace entries of the card.

    `touch`: it has velocities and offsets, drawn without any sense.
    """
    channels = 4 if touch else 2
    if touch:
        changes = {"channels": ["play", "hold", "velocity", "offset"], **changes}
    rng = np.random.default_rng(seed)
    weights = {
        "w_in": rng.normal(0, 0.3, (2 * SLOTS, HIDDEN)),
        "w_rec": rng.normal(0, 0.3, (HIDDEN, HIDDEN)),
        "w_out": rng.normal(0, 1.0, (HIDDEN, 2 * SLOTS)),
        "b_out": np.full(2 * SLOTS, bias),
        "one": np.float32(1.0),
        "eps": np.float32(1e-7),
        "half": np.float32(0.5),
    }
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
    ends = {"flat": [0, 2 * SLOTS], "pairs": [0, SLOTS, 2], "last": [2], "first": [1]}
    # Loud as the noise of hold, early or late as that of both.
    ends |= {"play_hold": [0, 1], "touch": [2, 3], "hold_play": [1, 3]}
    tensors += [numpy_helper.from_array(np.asarray(v, np.int64), k) for k, v in ends.items()]
    sizes = np.asarray([len(p) for _, _, p in TRACKS])
    member = np.repeat(np.eye(len(TRACKS)), sizes, axis=0)  # slots x tracks
    tensors.append(numpy_helper.from_array(member.astype(np.float32), "member"))

    nodes = []

    def op(kind: str, inputs: list[str], out: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def channel(pairs: str, name: str) -> None:
        nodes.append(helper.make_node("Split", [pairs], [f"{name}_a", f"{name}_b"], axis=2, num_outputs=2))
        op("Squeeze", [f"{name}_a", "last"], f"{name}_play")
        op("Squeeze", [f"{name}_b", "last"], f"{name}_hold")

    def odds(flat: str, name: str) -> None:  # logits -> P(play), P(hold given play)
        channel(op("Reshape", [flat, "pairs"], f"{name}_pairs"), f"{name}_l")
        op("Sigmoid", [f"{name}_l_play"], f"{name}_play")
        op("Mul", [op("Sigmoid", [f"{name}_l_hold"], f"{name}_h"), "x_play"], f"{name}_hold")

    def head(value: str, name: str) -> str:  # play and hold alone
        return op("Gather", [value, "play_hold"], name, axis=2) if touch else value

    channel(head("x", "x_2"), "x")
    # The position goes in too, so that no two steps are alike.
    op("Cast", ["position"], "where", to=TensorProto.FLOAT)
    op("Unsqueeze", [op("Sin", ["where"], "wave"), "first"], "pulse")
    op("MatMul", [op("Reshape", [head("x", "x_in"), "flat"], "x_flat"), "w_in"], "a")
    op("Add", [op("MatMul", ["h0", "w_rec"], "r"), "pulse"], "rp")
    op("Tanh", [op("Add", ["a", "rp"], "ar")], "h0_next")
    op("Add", [op("MatMul", ["h0_next", "w_out"], "o"), "b_out"], "logits")
    odds("logits", "neutral")
    op("Unsqueeze", [op("Reciprocal", ["temperature"], "cool"), "first"], "cool_1")
    op("Unsqueeze", [op("Log", ["density"], "thick"), "first"], "thick_1")
    odds(op("Add", [op("Mul", ["logits", "cool_1"], "lt"), "thick_1"], "steered"), "asked")
    op("Unsqueeze", ["asked_play", "last"], "p_a")
    op("Unsqueeze", ["asked_hold", "last"], "p_b")
    op("Concat", ["p_a", "p_b"], "probability", axis=2)

    channel(op("Reshape", ["u", "pairs"], "u_pairs"), "u")
    op("Cast", [op("Less", ["u_play", "asked_play"], "drawn_p")], "free_play", to=TensorProto.FLOAT)
    op("Cast", [op("Less", ["u_hold", "asked_hold"], "drawn_h")], "free_hold", to=TensorProto.FLOAT)
    channel(head("clamp_value", "value_2"), "value")
    op("Cast", ["clamp_mask"], "dictated", to=TensorProto.BOOL)
    op("Where", ["dictated", "value_play", "free_play"], "play")
    op("Mul", [op("Where", ["dictated", "value_hold", "free_hold"], "hold_any"), "play"], "hold")
    op("Unsqueeze", ["play", "last"], "n_a")
    op("Unsqueeze", ["hold", "last"], "n_b")
    if touch:
        op("Concat", [op("Abs", ["u_pairs"], "as_loud"), op("Sub", ["u_pairs", "half"], "as_late")], "touches", axis=2)
        op("Gather", ["touches", "hold_play"], "drawn_touch", axis=2)
        op("Gather", ["clamp_value", "touch"], "value_touch", axis=2)
        op("Unsqueeze", ["dictated", "last"], "dictated_all")
        op("Mul", [op("Where", ["dictated_all", "value_touch", "drawn_touch"], "any_touch"), "n_a"], "n_c")
    op("Concat", ["n_a", "n_b", "n_c"] if touch else ["n_a", "n_b"], "notes", axis=2)

    def nats(chosen: str, p: str, name: str) -> str:  # log P of a Bernoulli choice
        op("Mul", [chosen, op("Log", [op("Add", [p, "eps"], f"{name}_pe")], f"{name}_lp")], f"{name}_yes")
        op("Sub", ["one", chosen], f"{name}_not")
        op("Log", [op("Add", [op("Sub", ["one", p], f"{name}_q"), "eps"], f"{name}_qe")], f"{name}_lq")
        return op("Add", [f"{name}_yes", op("Mul", [f"{name}_not", f"{name}_lq"], f"{name}_no")], f"{name}_nats")

    nats("play", "neutral_play", "np")
    op("Mul", [nats("hold", "neutral_hold", "nh"), "play"], "nh_played")
    op("Add", ["np_nats", "nh_played"], "slot_nats")
    op("MatMul", ["slot_nats", "member"], "log_prob_tracks")
    op("ReduceSum", ["log_prob_tracks", "first"], "log_prob", keepdims=0)

    inputs = [
        ("x", TensorProto.FLOAT, [SLOTS, channels]),
        ("position", TensorProto.INT64, []),
        ("u", TensorProto.FLOAT, [2 * SLOTS]),
        ("temperature", TensorProto.FLOAT, []),
        ("density", TensorProto.FLOAT, []),
        ("clamp_mask", TensorProto.FLOAT, [SLOTS]),
        ("clamp_value", TensorProto.FLOAT, [SLOTS, channels]),
        ("h0", TensorProto.FLOAT, [HIDDEN]),
        # Told, and not heeded.
        *((c["name"], TensorProto.FLOAT, c["shape"]) for c in changes.get("conditions", ()) if c["name"] not in drop),
    ]
    outputs = [
        ("notes", [SLOTS, channels]),
        ("probability", [SLOTS, 2]),
        ("log_prob", []),
        ("log_prob_tracks", [len(TRACKS)]),
        ("h0_next", [HIDDEN]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, t, ["B", *shape]) for n, t, shape in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", *shape]) for n, shape in outputs if n not in drop],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    helper.set_model_props(model, {"algoritmo.card": json.dumps(card(**changes))})
    onnx.save(model, path)
    return path
