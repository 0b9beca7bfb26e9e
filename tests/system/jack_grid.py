"""How exactly the network's notes lie on the beat, measured on the audio output of a JACK server.

    python tests/system/jack_grid.py                    # 500 notes with everything running
    python tests/system/jack_grid.py --notes 2000 --set clock.tempo=140

A network that strikes the hi-hat at every timestep plays; what is heard is compared with a steady grid. A note begins with the
64-frame block that contains its frame, so errors of half a block are by design. An xrun moves the sample clock itself: the grid
is taken from the notes around each note, and who was late is printed beside.
"""

# ruff: noqa: E402, T201  (runs from anywhere, and prints)

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.system.jack_latency import CONTROL, who_was_late
from tests.system.rig import RATE, JackServer, Jam, Stage, jack_settings

HAT = 42
AROUND = 15  # notes on each side that the grid is taken from
LOUD = 0.25  # of the loudest: less is the tail of the note before


@dataclass
class Figures:
    """Frames between a note and its place on the grid, and who was late meanwhile."""

    notes: int
    missed: int
    median: float
    p99: float
    maximum: float
    late_steps: int
    machine_late: int
    control_late: int
    bench_late: int
    ours_late: int


def write_hat(path: Path) -> None:
    """Write a network that strikes the hi-hat at every timestep and does nothing else."""
    tracks = [{"name": "drums", "kind": "drums", "pitches": [HAT]}, {"name": "lead", "pitches": [60]}]
    card = {"contract": 1, "name": "hat", "steps_per_beat": 4, "beats_per_bar": 4, "noise": 1, "tracks": tracks}
    struck = np.array([[[1, 0], [0, 0]]], np.float32)
    constants = {"struck": struck, "last": np.array([2]), "nothing": np.float32(0)}
    nodes = [
        helper.make_node("Mul", ["x", "nothing"], ["silence"]),
        helper.make_node("Add", ["silence", "struck"], ["probability"]),
        helper.make_node("Cast", ["clamp_mask"], ["dictated"], to=TensorProto.BOOL),
        helper.make_node("Unsqueeze", ["dictated", "last"], ["dictated_2"]),
        helper.make_node("Where", ["dictated_2", "clamp_value", "probability"], ["notes"]),
        helper.make_node("Mul", ["temperature", "nothing"], ["log_prob"]),
        helper.make_node("Mul", ["clamp_mask", "nothing"], ["log_prob_tracks"]),
    ]
    inputs = [("x", [2, 2]), ("position", []), ("u", [1]), ("temperature", []), ("clamp_mask", [2]), ("clamp_value", [2, 2])]
    outputs = [("notes", [2, 2]), ("probability", [2, 2]), ("log_prob", []), ("log_prob_tracks", [2])]

    def value(name: str, shape: list[int]) -> onnx.ValueInfoProto:
        kind = TensorProto.INT64 if name == "position" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, ["B", *shape])

    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "hat", [value(*i) for i in inputs], [value(*o) for o in outputs], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"algoritmo.card": json.dumps(card)})
    onnx.save(model, path)


def onsets(sound: np.ndarray, least_apart: int) -> np.ndarray:
    """Return the frames at which notes begin: loud, after something quieter for most of a step."""
    size = np.nan_to_num(np.abs(sound)).max(axis=1)
    loud = np.flatnonzero(size > LOUD * size.max())
    first = np.concatenate([[True], np.diff(loud) > least_apart]) if len(loud) else np.zeros(0, bool)
    return loud[first]


def errors(found: np.ndarray, period: float) -> tuple[np.ndarray, int]:
    """Return how far each onset lies from the grid of those around it, and how many places of the grid are empty."""
    places = np.concatenate([[0], np.cumsum(np.maximum(np.round(np.diff(found) / period), 1))])
    rest = found - places * period
    local = np.array([np.median(rest[max(i - AROUND, 0) : i + AROUND + 1]) for i in range(len(rest))])
    return np.abs(rest - local), int(places[-1]) + 1 - len(found)


def measure(stage: Stage, notes: int, period: float) -> tuple[np.ndarray, int]:
    """Listen to so many notes; return their errors and how many were missed."""
    begin = stage.now
    end = begin + round(notes * period)
    stage.wait_until(end)
    return errors(onsets(stage.sound(begin, end), round(0.5 * period)), period)


def main() -> None:
    """Set up, measure, print, take down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--tempo", type=float, default=112.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "jackd.log"
        server = JackServer(log)
        os.environ.update(server.env)
        stage = Stage(server)
        control = subprocess.Popen([sys.executable, "-c", CONTROL])
        write_hat(Path(folder) / "hat.onnx")
        own = (f"network.name={folder}/hat.onnx", "jam.mode=solo", f"clock.tempo={arguments.tempo}")
        jam = Jam(Path(folder), *jack_settings(), *own, *arguments.set, env=server.env)
        try:
            stage.connect_to_jam()
            jam.wait_playing(16)
            mark = len(log.read_text())
            found, missed = measure(stage, arguments.notes, 60 * RATE / arguments.tempo / 4)
            late = who_was_late(log.read_text()[mark:])
            report = jam.report
        finally:
            jam.close()
            control.kill()
            control.wait()
            stage.close()
            server.close()
    median, p99, maximum = np.percentile(found, [50, 99, 100])
    figures = Figures(len(found), missed, median, p99, maximum, report["late_steps"], *late)
    print(json.dumps(asdict(figures), indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
