"""The store, in SQLite and in a real PostgreSQL: what goes in comes out, whole or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op

from engine.store import connection, schema
from engine.store.connection import NEWEST, StoreError, connect, differences, migrate, newest_revision, url_of
from engine.store.store import Drawing, Generation, Store, now_ms
from engine.store.writer import Writer
from tests.store.made_up import clips, music
from tests.store.servers import Postgres


def ballot(key: str, first: int, second: int, generation: int, visitor: str = "v", **more: Any) -> dict[str, Any]:
    """Values of a ballot."""
    values = {"id": key, "visitor": visitor, "crowd": 1, "first": first, "second": second, "generation": generation}
    return values | {"across": False, "room": None, "created_ms": now_ms()} | more


def vote(key: str, choice: int = 0) -> dict[str, Any]:
    """Values of a vote."""
    return {"ballot": key, "choice": choice, "created_ms": now_ms()}


def test_generations_and_clips_come_back_as_they_were(where: str) -> None:
    made = clips(5, conditions={"temperature": 0.9, "drawings": [7]})
    with Store(where) as store:
        assert store.current() is None
        first = store.add_generation(Generation("first", "festival.onnx", seed=3, conditions={"a": 1}), made)
        store.open_generation(first)
        found = store.clips(first)
        assert [clip.music for clip in found] == [clip.music for clip in made]
        assert all(clip.name and clip.conditions == {"temperature": 0.9, "drawings": [7]} for clip in found)
        ids = [clip.id for clip in found if clip.id is not None]
        second = store.add_generation(Generation("conditions", "festival.onnx", parent=first))
        child, _ = store.add_clips(second, [clips(1, parents=(ids[0], ids[3]), arm="winners")[0], clips(1, arm="control")[0]])
        assert store.clip(child).parents == (ids[0], ids[3])
        store.open_generation(second)
        now = store.current()
        assert now is not None
        assert now.id == second
        assert store.generation(first).state == schema.CLOSED
        store.open_generation(first)  # rolled back
        now = store.current()
        assert now is not None
        assert now.id == first
        store.hide_clip(ids[1])
        assert [clip.id for clip in store.clips(first, hidden=False)] == [ids[0], *ids[2:]]
    with Store(where) as again:
        assert len(again.clips()) == 7
        with pytest.raises(StoreError, match="no generation 99"):
            again.generation(99)


def test_a_generation_is_written_whole_or_not_at_all(where: str) -> None:
    with Store(where) as store:
        with pytest.raises(StoreError, match="nothing of it was kept"):
            store.add_generation(Generation("first", "festival.onnx"), [*clips(3), *clips(1, parents=(12345,))])
        assert store.generations() == []
        assert store.clips() == []


def test_one_that_was_interrupted_is_discarded_and_never_opened(where: str) -> None:
    with Store(where) as store:
        number = store.add_generation(Generation("weights", "w.onnx"))
        store.discard_generation(number)
        assert store.generation(number).state == schema.DISCARDED
        with pytest.raises(StoreError, match="could be opened"):
            store.open_generation(number)


def test_votes_are_kept_once_and_told_apart(where: str) -> None:
    async def votes(store: Store, generation: int, first: int, second: int) -> list[bool]:
        writer = Writer(store.engine, asyncio.get_running_loop())
        for number in range(40):
            writer.add(schema.ballots, ballot(f"b{number}", first, second, generation, across=number % 4 == 0))
        kept = [writer.put(schema.votes, vote(f"b{number}", number % 2)) for number in range(40)]
        again = [writer.put(schema.votes, vote(f"b{number}", 0)) for number in range(40)]
        out = [*await asyncio.gather(*kept), *await asyncio.gather(*again)]
        writer.close()
        return out

    with Store(where) as store:
        generation = store.add_generation(Generation("first", "festival.onnx"), clips(2))
        first, second = (clip.id for clip in store.clips())
        assert first is not None
        assert second is not None
        assert asyncio.run(votes(store, generation, first, second)) == [True] * 40 + [False] * 40
        found = store.votes(generation)
        assert len(found) == 40
        assert sum(one.choice for one in found) == 20
        assert len(store.votes(across=True)) == 10
        assert store.count_votes(generation) == store.count_votes() == 40
        there = store.ballot("b3")
        assert there is not None
        assert there[1] is True
        assert store.ballot("nobody's") is None


def test_a_row_that_cannot_be_kept_costs_the_others_of_its_group_nothing(where: str) -> None:
    async def try_it(store: Store) -> list[Any]:
        writer = Writer(store.engine, asyncio.get_running_loop())
        writer.add(schema.ballots, ballot("b", 1, 2, 1))
        done = [writer.put(schema.votes, vote("b")), writer.put(schema.votes, vote("of no ballot"))]
        out = await asyncio.gather(*done, return_exceptions=True)
        writer.close()
        return out

    with Store(where) as store:
        store.add_generation(Generation("first", "festival.onnx"), clips(2))
        kept, refused = asyncio.run(try_it(store))
        assert kept is True
        assert isinstance(refused, StoreError)
        assert store.count_votes() == 1


def test_a_file_that_is_locked_refuses_votes_with_a_word_and_takes_them_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_MS", 50)

    async def try_it(store: Store) -> None:
        writer = Writer(store.engine, asyncio.get_running_loop())
        other = connect(url_of(tmp_path / "booth.db"))
        with connection.writing(other) as holds:
            holds.execute(sa.text("UPDATE generations SET seed = 5"))
            writer.add(schema.ballots, ballot("a", 1, 2, 1))
            with pytest.raises(StoreError, match="cannot keep it now: database is locked"):
                await writer.put(schema.ballots, ballot("b", 1, 2, 1))
        assert await writer.put(schema.ballots, ballot("b", 1, 2, 1)) is True
        assert await writer.put(schema.votes, vote("a")) is True  # of a ballot that could not be kept when it was handed out
        assert writer.fault == ""
        writer.close()
        other.dispose()

    with Store(tmp_path / "booth.db") as store:
        store.add_generation(Generation("first", "festival.onnx"), clips(2))
        asyncio.run(try_it(store))


def test_a_disk_that_is_full_refuses_votes_and_half_stores_nothing(tmp_path: Path) -> None:
    async def try_it(store: Store) -> tuple[int, int]:
        writer = Writer(store.engine, asyncio.get_running_loop())
        kept = refused = 0
        for number in range(60):
            pending = []
            for k in range(20):
                key = f"{number}-{k}"
                writer.add(schema.ballots, ballot(key, 1, 2, 1))
                pending.append(writer.put(schema.votes, vote(key)))
            for result in await asyncio.gather(*pending, return_exceptions=True):
                kept += result is True
                if isinstance(result, StoreError):
                    refused += 1
                    assert "full" in str(result)
        writer.close()
        return kept, refused

    path = tmp_path / "booth.db"
    with Store(path) as store:
        store.add_generation(Generation("first", "festival.onnx"), clips(2))
        with store.engine.connect() as one:  # SQLite answers as it does when the disk is full
            pages = one.exec_driver_sql("PRAGMA page_count").scalar_one()
        sa.event.listen(
            store.engine, "checkout", lambda raw, _record, _proxy: raw.execute(f"PRAGMA max_page_count = {pages + 30}")
        )
        kept, refused = asyncio.run(try_it(store))
        assert kept > 0
        assert refused > 0
        assert store.count_votes() == kept


def test_a_database_that_is_gone_refuses_votes_and_takes_them_when_it_is_back(server: Postgres) -> None:
    async def try_it(store: Store) -> None:
        writer = Writer(store.engine, asyncio.get_running_loop())
        assert await writer.put(schema.ballots, ballot("b1", 1, 2, 1)) is True
        server.stop()
        with pytest.raises(StoreError, match="cannot keep it now"):
            await writer.put(schema.ballots, ballot("b2", 1, 2, 1))
        server.start()
        assert await writer.put(schema.ballots, ballot("b2", 1, 2, 1)) is True
        writer.close()

    with Store(server.url("gone")) as store:
        store.add_generation(Generation("first", "festival.onnx"), clips(2))
        asyncio.run(try_it(store))
        with store.reading() as open_one:
            assert open_one.execute(sa.select(sa.func.count()).select_from(schema.ballots)).scalar_one() == 2


def test_two_booths_on_one_file_are_one_too_many(tmp_path: Path) -> None:
    with Store(tmp_path / "booth.db", exclusive=True):
        with pytest.raises(StoreError, match="another booth has it"):
            Store(tmp_path / "booth.db", exclusive=True)
        with Store(tmp_path / "booth.db") as reader:  # who breeds may look and write
            assert reader.generations() == []
    Store(tmp_path / "booth.db", exclusive=True).close()


def test_the_lock_goes_with_the_process_that_is_killed(tmp_path: Path) -> None:
    lines = (
        "import sys, time",
        "from engine.store.store import Store",
        "s = Store(sys.argv[1], True)",
        "print('here', flush=True)",
    )
    code = "; ".join((*lines, "time.sleep(60)"))
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "booth.db")], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StoreError, match="another booth"):
            Store(tmp_path / "booth.db", exclusive=True)
        other.kill()
        other.wait()
        Store(tmp_path / "booth.db", exclusive=True).close()
    finally:
        other.kill()
        other.wait()


def test_the_migrations_make_the_tables_that_the_schema_has(where: str) -> None:
    with Store(where) as store:
        assert differences(store.engine) == []
    assert newest_revision() == NEWEST


def test_a_migration_that_stops_half_way_leaves_all_as_it_was(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect(url_of(where))
    real, calls = op.create_table, []

    def stops(name: str, *arguments: Any, **more: Any) -> Any:
        calls.append(name)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(name, *arguments, **more)

    monkeypatch.setattr(op, "create_table", stops)
    with pytest.raises(StoreError, match="nothing in it was changed"):
        migrate(engine)
    assert not set(sa.inspect(engine).get_table_names()) - {"alembic_version"}
    monkeypatch.undo()
    migrate(engine)
    assert differences(engine) == []
    engine.dispose()


def test_a_store_of_a_newer_version_is_left_alone(where: str) -> None:
    with Store(where) as store, store.writing() as open_one:
        assert newest_revision() is not None
        open_one.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version"):
        Store(where)


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and longer than a header of one would be: " * 20)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(tmp_path / "text.db")
    with pytest.raises(StoreError, match="mysql is not spoken here"):
        Store("mysql://root@localhost/booth")
    with pytest.raises(StoreError, match="no address of a database"):
        Store("postgresql://:::/")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store("postgresql://nobody@127.0.0.1:1/booth")


def test_drawings_are_kept_and_hidden(where: str) -> None:
    with Store(where) as store:
        number = store.add_drawing(Drawing("draw", "amber owl", [[4, 0.5, [[0, 0], [1, 1]]]], music(), "visitor"))
        store.add_drawing(Drawing("compose", "calm fox", [], music(1), "visitor"))
        assert [one.name for one in store.drawings()] == ["calm fox", "amber owl"]
        store.set_drawing(number, schema.PUBLISHED, shown=True)
        assert [one.id for one in store.drawings([schema.PUBLISHED])] == [number]
        store.set_drawing(number, schema.HIDDEN)
        assert store.drawings([schema.PUBLISHED]) == []
