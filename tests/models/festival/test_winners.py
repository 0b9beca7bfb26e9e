"""Fine-tuning on an audience's winners: what is learned, that it can be broken off, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.contract import Card
from engine.store.clip import Clip, Music, Note
from models.festival import breed, export, recipe
from models.festival.recipe import clip_nats, collate
from models.festival.winners import Kept, Settings, Tuning, in_key, mixed, piece_of, together, whole
from models.music.data import Collection
from models.music.representation import ONSET, UNKNOWN_OFFSET
from models.training.train import TrainingError, read_tensors, write_tensors
from tests.models.festival.test_festival import SMALL

TRACKS = ("drums", "bass", "chords", "pad", "lead")
SMALLEST = {**SMALL, "voicing": 2, "head": 12}


def tune_of(seed: int, bars: int = 2) -> Music:
    """Kick and hats, and a lead that goes up the scale from some note."""
    low = 60 + seed
    notes = [Note(step, 1, 0, 36 if step % 8 == 0 else 42, 70 + step % 16, 0.05) for step in range(0, 16 * bars, 2)]
    notes += [Note(4 * k, 3, 4, low + (0, 2, 4, 5, 7, 9, 11, 12)[k % 8], 60 + k) for k in range(4 * bars)]
    return Music(tuple(sorted(notes)), 16 * bars, TRACKS)


def small() -> tuple[recipe.Festival, Card, recipe.Songs]:
    """A small network, its card and a corpus of a few tunes."""
    torch.manual_seed(5)
    model = recipe.build({**SMALLEST, "dropout": 0.0})
    assert isinstance(model, recipe.Festival)
    card = export.make_card(model, {})
    pieces = [replace(piece_of(card, tune_of(k)), split="valid" if k % 4 == 0 else "train") for k in range(8)]
    return model, card, recipe.Songs(Collection(pieces), {**SMALLEST, "streams": 2, "window": 16, "seed": 1})


def nats_of(model: recipe.Festival, card: Card, music: Music) -> float:
    with torch.no_grad():
        one = torch.ones(1)
        return float(clip_nats(model.eval(), collate([whole(piece_of(card, music))]), one, one)[0])


def test_what_a_winner_has_out_of_its_key_is_moved_into_it_and_nothing_else():
    music = tune_of(0)
    wrong = replace(music, notes=(*music.notes, Note(8, 2, 1, 37, 90), Note(9, 1, 0, 37, 90)))
    found = in_key(wrong)
    assert in_key(music) == music
    assert [n.pitch for n in found.notes if n.track == 1] in ([36], [38])
    assert sorted(n for n in found.notes if n.track != 1) == sorted(n for n in wrong.notes if n.track != 1)
    drums = Music(tuple(n for n in music.notes if n.track == 0), music.steps, TRACKS)
    assert in_key(drums) == drums


def test_how_a_winner_was_struck_is_kept():
    _, card, _ = small()
    piece = piece_of(card, tune_of(3))
    assert piece.expression is not None
    struck = piece.roll == ONSET
    assert set(piece.expression.velocity[struck].tolist()) == {n.velocity for n in tune_of(3).notes}
    drums = np.arange(card.slots) < 12
    assert (piece.expression.offset[struck & drums] == 6).all()
    assert (piece.expression.offset[:, ~drums] == UNKNOWN_OFFSET).all()
    louder = whole(piece, 0, 9)
    assert louder.gain == 9
    assert [c.weight.sum() for c in together([louder, whole(piece_of(card, tune_of(1, 1)))])] == [32, 16]


def read_tensors_of(checkpoint: bytes, folder: Path) -> dict[str, Any]:
    """What a checkpoint says beside its tensors."""
    (folder / "copy.safetensors").write_bytes(checkpoint)
    return read_tensors(folder / "copy.safetensors")[1]


@pytest.mark.parametrize("method", ["ranks", "dpo"])
def test_a_winner_becomes_likelier_than_one_that_lost(method):
    model, card, songs = small()
    won, lost = Clip(tune_of(0)), Clip(replace(tune_of(7), notes=tuple(n for n in tune_of(7).notes if n.track)))
    before = [nats_of(model, card, clip.music) for clip in (won, lost)]
    settings = Settings(method, updates=8, lr=4e-3, streams=2, transpose=0)
    Tuning(model, card, [won, won], [2.0, 1.0], songs, settings, [lost, lost]).run()
    after = [nats_of(model, card, clip.music) for clip in (won, lost)]
    assert before[0] - after[0] > before[1] - after[1] + 1
    with pytest.raises(TrainingError, match="there are ranks, dpo"):
        Tuning(model, card, [won], [1.0], songs, replace(settings, method="votes"))
    if method == "dpo":
        with pytest.raises(TrainingError, match="no clip that lost"):
            Tuning(model, card, [won], [1.0], songs, settings)


def test_broken_off_and_gone_on_with_it_ends_where_it_would_have(tmp_path):
    settings = Settings(updates=6, streams=2, checkpoint_every=2)
    clips = [Clip(tune_of(k)) for k in range(3)]

    def tuning() -> Tuning:
        model, card, songs = small()
        return Tuning(model, card, clips, [3.0, 2.0, 1.0], songs, settings)

    whole_way, begun = tuning(), tuning()
    whole_way.run()

    def killed(update: int, _lost: float) -> None:
        if update == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begun.run(tmp_path / "checkpoint.safetensors", killed)
    again = tuning()
    again.run(tmp_path / "checkpoint.safetensors")
    for one, other in zip(whole_way.model.parameters(), again.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    other_settings = Tuning(*small()[:2], clips, [1.0] * 3, small()[2], replace(settings, lr=1.0))
    with pytest.raises(TrainingError, match="other settings"):
        other_settings.load(tmp_path / "checkpoint.safetensors")


def test_without_a_corpus_it_is_kept_near_to_what_it_was():
    model, card, songs = small()
    settings = Settings(updates=6, lr=4e-3, streams=2)
    pieces = [piece for shelf in songs.shelves for piece in shelf]
    far = Kept(model, pieces, settings)
    assert float(far.loss(model, 3).detach()) == pytest.approx(0, abs=1e-4)
    before = nats_of(model, card, tune_of(0))
    Tuning(model, card, [Clip(tune_of(0))], [1.0], songs, settings, kept=Kept(model, pieces, settings)).run()
    assert nats_of(model, card, tune_of(0)) < before
    near = float(far.loss(model, 3).detach())
    alone, _, _ = small()
    freely = Kept(alone, pieces, settings)
    freely.loss = lambda of, _update: 0 * sum(p.sum() for p in of.parameters())  # type: ignore[method-assign,assignment]
    Tuning(alone, card, [Clip(tune_of(0))], [1.0], songs, settings, kept=freely).run()
    assert 0 < near < float(far.loss(alone, 3).detach())


def test_half_of_the_way_lies_between():
    model, _, _ = small()
    parent = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    assert torch.equal(mixed(model, parent, 0.5)["enter.weight"], model.enter.weight / 2)


def test_a_generation_is_refused_for_what_it_lost_and_says_so():
    first = {"key": 0.92, "diversity": 0.8, "refused": 0.1}
    good = {"drift": 0.01, "key": 0.90, "diversity": 0.77, "refused": 0.15}
    assert breed.faults(good, first, 48, 48) == []
    for wrong, said in (
        ({"drift": 0.03}, "3.0 % more nats"),
        ({"key": 0.88}, "0.880 of the notes"),
        ({"diversity": 0.7}, "too much alike"),
        ({"refused": 0.3}, "nearly empty"),
    ):
        assert said in "; ".join(breed.faults({**good, **wrong}, first, 48, 48))
    assert breed.faults(good, first, 40, 48)


def test_a_process_that_is_killed_goes_on_and_says_what_came_of_it(tmp_path):
    """The whole of it, on a small network without a corpus: kill -9 while it learns, and once more."""
    model, _, _ = small()
    path = tmp_path / "festival.onnx"
    write_tensors(
        path.with_suffix(".safetensors"), {f"model.{k}": v for k, v in model.state_dict().items()}, {"config": SMALLEST}
    )
    torch.nn.init.constant_(model.head.direct.bias, -2.0)
    export.export(model.eval(), {}, path)
    folder = tmp_path / "7"
    folder.mkdir()
    chosen = [{"music": tune_of(k).as_json(), "weight": 4 - k} for k in range(4)]
    job = {"network": str(path), "origin": str(path), "winners": chosen, "losers": chosen[::-1], "lots": chosen[1:]}
    job |= {"clips": 4, "control": 1, "bars": 1, "replayed": 4, "replayed_bars": 2, "first": {"key": 0.0, "diversity": 0.0}}
    job |= {"settings": {"updates": 5, "streams": 2, "checkpoint_every": 1}}
    (folder / breed.JOB).write_text(json.dumps(job))
    command = [sys.executable, "-m", "models.festival.breed", str(folder)]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "winners.checkpoint.safetensors").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (folder / breed.RESULT).exists()
    before = (folder / "winners.checkpoint.safetensors").read_bytes()
    began = []
    breeding = breed.Breeding(folder, breed.read_job(folder))
    breeding._goes_on = lambda update, _lost: began.append(update)  # type: ignore[method-assign]
    result = breeding.run()
    assert began[0] == read_tensors_of(before, tmp_path)["update"]  # where it was, not from the beginning
    assert began.count(0) == 1  # of the control
    assert json.loads((folder / breed.RESULT).read_text()) == result
    assert result["figures"]["corpus"] == 0.0
    assert result["passed"] == (not result["why"])
    assert (folder / "festival.onnx").exists()
    assert (folder / "festival.safetensors").exists()
    assert not list(folder.glob("*.checkpoint.*"))
