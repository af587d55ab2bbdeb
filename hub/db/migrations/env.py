"""Runs the migrations on the connection that `hub.db.schema.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from hub.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
