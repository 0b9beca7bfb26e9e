"""Times a timestep of each network in PyTorch, as it is defined, and in NumPy, for the bench to set beside the step graph.

    python -m models.eager --steps 30

Prints JSON: for each network milliseconds of the step graph, of the step in PyTorch, eagerly, notes decided one after another,
and of a port to NumPy (of the festival network: its graph, operator by operator, by onnx.reference); of the festival network
also the recurrent layers alone. `biaxial_full` is the full size, 300-300-100-50, its graph as its recipe writes it, with the
time axis in 8 bits; `biaxial_full_f32` has it in floats. Weights are fresh ones: they do not change how long it takes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn import functional as F

from models.biaxial import recipe as biaxial_recipe
from models.biaxial.network import BEAT_BITS, PITCH_CLASSES, Biaxial, features
from models.chords import recipe as chords_recipe
from models.chords.network import ChordNetwork
from models.festival import export as festival_export
from models.festival.network import Festival, Sizes
from models.graph.building import open_session, random_inputs
from models.graph.cells import lstm_weights
from models.graph.playing import open_network
from models.music.chord_symbols import QUALITIES, Classes

Feed = dict[str, np.ndarray]
SMALL = {"time_sizes": (128, 128), "note_sizes": (64, 32)}  # the size that is shipped
NUMPY_STEPS = 5  # of a graph operator by operator, which takes long


@torch.no_grad()
def biaxial_step(network: Biaxial, feed: Feed) -> Tensor:
    """One step of a biaxial network, note after note; returns the flags (1, N, C)."""
    config = network.config
    play, hold = torch.from_numpy(feed["x"]).unbind(-1)
    flags = torch.stack([play, play * (1 - hold)], -1)[:, None]  # (1, 1, N, C)
    described = features(flags, torch.from_numpy(feed["position"])[:, None], config)[0, 0]  # (N, F)
    signal = described[:, None]  # (N, 1, F)
    for at, layer in enumerate(network.time_layers):
        state = (torch.from_numpy(feed[f"h{at}"]), torch.from_numpy(feed[f"c{at}"]))  # (1, N, H)
        signal, _ = layer(signal, state)
    known = torch.cat([signal[:, 0], described], -1)  # (N, K)
    below = torch.zeros(config.reach * config.voices)
    chosen, states = [], [None] * len(network.note_layers)
    u = torch.from_numpy(feed["u"])[0].view(config.voices, config.notes)
    for note in range(config.notes):
        signal = torch.cat([known[note], below])[None, None]
        for at, layer in enumerate(network.note_layers):
            signal, states[at] = layer(signal, states[at])
        drawn = (u[:, note] < torch.sigmoid(network.head(signal)[0, 0])).float()
        drawn = torch.cat([drawn[:1], drawn[:1] * drawn[1:]])
        below = torch.cat([drawn, below[: -config.voices]])
        chosen.append(drawn)
    return torch.stack(chosen)[None]


@torch.no_grad()
def chords_step(network: ChordNetwork, feed: Feed) -> Tensor:
    """One beat of a chord network: the class that is drawn."""
    states = [
        (torch.from_numpy(feed[f"h{at}"])[None], torch.from_numpy(feed[f"c{at}"])[None]) for at in range(len(network.sizes))
    ]
    last = torch.zeros(1, 1, dtype=torch.int64)
    logits, _ = network(last, torch.from_numpy(feed["position"])[:, None], states)
    return (F.softmax(logits[0, 0], -1).cumsum(0) <= float(feed["u"][0, 0])).sum()


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


class NumpyLayer:
    """An LSTM layer in NumPy: input and recurrent weights as one matrix."""

    def __init__(self, layer: Any) -> None:
        w_in, w_rec, self.bias = lstm_weights(layer)
        self.weight = np.concatenate([w_in, w_rec])
        self.size = len(w_rec)

    def __call__(self, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, K), (B, H), (B, H) -> h, c."""
        gates = np.concatenate([x, h], -1) @ self.weight + self.bias
        i, f, o = np.split(_sigmoid(gates[:, : 3 * self.size]), 3, -1)
        c = f * c + i * np.tanh(gates[:, 3 * self.size :])
        return o * np.tanh(c), c


class NumpyBiaxial:
    """A biaxial network in NumPy, one step at a time."""

    def __init__(self, network: Biaxial) -> None:
        self.config = network.config
        self.time = [NumpyLayer(layer) for layer in network.time_layers]
        self.note = [NumpyLayer(layer) for layer in network.note_layers]
        self.head = network.head.weight.detach().numpy().T.copy()
        self.bias = network.head.bias.detach().numpy()
        index = np.arange(self.config.notes)
        self.classes = (index + self.config.low) % PITCH_CLASSES
        self.place = np.concatenate([index[:, None] / (self.config.notes - 1), np.eye(12)[self.classes]], 1).astype(np.float32)
        self.window = index[:, None] + np.arange(2 * self.config.vicinity + 1)
        self.turn = (np.arange(PITCH_CLASSES) + self.classes[:, None]) % PITCH_CLASSES

    def describe(self, feed: Feed) -> np.ndarray:
        """The features of every note: (N, F)."""
        play, hold = feed["x"][0].T
        flags = np.stack([play, play * (1 - hold)], 1)
        reach = self.config.vicinity
        near = np.pad(flags, ((reach, reach), (0, 0)))[self.window].reshape(len(flags), -1)
        counts = np.bincount(self.classes, play, PITCH_CLASSES).astype(np.float32)
        bits = (feed["position"][0] >> np.arange(BEAT_BITS) & 1) * 2.0 - 1
        beat = np.broadcast_to(bits.astype(np.float32), (len(flags), BEAT_BITS))
        return np.concatenate([self.place, near, counts[self.turn], beat], 1)

    def step(self, feed: Feed) -> np.ndarray:
        """The flags (N, C) of one step."""
        described = signal = self.describe(feed)
        for at, layer in enumerate(self.time):
            signal, _ = layer(signal, feed[f"h{at}"][0], feed[f"c{at}"][0])
        known = np.concatenate([signal, described], 1)
        voices = self.config.voices
        below = np.zeros(self.config.reach * voices, np.float32)
        states = [(np.zeros((1, layer.size), np.float32),) * 2 for layer in self.note]
        u = feed["u"][0].reshape(voices, -1)
        chosen = np.zeros((len(known), voices), np.float32)
        for note, mine in enumerate(known):
            row = np.concatenate([mine, below])[None]
            for at, layer in enumerate(self.note):
                states[at] = layer(row, *states[at])
                row = states[at][0]
            drawn = u[:, note] < _sigmoid(row @ self.head + self.bias)[0]
            chosen[note] = drawn * drawn[0]
            below = np.concatenate([chosen[note], below[:-voices]])
        return chosen


