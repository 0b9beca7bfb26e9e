"""Stand-ins for the network process: a card like the festival network's, and steps of it."""

import numpy as np

from engine.core.contract import Card
from engine.core.messages import FUTURE_STEPS, futures_dtype, step_dtype

RANGES = {"h": (-1, 1), "c": (-4, 4), "i": (0, 1), "f": (0, 1), "g": (-1, 1), "o": (0, 1)}
OUTPUTS = {"h": "h{}_next", "c": "c{}_next"}


def make_card(layers=6, width=150, signals="hc", shape=None, **changes):
    """Return a card like the festival network's."""
    shape = shape or [width]
    card = {
        "contract": 1,
        "name": "festival",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 376,
        "tracks": [
            {"name": "drums", "kind": "drums", "pitches": list(range(36, 48))},
            {"name": "bass", "pitches": list(range(28, 60))},
            {"name": "chords", "pitches": list(range(40, 88))},
            {"name": "pad", "pitches": list(range(40, 88))},
            {"name": "lead", "pitches": list(range(48, 96))},
        ],
        "states": [{"name": f"{s}{k}", "shape": shape} for s in "hc" for k in range(layers)],
        "activations": [
            {
                "output": OUTPUTS.get(s, s + "{}").format(k),
                "layer": k,
                "signal": s,
                "shape": shape,
                "min": RANGES[s][0],
                "max": RANGES[s][1],
            }
            for k in range(layers)
            for s in signals
        ],
    }
    return Card.model_validate(card | changes)


def make_step(card, number, chance, frame=None):
    """Return a step record as the network process writes it, with random contents."""
    record = np.zeros((), step_dtype(card))
    record["step"] = number
    record["frame"] = 6000 * number if frame is None else frame
    record["beat"] = number / card.steps_per_beat
    record["tempo_bpm"] = 120
    for name in {s.name + "_next" for s in card.states} | {a.output for a in card.activations}:
        record[name] = chance.normal(0, 1, record[name].shape)
    for a in card.activations:
        if a.signal != "c":
            record[a.output] = np.clip(record[a.output], a.min, a.max)
    record["probability"] = chance.random((card.slots, 2)) ** 3
    record["notes"][:, 0] = chance.random(card.slots) < record["probability"][:, 0]
    record["notes"][:, 1] = record["notes"][:, 0] * (chance.random(card.slots) < 0.5)
    record["clamped"] = chance.random(card.slots) < 0.1
    return record[()]


def make_futures(card, step, chance, count=2, frame=None):
    """Return what may follow a step as the network process writes it, with random contents."""
    record = np.zeros((), futures_dtype(card))
    record["step"], record["count"] = step, count
    record["frame"] = 6000 * step if frame is None else frame
    record["log_prob"][:count] = -chance.random(count)
    record["notes"][:count] = chance.choice(3, (count, FUTURE_STEPS, card.slots), p=[0.9, 0.05, 0.05])
    return record[()]


def received(sock):
    """Return every datagram that waits in a non-blocking socket."""
    found = []
    while True:
        try:
            found.append(sock.recv(65536))
        except BlockingIOError:
            return found
