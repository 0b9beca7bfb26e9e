"""Several booths on one PostgreSQL, a Dask cluster that samples and renders: what one does, all know of."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from engine.booth import house, shared
from engine.booth.crew import Crew, CrewError, carried, unpacked
from engine.booth.others import PART, Parts, parts_of
from engine.core.config import Config
from engine.store.clip import music_of_json
from engine.store.store import Generation, Store
from tests.booth.stand import Stand, configuration, run, stand
from tests.store.made_up import clips
from tests.store.servers import Postgres

LINES = [[2, 0.5, [[0.0, 0.2], [1.0, 0.9]]]]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK_S", "LOOK_S", "FIRST_S"):
        monkeypatch.setattr(house, name, 0.1)
    monkeypatch.setattr(shared, "LOOK_S", 0.1)


@contextlib.asynccontextmanager
async def two(network: Path, url: str, **booth: object) -> AsyncIterator[tuple[Stand, Stand]]:
    """Two booths on one database; the first has the stage."""
    async with stand(configuration(network, url, **booth)) as one, stand(configuration(network, url, **booth)) as other:
        assert (one.booth.others.has("stage"), other.booth.others.has("stage")) == (True, False)
        yield one, other


def test_two_booths_are_one(tiny_onnx: Path, server: Postgres) -> None:
    url = server.url("together")

    async def work() -> None:
        async with two(tiny_onnx, url) as (here, there):
            assert len(here.store.generations()) == 1  # one sampled it, the other waited
            while there.booth.crowd.number("192.0.2.7") != here.booth.crowd.number("192.0.2.7"):
                await asyncio.sleep(0.01)  # an address is one, whichever booth its phones go to
            phone, wall = await here.phone(), await there.phone(page="wall")
            ballot = await phone.ask("ask", "ballot")
            await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=0)
            board = await wall.hear("board")
            while not board["clips"] or not board["clips"][0]["won"]:
                board = await wall.hear("board")
            assert (board["votes"], board["clips"][0]["clip"]) == (1, ballot["first"])

            # The phone goes over to the other booth, with its id and the ballot that it has not answered.
            ballot = await phone.ask("ask", "ballot")
            while here.store.ballot(ballot["ballot"]) is None:  # written with the next group, which nobody waits for
                await asyncio.sleep(0.01)
            moved = await there.phone(phone.hello["id"])
            assert (await moved.ask("vote", "counted", ballot=ballot["ballot"], choice=1))["number"] == 2

            # What is drawn there is played here, told to both walls and to who drew it, and can be taken back there.
            drawn = await moved.ask("draw", "drawn", lines=LINES)
            assert (await moved.ask("send", "sent", drawing=drawn["drawing"]))["word"] == "queued"
            assert (await wall.hear("playing"))["name"] == drawn["name"]
            assert (await moved.hear("stage"))["drawing"] == drawn["drawing"]
            assert (await moved.ask("undo", "sent", drawing=drawn["drawing"]))["word"] == "undone"
            assert (await wall.hear("hidden"))["drawing"] == drawn["drawing"]

            # A generation that is opened, and a clip that is hidden at one wall.
            number = here.store.add_generation(Generation("conditions", "tiny.onnx", parent=1), clips(6))
            here.store.open_generation(number)
            assert (await moved.hear("generation"))["generation"] == number
            hidden = there.store.clips(number)[0].id
            await wall.say("hide-clip", of=hidden)
            while hidden in here.booth.voting.clips or hidden in there.booth.voting.clips:
                await asyncio.sleep(0.01)

        async with two(tiny_onnx, url):  # duties go with the booths that had them
            pass

    run(work())


def test_a_round_in_the_room_is_played_once_and_voted_on_at_both(
    tiny_onnx: Path, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("VOTE_S", 0.6), ("SHOWN_S", 0.3), ("LONGEST_S", 0.2)):
        monkeypatch.setattr(f"engine.booth.room.{name}", seconds)
    url = server.url("rounds")
    with Store(url) as store:
        store.open_generation(store.add_generation(Generation("first", "tiny.onnx"), clips(6)))

    async def work() -> None:
        async with two(tiny_onnx, url) as (here, there):
            wall, phones = await here.phone(page="wall"), [await here.phone(), await there.phone()]
            await (await there.phone(page="wall")).say("room", of=True)
            for phone in phones:
                ballot = await phone.hear("ballot")
                assert ballot["room"] is True
                await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=1)
            said = await wall.hear("room")
            while said["phase"] != "result":
                said = await wall.hear("room")
            assert said["votes"] == [0, 2]

    run(work())


def test_a_booth_that_has_lost_the_database_hears_of_what_it_missed(tiny_onnx: Path, server: Postgres) -> None:
    url = server.url("missed")
    with Store(url) as store:
        store.open_generation(store.add_generation(Generation("first", "tiny.onnx"), clips(6)))

    async def work() -> None:
        async with two(tiny_onnx, url) as (here, there):
            server.stop()
            server.start()
            phone, wall = await here.phone(), await there.phone(page="wall")
            while (await phone.vote())["kind"] != "counted":
                await asyncio.sleep(0.1)
            board = await wall.hear("board")
            while board["votes"] < 1:
                board = await wall.hear("board")

    run(work())


def test_messages_are_cut_and_put_together_whatever_else_is_said() -> None:
    content = {"lines": [[k * 0.123456789 % 1, k] for k in range(4000)]}
    parts = parts_of("them", 1, "playing", content)
    assert len(parts) > 3
    assert max(map(len, parts)) < PART + 100
    mine = Parts("me")
    between = iter(parts_of("they", 1, "votes", {}))
    whole = []
    for part in (parts[0], *between, *parts[1:], *parts_of("me", 2, "votes", {})):
        if (message := mine.take(part)) is not None:
            whole.append(message)
    assert whole == [("votes", {}), ("playing", json.loads(json.dumps(content)))]
    for nonsense in ("", "a b c d e", "them 3 0 1 ????", "them 4 1 2 body", f"them 5 0 {10**9} body"):
        assert mine.take(nonsense) is None


def test_a_dask_cluster_samples_and_renders(tiny_onnx: Path, tmp_path: Path) -> None:
    async def work(address: str) -> None:
        config = configuration(tiny_onnx, str(tmp_path / "booth.db"), cluster=address)
        async with stand(config) as here:
            assert len(here.store.clips()) == 6  # sampled there
            clip = here.store.clips()[0]
            assert clip.network == str(tiny_onnx)
            async with here.session.get(f"{here.url}/clip/{clip.id}.mp3") as answer:
                assert answer.status == 200
                assert len(await answer.read()) > 1000
            assert music_of_json(clip.music.as_json()) == clip.music

    # Its workers are threads of processes of their own, one each: pyo has one server in a process.
    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        run(work(cluster.scheduler_address))


def test_a_cluster_that_is_not_there_is_told_and_files_are_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.booth.crew.CONNECT_S", 0.3)

    async def work() -> None:
        with pytest.raises(CrewError, match="does not answer"):
            await Crew("tcp://127.0.0.1:1").run(len, [])

    run(work())
    network = Config().network_path()
    there = unpacked(carried(network))
    assert there != network
    assert there.read_bytes() == network.read_bytes()
    there.write_bytes(b"changed meanwhile")
    assert unpacked(carried(network)).read_bytes() == network.read_bytes()
