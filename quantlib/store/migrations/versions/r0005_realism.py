"""Grades of simulators: how far their worlds can be told from the prices they learned from."""

from __future__ import annotations

from alembic import op

from quantlib.store.migrations.comments import comment_tables

revision = "r0005"
down_revision = "r0004"

REALISM = """
CREATE TABLE derived.realism (
    id           text PRIMARY KEY,
    simulator    text NOT NULL,
    params       jsonb NOT NULL,
    snapshot_id  text NOT NULL,
    code_version text NOT NULL,
    card         jsonb NOT NULL,
    grade        text NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D', 'E', 'F', 'unknown')),
    why          text NOT NULL,
    judged       text NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(REALISM)
    comment_tables(op.get_bind())
