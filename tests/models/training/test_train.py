"""The trainer: what a kill, a NaN, a full disk or the wrong checkpoint does to a run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.music.representation import BAND, ONSET, to_midi
from models.training import train
from models.training.train import Options, Trainer, TrainingError, learning_rate, load_recipe, parse_settings, read_tensors


class Line(nn.Module):
    """Learns a straight line, with dropout and a carried state, so that noise and state matter."""

    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Linear(1, width), nn.Linear(width, 1)

    def forward(self, x):
        return self.two(nn.functional.dropout(torch.tanh(self.one(x)), 0.2, self.training))


class Recipe:
    def __init__(self):
        self.facts = {"sources": []}

    def build(self, config):
        return Line(config["width"])

    def dataset(self, paths, config, cache):
        self.bad_update = config["bad_update"]
        return self

    def batch(self, update, rank, world):
        x = torch.randn(8, 1, generator=torch.Generator().manual_seed(update))
        return {"x": x * (torch.nan if update == self.bad_update else 1), "y": 2 * x}

    def valid(self):
        yield {"x": torch.linspace(-1, 1, 8)[:, None], "y": torch.linspace(-2, 2, 8)[:, None]}

    def loss(self, model, batch, carry):
        mean = carry.get("mean", torch.zeros(())) * 0.9 + batch["x"].mean() * 0.1
        error = (model(batch["x"]) + mean - batch["y"]) ** 2
        return error.sum(), torch.tensor(8.0), {"mean": mean}

    def export(self, model, config, training, path):
        path.write_text(str(training["best"]))


def trainer(out, updates=12, width=4, bad_update=-1, **more):
    recipe = Recipe()
    config = {"width": width, "bad_update": bad_update}
    options = Options(out, updates=updates, lr=0.01, valid_every=3, checkpoint_every=4, progress=False, **more)
    return Trainer("line", recipe, recipe.dataset([], config, out), config, options)


def weights(path):
    return read_tensors(path)[0]


def kill_after(run, updates):
    """Let a run do `updates` updates, then lose it, as kill -9 would: nothing is written at the end."""
    real, done = run._update, []

    def counted():
        if len(done) == updates:
            raise SystemExit
        done.append(0)
        return real()

    run._update = counted
    with pytest.raises(SystemExit):
        run.run()


@pytest.mark.parametrize("updates", [5, 8, 11])
def test_a_killed_run_goes_on_to_the_same_result(tmp_path, updates):
    trainer(tmp_path / "whole").run()
    kill_after(trainer(tmp_path / "killed"), updates)
    again = trainer(tmp_path / "killed")
    again.load()
    assert again.progress.update == updates // 4 * 4
    again.run()
    for name in ("checkpoint.safetensors", "best.safetensors"):
        one, other = weights(tmp_path / "whole" / name), weights(tmp_path / "killed" / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[k], other[k]) for k in one)


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"update 6: loss nan.*lower --lr"):
        trainer(tmp_path, bad_update=6).run()
    tensors, meta = read_tensors(tmp_path / "checkpoint.safetensors")
    assert meta["update"] == 4
    assert all(torch.isfinite(v).all() for v in tensors.values())


def test_nan_before_the_first_checkpoint_names_none(tmp_path):
    with pytest.raises(TrainingError, match=r"update 1: .*No checkpoint was written yet; begin anew with a lower --lr"):
        trainer(tmp_path, bad_update=1).run()
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_run_as_a_module_a_wrong_folder_is_an_error_and_no_traceback(tmp_path):
    command = [
        sys.executable,
        "-m",
        "models.training.train",
        "festival",
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}: nothing in it can be used: there is no MIDI file and no lead sheet\n"


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    run = trainer(tmp_path)
    run.run()
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train.os, "fsync", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*--resume"):
        run.save()
    with pytest.raises(TrainingError, match=r"there is none from before"):
        train.write_tensors(tmp_path / "new.safetensors", {"a": torch.ones(2)}, {})
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    trainer(tmp_path).run()
    with pytest.raises(TrainingError, match="another width"):
        trainer(tmp_path, width=5).load()
    with pytest.raises(TrainingError, match="seed 1, not 2"):
        trainer(tmp_path, seed=2).load()
    with pytest.raises(TrainingError, match=r"belongs to another network: one.bias is \(4,\), not \(5,\)"):
        trainer(tmp_path / "new", width=5).begin_with(tmp_path / "best.safetensors")
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"is not a checkpoint.*remove it, and train without --resume"):
        trainer(tmp_path).load()


def test_it_stops_early_when_validation_no_longer_improves(tmp_path):
    run = trainer(tmp_path, updates=300, patience=2)
    run.validate = lambda: float(abs(run.progress.update - 6))
    progress = run.run()
    assert (progress.update, progress.best_update, progress.best) == (12, 6, 0.0)
    assert read_tensors(tmp_path / "best.safetensors")[1]["update"] == 6


def test_history_and_plot_are_written_and_a_signal_leaves_a_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.data.valid = lambda: (run.ask_to_stop(15, None), Recipe().valid())[1]
    run.run()
    assert read_tensors(tmp_path / "checkpoint.safetensors")[1]["update"] == 3
    assert (tmp_path / "history.csv").read_text().splitlines()[0].startswith("update,seconds")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_where_weights_come_from_is_remembered(tmp_path):
    trainer(tmp_path / "first", command="the first").run()
    run = trainer(tmp_path / "second", command="the second")
    run.begin_with(tmp_path / "first" / "best.safetensors")
    run.run()
    meta = read_tensors(tmp_path / "second" / "best.safetensors")[1]
    assert [b["command"] for b in meta["before"]] == ["the first"]


def test_learning_rate_rises_stays_and_falls_to_nothing():
    options = Options(Path(), updates=100, lr=1.0, warmup=10, decay=0.2)
    rates = [learning_rate(u, options) for u in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:81] == [1.0] * 71
    assert rates[99] == pytest.approx(0.05)


def test_settings_keep_the_type_of_the_default_and_unknown_ones_are_named():
    assert parse_settings({"a": 1, "b": 0.5, "c": True}, ["a=3", "c=false"]) == {"a": 3, "b": 0.5, "c": False}
    with pytest.raises(TrainingError, match="no such key; there are: a"):
        parse_settings({"a": 1}, ["z=1"])
    with pytest.raises(TrainingError, match="a is a int"):
        parse_settings({"a": 1}, ["a=many"])


def test_an_unknown_network_is_answered_with_those_there_are():
    with pytest.raises(TrainingError, match="festival"):
        load_recipe("nothing")


def test_two_processes_learn_as_one(tmp_path):
    """Two processes under torch.distributed end with equal weights; the checkpoint holds the carried state of both."""
    code = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "import torch.distributed as dist, torch; torch.set_num_threads(1)\n"
        "from test_train import trainer\nfrom pathlib import Path\n"
        "rank = int(sys.argv[4]); out = Path(sys.argv[3])\n"
        "dist.init_process_group('gloo', init_method=f'file://{out}/meet', rank=rank, world_size=2)\n"
        "run = trainer(out / 'run', updates=8); run.run()\n"
        "torch.save([p.detach() for p in run.model.parameters()], out / f'{rank}.pt')\n"
        "dist.destroy_process_group()\n"
    )
    here = Path(__file__).parent
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(here), str(here.parents[2]), str(tmp_path), str(rank)])
        for rank in (0, 1)
    ]
    assert [p.wait(timeout=120) for p in started] == [0, 0]
    one, other = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert {"carry.0.mean", "carry.1.mean"} <= weights(tmp_path / "run" / "checkpoint.safetensors").keys()


SMALL = [f"--set={key}" for key in ("width=8", "layers=1", "head=8", "streams=2")]


@pytest.fixture
def songs(tmp_path):
    """A song of either split, and one that cannot be read."""
    folder = tmp_path / "songs"
    folder.mkdir()
    roll = np.zeros((160, sum(len(t.pitches) for t in BAND)), np.uint8)
    roll[::2, 0] = roll[::4, 20] = roll[::4, 150] = ONSET
    for name in ("song0", "song5"):
        (folder / f"{name}.mid").write_bytes(to_midi(roll))
    (folder / "bad.mid").write_bytes(b"nonsense")
    return folder


def command(songs, tmp_path, *more):
    words = ["festival", "--data", str(songs), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    return train.main([*words, "--updates", "1", "--device", "cpu", *SMALL, *more])


def test_a_damaged_checkpoint_is_named_and_the_remedy_works(songs, tmp_path, capsys):
    assert command(songs, tmp_path) == 0
    said = capsys.readouterr().out
    assert f"refused {songs / 'bad.mid'}: unreadable: is not a MIDI file" in said
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    for damage in (checkpoint.read_bytes()[:1000], b"", b"nonsense" * 10):
        checkpoint.write_bytes(damage)
        assert command(songs, tmp_path, "--resume") == 2
        assert f"error: {checkpoint}: is not a checkpoint" in (said := capsys.readouterr().err)
        assert "remove it, and train without --resume" in said
    checkpoint.unlink()
    assert command(songs, tmp_path) == 0


@pytest.mark.parametrize("option", ["--out", "--cache"])
def test_a_folder_that_cannot_be_written_is_named_before_anything_is_done(songs, tmp_path, capsys, option):
    (tmp_path / "file").write_bytes(b"")
    assert command(songs, tmp_path, option, str(tmp_path / "file" / "x")) == 2
    said = capsys.readouterr().err
    assert f"{option} {tmp_path / 'file' / 'x'}: cannot be written" in said
    assert "give a" in said


@pytest.mark.parametrize("network", ["chords", "biaxial"])
def test_music_that_gives_nothing_is_an_error_of_every_network(network, tmp_path, capsys):
    (tmp_path / "bad.mid").write_bytes(b"nonsense")
    words = [network, "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--updates", "1"]
    assert train.main(words) == 2
    assert f"{tmp_path / 'bad.mid'}: unreadable" in capsys.readouterr().err