class NumpyChords:
    """A chord network in NumPy, one beat at a time."""

    def __init__(self, network: ChordNetwork) -> None:
        self.chord, self.place = network.chord.weight.detach().numpy(), network.place.weight.detach().numpy()
        self.layers = [NumpyLayer(layer) for layer in network.layers]
        self.head, self.bias = network.head.weight.detach().numpy().T.copy(), network.head.bias.detach().numpy()

    def step(self, feed: Feed) -> int:
        """The class that is drawn."""
        signal = self.chord[:1] + self.place[feed["position"] % len(self.place)]
        for at, layer in enumerate(self.layers):
            signal, _ = layer(signal, feed[f"h{at}"], feed[f"c{at}"])
        chance = np.exp(signal @ self.head + self.bias)[0]
        return int((np.cumsum(chance / chance.sum()) <= feed["u"][0, 0]).sum())


def _networks() -> dict[str, tuple[nn.Module, Callable[[Any, Feed], Any], Callable[[Any, Path], Any]]]:
    """Name -> (network, one step of it in PyTorch, how it is exported)."""

    def biaxial(config: dict[str, Any]) -> tuple[nn.Module, Callable[[Any, Feed], Any], Callable[[Any, Path], Any]]:
        config = {**biaxial_recipe.DEFAULTS, **config}
        return biaxial_recipe.build(config).eval(), biaxial_step, lambda m, path: biaxial_recipe.export(m, config, about, path)

    chords = {**chords_recipe.DEFAULTS, "qualities": list(QUALITIES)}
    about = {"data": {}, "command": "", "best": 0.0, "best_update": 0, "seed": 0, "seconds": 0.0}
    return {
        "festival": (
            Festival(Sizes()).eval(),
            festival_export.step,
            lambda model, path: festival_export.export(model, about, path),
        ),
        "biaxial": biaxial({k: list(v) for k, v in SMALL.items()}),
        "biaxial_full": biaxial({"eight_bits": True}),
        "biaxial_full_f32": biaxial({}),
        "chords": (
            ChordNetwork(len(Classes(list(QUALITIES))), tuple(chords["sizes"]), chords["width"]).eval(),
            chords_step,
            lambda model, path: chords_recipe.export(model, chords, about, path),
        ),
    }


def _in_numpy(model: nn.Module, path: Path) -> Callable[[Feed], Any]:
    """One step in NumPy."""
    if isinstance(model, Biaxial):
        return NumpyBiaxial(model).step
    if isinstance(model, ChordNetwork):
        return NumpyChords(model).step
    graph = ReferenceEvaluator(str(path))
    return lambda feed: graph.run(None, feed)


def _milliseconds(taken_ns: list[int]) -> dict[str, float]:
    p50, p99 = np.percentile(np.asarray(taken_ns) * 1e-6, [50, 99])
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4)}


def _many(call: Callable[[], Any], steps: int) -> dict[str, float]:
    """Milliseconds of a call, the first one left out: it is slower than any other."""
    call()
    taken_ns: list[int] = []
    for _ in range(steps):
        begun_ns = time.perf_counter_ns()
        call()
        taken_ns.append(time.perf_counter_ns() - begun_ns)
    return _milliseconds(taken_ns)


def measure(steps: int) -> dict[str, Any]:
    """Milliseconds of a step of each network: `graph` (onnxruntime), `torch`, `numpy`; `core` where it is known."""
    found: dict[str, Any] = {"torch": torch.__version__, "steps": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, (model, step, export) in _networks().items():
            path = Path(folder) / f"{name}.onnx"
            export(model, path)
            feed = random_inputs(open_network(path).card, 1, np.random.default_rng(1))
            session, port = open_session(path), _in_numpy(model, path)
            figures = {
                "graph": _many(partial(session.run, None, feed), 10 * steps),
                "torch": _many(partial(step, model, feed), steps),
                "numpy": _many(partial(port, feed), NUMPY_STEPS if isinstance(model, Festival) else steps),
            }
            if isinstance(model, Festival):
                told = {k: torch.from_numpy(v) for k, v in feed.items()}
                figures["core"] = _many(partial(festival_export.core_step, model, told), 10 * steps)
            found["steps"][name] = figures
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m models.eager")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    sys.stdout.write(json.dumps(measure(args.steps)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
