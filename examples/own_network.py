"""Bring your own network: a small GRU that plays one keyboard, exported under the step graph contract (models/CONTRACT.md).

pip install -e '.[train]'
python examples/own_network.py gru.onnx --data MY_MIDI_FILES
algoritmo jam --set network.name=gru.onnx --set patches.piano=keys
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from models.music.keyboard import read_keyboard
from models.music.representation import channels

PITCHES = list(range(36, 84))
S, HIDDEN, BAR = len(PITCHES), 96, 16


class Step(nn.Module):
    """One timestep: everything the contract asks for is computed here, sampling included."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(2 * S + BAR, HIDDEN)
        self.head = nn.Linear(HIDDEN, 2 * S)

    def logits(self, x, position, h0):
        """x (B, S, 2), position (B,), h0 (B, H) -> logits (B, S, 2), new state (B, H)."""
        where = nn.functional.one_hot(position % BAR, BAR).float()
        h = self.cell(torch.cat([x.flatten(1), where], 1), h0)
        return self.head(h).view(-1, S, 2), h

    def forward(self, x, position, u, temperature, clamp_mask, clamp_value, h0):
        """The contract's inputs -> its outputs, in the order of OUTPUTS."""
        logits, h = self.logits(x, position, h0)
        may_hold = torch.stack([torch.ones_like(x[..., 0]), x[..., 0]], 2)  # only what sounded can be held
        asked = torch.sigmoid(logits / temperature[:, None, None]) * may_hold
        drawn = (u.view(-1, S, 2) < asked).float()
        drawn = torch.stack([drawn[..., 0], drawn[..., 0] * drawn[..., 1]], 2)
        mask = clamp_mask[..., None]
        notes = mask * clamp_value + (1 - mask) * drawn
        nats = log_prob(logits, notes, x).sum((1, 2))
        return notes, asked, nats, nats[:, None], h


def log_prob(logits, notes, x):
    """Nats of the chosen play and hold at temperature 1; hold is a choice only where a note goes on sounding. (B, S, 2)."""
    nats = -nn.functional.binary_cross_entropy_with_logits(logits, notes, reduction="none")
    return nats * torch.stack([torch.ones_like(x[..., 0]), x[..., 0] * notes[..., 0]], 2)


OUTPUTS = ["notes", "probability", "log_prob", "log_prob_tracks", "h0_next"]
CARD = {
    "contract": 1,
    "name": "gru",
    "title": "A small GRU",
    "steps_per_beat": 4,
    "beats_per_bar": 4,
    "noise": 2 * S,
    "tracks": [{"name": "piano", "pitches": PITCHES}],
    "states": [{"name": "h0", "shape": [HIDDEN]}],
    "activations": [{"output": "h0_next", "layer": 0, "signal": "h", "shape": [HIDDEN]}],
}


def train(step: Step, rolls: list[np.ndarray], updates: int) -> None:
    """Teach it to predict the next step of random four-bar cuts. Each roll is (steps, S, 2): play, hold."""
    optimiser, rng = torch.optim.Adam(step.parameters(), 2e-3), np.random.default_rng(1)
    rolls = [r for r in rolls if len(r) > 4 * BAR]
    for update in range(updates):
        starts = [(r, BAR * rng.integers((len(r) - 1) // BAR - 3)) for r in rng.permutation(np.array(rolls, object))[:16]]
        notes = torch.stack([torch.from_numpy(r[a : a + 4 * BAR]).float() for r, a in starts], 1)  # (T, B, S, 2)
        h, x, loss = torch.zeros(notes.shape[1], HIDDEN), torch.zeros_like(notes[0]), 0.0
        for t in range(len(notes)):
            logits, h = step.logits(x, torch.full((notes.shape[1],), t), h)
            loss = loss - log_prob(logits, notes[t], x).sum((1, 2)).mean() / len(notes)
            x = notes[t]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if update % 50 == 0:
            print(f"update {update}: {loss.item():.2f} nats a step")


def export(step: Step, path: Path) -> None:
    """Write the step as one .onnx file with its card; the batch stays free."""
    b = 2
    example = {
        "x": torch.zeros(b, S, 2),
        "position": torch.zeros(b, dtype=torch.int64),
        "u": torch.rand(b, 2 * S),
        "temperature": torch.ones(b),
        "clamp_mask": torch.zeros(b, S),
        "clamp_value": torch.zeros(b, S, 2),
        "h0": torch.zeros(b, HIDDEN),
    }
    batch = {name: {0: torch.export.Dim("B")} for name in example}
    program = torch.onnx.export(
        step.eval(), kwargs=example, output_names=OUTPUTS, dynamic_shapes=batch, dynamo=True, verbose=False
    )
    model = program.model_proto
    onnx.helper.set_model_props(model, {"algoritmo.card": json.dumps(CARD)})
    onnx.save(model, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", help="MIDI files to learn from; without, its weights are random")
    parser.add_argument("--updates", type=int, default=500)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    network = Step()
    if arguments.data:
        found = read_keyboard(arguments.data, PITCHES[0], PITCHES[-1], CARD["steps_per_beat"])
        train(network, [channels(piece.roll) for piece in found.pieces], arguments.updates)
    export(network, arguments.out)
