"""How Alembic runs here: on the connection `upgrade` gives it, inside its transaction."""

from __future__ import annotations

from alembic import context

from quantlib.store.migrations import SCHEMA, TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=TABLE,
    version_table_schema=SCHEMA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
