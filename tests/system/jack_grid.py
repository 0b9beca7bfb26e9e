"""How exactly the network's notes lie on the beat, measured on the audio output of a JACK server.

    python tests/system/jack_grid.py                    # 500 notes with everything running
    python tests/system/jack_grid.py --notes 2000 --set clock.tempo=140

A network that strikes the hi-hat at every timestep plays. A note begins with the 64-frame block that contains its frame, so
errors of half a block are by design. An xrun makes the sample clock stand still against the server's, so it is looked at twice:
what the server heard, against the grid of the notes around each note; and the recording, which is written by our own sample
clock, against one straight grid from the first note to the last.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.system.jack_stand import everything, jam_on, parser_of, stand, tell
from tests.system.rig import RATE, Stage

HAT = 42
AROUND = 15  # notes on each side that the grid is taken from
LOUD = 0.25  # of the loudest: less is the tail of the note before


@dataclass
class Figures:
    """Frames between a note and its place on the grid."""

    notes: int
    missed: int
    median: float
    p99: float
    maximum: float
    recorded_notes: int
    recorded_median: float
    recorded_p99: float
    recorded_maximum: float
    late_steps: int


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


def rests(found: np.ndarray, period: float) -> tuple[np.ndarray, int]:
    """Return each onset less its place on a grid that begins with the first, and how many places of the grid are empty."""
    places = np.concatenate([[0], np.cumsum(np.maximum(np.round(np.diff(found) / period), 1))])
    return found - places * period, int(places[-1]) + 1 - len(found)


def errors_around(rest: np.ndarray) -> np.ndarray:
    """Return how far each lies from those around it."""
    local = np.array([np.median(rest[max(i - AROUND, 0) : i + AROUND + 1]) for i in range(len(rest))])
    return np.abs(rest - local)


def errors_straight(rest: np.ndarray) -> np.ndarray:
    """Return how far each lies from the middle of all."""
    return np.abs(rest - (rest.min() + rest.max()) / 2)


def heard(stage: Stage, notes: int, period: float) -> tuple[np.ndarray, int]:
    """Listen to so many notes; return their errors and how many were missed."""
    begin = stage.now
    end = begin + round(notes * period)
    stage.wait_until(end)
    rest, missed = rests(onsets(stage.sound(begin, end), round(0.5 * period)), period)
    return errors_around(rest), missed


def recorded(wav: Path, period: float) -> np.ndarray:
    """Return the errors of all notes of a recording."""
    sound, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    return errors_straight(rests(onsets(sound, round(0.5 * period)), period)[0])


def main() -> None:
    """Set up, measure, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--tempo", type=float, default=112.0)
    arguments = parser.parse_args()
    period = 60 * RATE / arguments.tempo / 4
    with stand() as the:
        write_hat(the.folder / "hat.onnx")
        own = (f"network.name={the.folder}/hat.onnx", "jam.mode=solo", f"clock.tempo={arguments.tempo}")
        with jam_on(the, *everything(), *own, *arguments.set) as jam:
            the.mark()
            before = jam.report["late_steps"]
            there, missed = heard(the.stage, arguments.notes, period)
            late, late_steps = the.late(), jam.report["late_steps"] - before
            jam.end()
            here = recorded(jam.session / "session.wav", period)
    at = [50, 99, 100]
    tell(
        Figures(len(there), missed, *np.percentile(there, at), len(here), *np.percentile(here, at), late_steps),
        late,
        arguments.json,
    )


if __name__ == "__main__":
    main()
