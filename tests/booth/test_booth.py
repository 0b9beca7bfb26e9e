"""The booth over real sockets: who votes, what it does, and what comes of whoever means it badly."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from engine.booth import gallery, house
from engine.booth.voting import Voting
from engine.store import schema
from engine.store.clip import music_of_json
from engine.store.connection import StoreError, connect, url_of
from engine.store.connection import writing as writing_to
from engine.store.keeping import backup, export, forget_visitors
from engine.store.rows import Tally
from engine.store.store import Drawing, Generation, Store, now_ms
from engine.store.writer import Writer
from tests.booth.stand import configuration, run, stand
from tests.store.made_up import clips, music
from tests.store.servers import Postgres


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "RANK_S", 0.1)
    monkeypatch.setattr(house, "LOOK_S", 0.1)


def filled(path: str, count: int = 6, generations: int = 1) -> list[int]:
    """Put generations of made-up clips into a store; return the ids of the last one's."""
    with Store(path) as store:
        for _ in range(generations):
            number = store.add_generation(Generation("first", "tiny.onnx"), clips(count))
            store.open_generation(number)
        return [clip.id for clip in store.clips(number) if clip.id is not None]


@pytest.fixture
def where(tmp_path: Path) -> str:
    """A store with one generation."""
    path = str(tmp_path / "booth.db")
    filled(path)
    return path


def test_a_visitor_votes_and_is_told_what_his_vote_did(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            assert phone.hello["generation"] == 1
            assert phone.hello["wanted"] == 512
            ballot = await phone.ask("ask", "ballot")
            assert set(ballot) == {"kind", "ballot", "first", "second"}  # blind
            async with here.session.get(f"{here.url}/clip/{ballot['first']}.json", auto_decompress=False) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                assert "immutable" in answer.headers["Cache-Control"]
                body = await answer.read()
                assert len(body) < 2048
                assert music_of_json(json.loads(gzip.decompress(body))).notes
            counted = await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=0)
            assert counted["number"] == 1
            assert len(counted["names"]) == 2
            moved = await phone.hear("moved")
            assert (moved["clip"], moved["name"]) == (ballot["first"], counted["names"][0])
            assert moved["place"] == 1
            assert here.store.count_votes() == 1
            (vote,) = here.store.votes()
            assert (vote.first, vote.second, vote.choice) == (ballot["first"], ballot["second"], 0)

    run(work())


