"""Alembic's environment: runs the scripts on the connection that `kobza.store.migrations` was given."""

from alembic import context

from kobza.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
