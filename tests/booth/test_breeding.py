"""Children are of their parents, a control arm is not of winners, and a generation that does not pass is not opened."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.booth import breeding
from engine.booth.breeding import beginning, breed, crossed, varied, winners
from engine.booth.measures import diversity
from engine.booth.slow import SlowClock
from engine.store import schema
from engine.store.clip import Clip, Music
from engine.store.ranking import rank
from engine.store.store import Generation, Store, Vote
from engine.store.writer import Row, Rows
from tests.booth.stand import configuration
from tests.store.made_up import clips, music
from tests.store.test_store import ballot, vote


def test_a_primer_has_each_track_from_one_of_its_parents() -> None:
    one, other = beginning(music(1)), beginning(music(2))
    assert one.bars == 2
    child = crossed(one, other, np.random.default_rng(3))
    for track in range(len(one.tracks)):
        mine = [note for note in child.notes if note.track == track]
        assert mine in ([n for n in one.notes if n.track == track], [n for n in other.notes if n.track == track])
    assert child.notes not in (one.notes, other.notes)


def test_a_winner_that_is_silent_has_no_children() -> None:
    made = [replace(clip, id=number) for number, clip in enumerate(clips(8))]
    made[0] = replace(made[0], music=Music((), 64, made[0].music.tracks))
    votes = [Vote(0, other, 0, f"v{other}", other, False) for other in range(1, 8)]
    ranking = rank(range(8), votes)
    assert ranking.standings[0].clip == 0
    assert 0 not in [clip.id for clip in winners(ranking, made)]


def test_children_that_are_too_much_alike_make_room_for_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    def newcomers(_path: Path, count: int, bars: int, seed: int, *_more: object) -> list[Clip]:
        assert bars == 4
        return [Clip(music(seed + number), "new", network="here.onnx") for number in range(count)]

    monkeypatch.setattr(breeding, "first_batch", newcomers)
    alike = [Clip(music(1), "winners", network="there.onnx") for _ in range(8)]
    beside = [Clip(music(2), "control", network="there.onnx")]

    def arms(least: float) -> list[str]:
        found = varied(alike, beside, Path("here.onnx"), 50, least)
        assert {clip.network for clip in found} == {"there.onnx"}
        assert diversity(found) >= least or least > 1
        return sorted(clip.arm for clip in found)

    assert arms(0.1) == ["control"] + ["winners"] * 8
    assert 0 < arms(0.4).count("new") < 4
    assert arms(1.1) == ["control"] + ["new"] * 4 + ["winners"] * 4  # no more than half of them


@pytest.fixture
def voted(tmp_path: Path) -> str:
    """A store in which clips 1 and 2 always won."""
    where = str(tmp_path / "booth.db")
    with Store(where) as store:
        store.open_generation(store.add_generation(Generation("first", "tiny.onnx"), clips(8)))
        rows = []
        for number in range(40):
            key, first, second = f"b{number}", 1 + number % 2, 3 + number % 6
            rows += [
                Row(schema.ballots, ballot(key, first, second, 1, f"v{number}", crowd=number), None),
                Row(schema.votes, vote(key, 0), None),
            ]
        Rows(store.engine).insert(rows)
    return where


def test_a_generation_is_bred_with_its_control_arm_and_opened(
    voted: str, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breeding, "is_enough", lambda music: bool(music.notes))
    monkeypatch.setattr(breeding, "LEAST_KEY", 1.0)
    monkeypatch.setattr(breeding, "LEAST_DIVERSITY", 0.0)
    number = breed(voted, tiny_onnx, 5)
    with Store(voted) as store:
        now = store.current()
        assert now is not None
        assert (now.id, now.parent, now.method) == (number, 1, "conditions")
        bred = store.clips(number)
        assert sorted(clip.arm for clip in bred) == ["control"] * 2 + ["winners"] * 6
        assert {parent for clip in bred if clip.arm == "winners" for parent in clip.parents} == {1, 2}
        assert all("primer" in clip.conditions for clip in bred)
        assert store.generation(1).state == schema.CLOSED
        assert now.figures["votes"] == 40


def test_one_that_does_not_pass_is_kept_as_discarded_and_the_old_one_goes_on(
    voted: str, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breeding, "is_enough", lambda music: len(music.notes) > 10_000)
    assert breed(voted, tiny_onnx, 5) is None
    with Store(voted) as store:
        now = store.current()
        assert now is not None
        assert now.id == 1
        assert [one.state for one in store.generations()] == [schema.OPEN, schema.DISCARDED]
        assert len(store.clips()) == 8


def test_one_that_comes_when_another_was_opened_is_not_opened(
    voted: str, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breeding, "is_enough", lambda music: bool(music.notes))
    monkeypatch.setattr(breeding, "LEAST_KEY", 1.0)
    monkeypatch.setattr(breeding, "LEAST_DIVERSITY", 0.0)
    ready = breeding.of_all

    def meanwhile(some: list[Clip]) -> dict[str, float]:
        with Store(voted) as other:
            if len(other.generations()) == 1:
                other.open_generation(other.add_generation(Generation("ranks", "bred.onnx"), clips(2)))
        return ready(some)

    monkeypatch.setattr(breeding, "of_all", meanwhile)
    assert breed(voted, tiny_onnx, 5) is None
    with Store(voted) as store:
        assert [one.state for one in store.generations()] == [schema.CLOSED, schema.OPEN, schema.DISCARDED]


# Begun and killed three times: when the clips are there but not written, between two clips that are written, and when all of
# them are but the generation is not open.
KILLED = """
import os, signal, sys
from pathlib import Path
from engine.booth import breeding
from engine.store.store import Store

where, network = sys.argv[1:]
breeding.is_enough, breeding.LEAST_KEY, breeding.LEAST_DIVERSITY = lambda music: bool(music.notes), 1.0, 0.0

def ends(*_):
    os.kill(os.getpid(), signal.SIGKILL)

writes = Store._add

def half(self, connection, number, clips):
    writes(self, connection, number, clips[:3])
    ends()

for holder, name, does in ((breeding, "of_all", ends), (Store, "_add", half), (Store, "open_generation", ends)):
    child = os.fork()
    if child == 0:
        setattr(holder, name, does)
        breeding.breed(where, Path(network), 5)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, name
"""


def test_one_that_is_killed_while_it_is_bred_is_discarded_whole_and_bred_anew(
    voted: str, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, voted, str(tiny_onnx)], check=True, timeout=60)
    with Store(voted) as store:
        assert [one.state for one in store.generations()] == [schema.OPEN, schema.BREEDING]  # of the last one alone
        assert len(store.clips(2)) == 8
        assert {clip.generation for clip in store.clips(hidden=False)} == {1}  # nobody hears what was never opened
        SlowClock(configuration(tiny_onnx, voted), store, tiny_onnx, lambda _level, _text: None).settle()
        assert [one.state for one in store.generations()] == [schema.OPEN, schema.DISCARDED]
        assert {clip.generation for clip in store.clips(hidden=False)} == {1}
    monkeypatch.setattr(breeding, "is_enough", lambda music: bool(music.notes))
    monkeypatch.setattr(breeding, "LEAST_KEY", 1.0)
    monkeypatch.setattr(breeding, "LEAST_DIVERSITY", 0.0)
    assert breed(voted, tiny_onnx, 5) == 3
