"""Opening the store: SQLite or PostgreSQL by URL, its tables brought up to date, one booth at a time on one file.

Runs on: whoever opens the store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from engine.core.errors import AlgoritmoError
from engine.core.segment import hold
from engine.store.schema import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0001"  # name of the newest of them
BUSY_MS = 2000  # that a locked file is waited for, before votes are refused
MIGRATING = 0x616C676F  # key of the lock under which one booth at a time migrates a PostgreSQL database


class StoreError(AlgoritmoError):
    """What is to be kept cannot be, or what was kept cannot be read."""


def url_of(where: str | Path) -> URL:
    """Return the URL that a path or a URL means: a path is a file of SQLite. Raises StoreError."""
    text = str(where)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"booth.store: {text!r} is no address of a database; write postgresql://USER@HOST/NAME") from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"booth.store: {url.get_backend_name()} is not spoken here; give a path, or postgresql://USER@HOST/NAME"
        )
    return url


def shown(url: URL) -> str:
    """Return a URL as it may be shown: without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def why(error: BaseException) -> str:
    """Return what a database said, in one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def connect(url: URL) -> sa.Engine:
    """Return the engine of a database, set so that what is committed is on the disk. Raises StoreError."""
    try:
        if url.get_backend_name() == "sqlite":
            engine = sa.create_engine(url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False})
            _settle_sqlite(engine)
        else:
            engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"booth.store: {shown(url)}: a package is missing ({error}); pip install -e '.[booth]'") from error
    return engine


def _settle_sqlite(engine: sa.Engine) -> None:
    """Write-ahead log, every commit on the disk, and transactions that begin where SQLAlchemy says so, tables included."""

    def settle(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # Python's own module would commit before each change of a table
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"busy_timeout = {BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    sa.event.listen(engine, "connect", settle)
    sa.event.listen(engine, "begin", begin)


def writing(engine: sa.Engine) -> contextlib.AbstractContextManager[sa.Connection]:
    """Return a transaction that writes: it is committed as a whole when the block ends, or not at all."""
    return engine.execution_options(begin="BEGIN IMMEDIATE").begin()


def migrate(engine: sa.Engine) -> None:
    """Bring the tables up to date; a step that stops half way leaves all as it was. Raises StoreError."""
    if _is_newest(engine):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATING})
                connection.commit()
            try:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                if engine.dialect.name == "postgresql":
                    connection.rollback()
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATING})
                    connection.commit()
    except CommandError as error:
        raise StoreError(f"{shown(engine.url)}: {error}; it was written by a newer version: start that one") from error
    except (DBAPIError, OSError) as error:
        raise StoreError(f"{shown(engine.url)}: cannot be opened ({why(error)}); nothing in it was changed") from error


def _is_newest(engine: sa.Engine) -> bool:
    """Whether nothing is to be done: then alembic, which takes half a second, is not even loaded."""
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [NEWEST]
    except (DBAPIError, OSError):  # a new database, or one that cannot be opened, which is told when it is migrated
        return False


def newest_revision() -> str | None:
    """Return the name of the newest migration."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head()


def differences(engine: sa.Engine) -> list[Any]:
    """Return where the tables differ from what the schema says; empty after `migrate`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


@contextlib.contextmanager
def alone(url: URL) -> Iterator[None]:
    """Hold a file of SQLite for one booth; others may read it. Raises StoreError where another booth has it.

    The system lets go of it when the booth ends, however it ends. PostgreSQL serves several booths.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        yield
        return
    path = Path(f"{url.database}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); set booth.store to where you may write") from error
    with file:
        if not hold(file):
            raise StoreError(f"{url.database}: another booth has it; end that one, or set booth.store to another file")
        yield