def test_a_ballot_is_used_once_and_by_its_owner_alone(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            one, other = await here.phone(), await here.phone()
            ballot = await one.ask("ask", "ballot")
            again = await one.ask("ask", "ballot")
            assert again["ballot"] == ballot["ballot"]  # who asks for many gets no more
            stolen = await other.ask("vote", "counted", "refused", ballot=ballot["ballot"], choice=1)
            assert stolen["kind"] == "refused"
            invented = await other.ask("vote", "counted", "refused", ballot="x" * 16, choice=1)
            assert invented["kind"] == "refused"
            await one.ask("vote", "counted", ballot=ballot["ballot"], choice=0)
            repeated = await one.ask("vote", "counted", ballot=ballot["ballot"], choice=1)
            assert "names" not in repeated  # counted already
            assert [vote.choice for vote in here.store.votes()] == [0]

    run(work())


def test_a_phone_that_sends_ten_thousand_votes_is_worth_one(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            loud, calm = await here.phone(), await here.phone()
            ballot = await loud.ask("ask", "ballot")
            text = json.dumps({"kind": "vote", "ballot": ballot["ballot"], "choice": 1})
            for _ in range(10_000):
                await loud.ws.send_str(text)
            assert (await calm.vote())["kind"] == "counted"
            await asyncio.sleep(0.2)
            assert here.store.count_votes() == 2
            assert len({vote.visitor for vote in here.store.votes()}) == 2

    run(work())


@pytest.mark.parametrize(
    "said",
    [
        "",
        "nonsense",
        "[" * 5000,
        "[1, 2]",
        '{"kind": 5}',
        '{"kind": "vote"}',
        '{"kind": "vote", "ballot": 5, "choice": 0}',
        '{"kind": "vote", "ballot": "x", "choice": 2}',
        '{"kind": "vote", "ballot": "x", "choice": true}',
        '{"kind": "vote", "ballot": "x", "choice": 0, "time": 99999999999999}',
        '{"kind": "draw"}',
        '{"kind": "draw", "lines": [[0, 0.5, [[0.5, 1e400]]]]}',
        '{"kind": "fill", "notes": [[0, 1, 0, 60, 90]] }',
        '{"kind": "send", "drawing": "1"}',
        '{"kind": "undo", "drawing": 12345}',
    ],
)
def test_nonsense_is_refused_and_the_next_word_is_heard(tiny_onnx: Path, where: str, said: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            await phone.ws.send_str(said)
            await phone.hear("refused", "sent")
            assert (await phone.vote())["kind"] == "counted"

    run(work())


def test_a_clock_in_the_future_is_not_believed(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone("99991231" + "a" * 16)  # an id of another day
            assert not phone.hello["id"].startswith("9999")
            ballot = await phone.ask("ask", "ballot")
            await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=0, created_ms=9_999_999_999_999)
            with here.store.reading() as connection:
                kept = connection.execute(sa.select(schema.votes.c.created_ms)).scalar_one()
            assert abs(kept - now_ms()) < 10_000

    run(work())


def test_a_drawing_of_100_000_points_is_refused_with_a_word_or_not_even_read(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            many = [[0.5, 0.5]] * 5000
            refused = await phone.ask("draw", "refused", "drawn", lines=[[0, 0.5, many]])
            assert "at most 1200 points, and this has 5000" in refused["reason"]
            await phone.say("draw", lines=[[0, 0.5, many * 20]])
            assert (await phone.ws.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            assert phone.ws.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            assert (await (await here.phone()).vote())["kind"] == "counted"

    run(work())


def test_a_store_that_is_locked_refuses_a_vote_with_a_word_and_takes_it_when_it_is_said_again(
    tiny_onnx: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.connection.BUSY_MS", 50)

    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            ballot = await phone.ask("ask", "ballot")
            await asyncio.sleep(0.2)
            other = connect(url_of(where))
            with writing_to(other) as holds:
                holds.execute(sa.text("UPDATE generations SET seed = 5"))
                refused = await phone.ask("vote", "refused", ballot=ballot["ballot"], choice=0)
                assert refused["again"] is True
                assert "locked" in refused["reason"]
            other.dispose()
            assert (await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=0))["number"] == 1
            assert here.store.count_votes() == 1

    run(work())


def test_a_ballot_of_before_a_restart_is_still_good_once(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        config = configuration(tiny_onnx, where)
        async with stand(config) as here:
            phone = await here.phone()
            visitor = phone.hello["id"]
            first, second = (await phone.ask("ask", "ballot"))["ballot"], None
            await phone.ask("vote", "counted", ballot=first, choice=1)
            second = (await phone.ask("ask", "ballot"))["ballot"]
            await asyncio.sleep(0.1)
        async with stand(config) as here:
            phone = await here.phone(visitor)
            assert phone.hello["id"] == visitor
            assert (await phone.ask("vote", "counted", ballot=second, choice=0))["number"] == 2
            assert "names" not in await phone.ask("vote", "counted", ballot=first, choice=0)
            stranger = await here.phone()
            await stranger.ask("vote", "refused", ballot=second, choice=0)
            assert sorted(vote.choice for vote in here.store.votes()) == [0, 1]

    run(work())


def test_another_generation_is_told_to_all_and_voted_on(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone, wall = await here.phone(), await here.phone(page="wall")
            await phone.vote()
            first = [clip.id for clip in here.store.clips(1)]
            children = clips(6, parents=(first[0], first[1]), arm="winners", conditions={"drawn_by": ["amber owl"]})
            number = here.store.add_generation(Generation("conditions", "tiny.onnx", parent=1), children)
            here.store.open_generation(number)
            assert (await phone.hear("generation"))["generation"] == number
            while len((tree := await wall.hear("tree"))["generations"]) < 2:
                continue
            assert {node["arm"] for node in tree["clips"]} == {"first", "winners"}
            child = next(node for node in tree["clips"] if node["arm"] == "winners")
            assert child["parents"] == [first[0], first[1]]
            assert child["drawings"] == ["amber owl"]
            seen = set()
            for _ in range(5):
                ballot = await phone.ask("ask", "ballot")
                seen |= {ballot["first"], ballot["second"]}
                await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=0)
            assert seen & {clip.id for clip in here.store.clips(number)}

    run(work())


def test_the_wall_shows_who_leads_and_how_sure_that_is(tiny_onnx: Path, tmp_path: Path) -> None:
    few = str(tmp_path / "few.db")
    filled(few, 3)  # so few that whichever pairs are asked, who won all of his stands first

    async def work() -> None:
        async with stand(configuration(tiny_onnx, few)) as here:
            wall = await here.phone(page="wall")
            phones = [await here.phone() for _ in range(8)]
            for phone in phones:
                ballot = await phone.ask("ask", "ballot")
                await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=int(ballot["first"] > ballot["second"]))
            board = await wall.hear("board")
            while sum(row["won"] for row in board["clips"]) < 8:
                board = await wall.hear("board")
            assert board["votes"] == 8
            assert [row["clip"] for row in board["clips"]] == [1, 2, 3]  # the least number always won
            assert all(row["error"] > 0 for row in board["clips"])

    run(work())


def test_a_drawing_is_gone_on_with_sent_shown_and_undone(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone, other, wall = await here.phone(), await here.phone(), await here.phone(page="wall")
            lines = [[2, 0.5, [[0.0, 0.2], [1.0, 0.9]]]]
            drawn = await phone.ask("draw", "drawn", lines=lines, seed=3)
            given = [note for note in drawn["music"]["notes"] if note[2] == 2 and note[0] < 32]
            assert [note[:4] for note in given] == [note[:4] for note in drawn["drawn"]]
            assert drawn["music"]["steps"] == 32 + 64
            assert [note for note in drawn["music"]["notes"] if note[0] >= 32]
            assert (await other.ask("send", "sent", drawing=drawn["drawing"]))["word"] == "unknown"  # not his
            assert (await phone.ask("send", "sent", drawing=drawn["drawing"]))["word"] == "queued"
            playing = await wall.hear("playing")
            assert (playing["name"], playing["lines"]) == (drawn["name"], lines)
            assert (await phone.hear("stage"))["drawing"] == drawn["drawing"]
            assert (await phone.ask("undo", "sent", drawing=drawn["drawing"]))["word"] == "undone"
            assert (await wall.hear("hidden"))["drawing"] == drawn["drawing"]
            assert (await phone.ask("send", "sent", drawing=drawn["drawing"]))["word"] == "queued"
            (kept,) = here.store.drawings()
            assert (kept.name, kept.lines) == (drawn["name"], lines)

    run(work())


def test_after_ten_seconds_it_is_too_late_to_undo(tiny_onnx: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "UNDO_S", 0.0)

    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            drawn = await phone.ask("draw", "drawn", lines=[[2, 0.5, [[0.0, 0.2], [1.0, 0.9]]]])
            await phone.ask("send", "sent", drawing=drawn["drawing"])
            assert (await phone.ask("undo", "sent", drawing=drawn["drawing"]))["word"] == "late"

    run(work())


def test_drawings_can_be_held_back_let_and_hidden_at_the_wall(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where, hold=True)) as here:
            phone, wall = await here.phone(), await here.phone(page="wall")
            drawn = await phone.ask("draw", "drawn", lines=[[2, 0.5, [[0.0, 0.2], [1.0, 0.9]]]])
            assert (await phone.ask("send", "sent", drawing=drawn["drawing"]))["word"] == "held"
            held = await wall.hear("held")
            assert [one["drawing"] for one in held["held"]] == [drawn["drawing"]]
            await wall.say("let", of=drawn["drawing"])
            await wall.hear("playing")
            await wall.say("hide", of=drawn["drawing"])
            await wall.hear("hidden")
            await wall.say("show", of=drawn["drawing"])
            await wall.hear("playing")

    run(work())


def test_a_composition_is_filled_around_what_is_given(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            notes = [[0, 2, 2, 64, 90], [8, 2, 2, 67, 90]]
            filled_in = await phone.ask("fill", "filled", notes=notes, cells=[[2, 0]], seed=2)
            mine = [note for note in filled_in["music"]["notes"] if note[2] == 2 and note[0] < 16]
            assert [(note[0], note[3]) for note in mine] == [(0, 64), (8, 67)]
            assert len(filled_in["music"]["notes"]) > 4
            assert filled_in["music"]["steps"] == 64

    run(work())


def test_in_the_room_all_vote_on_what_the_loudspeaker_plays(
    tiny_onnx: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("VOTE_S", 0.6), ("SHOWN_S", 0.3), ("LONGEST_S", 0.2)):
        monkeypatch.setattr(f"engine.booth.room.{name}", seconds)

    async def work() -> None:
        async with stand(configuration(tiny_onnx, where, room=True)) as here:
            phones, wall = [await here.phone() for _ in range(4)], await here.phone(page="wall")
            while (said := await wall.hear("room"))["phase"] != "first":
                continue
            for phone in phones:
                ballot = await phone.hear("ballot")
                while ballot["first"] != said["first"] or ballot["second"] != said["second"]:
                    ballot = await phone.hear("ballot")
                assert ballot["room"] is True
                await phone.ask("vote", "counted", ballot=ballot["ballot"], choice=1)
            while (result := await wall.hear("room"))["phase"] != "result":
                continue
            assert result["votes"] == [0, 4]
            assert len({vote.room for vote in here.store.votes()}) == 1

    run(work())


def test_who_orders_at_a_wall_elsewhere_needs_the_token(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where, host="0.0.0.0", token="open sesame")) as here:
            here.url = f"http://127.0.0.1:{here.booth.config.port}"
            wall = await here.phone(page="wall")
            assert wall.hello["staff"] is False
            await wall.say("hide-clip", of=1)
            assert (await wall.ask("token", "staff", token="guess"))["staff"] is False
            assert 1 in here.booth.voting.clips
            assert (await wall.ask("token", "staff", token="open sesame"))["staff"] is True
            await wall.say("hide-clip", of=1)
            while 1 in here.booth.voting.clips:
                await asyncio.sleep(0.01)
            async with here.session.get(f"{here.url}/clip/1.json") as answer:
                assert answer.status == 404

    run(work())


def test_a_page_elsewhere_and_a_name_that_is_not_ours_stay_out(tiny_onnx: Path, where: str) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            for headers in ({"Origin": "http://elsewhere.example"}, {"Host": "elsewhere.example"}):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    await here.phone(**headers)
            for path in ("/clip/../booth.db", "/clip/999999999.json", "/stage/", "/lib/networks/festival.onnx"):
                async with here.session.get(f"{here.url}{path}") as answer:
                    assert answer.status == 404, path

    run(work())


def test_a_first_generation_is_made_where_there_is_none(tiny_onnx: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, str(tmp_path / "new.db"))) as here:
            assert len(here.store.clips()) == 6
            assert (await (await here.phone()).vote())["kind"] == "counted"

    run(work())


def test_no_address_is_stored_and_a_day_later_no_id_of_a_phone(tiny_onnx: Path, where: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            for _ in range(3):
                await phone.vote()
            await phone.ask("draw", "drawn", lines=[[2, 0.5, [[0.0, 0.2], [1.0, 0.9]]]])
            visitor = phone.hello["id"]
            assert {vote.visitor for vote in here.store.votes()} == {visitor}
            assert forget_visitors(here.store, now_ms() - 3_600_000) == 0  # of today nothing is forgotten
            assert forget_visitors(here.store, now_ms() + 1) == 2
            (now,) = {vote.visitor for vote in here.store.votes()}
            assert now != visitor
            out = tmp_path / "all.jsonl"
            with out.open("w") as file:
                count = export(here.store, file)
            text = out.read_text()
            assert count == len(text.splitlines())
            assert visitor not in text
            assert "127.0.0.1" not in text
            tables = [json.loads(line)["table"] for line in text.splitlines()]
            assert tables[0] == "generations"
            assert [tables.count(name) for name in ("generations", "clips", "drawings", "votes")] == [1, 6, 1, 3]

    run(work())


def test_a_backup_is_whole_while_votes_come_in(tiny_onnx: Path, where: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with stand(configuration(tiny_onnx, where)) as here:
            phone = await here.phone()
            await phone.vote()
            assert await asyncio.to_thread(backup, here.store, tmp_path / "copy.db") > 10_000
            await phone.vote()
            with Store(tmp_path / "copy.db") as copy:
                assert copy.count_votes() == 1
            with pytest.raises(StoreError, match="failed"):
                backup(here.store, tmp_path / "no" / "such" / "folder.db")

    run(work())


def test_a_backup_of_postgresql_is_what_pg_restore_takes(server: Postgres, tmp_path: Path) -> None:
    url = server.url("whole")
    filled(url)
    with Store(url) as store:
        assert backup(store, tmp_path / "booth.dump") > 1000
    assert (tmp_path / "booth.dump").read_bytes().startswith(b"PGDMP")


def test_votes_go_into_postgresql(tiny_onnx: Path, server: Postgres) -> None:
    url = server.url("votes")
    filled(url)

    async def work() -> None:
        async with stand(configuration(tiny_onnx, url)) as here:
            phones = [await here.phone() for _ in range(10)]
            said = await asyncio.gather(*(phone.vote() for phone in phones))
            assert [one["kind"] for one in said] == ["counted"] * 10
            assert here.store.count_votes() == 10

    run(work())


def test_hidden_clips_are_not_asked(where: str) -> None:
    async def work() -> None:
        with Store(where) as store, closing(Writer(store.engine, asyncio.get_running_loop())) as writer:
            voting = Voting(store, writer)
            await voting.look()
            assert len(voting.clips) == 6
            store.hide_clip(3)
            voting.generation = None
            await voting.look()
            assert 3 not in voting.clips
            assert voting.packed(3) is None

    run(work())


def test_a_clip_that_is_hidden_while_a_booth_looks_for_another_generation_stays_hidden(where: str) -> None:
    class Slow(Store):
        """Takes its time to count for the first time, when it has read the clips."""

        counts, goes_on = threading.Event(), threading.Event()

        def tally(self) -> list[Tally]:
            if not self.counts.is_set():
                self.counts.set()
                self.goes_on.wait(0.5)
            return super().tally()

    async def work() -> None:
        with Slow(where) as store, closing(Writer(store.engine, asyncio.get_running_loop())) as writer:
            voting = Voting(store, writer)
            looks = asyncio.ensure_future(voting.look())
            await asyncio.to_thread(store.counts.wait)
            await voting.hide(3)
            store.goes_on.set()
            assert await looks
            assert len(voting.clips) == 5
            assert 3 not in voting.clips

    run(work())


def test_a_drawing_of_the_store_is_music(where: str) -> None:
    with Store(where) as store:
        store.add_drawing(Drawing("draw", "amber owl", [], music(), "v"))
        assert store.drawings()[0].music == music()
