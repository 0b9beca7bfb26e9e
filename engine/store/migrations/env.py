"""What alembic runs for each migration: over the connection that the store gives it, each step whole or not at all.

Runs on: whoever opens the store.
"""

from __future__ import annotations

from alembic import context

from engine.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # in SQLite too, where the store begins its transactions itself
    transaction_per_migration=True,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
