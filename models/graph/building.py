"""Writes step graphs: a small builder over onnx.helper, and the one way a network file is checked and saved.

Runs without torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from engine.core.contract import CARD_KEY, METRE, Card, expected_inputs, expected_outputs, faults, parse_card
from engine.core.errors import NetworkError

OPSET = 18
IR_VERSION = 9


class Graph:
    """Collects the nodes of one graph, or of the body of a Loop or Scan; constants are shared by all of them."""

    def __init__(self, outer: Graph | None = None, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = outer.constants if outer else {}
        self.widened: list[onnx.NodeProto] = outer.widened if outer else []

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a constant under `name` and return the name."""
        array: np.ndarray = np.asarray(value, order="C")
        self.constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def floats(self, name: str, value: Any) -> str:
        """Add a float32 constant; a large one whose values half precision can tell exactly is stored in half the size."""
        array = np.asarray(value, np.float32)
        half = array.astype(np.float16) if array.size >= 1024 else None
        if half is None or not np.array_equal(half, array):
            return self.constant(name, array)
        if name not in self.constants:
            self.constant(name, half)
            self.widened.append(helper.make_node("Cast", [name], [f"{name}_wide"], to=TensorProto.FLOAT))
        return f"{name}_wide"  # onnxruntime widens it once, when it loads the file

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.constant("ints_" + "_".join(map(str, values)).replace("-", "m"), np.asarray(values, np.int64))

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        name = out or f"{self.prefix}{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def split(self, value: str, *sizes: int, out: tuple[str, ...] = ()) -> list[str]:
        """Cut the last axis into pieces of the given sizes."""
        names = list(out) or [f"{self.prefix}split{len(self.nodes)}_{k}" for k in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [value, self.ints(*sizes)], names, axis=-1))
        return names

    def few(self, value: str, weight: str, plus: str = "", out: str = "") -> str:
        """Product of a (B, N) value that is mostly zero with a constant (N, M), and `plus` (B, M) added.

        Only the rows of the weight that meet something are read: a step has some ten notes among hundreds of slots, and
        reading weights from memory is what a step costs.
        """
        some = self.add("ReduceL1", value, self.ints(0), keepdims=0)  # (N,)
        where = self.add("Reshape", self.add("NonZero", some), self.ints(-1))
        values, rows = self.add("Gather", value, where, axis=1), self.add("Gather", weight, where, axis=0)
        return self.add("Gemm", values, rows, plus, out=out) if plus else self.add("MatMul", values, rows, out=out)


def build_model(graph: Graph, card: Card) -> onnx.ModelProto:
    """Wrap the nodes in a model whose inputs, outputs and card are what the contract asks for."""

    def value(name: str, kind: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        element = TensorProto.INT64 if kind == "int64" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, element, ["B", *shape])

    proto = helper.make_graph(
        [*graph.widened, *graph.nodes],
        card.name,
        [value(name, *wanted) for name, wanted in expected_inputs(card).items()],
        [value(name, *wanted) for name, wanted in expected_outputs(card).items()],
        list(graph.constants.values()),
    )
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="algoritmo"
    )
    helper.set_model_props(model, {CARD_KEY: card.model_dump_json()})
    return model


def round_weights(model: Any) -> None:
    """Round a PyTorch network's weights to what half precision can tell, so that its file is half the size."""
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()


def open_session(model: bytes | Path, threads: int = 1) -> ort.InferenceSession:
    """An onnxruntime session on the CPU, as the engine opens one."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"])


def save_network(model: onnx.ModelProto, path: Path) -> Card:
    """Check a model against the contract and write it atomically; returns its card.

    Raises NetworkError with every disagreement.
    """
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    props = {p.key: p.value for p in model.metadata_props}
    card = parse_card(props.get(CARD_KEY, json.dumps({})), str(path))
    session = open_session(data)
    wrong = faults(card, session.get_inputs(), session.get_outputs())
    if wrong:
        raise NetworkError(f"{path}: breaks the step graph contract:\n" + "\n".join(f"  - {w}" for w in wrong))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
    return card


def random_inputs(card: Card, batch: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs a step could meet: some notes sounding, some of them held, some slots dictated, controls in range."""
    slots, extra = card.slots, len(card.channels) - 2
    x = _random_notes(chance, batch, slots, extra, None)
    feed = {
        "x": x,
        "position": chance.integers(0, 1000, batch),
        "u": chance.random((batch, card.noise), np.float32),
        "temperature": chance.uniform(0.5, 1.5, batch).astype(np.float32),
        "clamp_mask": (chance.random((batch, slots)) < chance.choice([0.0, 0.3, 1.0], (batch, 1))).astype(np.float32),
        "clamp_value": _random_notes(chance, batch, slots, extra, x),
    }
    feed |= {c.name: chance.uniform(c.min, c.max, batch).astype(np.float32) for c in card.controls if c.name != "temperature"}
    most = {c.name: 8 if c.name == METRE else 2 for c in card.conditions}
    feed |= {c.name: chance.integers(0, most[c.name], (batch, *c.shape)).astype(np.float32) for c in card.conditions}
    feed |= {s.name: chance.uniform(-0.9, 0.9, (batch, *s.shape)).astype(np.float32) for s in card.states}
    return feed


def _random_notes(chance: np.random.Generator, batch: int, slots: int, extra: int, before: np.ndarray | None) -> np.ndarray:
    play = chance.random((batch, slots)) < 0.1
    hold = play & (chance.random((batch, slots)) < 0.5)
    if before is not None:
        hold &= before[..., 0] > 0
    rest = chance.random((batch, slots, extra)) * play[..., None]
    return np.concatenate([play[..., None], hold[..., None], rest], -1).astype(np.float32)


def largest_difference(
    session: ort.InferenceSession,
    reference: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
    feeds: list[dict[str, np.ndarray]],
) -> dict[str, float]:
    """Run both on each feed; return the largest absolute difference of each output the reference gives."""
    worst: dict[str, float] = {}
    names = [o.name for o in session.get_outputs()]
    for feed in feeds:
        got = dict(zip(names, session.run(None, feed), strict=True))
        for name, value in reference(feed).items():
            worst[name] = max(worst.get(name, 0.0), float(np.abs(got[name] - value).max()))
    return worst
