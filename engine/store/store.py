"""The store: generations, clips, votes and drawings, to be read and written by whoever has it open.

Runs on: booth process, and whoever breeds generations. Votes are written by the group commit (`writer.py`); all else here.
Every method that writes does so in one transaction: whole or not at all. Each raises StoreError where the database cannot.

    with Store("booth.db") as store:
        generation = store.add_generation(Generation(method="first", network="festival.onnx"), clips)
        store.open_generation(generation)          # voted on from now on
        standings = rank(store.votes(generation))  # see ranking.py
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from engine.store import schema
from engine.store.clip import Clip, music_of_json
from engine.store.connection import StoreError, alone, connect, migrate, shown, url_of, why, writing
from engine.store.names import name_of
from engine.store.rows import Drawing as Drawing
from engine.store.rows import Generation as Generation
from engine.store.rows import Tally as Tally
from engine.store.rows import Vote as Vote

MOST_CLIPS = 1024  # of one generation


def now_ms() -> int:
    """Return the time, as the store keeps it."""
    return time.time_ns() // 1_000_000


class Store:
    """An open store; close it, or use it in a `with`."""

    def __init__(self, where: str | Path, exclusive: bool = False) -> None:
        """Open and migrate it. `exclusive`: this is a booth, and no other may have its file. Raises StoreError."""
        self.url = url_of(where)
        self._held = contextlib.ExitStack()
        if exclusive:
            self._held.enter_context(alone(self.url))
        try:
            if self.url.get_backend_name() == "sqlite" and self.url.database:
                _make_folder(Path(self.url.database).parent)
            self.engine = connect(self.url)
            self._held.callback(self.engine.dispose)
            migrate(self.engine)
        except BaseException:
            self._held.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._held.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with. What a database says becomes a StoreError."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"{shown(self.url)}: cannot be read ({why(error)})") from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give one transaction to write in. What a database says becomes a StoreError."""
        try:
            with writing(self.engine) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"{shown(self.url)}: cannot be written ({why(error)}); nothing of it was kept") from error

    # --- generations -------------------------------------------------------------------------------------------------------

    def add_generation(self, generation: Generation, clips: Sequence[Clip] = ()) -> int:
        """Write a generation with its clips, all at once; return its id. It is not voted on before `open_generation`."""
        if len(clips) > MOST_CLIPS:
            raise StoreError(f"a generation has at most {MOST_CLIPS} clips")
        with self.writing() as connection:
            values = {
                "parent": generation.parent,
                "method": generation.method,
                "state": generation.state,
                "network": generation.network,
                "sha256": generation.sha256,
                "seed": generation.seed,
                "conditions": dict(generation.conditions),
                "figures": dict(generation.figures),
                "created_ms": now_ms(),
            }
            number = _inserted(connection, schema.generations, values)
            self._add(connection, number, clips)
        return number

    def add_clips(self, generation: int, clips: Sequence[Clip]) -> list[int]:
        """Add clips to a generation, all at once; return their ids."""
        with self.writing() as connection:
            return self._add(connection, generation, clips)

    def _add(self, connection: sa.Connection, generation: int, clips: Sequence[Clip]) -> list[int]:
        ids = []
        for clip in clips:
            values = {
                "generation": generation,
                "arm": clip.arm,
                "name": clip.name or name_of(secrets.randbits(32)),
                "music": clip.music.as_json(),
                "network": clip.network,
                "seed": clip.seed,
                "conditions": dict(clip.conditions),
                "figures": dict(clip.figures),
                "hidden": clip.hidden,
                "created_ms": now_ms(),
            }
            ids.append(_inserted(connection, schema.clips, values))
            for place, parent in enumerate(clip.parents):
                connection.execute(sa.insert(schema.parents).values(clip=ids[-1], place=place, parent=parent))
        return ids

    def open_generation(self, number: int) -> None:
        """Let this generation be voted on, and the one before no more. An older one may be opened again: that rolls back."""
        table = schema.generations
        with self.writing() as connection:
            connection.execute(
                sa.update(table).where(table.c.state == schema.OPEN).values(state=schema.CLOSED, closed_ms=now_ms())
            )
            done = connection.execute(
                sa.update(table)
                .where(table.c.id == number, table.c.state != schema.DISCARDED)
                .values(state=schema.OPEN, opened_ms=now_ms(), closed_ms=None)
            )
            if not done.rowcount:
                raise StoreError(f"there is no generation {number} that could be opened")

    def discard_generation(self, number: int) -> None:
        """Throw a generation away that was never opened, such as one whose breeding was interrupted; its row says so."""
        table = schema.generations
        with self.writing() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.id == number, table.c.state == schema.BREEDING)
                .values(state=schema.DISCARDED, closed_ms=now_ms())
            )

    def complete_generation(
        self, number: int, network: str, sha256: str, figures: Mapping[str, Any], clips: Sequence[Clip]
    ) -> None:
        """Give a generation that was being bred its network, its figures and its clips, all at once."""
        table = schema.generations
        with self.writing() as connection:
            bred = sa.update(table).where(table.c.id == number, table.c.state == schema.BREEDING)
            done = connection.execute(bred.values(network=network, sha256=sha256, figures=dict(figures)))
            if not done.rowcount:
                raise StoreError(f"generation {number} is not being bred any more")
            self._add(connection, number, clips)

    def note_figures(self, number: int, figures: Mapping[str, Any]) -> None:
        """Keep what was measured of a generation, in place of what was kept before."""
        table = schema.generations
        with self.writing() as connection:
            connection.execute(sa.update(table).where(table.c.id == number).values(figures=dict(figures)))

    def generations(self) -> list[Generation]:
        """Return all of them, in order of their ids."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(schema.generations).order_by(schema.generations.c.id)).mappings()
            return [Generation(**row) for row in rows]

    def generation(self, number: int) -> Generation:
        """Return one. Raises StoreError where there is none."""
        with self.reading() as connection:
            row = connection.execute(sa.select(schema.generations).where(schema.generations.c.id == number)).mappings().first()
        if row is None:
            raise StoreError(f"there is no generation {number}; algoritmo generations lists those there are")
        return Generation(**row)

    def current(self) -> Generation | None:
        """Return the one that is voted on now; None before the first."""
        table = schema.generations
        with self.reading() as connection:
            row = connection.execute(sa.select(table).where(table.c.state == schema.OPEN)).mappings().first()
        return None if row is None else Generation(**row)

    # --- clips -------------------------------------------------------------------------------------------------------------

    def clips(self, generation: int | None = None, hidden: bool = True) -> list[Clip]:
        """Return the clips of a generation (None: of all), in order of their ids.

        `hidden`: also what visitors may not hear: what was hidden, and clips of a generation that was never opened.
        """
        query = sa.select(schema.clips).order_by(schema.clips.c.id)
        if generation is not None:
            query = query.where(schema.clips.c.generation == generation)
        if not hidden:
            table = schema.generations
            opened = sa.select(table.c.id).where(table.c.opened_ms.is_not(None))
            query = query.where(sa.not_(schema.clips.c.hidden), schema.clips.c.generation.in_(opened))
        return self._clips(query)

    def clip(self, number: int) -> Clip:
        """Return one. Raises StoreError where there is none."""
        found = self._clips(sa.select(schema.clips).where(schema.clips.c.id == number))
        if not found:
            raise StoreError(f"there is no clip {number}")
        return found[0]

    def _clips(self, query: sa.Select[Any]) -> list[Clip]:
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
            of: dict[int, list[int]] = {row["id"]: [] for row in rows}
            table = schema.parents
            asked = sa.select(table).order_by(table.c.clip, table.c.place)
            if len(of) <= MOST_CLIPS:
                asked = asked.where(table.c.clip.in_(list(of)))
            for row in connection.execute(asked):
                if row.clip in of:
                    of[row.clip].append(row.parent)
        return [
            Clip(
                music_of_json(row["music"]),
                row["arm"],
                row["seed"],
                row["network"],
                row["conditions"],
                tuple(of[row["id"]]),
                row["figures"],
                row["name"],
                row["id"],
                row["generation"],
                row["hidden"],
            )
            for row in rows
        ]

    def hide_clip(self, number: int, hidden: bool = True) -> None:
        """Take a clip out of the votes and off the wall, or let it back."""
        with self.writing() as connection:
            connection.execute(sa.update(schema.clips).where(schema.clips.c.id == number).values(hidden=hidden))

    # --- votes -------------------------------------------------------------------------------------------------------------

    def votes(self, generation: int | None = None, across: bool | None = None) -> list[Vote]:
        """Return the votes of the time in which a generation was open (None: all), as they came.

        `across`: those between two generations alone, or those within one alone; None: both.
        """
        query = self._of_votes()
        if generation is not None:
            query = query.where(schema.ballots.c.generation == generation)
        if across is not None:
            query = query.where(schema.ballots.c.across == across)
        with self.reading() as connection:
            return [Vote(*row[1:]) for row in connection.execute(query)]

    def cast(self, generation: int, since_ms: int = 0) -> dict[str, Vote]:
        """Return the votes of the time in which a generation was open by their ballots, since a time."""
        query = self._of_votes().where(schema.ballots.c.generation == generation, schema.votes.c.created_ms >= since_ms)
        with self.reading() as connection:
            return {row[0]: Vote(*row[1:]) for row in connection.execute(query)}

    def in_room(self, room: int) -> tuple[int, int]:
        """Return how many chose the first and how many the second clip of a round in the room."""
        ballots, votes = schema.ballots, schema.votes
        query = sa.select(votes.c.choice, sa.func.count()).join_from(votes, ballots).where(ballots.c.room == room)
        with self.reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(query.group_by(votes.c.choice))}
        return found.get(0, 0), found.get(1, 0)

    def tally(self) -> list[Tally]:
        """Return how often each question was answered how, of all generations."""
        ballots, votes = schema.ballots, schema.votes
        asked = (ballots.c.first, ballots.c.second, votes.c.choice, ballots.c.across)
        query = sa.select(*asked, sa.func.count()).join_from(votes, ballots).group_by(*asked)
        with self.reading() as connection:
            return [Tally(*row) for row in connection.execute(query)]

    @staticmethod
    def _of_votes() -> sa.Select[Any]:
        ballots, votes = schema.ballots, schema.votes
        of_ballot = (ballots.c.visitor, ballots.c.crowd, ballots.c.across, ballots.c.room)
        wanted = (votes.c.ballot, ballots.c.first, ballots.c.second, votes.c.choice, *of_ballot)
        return sa.select(*wanted).join_from(votes, ballots).order_by(votes.c.created_ms, votes.c.ballot)

    def count_votes(self, generation: int | None = None, since_ms: int = 0) -> int:
        """Return how many votes came while a generation was open (None: in all), after a time."""
        query = sa.select(sa.func.count()).select_from(schema.votes).where(schema.votes.c.created_ms > since_ms)
        if generation is not None:
            query = query.join(schema.ballots).where(schema.ballots.c.generation == generation)
        with self.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def ballot(self, key: str) -> tuple[Mapping[str, Any], bool] | None:
        """Return a ballot and whether it was used; None where there is none."""
        ballots, votes = schema.ballots, schema.votes
        query = sa.select(ballots, votes.c.choice).outerjoin_from(ballots, votes).where(ballots.c.id == key)
        with self.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else (dict(row), row["choice"] is not None)

    # --- drawings ----------------------------------------------------------------------------------------------------------

    def add_drawing(self, drawing: Drawing) -> int:
        """Keep a drawing; return its id."""
        values = {
            "visitor": drawing.visitor,
            "kind": drawing.kind,
            "name": drawing.name,
            "state": drawing.state,
            "lines": drawing.lines,
            "music": drawing.music.as_json(),
            "created_ms": now_ms(),
        }
        with self.writing() as connection:
            return _inserted(connection, schema.drawings, values)

    def set_drawing(self, number: int, state: str, shown: bool = False) -> None:
        """Publish, hold back or hide a drawing; `shown`: it is played on the stage now."""
        values: dict[str, Any] = {"state": state} | ({"shown_ms": now_ms()} if shown else {})
        with self.writing() as connection:
            connection.execute(sa.update(schema.drawings).where(schema.drawings.c.id == number).values(values))

    def drawings(self, states: Sequence[str] | None = None, newest: int = 256) -> list[Drawing]:
        """Return the newest drawings, newest first, of these states alone where they are given."""
        table = schema.drawings
        query = sa.select(table).order_by(table.c.id.desc()).limit(newest)
        return self._drawings(query if states is None else query.where(table.c.state.in_(states)))

    def drawing(self, number: int) -> Drawing:
        """Return one. Raises StoreError where there is none."""
        found = self._drawings(sa.select(schema.drawings).where(schema.drawings.c.id == number))
        if not found:
            raise StoreError(f"there is no drawing {number}")
        return found[0]

    def _drawings(self, query: sa.Select[Any]) -> list[Drawing]:
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        named = ("kind", "name", "lines", "visitor", "state", "id", "created_ms")
        return [Drawing(music=music_of_json(row["music"]), **{key: row[key] for key in named}) for row in rows]


def _inserted(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> int:
    key = connection.execute(sa.insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"booth.store: {folder} cannot be made ({error.strerror}); set booth.store to where you may write"
        ) from error
