"""The slow clock: what is to be learned from, what is gone on with or thrown away, what is opened and what refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.app import generations
from engine.booth import slow
from engine.booth.slow import JOB, RESULT, SlowClock
from engine.core.config import Config
from engine.core.errors import AlgoritmoError
from engine.store import schema
from engine.store.clip import Clip, Music, Note
from engine.store.store import Generation, Store
from engine.store.writer import Row, Rows
from tests.booth.stand import configuration
from tests.store.made_up import TRACKS
from tests.store.test_store import ballot, vote

FESTIVAL = Config().network_path()


def song(seed: int) -> Music:
    """Enough for somebody to vote on."""
    notes = [Note(4 * k, 3, 4, 60 + (seed + 2 * k) % 12, 60 + seed) for k in range(16)]
    return Music(tuple(sorted([*notes, *(note._replace(track=1, pitch=note.pitch - 24) for note in notes)])), 64, TRACKS)


def cast(store: Store, generation: int, winners: list[int], losers: list[int], count: int) -> None:
    """Have the winners win each time."""
    rows = []
    for number in range(count):
        key = f"{generation}-{number}"
        first, second = winners[number % len(winners)], losers[number % len(losers)]
        rows += [Row(schema.ballots, ballot(key, first, second, generation, f"v{number}", crowd=number), None)]
        rows += [Row(schema.votes, vote(key, 0) | {"created_ms": slow_ms() + 1}, None)]
    Rows(store.engine).insert(rows)


def slow_ms() -> int:
    from engine.store.store import now_ms

    return now_ms()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def clock(tmp_path: Path, told: list[str]) -> SlowClock:
    """A store of 16 songs, of which the first is silent and wins most, with 60 votes; and its clock."""
    config = configuration(FESTIVAL, str(tmp_path / "booth.db"), clips=16, tune_votes=50)
    store = Store(config.booth.store)
    songs = [Clip(song(seed), seed=seed, network=str(FESTIVAL)) for seed in range(16)]
    songs[0] = replace(songs[0], music=Music((), 64, TRACKS))
    store.open_generation(store.add_generation(Generation("first", str(FESTIVAL)), songs))
    cast(store, 1, [1, 2, 3, 4, 5], list(range(6, 17)), 60)
    return SlowClock(config, store, FESTIVAL, lambda _level, text: told.append(text))


def result(folder: Path, passed: bool, why: list[str]) -> None:
    """What the process would have left."""
    network = folder / "festival.onnx"
    network.write_bytes(b"a network")
    clips = [{"music": song(k).as_json(), "arm": arm, "seed": k, "conditions": {}, "network": str(network)}
             for k, arm in enumerate(["winners"] * 3 + ["control"])]  # fmt: skip
    out = {"passed": passed, "why": why, "figures": {"drift": 0.01, "key": 0.9}, "network": str(network), "clips": clips}
    (folder / RESULT).write_text(json.dumps(out))


def test_what_is_learned_from_has_no_silent_winner_and_a_control_drawn_by_lot(clock: SlowClock) -> None:
    number = clock.begin()
    assert number == 2
    one = clock._store.generation(2)
    assert (one.state, one.method, one.parent) == (schema.BREEDING, "ranks", 1)
    won = one.conditions["winners"]
    assert sorted(won) == [2, 3, 4, 5]  # the first of the winners is silent
    assert one.conditions["weights"] == [4, 3, 2, 1]
    assert len(set(one.conditions["lots"])) == 4
    job = json.loads((clock.folder / "2" / JOB).read_text())
    assert [of["weight"] for of in job["winners"]] == [4, 3, 2, 1]
    assert [of["music"] for of in job["winners"]] == [song(number - 1).as_json() for number in won]
    assert (job["clips"], job["control"], job["settings"]["method"]) == (16, 4, "ranks")
    assert {"key", "diversity"} <= job["first"].keys()
    assert clock.begin() is None  # those votes are used


def test_what_was_being_bred_is_gone_on_with_or_thrown_away_whole(clock: SlowClock) -> None:
    assert clock.begin() == 2
    store = clock._store
    assert store.add_generation(Generation("conditions", str(FESTIVAL), parent=1)) == 3  # of the fast clock
    assert store.add_generation(Generation("ranks", str(FESTIVAL), parent=1)) == 4  # it did not come to its job
    (clock.folder / "4").mkdir()
    assert clock.settle() == 2
    assert [one.state for one in store.generations()] == [schema.OPEN, schema.BREEDING] + [schema.DISCARDED] * 2
    assert not (clock.folder / "4").exists()
    (clock.folder / "2" / JOB).unlink()
    assert clock.settle() is None
    assert store.generation(2).state == schema.DISCARDED
    assert store.generation(2).figures["why"] == "its breeding was interrupted"


def test_one_that_passed_is_opened_with_its_network_and_can_be_rolled_back(clock: SlowClock, tmp_path: Path) -> None:
    assert clock.begin() == 2
    result(clock.folder / "2", True, [])
    assert "generation 2 is open" in clock.finish(2, 0)
    store = clock._store
    now = store.current()
    assert now is not None
    assert (now.id, now.figures["drift"]) == (2, 0.01)
    assert Path(now.network) == clock.folder / "2" / "festival.onnx"
    assert now.sha256 == slow.sha256_of(Path(now.network))
    assert [clip.arm for clip in store.clips(2)] == ["winners"] * 3 + ["control"]
    config = clock._config
    lines = generations.listed(config)
    assert "open" in lines[1]
    assert "drift +1.0%" in lines[1]
    said = generations.export(config, 2, tmp_path / "out")
    assert "4 songs" in said[0]
    about = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert sorted(about["conditions"]["winners"]) == [2, 3, 4, 5]
    assert (tmp_path / "out" / "festival.onnx").read_bytes() == b"a network"
    assert any("another network" in line for line in generations.compared(config, 1, 2))
    assert generations.path_of(config, 2).exists()
    assert "generation 1 is open again" in generations.roll_back(config, None)
    assert store.current().id == 1
    assert clock.begin() is None  # the votes of before do not breed it once more
    Path(now.network).unlink()
    with pytest.raises(AlgoritmoError, match="not there any more"):
        generations.roll_back(config, 2)


def test_one_that_is_refused_is_kept_and_says_why(clock: SlowClock) -> None:
    assert clock.begin() == 2
    result(clock.folder / "2", False, ["it is out of key: 0.8"])
    assert "was refused: it is out of key" in clock.finish(2, 1)
    one = clock._store.generation(2)
    assert (one.state, one.figures["why"], one.figures["key"]) == (schema.DISCARDED, "it is out of key: 0.8", 0.9)
    assert (clock.folder / "2" / "festival.onnx").exists()
    assert clock._store.current().id == 1
    assert "out of key" in generations.listed(clock._config)[1]


def test_one_whose_parent_was_rolled_back_meanwhile_is_not_opened(clock: SlowClock) -> None:
    assert clock.begin() == 2
    result(clock.folder / "2", True, [])
    store = clock._store
    other = store.add_generation(Generation("first", "another.onnx"), [Clip(song(1))])
    store.open_generation(other)
    assert "not opened" in clock.finish(2, 0)
    assert store.generation(2).state == schema.DISCARDED
    assert store.current().id == other


def test_one_whose_process_failed_says_what_it_said(clock: SlowClock) -> None:
    assert clock.begin() == 2
    (clock.folder / "2" / slow.ERRORS).write_text("Traceback\nerror: the disk is full\n")
    assert "the disk is full" in clock.finish(2, 2)
    assert clock._store.generation(2).state == schema.DISCARDED
    assert not (clock.folder / "2").exists()


def test_without_weights_or_for_another_kind_of_network_it_rests_and_says_why(tiny_onnx: Path) -> None:
    assert slow.rests("ranks", FESTIVAL) == ""
    assert "off" in slow.rests("off", FESTIVAL)
    assert "weights of tiny.onnx" in slow.rests("ranks", tiny_onnx)
    tiny_onnx.with_suffix(".safetensors").write_bytes(b"")
    try:
        assert "is a tiny" in slow.rests("dpo", tiny_onnx)
    finally:
        tiny_onnx.with_suffix(".safetensors").unlink()
