"""Several processes train as one process with their batches side by side."""

import socket
import subprocess
import sys

import numpy as np
import torch

from models.music.representation import ONSET, to_midi
from models.training.train import read_tensors

SIZES = {
    "width": 10,
    "layers": 2,
    "head": 16,
    "window": 16,
    "dropout": 0,
    "given": 0,
    "forget": 0,
    "unheard": 0,
    "asked": 0,
} | dict.fromkeys(("hidden", "chord", "next_chord", "kick"), 0)


def train(out, songs, streams, *launcher):
    settings = [f"--set={k}={v}" for k, v in {**SIZES, "streams": streams, "bf16": "false", "gain": 0}.items()]
    command = ["-m", *launcher, "models.training.train", "festival", "--data", str(songs), "--out", str(out), "--device", "cpu"]
    command += ["--updates", "6", "--valid-every", "3", "--lr", "0.01", "--threads", "1", *settings]
    command += ["--cache", str(out / "cache")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    tensors, meta = read_tensors(out / "best.safetensors")
    return tensors, meta


def test_two_processes_learn_what_one_does_from_twice_the_batch(tmp_path):
    songs = tmp_path / "songs"
    songs.mkdir()
    chance = np.random.default_rng(1)
    for index in range(30):
        roll = np.zeros((160, 188), np.uint8)
        roll[::2, 0] = roll[chance.integers(0, 160, 60), chance.integers(12, 188, 60)] = ONSET
        (songs / f"{index}.mid").write_bytes(to_midi(roll))
    one, told = train(tmp_path / "one", songs, 6)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # On this machine's own address, whatever its name means to the system.
    here = ("--master-addr", "127.0.0.1", "--master-port", str(port))
    launcher = ("torch.distributed.run", "--nproc-per-node", "2", *here, "-m")
    two, also = train(tmp_path / "two", songs, 3, *launcher)
    assert (told["world"], also["world"]) == (1, 2)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    assert abs(told["best"] - also["best"]) < 1e-3
    assert sorted(k for k in read_tensors(tmp_path / "two/checkpoint.safetensors")[0] if k.startswith("carry")) == [
        "carry.0.felt",
        "carry.0.state",
        "carry.1.felt",
        "carry.1.state",
    ]
