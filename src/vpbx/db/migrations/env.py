"""What Alembic runs for every command: `vpbx.db.migrate` hands it an open connection."""

from __future__ import annotations

from alembic import context

from vpbx.db.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
