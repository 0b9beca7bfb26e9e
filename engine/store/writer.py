"""The group commit: votes that come together are committed together, and each is acknowledged when its commit is on the disk.

Runs on: booth process, a thread of its own; asked from the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from engine.store.connection import StoreError, why
from engine.store.schema import metadata

GATHER_S = 0.005  # so long the first of a group waits for others; where commits take long ...
PAUSE = 4  # ... so many times as long as the last one took, so that a fifth of the time at most goes into them
LONGEST_S = 0.025
MOST = 500  # of one group
WAITING = 20_000  # more than a disk that hangs leaves waiting is refused

COUNTED = {"preserve_rowcount": True}


class _RepeatedError(Exception):
    """Some rows were there before: which ones is asked in a transaction that asks for each, which costs more."""


class Row(NamedTuple):
    """One row to be inserted; what is there already under its key stays as it is."""

    table: sa.Table
    values: dict[str, Any]
    done: asyncio.Future[bool] | None


class Rows:
    """Inserts rows, those of a group all or none."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._begins = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._insert = _insert_of(engine)
        self._statements: dict[str, Any] = {}

    def insert(self, group: list[Row]) -> list[bool]:
        """Insert in one transaction, ballots before their votes; return which are new. Raises what SQLAlchemy raises."""
        by_table: dict[str, list[int]] = {}
        for place, row in enumerate(group):
            by_table.setdefault(row.table.name, []).append(place)
        ordered = sorted(by_table.items(), key=lambda item: list(metadata.tables).index(item[0]))
        rows = [(metadata.tables[name], [group[place].values for place in places]) for name, places in ordered]
        with contextlib.suppress(_RepeatedError):
            with self._begins.begin() as connection:
                for table, values in rows:
                    if connection.execute(self._statement(table), values, execution_options=COUNTED).rowcount != len(values):
                        raise _RepeatedError
            return [True] * len(group)
        new = [False] * len(group)
        with self._begins.begin() as connection:
            for (table, values), (_, places) in zip(rows, ordered, strict=True):
                key = next(iter(table.primary_key.columns))
                there = set(connection.execute(self._statement(table).returning(key), values).scalars())
                for place in places:
                    if (value := group[place].values[key.name]) in there:
                        there.remove(value)  # the first of several in one group is the one that counts
                        new[place] = True
        return new

    def _statement(self, table: sa.Table) -> Any:
        """Insert, and do nothing where there is such a row already."""
        if table.name not in self._statements:
            self._statements[table.name] = self._insert(table).on_conflict_do_nothing()
        return self._statements[table.name]


def _insert_of(engine: sa.Engine) -> Any:
    """Return what makes an insertion in the words of a database; the words of the other one are not even loaded."""
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgres

        return insert_postgres
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite

    return insert_sqlite


class Writer:
    """Takes rows; `put` hands out a future that is done when the row is on the disk: False where its key was there before.

    A group that cannot be committed is not written at all: all its futures raise StoreError. Rows that nobody waits for go with
    the next group then: a ballot that was lost would have its vote refused for ever.
    """

    def __init__(self, engine: sa.Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._rows = Rows(engine)
        self._loop = loop
        self._queue: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._again: list[Row] = []  # that nobody waits for, of groups that were not committed
        self.commits = 0
        self.rows = 0
        self.fault = ""  # why the last group was not committed; empty when it was
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def put(self, table: sa.Table, values: dict[str, Any]) -> asyncio.Future[bool]:
        """Insert a row with the next group. The future raises StoreError where it cannot be kept."""
        done: asyncio.Future[bool] = self._loop.create_future()
        if self._queue.qsize() >= WAITING:
            done.set_exception(StoreError("the store is too slow: nothing more is taken for now"))
            return done
        self._queue.put(Row(table, values, done))
        return done

    def add(self, table: sa.Table, values: dict[str, Any]) -> None:
        """Insert a row with the next group, or where that cannot be with a later one; nobody waits for it."""
        if self._queue.qsize() < WAITING:
            self._queue.put(Row(table, values, None))

    def close(self) -> None:
        """Commit what waits and end."""
        self._queue.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        over = False
        took_s = 0.0
        while not over:
            first = self._queue.get()
            if first is None:
                return
            group = [first]
            until_s = time.monotonic() + min(max(GATHER_S, PAUSE * took_s), LONGEST_S)
            while len(group) < MOST:
                try:
                    row = self._queue.get(timeout=max(until_s - time.monotonic(), 0))
                except queue.Empty:
                    break
                if row is None:
                    over = True
                    break
                group.append(row)
            begun_s = time.monotonic()
            group, self._again = [*self._again, *group], []
            self._commit(group)
            took_s = time.monotonic() - begun_s

    def _commit(self, group: list[Row]) -> None:
        results: list[bool | StoreError]
        try:
            results = list(self._rows.insert(group))
            self.fault = ""
        except IntegrityError as error:  # one row that cannot be must not cost the others
            if len(group) > 1:
                for row in group:
                    self._commit([row])
                return
            results = [StoreError(f"this cannot be kept: {why(error)}")]
        except (SQLAlchemyError, OSError) as error:
            self.fault = why(error)
            self._again += [row for row in group if row.done is None][: WAITING - len(self._again)]
            results = [StoreError(f"the store cannot keep it now: {self.fault}")] * len(group)
        else:
            self.commits += 1
            self.rows += len(group)
        self._answer(list(zip((row.done for row in group), results, strict=True)))

    def _answer(self, results: list[tuple[asyncio.Future[bool] | None, bool | StoreError]]) -> None:
        def answer() -> None:
            for done, result in results:
                if done is None or done.done():
                    continue
                if isinstance(result, StoreError):
                    done.set_exception(result)
                else:
                    done.set_result(result)

        try:
            self._loop.call_soon_threadsafe(answer)
        except RuntimeError:  # the booth has ended
            return
