"""What is done with a store as a whole: exported as JSON lines, copied, and visitors forgotten.

Runs on: main process; forgetting on the booth process, in a thread.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from engine.store import schema
from engine.store.connection import StoreError, shown
from engine.store.store import Store

GONE = "x"  # an id of nobody begins with it


def export(store: Store, out: IO[str]) -> int:
    """Write every row of every table as a line of JSON, {"table": NAME, ...}; return how many."""
    count = 0
    with store.reading() as connection:
        for table in schema.TABLES:
            for row in connection.execution_options(yield_per=1000).execute(sa.select(table).order_by(*table.primary_key)):
                out.write(json.dumps({"table": table.name, **row._mapping}, separators=(",", ":"), ensure_ascii=False) + "\n")
                count += 1
    return count


def backup(store: Store, path: Path) -> int:
    """Copy the store as it is now into a file, while votes come in; return its bytes. Raises StoreError.

    SQLite's own copy of a file in use; of PostgreSQL what pg_dump makes, for pg_restore.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if store.url.get_backend_name() == "sqlite":
            _copied(str(store.url.database), part)
        else:
            _dumped(store, part)
        part.replace(path)
        return path.stat().st_size
    except (OSError, sqlite3.Error, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise StoreError(f"{path}: the copy of {shown(store.url)} failed ({said}); what was there is as it was") from error
    finally:
        part.unlink(missing_ok=True)


def _copied(source: str, target: Path) -> None:
    one, other = sqlite3.connect(source), sqlite3.connect(target)
    try:
        one.backup(other)
        faults = other.execute("PRAGMA integrity_check").fetchone()[0]
        if faults != "ok":
            raise sqlite3.DatabaseError(str(faults))
    finally:
        other.close()
        one.close()


def _dumped(store: Store, target: Path) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    program = str(found[-1]) if found else shutil.which("pg_dump")
    if program is None:
        raise StoreError("pg_dump is not here: apt install postgresql-client")
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [program, "--format=custom", f"--file={target}", f"--dbname={url}"]
    subprocess.run(command, check=True, capture_output=True, text=True)


def forget_visitors(store: Store, before_ms: int) -> int:
    """Draw the ids of visitors of earlier days anew, so that no phone's id leads to what it did; return how many.

    That several votes were one visitor's stays known, for they are weighed together.
    """
    count = 0
    with store.writing() as connection:
        for table in (schema.ballots, schema.drawings):
            old = sa.and_(table.c.created_ms < before_ms, sa.not_(table.c.visitor.startswith(GONE)))
            for visitor in connection.execute(sa.select(table.c.visitor).where(old).distinct()).scalars().all():
                now = GONE + secrets.token_hex(12)
                connection.execute(sa.update(table).where(table.c.visitor == visitor).values(visitor=now))
                count += 1
    return count
